import Glibc
import Model

/// Everything one comparison found: the table, the gates, bench.json.
struct Report {
    let options: BenchOptions
    var drains: [Run] = []
    var kafka: [Run] = []
    /// As an instance of a group, exactly once.
    var group: [Run] = []
    var files: [Run] = []
    /// The files again, with a filter and a derived field.
    var expressions: [Run] = []
    /// The broker's CPU seconds for a million events: of an embedded run, and of one exactly once. Empty: it is somebody else's.
    var brokerCosts: [(embedded: Double, group: Double)] = []
    /// With the broker on a core of its own, pair by pair.
    var apart: [(embedded: Run, group: Run)] = []
    var scenes = GroupReport()
    /// Wrong answers.
    var problems: [String] = []

    init(options: BenchOptions) { self.options = options }

    private var rows: [(name: String, runs: [Run])] {
        let all = [
            ("bare drain", drains), ("kafka", kafka), ("exactly once", group), ("files", files),
            ("files, expressions", expressions),
        ]
        return all.filter { !$0.1.isEmpty }
    }
    private var groupOfKafka: [Double] { zip(group, kafka).map { $0.rate / $1.rate } }
    private var ratiosApart: [Double] { apart.map { $0.group.rate / $0.embedded.rate } }
    private var groupOfDrain: [Double] { zip(group, drains).map { $0.rate / $1.rate } }
    /// CPU of the run with expressions by that of the plain one.
    private var expressionCosts: [Double] { zip(expressions, files).map { $0.cpu / $1.cpu } }
    /// Pair by pair, since each pair ran side by side.
    private var ratios: [Double] { zip(kafka, drains).map { $0.rate / $1.rate } }

    struct Gate {
        var name: String
        var value: Double
        var bound: Double
        var isLeast = false
        var holds: Bool { isLeast ? value >= bound : value <= bound }
    }

    /// Of several runs the median counts.
    var gates: [Gate] {
        let bounds = options.gates
        var all = [
            Gate(name: "kafka / drain, events per second", value: ratios.median, bound: bounds.leastOfDrain, isLeast: true),
            Gate(
                name: "exactly once / kafka, events per second", value: groupOfKafka.median, bound: bounds.group.leastOfEmbedded,
                isLeast: true),
            Gate(
                name: "exactly once / drain, events per second", value: groupOfDrain.median, bound: bounds.group.leastOfDrain,
                isLeast: true),
        ]
        if !apart.isEmpty {
            all.append(
                Gate(
                    name: "exactly once / kafka, broker on a core of its own", value: ratiosApart.median,
                    bound: bounds.group.leastOfEmbedded, isLeast: true))
        }
        for (name, runs) in rows.dropFirst() {
            all += [
                Gate(
                    name: "\(name): CPU s per M", value: runs.map(\.cpu).median,
                    bound: name == "exactly once" ? bounds.group.mostCPU : bounds.mostCPU),
                Gate(name: "\(name): peak MB", value: runs.map(\.megabytes).median, bound: bounds.mostMegabytes),
                Gate(name: "\(name): turn wait median ms", value: runs.map(\.turnMedian).median, bound: bounds.turnMedian),
                Gate(name: "\(name): turn wait p99 ms", value: runs.map(\.turnWorst).median, bound: bounds.turnWorst),
            ]
            // A group's first record waits for the brokers' rebalance.
            if name != "exactly once" {
                all.append(
                    Gate(
                        name: "\(name): start to first record s", value: runs.map(\.firstRecord).median, bound: bounds.firstRecord
                    ))
            }
        }
        return all + scenes.gates(bounds.group)
    }

    var isGood: Bool { problems.isEmpty && scenes.problems.isEmpty && gates.allSatisfy(\.holds) }

