import Model
import Topology

@testable import Rehearsal

/// A case of which one expected value is altered, so that it has to fail.
struct Mutant: Sendable {
    enum Kind: String, CaseIterable, Sendable {
        case number, instant, span, flag, text, name, reason, null, notNull, lineMissing, lineTwice, lineAdded
    }
    var kind: Kind
    /// What was altered, for the message.
    var what: String
    /// The line of the row, or of its step.
    var line: Int
    var step: Int
    /// The part of the `expect` that has to differ.
    var subject: String
    var altered: TestFile.Case

    /// Every mutant of a case.
    static func all(of one: TestFile.Case) -> [Mutant] {
        var mutants: [Mutant] = []
        for (index, step) in one.steps.enumerated() {
            guard case .expect(let expected) = step.action else { continue }
            for alteration in alterations(of: expected) {
                var altered = one
                altered.steps[index].action = .expect(alteration.expected)
                mutants.append(
                    Mutant(
                        kind: alteration.kind, what: alteration.what, line: alteration.line ?? step.place.line, step: index + 1,
                        subject: alteration.subject, altered: altered))
            }
        }
        return mutants
    }

    private struct Alteration {
        var kind: Kind
        var what: String
        var line: Int?
        var subject: String
        var expected: Expected
    }

    private static func alterations(of expected: Expected) -> [Alteration] {
        var found: [Alteration] = []
        let lists: [(String, WritableKeyPath<Expected, [ExpectedRow]?>)] = [
            ("rows", \.rows), ("latest", \.latest), ("late", \.late), ("dead_letters", \.deadLetters),
        ]
        for (subject, list) in lists {
            guard let rows = expected[keyPath: list] else { continue }
            func add(_ kind: Kind, _ what: String, _ row: ExpectedRow?, _ alter: (inout [ExpectedRow]) -> Void) {
                var altered = rows
                alter(&altered)
                var whole = expected
                whole[keyPath: list] = altered
                found.append(Alteration(kind: kind, what: what, line: row?.place.line, subject: subject, expected: whole))
            }
            if rows.isEmpty {
                let row = ExpectedRow(place: .init(file: "", line: 0, column: 0), cells: [])
                add(.lineAdded, "a line that any would fit", nil) { $0.append(row) }
            }
            for (at, row) in rows.enumerated() {
                add(.lineMissing, "line \(at) is left out", row) { $0.remove(at: at) }
                add(.lineTwice, "line \(at) stands twice", row) { $0.append(row) }
                for (cell, old) in row.cells.enumerated() {
                    for (kind, new) in values(insteadOf: old) {
                        add(kind, "\(old.name): \(shown(old.value)) to \(shown(new))", row) { $0[at].cells[cell].value = new }
                    }
                }
            }
        }
        func add(_ subject: String, _ cell: ExpectedCell, _ alter: (inout Expected, ExpectedValue) -> Void) {
            for (kind, new) in values(insteadOf: cell) {
                var altered = expected
                alter(&altered, new)
                found.append(
                    Alteration(
                        kind: kind, what: "\(subject) \(cell.name): \(shown(cell.value)) to \(shown(new))", line: nil,
                        subject: subject, expected: altered))
            }
        }
        for (at, cell) in expected.outcomes.enumerated() { add("outcomes", cell) { $0.outcomes[at].value = $1 } }
        if let watermark = expected.watermark {
            add("watermark", ExpectedCell(name: "watermark", value: watermark)) { $0.watermark = $1 }
        }
        for (at, cell) in expected.freshness.enumerated() { add("freshness", cell) { $0.freshness[at].value = $1 } }
        for (at, output) in expected.outputs.enumerated() {
            for name in [output.output + "x", String(output.output.dropLast())] {
                var altered = expected
                altered.outputs[at].output = name
                found.append(
                    Alteration(
                        kind: .name, what: "the output `\(output.output)` to `\(name)`", line: nil, subject: "freshness",
                        expected: altered))
            }
            for (place, cell) in output.cells.enumerated() {
                add("freshness", cell) { $0.outputs[at].cells[place].value = $1 }
            }
        }
        return found
    }

    private static func shown(_ value: ExpectedValue) -> String { value.isNull ? "null" : "`\(value.text)`" }

    /// The nearest other values, by what the text looks like.
    private static func values(insteadOf cell: ExpectedCell) -> [(Kind, ExpectedValue)] {
        let old = cell.value
        func some(_ kind: Kind, _ texts: [String]) -> [(Kind, ExpectedValue)] {
            texts.map { (kind, ExpectedValue(text: $0, isNull: false)) }
        }
        if old.isNull { return some(.notNull, ["0", "1767225600000", "0s", "a", "true", ""]) }
        var all: [(Kind, ExpectedValue)] = [(.null, ExpectedValue(text: "", isNull: true))]
        if cell.name == "reason" {
            return all + some(.reason, RejectReason.allCases.map(\.word).filter { $0 != old.text })
        }
        if old.text == "true" || old.text == "false" {
            all += some(.flag, [old.text == "true" ? "false" : "true"])
        } else if let number = Int64(old.text) {
            all += some(.number, ["\(number - 1)", "\(number + 1)", "\(number).5"])
        } else if let number = Double(old.text) {
            all += some(.number, ["\(number - 1)", "\(number + 1)", "\(number * 1.00000001 + 0.00000001)"])
        } else if let instant = old.instant {
            all += some(.instant, ["\(instant - 1)", "\(instant + 1)"])
        } else if let span = old.span {
            all += some(.span, ["\(span.milliseconds - 1)ms", "\(span.milliseconds + 1)ms"])
        } else {
            all += some(.text, [old.text + "x"] + (old.text.isEmpty ? [] : [String(old.text.dropLast())]))
        }
        return all
    }
}
