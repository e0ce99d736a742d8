internal import Inputs
internal import Model
internal import Observe
internal import Runtime
internal import Synchronization

extension Verbs {
    static let generate = Verb(
        name: "generate", summary: "made-up traffic to a topic or a file",
        usage: "(--to URL | --topic T | --file PATH) [option…]",
        options: [
            .value("to", "URL", "kafka://HOST:PORT/TOPIC"),
            .value("topic", "NAME", "a topic; it is created if it is missing"),
            .value("bootstrap", "HOST:PORT,…", "its brokers; default $KAFKA_BOOTSTRAP, localhost:9092"),
            .value("file", "PATH", "NDJSON instead; .gz and .zst compress"),
            .value("events", "N", "how many, copies included; default 2M, with --paced no end"),
            .value("rate", "R", "events per second of event time; default 2000"),
            .value("seed", "S", "the same seed gives the same bytes; default 1"),
            .value("partitions", "P", "default 8"),
            .value("users", "N", "default 200k"),
            .value("start", "T", "the first event's time; default 2026-01-01T00:00:00Z, with --paced now"),
            .flag("paced", "event time runs with the clock; else as fast as can be"),
            .flag("per-partition", "a file for each partition"),
        ],
        notes: [
            "Telemetry keyed by user: 5 % byte-identical copies, 2 % up to 5 min late, others up to 2 s",
            "out of order, 293 bytes on average. SIGTERM and SIGINT end it; what was sent is complete.",
        ],
        run: { arguments, console throws(Fault) in try GenerateVerb.run(arguments, console) })
}

/// What to generate and where to.
struct GenerateJob: Equatable, Sendable {
    enum Target: Equatable, Sendable {
        case topic(String, bootstrap: String)
        case file(String, perPartition: Bool)
    }
    var target: Target
    /// nil: without end.
    var events: Int64?
    var rate: Double
    var seed: UInt64
    var partitions: Int32
    var users: Int32
    var start: EventTime
    var isTimed: Bool

    var workload: ReferenceWorkload {
        ReferenceWorkload(seed: seed, rate: rate, users: users, partitions: partitions, start: start)
    }

    init(_ arguments: Arguments, now: WallTime) throws(Fault) {
        let verb = "generate"
        isTimed = arguments.has("paced")
        target = try Self.target(arguments)
        events = try arguments.integer("events", in: 1...Int64.max / 2_000, of: verb) ?? (isTimed ? nil : CommandsLimits.events)
        rate = try arguments.rate("rate", of: verb) ?? 2_000
        seed = UInt64(try arguments.integer("seed", in: 0...Int64.max, of: verb) ?? 1)
        partitions = Int32(try arguments.integer("partitions", in: 1...CommandsLimits.partitions, of: verb) ?? 8)
        users = Int32(try arguments.integer("users", in: 1...Int64(Int32.max), of: verb) ?? 200_000)
        let usual = isTimed ? now.milliseconds : CommandsLimits.workloadStart
        start = try arguments.instant("start", of: verb) ?? EventTime(milliseconds: usual)
        if isTimed, case .file = target {
            throw usageFault("--paced writes to a topic only", of: verb, hint: "leave it out for files")
        }
    }

    private static func target(_ arguments: Arguments) throws(Fault) -> Target {
        let named = ["to", "topic", "file"].filter(arguments.has)
        guard named.count == 1 else {
            let what = named.isEmpty ? "there is no target" : "--\(named[0]) and --\(named[1]) don't go together"
            throw usageFault(what, of: "generate", hint: "write one of --to kafka://HOST:PORT/TOPIC, --topic NAME, --file PATH")
        }
        if let path = arguments.value("file") {
            if arguments.has("bootstrap") { throw usageFault("--bootstrap is for topics", of: "generate") }
            return .file(path, perPartition: arguments.has("per-partition"))
        }
        if arguments.has("per-partition") {
            throw usageFault("--per-partition is for files", of: "generate", hint: "a topic has its partitions anyway")
        }
        if let topic = arguments.value("topic") {
            return .topic(topic, bootstrap: arguments.value("bootstrap") ?? usualBootstrap)
        }
        let url = arguments.value("to") ?? ""
        let parts = url.dropFirst("kafka://".count).split(separator: "/", omittingEmptySubsequences: false)
        guard url.hasPrefix("kafka://"), parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, !arguments.has("bootstrap")
        else {
            throw usageFault("--to is `\(printableWord(url))`", of: "generate", hint: "write kafka://HOST:PORT/TOPIC")
        }
        return .topic(String(parts[1]), bootstrap: String(parts[0]))
    }
}

