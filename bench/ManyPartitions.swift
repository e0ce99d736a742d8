import Glibc
import Model
import Testkit

/// What 64 partitions cost beside 8, in batches of the same size: CPU seconds for a million events, of the embedded run and of an instance of a
/// group, in turn. With the same traffic each partition holds an eighth, and a window and group has eight times as many partial results;
/// with eight times the traffic each partition does what one of the 8 does.
enum ManyPartitions {
    private struct Layout {
        var partitions: Int32
        /// Beside the reference's, of events per second of event time.
        var traffic: Int32
        var words: String { "\(partitions) partitions" + (traffic > 1 ? ", \(traffic) times the traffic" : "") }
        var topic: String { "many-\(partitions)-\(traffic)-\(getpid())" }
    }

    private static let layouts = [
        Layout(partitions: BenchOptions.partitions, traffic: 1), Layout(partitions: BenchOptions.manyPartitions, traffic: 1),
        Layout(partitions: BenchOptions.manyPartitions, traffic: BenchOptions.manyPartitions / BenchOptions.partitions),
    ]

    /// True if the group's ratio is within its bound, or the library is too old for the bound to count.
    static func run(_ arguments: [String]) throws(Fault) -> Bool {
        let options = try BenchOptions(arguments)
        guard let bootstrap = options.bootstrap else {
            let cluster = try KafkaCluster.exclusive(heap: "1g")
            defer { cluster.stop() }
            return try run(options, cluster.bootstrap)
        }
        return try run(options, bootstrap)
    }

    private static func run(_ options: BenchOptions, _ bootstrap: String) throws(Fault) -> Bool {
        let scratch = Scratch()
        let directory = scratch.path
        say("librdkafka \(GroupReport.library), \(options.events) events, seed \(options.seed)")
        var truths: [Truth] = []
        for layout in layouts {
            var options = options
            options.rate *= Double(layout.traffic)
            truths.append(try Traffic.fill(layout.topic, of: bootstrap, options, partitions: layout.partitions))
        }
        /// By kind of run and layout: its CPU for an event beside the first layout's, turn by turn.
        var ratios: [String: [[Double]]] = [:]
        var isRight = true
        for number in 1...options.runs {
            for kind in ["kafka", "group"] {
                var first = 0.0
                for (at, layout) in layouts.enumerated() {
                    let state = "\(directory)/\(kind)-\(layout.topic)-\(number)"
                    defer { removeTree(state) }
                    let words = kind == "group" ? ["\(layout.topic)-\(number)", state, "end"] : [state]
                    let figures = try Figures.of(["child", kind, bootstrap, layout.topic] + words)
                    let run = Run(figures, events: options.events)
                    say("\(kind), \(layout.words): \(run.line)")
                    let problems = try Answer.problems(in: state, figures: figures, truth: truths[at])
                    for problem in problems.prefix(5) { say("  WRONG \(problem)") }
                    if !problems.isEmpty { isRight = false }
                    if at == 0 { first = run.cpu }
                    ratios[kind, default: Array(repeating: [], count: layouts.count)][at].append(run.cpu / first)
                }
            }
        }
        for (kind, values) in ratios.sorted(by: { $0.key < $1.key }) {
            for (layout, ratios) in zip(layouts, values).dropFirst() {
                say(
                    "\(kind), CPU, \(layout.words) / \(layouts[0].partitions): \(ratios.map { fixed($0, 2) }.joined(separator: ", "))"
                )
            }
        }
        let bound = options.gates.group.mostOfManyPartitions
        let ratio = ratios["group"]?[1].median ?? 0
        say("\(ratio <= bound ? "meets " : "MISSES") CPU, 64 partitions / 8: \(fixed(ratio, 2)), at most \(fixed(bound, 2))")
        if !GroupReport.canManyPartitions { say("no gate: from librdkafka 2.2 on it is one") }
        return isRight && (ratio <= bound || !GroupReport.canManyPartitions)
    }
}
