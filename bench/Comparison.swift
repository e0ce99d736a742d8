import Glibc
import Model
import Testkit

/// One whole comparison: a broker, the topic, the files; then drain, Kafka run and file run in turn, several times, so that a
/// change of the machine's load strikes all of them.
struct Comparison {
    private let options: BenchOptions
    private let scratch = Scratch()
    private var directory: String { scratch.path }

    init(_ options: BenchOptions) { self.options = options }

    /// True if every answer was right and every gate held.
    func run() throws(Fault) -> Bool {
        guard let bootstrap = options.bootstrap else {
            let cluster = try KafkaCluster.exclusive(heap: "1g")
            defer { cluster.stop() }
            return try run(on: cluster.bootstrap, Broker(cluster))
        }
        return try run(on: bootstrap, nil)
    }

    private func run(on bootstrap: String, _ broker: Broker?) throws(Fault) -> Bool {
        let topic = options.bootstrap == nil ? "events" : "events-\(getpid())"
        say("filling \(topic) with \(options.events) events, seed \(options.seed)")
        let truth = try Traffic.fill(topic, of: bootstrap, options)
        let files = options.isGroupOnly ? "" : try Traffic.write(into: directory, options)
        let many = "\(topic)-many"
        if GroupReport.canManyPartitions {
            _ = try Traffic.fill(many, of: bootstrap, options, partitions: BenchOptions.manyPartitions)
        }
        say("unique \(truth.unique), windows \(truth.cells.count), copies \(truth.duplicates), late \(truth.late)")
        var report = Report(options: options)
        if let known = options.known, known.unique != truth.unique || known.windows != truth.cells.count {
            report.problems.append("the recomputation does not give the seed's known figures")
        }
        let scenes = GroupScenes(
            bootstrap: bootstrap, topic: topic, directory: directory, options: options, truth: truth)
        if options.isLiveOnly {
            try scenes.live(into: &report.scenes)
            return report.scenes.lostProbes == 0 && report.scenes.doubledProbes == 0
        }
        let style = try fasterDrain(bootstrap, topic)
        // A broker that has just started compiles what writing runs through, on the cores that are measured.
        for number in 1...BenchOptions.warmUps {
            _ = try pipeline(
                ["group", bootstrap, topic, "\(topic)-warm-\(number)"], "not counted, \(number)", truth, &report, ["end"])
        }
        for number in 1...options.runs {
            report.drains.append(try drain(bootstrap, topic, style))
            let before = broker?.cpu ?? 0
            report.kafka.append(try pipeline(["kafka", bootstrap, topic], "kafka-\(number)", truth, &report))
            let between = broker?.cpu ?? 0
            let group = "\(topic)-\(number)"
            let run = try pipeline(["group", bootstrap, topic, group], "group-\(number)", truth, &report, ["end"])
            report.group.append(run)
            if let after = broker?.cpu {
                report.brokerCosts.append((perMillion(between - before), perMillion(after - between)))
            }
            let changelog = try scenes.changelog(of: group)
            report.scenes.changelogBytes.append(Double(changelog.bytes) / Double(truth.unique))
            say("  \(run.handOverLine)")
            say("changelog, bytes per unique event by kind: \(changelog.line(for: truth.unique))")
            report.scenes.changelogRecords.append(Double(changelog.records) / Double(truth.unique) * 1e3)
            if GroupReport.canManyPartitions {
                report.scenes.manyPartitions.append(try manyPartitions(bootstrap, many, number) / run.cpu)
            }
            if options.isGroupOnly { continue }
            report.files.append(try pipeline(["files", files], "files-\(number)", truth, &report))
            report.expressions.append(
                try pipeline(["files-expressions", files], "files-expressions-\(number)", truth, &report))
        }
        if let broker, Broker.cores > 1 { try apart(bootstrap, topic, broker, truth, &report) }
        try scenes.restore(into: &report.scenes)
        try scenes.live(into: &report.scenes)
        report.show()
        try report.write(to: options.out)
        return report.isGood
    }

    private func perMillion(_ seconds: Double) -> Double { seconds / Double(options.events) * 1e6 }

    /// The broker on one core and the run on another: what the broker does for a commit is not taken from what Weir computes
    /// with, as on machines of their own.
    private func apart(
        _ bootstrap: String, _ topic: String, _ broker: Broker, _ truth: Truth, _ report: inout Report
    ) throws(Fault) {
        try broker.pin(to: "0")
        for number in 1...options.runs {
            let kafka = try pipeline(["kafka", bootstrap, topic], "kafka-apart-\(number)", truth, &report, core: 1)
            let group = try pipeline(
                ["group", bootstrap, topic, "\(topic)-apart-\(number)"], "group-apart-\(number)", truth, &report, ["end"], core: 1
            )
            report.apart.append((kafka, group))
        }
        try broker.pin(to: "0-\(Broker.cores - 1)")
    }

    /// The bare drain is given the better of its two styles; trying them warms the broker's page cache too.
    private func fasterDrain(_ bootstrap: String, _ topic: String) throws(Fault) -> Drain.Style {
        var best: (style: Drain.Style, rate: Double) = (.one, 0)
        for style in Drain.Style.allCases {
            let rate = try drain(bootstrap, topic, style).rate
            if rate > best.rate { best = (style, rate) }
        }
        return best.style
    }

    private func drain(_ bootstrap: String, _ topic: String, _ style: Drain.Style) throws(Fault) -> Run {
        let figures = try Figures.of(["child", "drain", bootstrap, topic, "\(options.events)", style.rawValue])
        let run = Run(figures, events: options.events)
        say("drain (\(style.rawValue)): \(run.line)")
        return run
    }

    /// CPU seconds for a million events.
    private func manyPartitions(_ bootstrap: String, _ topic: String, _ number: Int) throws(Fault) -> Double {
        let state = "\(directory)/many-\(number)"
        defer { removeTree(state) }
        let figures = try Figures.of(["child", "group", bootstrap, topic, "\(topic)-\(number)", state, "end"])
        let run = Run(figures, events: options.events)
        say("group, \(BenchOptions.manyPartitions) partitions: \(run.line)")
        return run.cpu
    }

    private func pipeline(
        _ input: [String], _ name: String, _ truth: Truth, _ report: inout Report, _ more: [String] = [], core: Int? = nil
    ) throws(Fault) -> Run {
        let state = "\(directory)/\(name)"
        defer { removeTree(state) }
        let pinned = core.map { ["taskset", "-c", "\($0)"] } ?? []
        let figures = try Figures.running(pinned + [Figures.ownProgram, "child"] + input + [state] + more)
        let run = Run(figures, events: options.events)
        say("\(name): \(run.line)")
        let problems = try Answer.problems(in: state, figures: figures, truth: truth)
        for problem in problems.prefix(5) { say("  WRONG \(problem)") }
        if let first = problems.first { report.problems.append("\(name): \(problems.count) differences, such as \(first)") }
        return run
    }
}
