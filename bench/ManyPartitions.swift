import Glibc
import Model
import Testkit

/// What 64 partitions cost beside 8 with the same events in batches of the same size: CPU seconds for a million events, of the embedded run and
/// of an instance of a group, in turn.
enum ManyPartitions {
    private static let counts: [Int32] = [BenchOptions.partitions, BenchOptions.manyPartitions]

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
        var topics: [(name: String, partitions: Int32, truth: Truth)] = []
        for count in counts {
            let name = "many-\(count)-\(getpid())"
            topics.append((name, count, try Traffic.fill(name, of: bootstrap, options, partitions: count)))
        }
        var ratios: [String: [Double]] = [:]
        var isRight = true
        for number in 1...options.runs {
            for kind in ["kafka", "group"] {
                var cpu: [Double] = []
                for (name, partitions, truth) in topics {
                    let state = "\(directory)/\(kind)-\(name)-\(number)"
                    defer { removeTree(state) }
                    let words = kind == "group" ? ["\(name)-\(number)", state, "end"] : [state]
                    let figures = try Figures.of(["child", kind, bootstrap, name] + words)
                    let run = Run(figures, events: options.events)
                    say("\(kind), \(partitions) partitions: \(run.line)")
                    let problems = try Answer.problems(in: state, figures: figures, truth: truth)
                    for problem in problems.prefix(5) { say("  WRONG \(problem)") }
                    if !problems.isEmpty { isRight = false }
                    cpu.append(run.cpu)
                }
                ratios[kind, default: []].append(cpu[1] / cpu[0])
            }
        }
        for (kind, values) in ratios.sorted(by: { $0.key < $1.key }) {
            say("\(kind), CPU, \(counts[1]) partitions / \(counts[0]): \(values.map { fixed($0, 2) }.joined(separator: ", "))")
        }
        let bound = options.gates.group.mostOfManyPartitions
        let ratio = (ratios["group"] ?? []).median
        say("\(ratio <= bound ? "meets " : "MISSES") CPU, 64 partitions / 8: \(fixed(ratio, 2)), at most \(fixed(bound, 2))")
        if !GroupReport.canManyPartitions { say("no gate: from librdkafka 2.2 on it is one") }
        return isRight && (ratio <= bound || !GroupReport.canManyPartitions)
    }
}
