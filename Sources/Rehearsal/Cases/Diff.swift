public import Model

/// What differs between an `expect` and what came, all of it.
public struct Difference: Equatable, Sendable {
    /// `rows`, `outcomes`, `watermark` …
    public var subject: String
    public var lines: [Line]

    public struct Line: Equatable, Sendable {
        public enum Kind: String, Sendable {
            /// Beside the row that came nearest.
            case differs
            /// Expected and not come.
            case missing
            /// Come and not expected.
            case unexpected
        }
        public var kind: Kind
        public var cells: [Cell]
    }

    public struct Cell: Equatable, Sendable {
        public var name: String
        /// As the file has it; nil: not named.
        public var expected: String?
        public var actual: Value?
        public var differs: Bool
    }
}

/// Compares an expectation with an observation. Pure.
struct Diff {
    struct Row {
        var cells: [(name: String, value: Value)]
        /// Of an output, and not of a ledger.
        var isRow = false
        func value(_ name: String) -> Value? {
            cells.first { $0.name == name }?.value
                ?? (name == "retracted" ? .bool(false) : name == "reason" && isRow ? .null : nil)
        }
    }

    static func differences(_ expectation: Expected, _ seen: Observation) -> [Difference] {
        var found: [Difference] = []
        func list(_ subject: String, _ expected: [ExpectedRow]?, _ actual: [Row]) {
            guard let expected, let difference = lists(subject, expected, actual) else { return }
            found.append(difference)
        }
        list("rows", expectation.rows, seen.rows.map(row))
        list("latest", expectation.latest, seen.latest.map(row))
        list("late", expectation.late, seen.late.map(row))
        list("dead_letters", expectation.deadLetters, seen.deadLetters.map(row))
        let outcomes = seen.outcomes.map { (name: $0.name, value: Value.int($0.count)) }
        if let line = line(expectation.outcomes, Row(cells: outcomes)) {
            found.append(Difference(subject: "outcomes", lines: [line]))
        }
        if let watermark = expectation.watermark {
            let cells = [ExpectedCell(name: "watermark", value: watermark)]
            if let line = line(cells, Row(cells: [("watermark", time(seen.watermark))])) {
                found.append(Difference(subject: "watermark", lines: [line]))
            }
        }
        found += freshness(expectation, seen.freshness)
        return found
    }

    private static func freshness(_ expectation: Expected, _ seen: Observation.Freshness) -> [Difference] {
        var lines: [Difference.Line] = []
        let clocks: [(name: String, value: TimeSpan?)] = [
            ("watermark_lag", seen.watermarkLag), ("event_lag", seen.eventLag), ("queue_age", seen.queueAge),
        ]
        let cells = expectation.freshness.map { cell in
            let actual = clocks.first { $0.name == cell.name }?.value
            let isEqual = cell.value.isNull ? actual == nil : actual != nil && cell.value.span == actual
            return Difference.Cell(
                name: cell.name, expected: cell.value.shown,
                actual: actual.map { .string($0.exactText) } ?? .null, differs: !isEqual)
        }
        if cells.contains(where: \.differs) { lines.append(Difference.Line(kind: .differs, cells: cells)) }
        for (output, expected) in expectation.outputs {
            let progress = seen.outputs.first { $0.output == output }
            let actual = Row(cells: [
                ("output", progress.map { .string($0.output) } ?? .null), ("complete_through", time(progress?.completeThrough)),
                ("final_through", time(progress?.finalThrough)),
            ])
            let name = ExpectedCell(name: "output", value: ExpectedValue(text: output, isNull: false))
            if let line = line([name] + expected, actual) { lines.append(line) }
        }
        return lines.isEmpty ? [] : [Difference(subject: "freshness", lines: lines)]
    }

