import Glibc
import Model

/// Everything one comparison found: the table, the gates, bench.json.
struct Report {
    let options: BenchOptions
    var drains: [Run] = []
    var kafka: [Run] = []
    var files: [Run] = []
    /// The files again, with a filter and a derived field.
    var expressions: [Run] = []
    /// Wrong answers.
    var problems: [String] = []

    init(options: BenchOptions) { self.options = options }

    private var rows: [(name: String, runs: [Run])] {
        [("bare drain", drains), ("kafka", kafka), ("files", files), ("files, expressions", expressions)]
    }
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
            Gate(name: "kafka / drain, events per second", value: ratios.median, bound: bounds.leastOfDrain, isLeast: true)
        ]
        for (name, runs) in rows.dropFirst() {
            all += [
                Gate(name: "\(name): CPU s per M", value: runs.map(\.cpu).median, bound: bounds.mostCPU),
                Gate(name: "\(name): peak MB", value: runs.map(\.megabytes).median, bound: bounds.mostMegabytes),
                Gate(name: "\(name): turn wait median ms", value: runs.map(\.turnMedian).median, bound: bounds.turnMedian),
                Gate(name: "\(name): turn wait p99 ms", value: runs.map(\.turnWorst).median, bound: bounds.turnWorst),
                Gate(name: "\(name): start to first record s", value: runs.map(\.firstRecord).median, bound: bounds.firstRecord),
            ]
        }
        return all
    }

    var isGood: Bool { problems.isEmpty && gates.allSatisfy(\.holds) }

    func show() {
        say("\n" + padded("", 34) + rows.map { padded("\($0.name) median", 22) + padded("best", 12) }.joined())
        for column in Run.columns {
            var line = padded(column.name, 34)
            for (_, runs) in rows {
                let values = runs.map(column.value)
                let best = column.isMoreBetter ? values.max() : values.min()
                line += padded(fixed(values.median, column.places), 22) + padded(fixed(best ?? 0, column.places), 12)
            }
            say(line)
        }
        say("\nkafka / drain, pair by pair: \(ratios.map { fixed($0, 2) }.joined(separator: " "))")
        say("CPU with expressions / plain, pair by pair: \(expressionCosts.map { fixed($0, 2) }.joined(separator: " "))\n")
        for gate in gates {
            let bound = "\(gate.isLeast ? "at least" : "at most") \(fixed(gate.bound, 2))"
            say("\(gate.holds ? "ok    " : "FAILED") \(padded(gate.name, 40)) \(padded(fixed(gate.value, 2), 10)) \(bound)")
        }
        for problem in problems { say("WRONG  \(problem)") }
        if problems.isEmpty { say("ok     every answer equals the recomputation") }
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    func write(to path: String) throws(Fault) {
        var parts = [
            "\"events\": \(options.events)", "\"seed\": \(options.seed)", "\"good\": \(isGood)",
            "\"wrong_answers\": \(problems.count)",
            "\"kafka_of_drain\": [\(ratios.map { fixed($0, 3) }.joined(separator: ", "))]",
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
