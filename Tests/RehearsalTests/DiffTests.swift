import Model
import Testing
import Topology

@testable import Rehearsal

private func value(_ text: String) -> ExpectedValue { ExpectedValue(text: text, isNull: false) }
private func expected(_ cells: [(String, String)]) -> ExpectedRow {
    ExpectedRow(
        place: .init(file: "t", line: 1, column: 1), cells: cells.map { ExpectedCell(name: $0.0, value: value($0.1)) })
}
private func came(_ cells: (name: String, value: Value)...) -> Diff.Row { Diff.Row(cells: cells) }

@Test func aScalarMeansWhatItsColumnHolds() {
    let same: [(String, Value)] = [
        ("6", .int(6)), ("6.0", .int(6)), ("6e0", .int(6)), ("9007199254740993", .int(9_007_199_254_740_993)), ("-0.0", .int(0)),
        ("6", .double(6)), ("0.3", .double(0.1 + 0.2)), ("true", .bool(true)), ("2026-01-01T00:00:00Z", .time(start)),
        ("1767225600000", .time(start)), ("null", .string("null")), ("170141183460469231731687303715884105727", .wide(.max)),
    ]
    for (text, actual) in same { #expect(value(text).matches(actual), "\(text) \(actual)") }
    let different: [(String, Value)] = [
        ("7", .int(6)), ("6.5", .int(6)), ("6.", .int(6)), ("9007199254740992.0", .int(9_007_199_254_740_993)), ("", .int(0)),
        ("6.00000001", .double(6)), ("nan", .double(.nan)), ("0x6", .double(6)), ("True", .bool(true)), ("false", .bool(true)),
        ("2026-01-01T00:00:00.001Z", .time(start)), ("2026-01-01T00:00:00.0000001Z", .time(start)), ("a ", .string("a")),
        ("\u{e9}", .string("e\u{301}")), ("null", .null), ("0", .null), ("9e99", .int(.max)),
    ]
    for (text, actual) in different { #expect(!value(text).matches(actual), "\(text) \(actual)") }
    let null = ExpectedValue(text: "", isNull: true)
    #expect(null.matches(.null) && !null.matches(.string("")) && !null.matches(.int(0)) && !null.matches(.string("null")))
}

private let start = EventTime(milliseconds: 1_767_225_600_000)

@Test func aRowThatNamesLittleLeavesTheFullerOnesTheirs() {
    let rows = [expected([("a", "1")]), expected([("a", "1"), ("b", "2")]), expected([("a", "1"), ("b", "3")])]
    let actual = [
        came(("a", .int(1)), ("b", .int(2))), came(("a", .int(1)), ("b", .int(3))), came(("a", .int(1)), ("b", .int(4))),
    ]
    #expect(Diff.lists("rows", rows, actual) == nil)
    #expect(Diff.lists("rows", rows.reversed(), actual) == nil)
    #expect(Diff.lists("rows", rows, actual.reversed()) == nil)
    #expect(Diff.lists("rows", rows, Array(actual.dropLast())) != nil)
    #expect(Diff.lists("rows", Array(rows.dropLast()), actual) != nil)
    #expect(Diff.lists("rows", rows + [expected([("a", "1"), ("b", "4")])], actual) != nil)
}

@Test func listsAreComplete() {
    let row = came(("a", .int(1)))
    #expect(Diff.lists("rows", [], []) == nil)
    #expect(Diff.lists("rows", [], [row])?.lines.map(\.kind) == [.unexpected])
    #expect(Diff.lists("rows", [expected([("a", "1")])], [])?.lines.map(\.kind) == [.missing])
    #expect(Diff.lists("rows", [expected([("a", "1")])], [row, row])?.lines.map(\.kind) == [.unexpected])
    #expect(Diff.lists("rows", [expected([("absent", "1")])], [row]) != nil)
}

@Test func theNearestRowStandsBesideAnExpectedOne() {
    let rows = [expected([("output", "x"), ("a", "1"), ("b", "9")])]
    let actual = [
        came(("output", .string("y")), ("a", .int(1)), ("b", .int(2))),
        came(("output", .string("x")), ("a", .int(1)), ("b", .int(2))),
    ]
    let lines = Diff.lists("rows", rows, actual)?.lines ?? []
    #expect(lines.map(\.kind) == [.differs, .unexpected])
    #expect(lines.first?.cells.map(\.differs) == [false, false, true])
}

@Test func anAssignmentIsTheLargestThereIs() {
    // Every pattern of 3 by 3, against all orders.
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    for pattern in 0..<512 {
        func fits(_ row: Int, _ column: Int) -> Bool { pattern >> (row * 3 + column) & 1 == 1 }
        let best = orders.map { order in (0..<3).count { fits($0, order[$0]) } }.max()
        let found = Assignment(expected: 3, actual: 3, fits: fits)
        let pairs = found.actual.enumerated().compactMap { row, column in column.map { (row, $0) } }
        #expect(pairs.count == best && pairs.allSatisfy(fits) && Set(pairs.map(\.1)).count == pairs.count, "\(pattern)")
        #expect(found.unused.count == 3 - pairs.count)
    }
}

@Test func eachKindOfExpectationFailsWhenItIsAltered() {
    let column = Observation.Column("clicks", .int(3))
    let seen = Observation(
        rows: [.init(output: "o", columns: [column], revision: 1, final: true, asOf: start)],
        latest: [.init(output: "o", columns: [column], revision: 2, final: true, asOf: start)],
        outcomes: [.init("read", 3)],
        late: [
            .init(
                output: "o", topic: "t", partition: 0, offset: 4, windowStart: start, windowEnd: start, watermark: start,
                lateBy: .seconds(45))
        ],
        deadLetters: [.init(topic: "t", partition: 0, offset: 5, reason: .undecodable, field: nil)], watermark: start,
        freshness: .init(
            watermarkLag: .seconds(30), eventLag: nil, queueAge: .zero,
            outputs: [.init(output: "o", completeThrough: start, finalThrough: nil)]))
    func cell(_ name: String, _ text: String) -> ExpectedCell { ExpectedCell(name: name, value: value(text)) }
    func whole(
        clicks: String = "3", final: String = "true", latest: String = "2", read: String = "3", lateBy: String = "45s",
        reason: String = "undecodable", watermark: String = "1767225600000", lag: String = "30s", event: Bool = true,
        through: String = "2026-01-01T00:00:00Z", output: String = "o"
    ) -> Expected {
        var expectation = Expected()
        expectation.rows = [expected([("output", "o"), ("clicks", clicks), ("final", final)])]
        expectation.latest = [expected([("revision", latest)])]
        expectation.late = [expected([("offset", "4"), ("late_by", lateBy)])]
        expectation.deadLetters = [expected([("reason", reason)])]
        expectation.outcomes = [cell("read", read)]
        expectation.watermark = value(watermark)
        expectation.freshness = [
            cell("watermark_lag", lag), ExpectedCell(name: "event_lag", value: ExpectedValue(text: "1s", isNull: event)),
        ]
        expectation.outputs = [(output, [cell("complete_through", through)])]
        return expectation
    }
    #expect(Diff.differences(whole(), seen) == [])
    let altered: [(Expected, String)] = [
        (whole(clicks: "4"), "rows"), (whole(final: "false"), "rows"), (whole(latest: "1"), "latest"),
        (whole(read: "2"), "outcomes"), (whole(lateBy: "45001ms"), "late"), (whole(reason: "tombstone"), "dead_letters"),
        (whole(watermark: "1767225600001"), "watermark"), (whole(lag: "31s"), "freshness"), (whole(event: false), "freshness"),
        (whole(through: "2026-01-01T00:00:01Z"), "freshness"), (whole(output: "p"), "freshness"),
    ]
    for (expectation, subject) in altered {
        #expect(Diff.differences(expectation, seen).map(\.subject) == [subject], "\(subject)")
    }
}