    func show() {
        say("\n" + Self.padded("", 34) + rows.map { Self.padded("\($0.name) median", 22) + Self.padded("best", 12) }.joined())
        for column in Run.columns {
            var line = Self.padded(column.name, 34)
            for (_, runs) in rows {
                let values = runs.map(column.value)
                let best = column.isMoreBetter ? values.max() : values.min()
                line += Self.padded(fixed(values.median, column.places), 22) + Self.padded(fixed(best ?? 0, column.places), 12)
            }
            say(line)
        }
        say("\nkafka / drain, pair by pair: \(ratios.map { fixed($0, 2) }.joined(separator: " "))")
        say("exactly once / kafka, pair by pair: \(groupOfKafka.map { fixed($0, 2) }.joined(separator: " "))")
        say("exactly once / drain, pair by pair: \(groupOfDrain.map { fixed($0, 2) }.joined(separator: " "))")
        if !apart.isEmpty {
            say("exactly once / kafka, broker apart, pair by pair: \(ratiosApart.map { fixed($0, 2) }.joined(separator: " "))")
        }
        if !brokerCosts.isEmpty {
            say(
                "broker's CPU s per M: embedded \(fixed(brokerCosts.map(\.embedded).median, 2)), exactly once "
                    + fixed(brokerCosts.map(\.group).median, 2))
        }
        if !expressions.isEmpty {
            say("CPU with expressions / plain, pair by pair: \(expressionCosts.map { fixed($0, 2) }.joined(separator: " "))")
        }
        say("")
        scenes.show()
        say("")
        for gate in gates {
            let bound = "\(gate.isLeast ? "at least" : "at most") \(fixed(gate.bound, 2))"
            say(
                "\(gate.holds ? "ok    " : "FAILED") \(Self.padded(gate.name, 40)) \(Self.padded(fixed(gate.value, 2), 10)) \(bound)"
            )
        }
        for problem in problems + scenes.problems { say("WRONG  \(problem)") }
        if (problems + scenes.problems).isEmpty { say("ok     every answer equals the recomputation") }
    }

    static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    func write(to path: String) throws(Fault) {
        var parts = [
            "\"events\": \(options.events)", "\"seed\": \(options.seed)", "\"good\": \(isGood)",
            "\"wrong_answers\": \((problems + scenes.problems).count)",
            "\"kafka_of_drain\": [\(ratios.map { fixed($0, 3) }.joined(separator: ", "))]",
            "\"exactly_once_of_kafka\": [\(groupOfKafka.map { fixed($0, 3) }.joined(separator: ", "))]",
            "\"exactly_once_of_drain\": [\(groupOfDrain.map { fixed($0, 3) }.joined(separator: ", "))]",
            "\"exactly_once_of_kafka_apart\": [\(ratiosApart.map { fixed($0, 3) }.joined(separator: ", "))]",
            "\"broker_cpu_per_million_embedded\": [\(brokerCosts.map { fixed($0.embedded, 3) }.joined(separator: ", "))]",
            "\"broker_cpu_per_million_exactly_once\": [\(brokerCosts.map { fixed($0.group, 3) }.joined(separator: ", "))]",
            "\"group\": \(scenes.json)",
            "\"cpu_with_expressions_of_plain\": [\(expressionCosts.map { fixed($0, 3) }.joined(separator: ", "))]",
        ]
        for (name, runs) in rows {
            let columns = Run.columns.map { column in
                "    \"\(column.name)\": [\(runs.map { fixed(column.value($0), column.places) }.joined(separator: ", "))]"
            }
            parts.append(
                "\"\(name.split { " ,".contains($0) }.joined(separator: "_"))\": {\n\(columns.joined(separator: ",\n"))\n  }")
        }
        let held = gates.map { gate in
            "    {\"gate\": \"\(gate.name)\", \"value\": \(fixed(gate.value, 3)), \"bound\": \(fixed(gate.bound, 3)), \"holds\": \(gate.holds)}"
        }
        parts.append("\"gates\": [\n\(held.joined(separator: ",\n"))\n  ]")
        let text = "{\n  \(parts.joined(separator: ",\n  "))\n}\n"
        guard let file = fopen(path, "w") else {
            throw failure("bench.json can't be written.", place: path, next: "Check the folder's rights.")
        }
        defer { fclose(file) }
        fputs(text, file)
    }
}