    /// nil: the lists are equal in some order.
    static func lists(_ subject: String, _ expected: [ExpectedRow], _ actual: [Row]) -> Difference? {
        let assignment = Assignment(expected: expected.count, actual: actual.count) { fits(expected[$0].cells, actual[$1]) }
        var unused = assignment.unused
        var lines: [Difference.Line] = []
        for index in expected.indices where assignment.actual[index] == nil {
            let cells = expected[index].cells
            // The nearest of what is left, if it is of the same output and shares anything else.
            let nearest = unused.max { likeness(cells, actual[$0]) < likeness(cells, actual[$1]) }
            if let nearest, likeness(cells, actual[nearest]) > 0, let line = line(cells, actual[nearest]) {
                unused.removeAll { $0 == nearest }
                lines.append(line)
            } else {
                lines.append(
                    Difference.Line(
                        kind: .missing,
                        cells: cells.map { Difference.Cell(name: $0.name, expected: $0.value.shown, actual: nil, differs: true) })
                )
            }
        }
        for index in unused {
            lines.append(
                Difference.Line(
                    kind: .unexpected,
                    cells: actual[index].cells.map {
                        Difference.Cell(name: $0.name, expected: nil, actual: $0.value, differs: true)
                    }))
        }
        return lines.isEmpty ? nil : Difference(subject: subject, lines: lines)
    }

    private static func fits(_ cells: [ExpectedCell], _ row: Row) -> Bool {
        cells.allSatisfy { cell in row.value(cell.name).map(cell.value.matches) ?? false }
    }

    private static func likeness(_ cells: [ExpectedCell], _ row: Row) -> Int {
        var equal = 0
        for cell in cells {
            let isEqual = row.value(cell.name).map(cell.value.matches) ?? false
            if cell.name == "output", !isEqual { return 0 }
            if cell.name != "output", isEqual { equal += 1 }
        }
        return equal
    }

    /// nil: each cell fits.
    private static func line(_ expected: [ExpectedCell], _ row: Row) -> Difference.Line? {
        guard !fits(expected, row) else { return nil }
        let cells = expected.map { cell in
            let value = row.value(cell.name)
            return Difference.Cell(
                name: cell.name, expected: cell.value.shown, actual: value ?? .null,
                differs: !(value.map(cell.value.matches) ?? false))
        }
        return Difference.Line(kind: .differs, cells: cells)
    }

    private static func time(_ time: EventTime?) -> Value { time.map(Value.time) ?? .null }

    private static func row(_ row: Observation.Row) -> Row {
        var cells = [(name: "output", value: Value.string(row.output))]
        cells += row.columns.map { ($0.name, $0.value) }
        cells += [("revision", .int(row.revision)), ("final", .bool(row.final)), ("as_of", time(row.asOf))]
        if row.retracted { cells.append(("retracted", .bool(true))) }
        if let reason = row.reason { cells.append(("reason", .string(reason))) }
        return Row(cells: cells, isRow: true)
    }

    private static func row(_ entry: Observation.Late) -> Row {
        Row(cells: [
            ("output", .string(entry.output)), ("topic", .string(entry.topic)), ("partition", .int(Int64(entry.partition))),
            ("offset", .int(entry.offset)), ("window_start", .time(entry.windowStart)), ("window_end", .time(entry.windowEnd)),
            ("watermark", .time(entry.watermark)), ("late_by", .string(entry.lateBy.exactText)),
        ])
    }

    private static func row(_ letter: Observation.DeadLetter) -> Row {
        Row(cells: [
            ("topic", .string(letter.topic)), ("partition", .int(Int64(letter.partition))), ("offset", .int(letter.offset)),
            ("reason", .string(letter.reason.word)), ("field", letter.field.map(Value.string) ?? .null),
        ])
    }
}

extension ExpectedValue {
    var shown: String { isNull ? "null" : text }
}

extension TimeSpan {
    /// In the largest unit that loses nothing, as a test file may write it: `45s`, `1500ms`.
    var exactText: String {
        let units: [(String, Int64)] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        guard milliseconds != 0, let unit = units.first(where: { milliseconds % $0.1 == 0 }) else { return "\(milliseconds)ms" }
        return "\(milliseconds / unit.1)\(unit.0)"
    }
}
