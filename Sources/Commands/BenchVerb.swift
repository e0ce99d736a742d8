internal import Freshness
internal import Inputs
internal import Model
internal import Observe
internal import Runtime
internal import Synchronization

extension Verbs {
    static let bench = Verb(
        name: "bench", summary: "measure this machine: events/s, CPU, memory, state", usage: "[option…]",
        options: [
            .value("events", "N", "of the reference workload; default 2M"),
            .value("rate", "R", "events per second of event time; default 2000"),
            .value("topology", "FILE", "what to run; default: the reference job"),
            .value("with", "FILE", "laid over the topology", repeatable: true),
            .value("input", "FILE", "NDJSON, .gz or .zst to read instead of generated events", repeatable: true),
        ],
        notes: [
            "Generates events into a temporary file, runs the topology over it to the end and throws the",
            "state away. Beside a broker and a bare drain: `make bench` in the sources.",
        ],
        run: { arguments, console throws(Fault) in try BenchVerb.run(arguments, console) })
}

enum BenchVerb {
    static func run(_ arguments: Arguments, _ console: Console) throws(Fault) -> ExitCode {
        let signals = StopSignals()
        let clock = SystemClock()
        let asJSON = arguments.has("json")
        let events = try arguments.integer("events", in: 1...1_000_000_000, of: "bench") ?? CommandsLimits.events
        let rate = try arguments.rate("rate", of: "bench") ?? 2_000
        var plan: Plan
        if let file = arguments.value("topology") {
            let (read, exit) = TopologyInput.plan([file] + arguments.all("with"), on: console, asJSON: asJSON)
            guard let read else { return exit }
            plan = read
        } else {
            plan = try TopologyInput.builtIn(BuiltInTopologies.reference, name: "reference.yaml")
        }
        let state = try TemporaryDirectory()
        let data = try TemporaryDirectory()
        var inputs = arguments.all("input")
        if inputs.isEmpty {
            let path = "\(data.path)/events.ndjson"
            let isWhole = try generate(events, rate, to: path, signals, console, clock)
            guard isWhole else { return .answerIsNo }
            inputs = (0..<8).map { ReferenceWorkload.partitionPath(path, $0) }
        }
        plan.source.kind = .files(inputs)
        plan.state.directory = state.path
        plan.http = nil
        let serving = ServedTopology(plan: plan, options: RunOptions(until: .end), level: .warning, console: console)
        var progress = Progress(of: "events", on: console, now: serving.start)
        let report = try serving.run(signals) { facts, now in
            progress.update(done: facts.books.read, total: arguments.all("input").isEmpty ? events : nil, now: now)
        }
        progress.end()
        let size = state.size
        console.out(asJSON ? json(report, size) : text(report, size))
        withExtendedLifetime((state, data)) {}
        return serving.wasStopped ? .answerIsNo : report.exit(wasStopped: false)
    }

    /// False: a signal ended it.
    private static func generate(
        _ events: Int64, _ rate: Double, to path: String, _ signals: StopSignals, _ console: Console, _ clock: SystemClock
    ) throws(Fault) -> Bool {
        let state = GenerateProgress()
        let work = Background("generate") { () throws(Fault) in
            var workload = ReferenceWorkload(rate: rate, start: EventTime(milliseconds: CommandsLimits.workloadStart))
            return try workload.write(events: events, to: path, perPartition: true) { written in
                state.written.store(written, ordering: .relaxed)
                return !state.isStopped.load(ordering: .relaxed)
            }
        }
        var progress = Progress(of: "events generated", on: console, now: clock.monotonic())
        defer { progress.end() }
        let summary = try work.wait(
            signals, console, onStop: { state.isStopped.store(true, ordering: .relaxed) },
            onTick: { progress.update(done: state.written.load(ordering: .relaxed), total: events, now: clock.monotonic()) })
        return summary.events == events
    }

    static func perMillion(_ report: RunReport) -> Double {
        report.summary.read > 0 ? report.use.cpuSeconds * 1e6 / Double(report.summary.read) : 0
    }

    static func perEvent(_ report: RunReport, _ size: ByteCount) -> Double {
        report.summary.read > 0 ? Double(size.bytes) / Double(report.summary.read) : 0
    }

    private static func text(_ report: RunReport, _ size: ByteCount) -> String {
        report.text + """
              bench   \(NumberText.grouped(Int64(report.rate.rounded()))) events/s, \
            \(NumberText.oneDecimal(perMillion(report))) CPU s per million events, \
            \(NumberText.bytes(report.use.peakMemory)) at most, \
            \(NumberText.oneDecimal(perEvent(report, size))) bytes of state per event

            """
    }

    private static func json(_ report: RunReport, _ size: ByteCount) -> String {
        var text = JSONText()
        text.beginObject()
        report.members(&text)
        text.member("cpu_seconds_per_million", perMillion(report))
        text.member("state_bytes", size.bytes)
        text.member("state_bytes_per_event", perEvent(report, size))
        text.endObject()
        return text.text + "\n"
    }
}