/// How far generating is, and whether it shall end. The work counts, the command's thread looks.
final class GenerateProgress: Sendable {
    let written = Atomic<Int64>(0)
    let isStopped = Atomic<Bool>(false)
}

enum GenerateVerb {
    static func run(_ arguments: Arguments, _ console: Console) throws(Fault) -> ExitCode {
        let clock = SystemClock()
        let signals = StopSignals()
        let job = try GenerateJob(arguments, now: clock.wall())
        let start = clock.monotonic()
        let state = GenerateProgress()
        let work = Background("generate") { () throws(Fault) in try generate(job, state, console, clock) }
        var progress = Progress(of: "events", on: console, now: start)
        let summary = try work.wait(
            signals, console, onStop: { state.isStopped.store(true, ordering: .relaxed) },
            onTick: {
                progress.update(done: state.written.load(ordering: .relaxed), total: job.events, now: clock.monotonic())
            })
        progress.end()
        let elapsed = clock.monotonic() - start
        console.out(arguments.has("json") ? json(summary, elapsed) : text(summary, elapsed))
        return .done
    }

    private static func generate(
        _ job: GenerateJob, _ state: GenerateProgress, _ console: Console, _ clock: SystemClock
    ) throws(Fault) -> WorkloadSummary {
        switch job.target {
        case .topic(let topic, let bootstrap):
            return try GenerateTopic(topic: topic, bootstrap: bootstrap, console: console).write(job, state, clock)
        case .file(let path, let perPartition):
            var workload = job.workload
            return try workload.write(events: job.events ?? .max / 2, to: path, perPartition: perPartition) { written in
                state.written.store(written, ordering: .relaxed)
                return !state.isStopped.load(ordering: .relaxed)
            }
        }
    }

    static func text(_ summary: WorkloadSummary, _ elapsed: TimeSpan) -> String {
        let unique = summary.events - summary.copies
        return """
            \(NumberText.grouped(summary.events)) events in \(TimeText.span(elapsed)), \
            \(NumberText.grouped(Int64(rate(summary, elapsed).rounded())))/s: \(NumberText.grouped(unique)) unique, \
            \(NumberText.grouped(summary.copies)) copies, \(NumberText.grouped(summary.late)) late, \
            \(NumberText.oneDecimal(mean(summary))) bytes on average

            """
    }

    static func json(_ summary: WorkloadSummary, _ elapsed: TimeSpan) -> String {
        var text = JSONText()
        text.beginObject()
        text.member("events", summary.events)
        text.member("unique", summary.events - summary.copies)
        text.member("copies", summary.copies)
        text.member("late", summary.late)
        text.member("bytes", summary.bytes)
        text.member("mean_bytes", mean(summary))
        text.member("seconds", Double(elapsed.milliseconds) / 1_000)
        text.member("events_per_second", rate(summary, elapsed))
        text.endObject()
        return text.text + "\n"
    }

    private static func mean(_ summary: WorkloadSummary) -> Double {
        summary.events > 0 ? Double(summary.bytes) / Double(summary.events) : 0
    }

    private static func rate(_ summary: WorkloadSummary, _ elapsed: TimeSpan) -> Double {
        elapsed.milliseconds > 0 ? Double(summary.events) * 1_000 / Double(elapsed.milliseconds) : 0
    }
}
