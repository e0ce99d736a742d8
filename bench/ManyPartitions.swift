import Glibc
import Model
import Testkit

/// What 64 partitions cost beside 8, in batches of the same size: CPU seconds for a million events, of the embedded run and of an instance of a
/// group, in turn. With the same traffic each partition holds an eighth, and a window and group has eight times as many partial results;
/// with eight times the traffic each partition does what one of the 8 does. What a run costs whatever it reads, such as taking over what a
/// partition has, is part of that; beside it stands what the events beyond the first quarter cost: the run less one of a quarter.
enum ManyPartitions {
    /// Of the events, in the short run.
    private static let shortShare: Int64 = 4

    private struct Layout {
        var partitions: Int32
        /// Beside the reference's, of events per second of event time.
        var traffic: Int32
        var words: String { "\(partitions) partitions" + (traffic > 1 ? ", \(traffic) times the traffic" : "") }
        func topic(_ isShort: Bool) -> String { "many-\(partitions)-\(traffic)-\(getpid())" + (isShort ? "-short" : "") }
    }

    /// CPU seconds of one run, and of a short one in the same turn.
    private struct Cost {
        var whole: Double
        var short: Double
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
        var truths: [[Truth]] = []
        for layout in layouts {
            var options = options
            options.rate *= Double(layout.traffic)
            let truth = try Traffic.fill(layout.topic(false), of: bootstrap, options, partitions: layout.partitions)
            options.events /= shortShare
            truths.append(
                [truth, try Traffic.fill(layout.topic(true), of: bootstrap, options, partitions: layout.partitions)])
        }
        /// By kind of run and layout, turn by turn.
        var costs: [String: [[Cost]]] = [:]
        var isRight = true
        for number in 1...options.runs {
            for kind in ["kafka", "group"] {
                for (at, layout) in layouts.enumerated() {
                    var cpu: [Double] = []
                    for isShort in [false, true] {
                        let topic = layout.topic(isShort)
                        let state = "\(directory)/\(kind)-\(topic)-\(number)"
                        defer { removeTree(state) }
                        let words = kind == "group" ? ["\(topic)-\(number)", state, "end"] : [state]
                        let figures = try Figures.of(["child", kind, bootstrap, topic] + words)
                        let events = options.events / (isShort ? shortShare : 1)
                        say("\(kind), \(layout.words), \(events) events: \(Run(figures, events: events).line)")
                        let problems = try Answer.problems(in: state, figures: figures, truth: truths[at][isShort ? 1 : 0])
                        for problem in problems.prefix(5) { say("  WRONG \(problem)") }
                        if !problems.isEmpty { isRight = false }
                        cpu.append(figures.cpu)
                    }
                    costs[kind, default: Array(repeating: [], count: layouts.count)][at].append(
                        Cost(whole: cpu[0], short: cpu[1]))
                }
            }
        }
        for (kind, costs) in costs.sorted(by: { $0.key < $1.key }) {
            for at in layouts.indices.dropFirst() {
                let beside = "\(layouts[at].words) / \(layouts[0].partitions)"
                say("\(kind), CPU, \(beside): \(words(ratios(costs[at], costs[0], \.whole)))")
                say(
                    "\(kind), CPU beyond a quarter of the events, \(beside): \(words(ratios(costs[at], costs[0]) { $0.whole - $0.short }))"
                )
            }
        }
        let bound = options.gates.group.mostOfManyPartitions
        let ratio = costs["group"].map { ratios($0[1], $0[0], \.whole).median } ?? 0
        say("\(ratio <= bound ? "meets " : "MISSES") CPU, 64 partitions / 8: \(fixed(ratio, 2)), at most \(fixed(bound, 2))")
        if !GroupReport.canManyPartitions { say("no gate: from librdkafka 2.2 on it is one") }
        return isRight && (ratio <= bound || !GroupReport.canManyPartitions)
    }

    /// Turn by turn.
    private static func ratios(_ costs: [Cost], _ others: [Cost], _ value: (Cost) -> Double) -> [Double] {
        zip(costs, others).map { value($0) / value($1) }
    }

    private static func words(_ ratios: [Double]) -> String { ratios.map { fixed($0, 2) }.joined(separator: ", ") }
}
