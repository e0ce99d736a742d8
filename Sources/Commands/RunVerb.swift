internal import Freshness
internal import Model
internal import Observe
internal import Runtime

extension Verbs {
    static let run = Verb(
        name: "run", summary: "run a topology: until it is stopped, or a bounded part", usage: "FILE [option…]", operands: 1...1,
        options: [
            .value("with", "FILE", "laid over FILE, such as a file for production", repeatable: true),
            .value(
                "until", "end|now|T",
                "end: the input ends where it ends now, everything closes. now: stop there, windows stay open. T: see --from",
                repeatable: true),
            .value(
                "from", "T",
                "replay [from, until) into a --state of its own. T is an instant (2026-01-31T08:00:00Z) and bounds windows, "
                    + "or TOPIC:PARTITION:OFFSET and bounds records",
                repeatable: true),
            .value("state", "DIR", "instead of the topology's state directory"),
            .value("http", "HOST:PORT", "instead of the topology's address; off: no page, no metrics"),
            .value(
                "resume", "TOPIC:P=WHERE", "where to go on if a position is lost: earliest, latest or an offset",
                repeatable: true),
            .flag("accept", "delete the state of outputs that the topology no longer has"),
            .value("log-level", "LEVEL", "debug, info (default), warning or error"),
            .flag("quiet", "no progress, no summary, warnings and errors only"),
        ],
        notes: [
            "Serves until SIGTERM or SIGINT, then drains, commits and ends with 0 within 5 s; a second",
            "signal ends at once. SIGHUP is for a restart: an instance of a group keeps its partitions.",
            "Log lines go to stderr: JSON, or text on a terminal.",
        ],
        run: { arguments, console throws(Fault) in try RunVerb.run(arguments, console) })
}

enum RunVerb {
    static func run(_ arguments: Arguments, _ console: Console) throws(Fault) -> ExitCode {
        let signals = StopSignals()
        let bounds = try RunBounds.read(from: arguments.all("from"), until: arguments.all("until"))
        let options = RunOptions(
            until: bounds.until, range: bounds.range, resume: try RunBounds.resume(arguments.all("resume")),
            accept: arguments.has("accept"))
        let level = try level(arguments)
        let isQuiet = arguments.has("quiet")
        let asJSON = arguments.has("json")
        let (read, exit) = TopologyInput.plan(arguments.operands + arguments.all("with"), on: console, asJSON: asJSON)
        guard var plan = read else { return exit }
        try apply(arguments, to: &plan, isReplay: options.range != nil)
        let serving = ServedTopology(plan: plan, options: options, level: level, console: console)
        let isBounded = options.until != .stopped || plan.source.isBounded
        var progress = Progress(of: "records", on: console, isQuiet: isQuiet || !isBounded, now: serving.start)
        var position = RunPosition()
        let report = try serving.run(signals) { facts, now in
            let (done, total) = position.of(facts)
            progress.update(done: done, total: options.range == nil ? total : nil, now: now)
        }
        progress.end()
        if asJSON {
            console.out(report.json)
        } else if !isQuiet {
            console.out(report.text)
        }
        return report.exit(wasStopped: serving.wasStopped)
    }

    private static func level(_ arguments: Arguments) throws(Fault) -> OperationalEvent.Level {
        guard let word = arguments.value("log-level") else { return arguments.has("quiet") ? .warning : .info }
        let levels: [OperationalEvent.Level] = [.debug, .info, .warning, .error]
        guard let level = levels.first(where: { $0.word == word }) else {
            throw usageFault(
                "--log-level is `\(printableWord(word))`", of: "run", hint: "write debug, info, warning or error")
        }
        return level
    }

    private static func apply(_ arguments: Arguments, to plan: inout Plan, isReplay: Bool) throws(Fault) {
        if isReplay {
            guard let own = arguments.value("state") else {
                throw usageFault("a replay needs --state", of: "run", hint: "name a directory of its own")
            }
            if resolvedPath(own) == resolvedPath(plan.state.directory) {
                throw usageFault(
                    "--state is the topology's own state directory", of: "run", hint: "name another one, a replay starts empty")
            }
        }
        if let directory = arguments.value("state") { plan.state.directory = directory }
        guard let listen = arguments.value("http") else { return }
        if listen == "off" {
            plan.http = nil
        } else if let address = HostPort(listen) {
            plan.http = HTTPPlan(host: address.host, port: address.port)
        } else {
            throw usageFault(
                "--http is `\(printableWord(listen))`", of: "run", hint: "write HOST:PORT, such as 127.0.0.1:8080, or off")
        }
    }
}

/// How much of a bounded input is read: next offsets against end offsets.
struct RunPosition {
    private var first: [PartitionID: Int64] = [:]

    /// `total`: nil while a partition's end is not known.
    mutating func of(_ facts: Facts) -> (done: Int64, total: Int64?) {
        var done: Int64 = 0
        var total: Int64? = facts.partitions.isEmpty ? nil : 0
        for partition in facts.partitions {
            let begin = first[partition.id] ?? partition.nextOffset
            first[partition.id] = begin
            done += partition.nextOffset - begin
            if let end = end(of: partition), let sum = total {
                total = sum + max(end - begin, partition.nextOffset - begin)
            } else {
                total = nil
            }
        }
        return (done, total)
    }

    /// Of a file by the share of its bytes (a block of it is read ahead, so that the end is told a little low), of a bounded
    /// generator by the share of its events.
    private func end(of partition: PartitionFacts) -> Int64? {
        if let end = partition.endOffset { return end }
        guard let share = partition.share, share > 0 else { return nil }
        return Int64((Double(partition.nextOffset) / share).rounded())
    }
}
