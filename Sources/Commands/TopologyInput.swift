internal import Model
internal import Observe
internal import Topology

/// Topology files for the verbs that run one.
enum TopologyInput {
    /// The plan, or nil after all problems were told on stderr. Warnings are told and don't keep it from running.
    static func plan(_ files: [String], on console: Console, asJSON: Bool) -> (plan: Plan?, exit: ExitCode) {
        let reading = Topology.read(files: files)
        if asJSON, reading.plan == nil {
            console.out(problemsJSON(file: files[0], reading) + "\n")
        } else {
            for problem in reading.problems {
                console.error(
                    text(problem, caret: console.isErrorTerminal, hasColour: console.hasColour && console.isErrorTerminal))
            }
            if reading.plan == nil { console.error(summary(files[0], reading) + "\n") }
        }
        return (reading.plan, reading.exit)
    }

    /// One of the topologies that the binary carries.
    static func builtIn(_ text: String, name: String) throws(Fault) -> Plan {
        var surroundings = Topology.Surroundings.machine
        surroundings.bytes = { _ throws(Fault) in Array(text.utf8) }
        surroundings.environment = { _ in nil }
        let reading = Topology.read(files: [name], from: surroundings)
        guard let plan = reading.plan else {
            let first = reading.problems.first { $0.severity == .error }
            throw Fault(
                "topology_wrong", first?.what ?? "no plan", place: first?.place.description ?? name,
                next: first?.next ?? "Run weir check.", exit: .topology)
        }
        return plan
    }

    static func text(_ problem: Problem, caret: Bool, hasColour: Bool) -> String {
        let text = problem.text(caret: caret)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false).map { printable(String($0)) }.joined(separator: "\t")
        }
        let safe = lines.joined(separator: "\n") + "\n"
        guard hasColour else { return safe }
        let word = problem.severity.rawValue
        let coloured = "\u{1B}[\(problem.severity == .error ? 31 : problem.severity == .warning ? 33 : 36)m\(word)\u{1B}[0m"
        return safe.replacing(": \(word): ", with: ": \(coloured): ", maxReplacements: 1)
    }

    /// `FILE: ok, 6 fields, 3 outputs` or `FILE: 2 errors, 1 warning`.
    static func summary(_ file: String, _ reading: Topology.Reading) -> String {
        let errors = reading.problems.count { $0.severity == .error }
        let warnings = reading.problems.count { $0.severity == .warning }
        let notes = reading.problems.count { $0.severity == .note }
        var parts: [String] = []
        if let plan = reading.plan {
            parts = ["ok", count(plan.fields.count { !$0.isHidden }, "field"), count(plan.aggregates.count, "output")]
        } else {
            parts = [count(errors, "error")]
        }
        if warnings > 0 { parts.append(count(warnings, "warning")) }
        if notes > 0 { parts.append(count(notes, "note")) }
        return "\(printable(file)): \(parts.joined(separator: ", "))"
    }

    static func problemsJSON(file: String, _ reading: Topology.Reading) -> String {
        var text = JSONText()
        text.beginObject()
        text.member("file", file)
        text.member("ok", reading.plan != nil)
        if let plan = reading.plan {
            text.member("name", plan.name)
            text.member("fields", plan.fields.count { !$0.isHidden })
            text.member("outputs", plan.aggregates.count)
        }
        text.key("problems")
        text.beginArray()
        for problem in reading.problems {
            text.beginObject()
            text.member("severity", problem.severity.rawValue)
            text.member("code", problem.code.rawValue)
            text.member("file", problem.place.file)
            text.member("line", problem.place.line)
            text.member("column", problem.place.column)
            text.member("path", problem.path)
            text.member("what", problem.what)
            text.member("next", problem.next)
            text.endObject()
        }
        text.endArray()
        text.endObject()
        return text.text
    }

    private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
