import Model
import Testing
import Testkit

@testable import Pipeline

private let fields = [
    FieldPlan(name: "i", type: .int), FieldPlan(name: "j", type: .int), FieldPlan(name: "d", type: .double),
    FieldPlan(name: "e", type: .double), FieldPlan(name: "s", type: .string), FieldPlan(name: "t", type: .string),
    FieldPlan(name: "b", type: .bool), FieldPlan(name: "u", type: .uuid), FieldPlan(name: "v", type: .uuid),
    FieldPlan(name: "at", type: .timestamp(.milliseconds)),
]
private let (i, j, d, e, s, t, b, u, v, at) = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)

private func answers(_ predicate: Predicate, _ records: [String], capacity: Int = 4) throws -> [Bool?] {
    let decoder = try RecordDecoder(fields: fields)
    let owned = OwnedBatch(records.map { Array($0.utf8) })
    let columns = decoder.decode(owned.batch, skip: nil)
    #expect((0..<columns.count).allSatisfy { columns.errors[$0] == 0 })
    let program = PredicateProgram(predicate, fields: fields, capacity: capacity)
    let truths = program.evaluate(columns, count: columns.count)
    return (0..<columns.count).map { truths[$0] == 2 ? nil : truths[$0] == 1 }
}

struct FilterTests {
    /// Rows: true, false, null.
    private static let truths = [#"{"b":true}"#, #"{"b":false}"#, #"{"b":null}"#]

    @Test(
        arguments: [
            (Predicate.truth(column: b), [true, false, nil]), (.not(.truth(column: b)), [false, true, nil]),
            (.and([.truth(column: b), .constant(true)]), [true, false, nil]),
            (.and([.truth(column: b), .constant(false)]), [false, false, false]),
            (.and([.truth(column: b), .constant(nil)]), [nil, false, nil]),
            (.or([.truth(column: b), .constant(true)]), [true, true, true]),
            (.or([.truth(column: b), .constant(false)]), [true, false, nil]),
            (.or([.truth(column: b), .constant(nil)]), [true, nil, nil]),
            (.and([]), [true, true, true]), (.or([]), [false, false, false]), (.constant(nil), [nil, nil, nil]),
            (.isNull(column: b, negated: false), [false, false, true]), (.isNull(column: b, negated: true), [true, true, false]),
            (.compare(column: b, .equal, .bool(true)), [true, false, nil]),
            (.compare(column: b, .less, .bool(true)), [false, true, nil]),
            (.compare(column: b, .equal, .null), [nil, nil, nil]),
            (.not(.compare(column: b, .notEqual, .null)), [nil, nil, nil]),
            (.isIn(column: b, [.bool(true)], negated: false), [true, false, nil]),
            (.isIn(column: b, [.bool(true), .null], negated: false), [true, nil, nil]),
            (.isIn(column: b, [.bool(true), .null], negated: true), [false, nil, nil]),
            (.isIn(column: b, [.bool(true)], negated: true), [false, true, nil]),
            (.isIn(column: b, [.null], negated: false), [nil, nil, nil]),
        ] as [(Predicate, [Bool?])])
    func logicHasThreeValues(_ predicate: Predicate, _ expected: [Bool?]) throws {
        #expect(try answers(predicate, Self.truths) == expected)
    }

    @Test func nestedConditionsUseRegistersOfTheirOwn() throws {
        let predicate = Predicate.or([
            .and([
                .compare(column: i, .greater, .int(5)),
                .not(.or([.truth(column: b), .compare(column: s, .equal, .string("x"))])),
            ]),
            .and([.isNull(column: i, negated: false), .compare(column: s, .less, .string("b"))]),
        ])
        let rows = [
            #"{"i":6,"b":false,"s":"y"}"#, #"{"i":6,"b":false,"s":"x"}"#, #"{"i":6,"b":null,"s":"y"}"#, #"{"s":"a"}"#,
            #"{"s":"c"}"#,
            #"{"i":5,"s":"y"}"#,
        ]
        #expect(try answers(predicate, rows, capacity: 2) == [true, false, nil, true, nil, false])
    }

    @Test(arguments: [
        (Comparison.less, ["", "Z", "a"]), (.lessOrEqual, ["", "Z", "a", "é"]), (.equal, ["é"]),
        (.notEqual, ["", "Z", "a", "éa", "日", "😀"]), (.greater, ["éa", "日", "😀"]),
    ])
    func stringsCompareAsBytes(_ comparison: Comparison, _ matching: [String]) throws {
        let all = ["", "Z", "a", "é", "éa", "日", "😀"]
        let found = try answers(.compare(column: s, comparison, .string("é")), all.map { #"{"s":"\#($0)"}"# })
        #expect(zip(all, found).filter { $0.1 == true }.map(\.0) == matching)
    }

    @Test(
        arguments: [
            (Comparison.less, 9_007_199_254_740_993, [true, true, false]),
            (.lessOrEqual, 9_007_199_254_740_993, [true, true, false]),
            (.equal, 9_007_199_254_740_993, [false, false, false]), (.greater, 9_007_199_254_740_993, [false, false, true]),
            (.notEqual, 9_007_199_254_740_993, [true, true, true]), (.equal, 9_007_199_254_740_992, [false, true, false]),
        ] as [(Comparison, Int64, [Bool])])
    func doublesMeetIntegersBeyondTheirPrecisionExactly(_ comparison: Comparison, _ literal: Int64, _ expected: [Bool]) throws {
        let rows = ["9007199254740991", "9007199254740992", "9007199254740994"]
        #expect(try answers(.compare(column: d, comparison, .int(literal)), rows.map { #"{"d":\#($0)}"# }) == expected)
        let columns = rows.map { #"{"d":\#($0),"i":\#(literal)}"# }
        #expect(try answers(.compareColumns(d, comparison, i), columns) == expected)
        #expect(try answers(.compareColumns(i, comparison.mirrored, d), columns) == expected)
    }

    @Test(arguments: [
        (Comparison.less, 2.5, [true, true, false, false]), (.lessOrEqual, 2.5, [true, true, false, false]),
        (.greater, 2.5, [false, false, true, true]), (.greaterOrEqual, 2.0, [false, true, true, true]),
        (.equal, 2.0, [false, true, false, false]), (.equal, 2.5, [false, false, false, false]),
        (.notEqual, 2.5, [true, true, true, true]), (.less, 1e300, [true, true, true, true]),
        (.greater, 1e300, [false, false, false, false]), (.greater, -1e300, [true, true, true, true]),
        (.less, -2.5, [true, false, false, false]), (.greaterOrEqual, 0x1p63, [false, false, false, false]),
        (.less, 0x1p63, [true, true, true, true]),
    ])
    func integersMeetDecimalLiteralsExactly(_ comparison: Comparison, _ literal: Double, _ expected: [Bool]) throws {
        let rows = ["-9223372036854775808", "2", "3", "9223372036854775807"].map { #"{"i":\#($0)}"# }
        #expect(try answers(.compare(column: i, comparison, .double(literal)), rows + ["{}"]) == expected + [nil])
        let columns = rows.map { $0.dropLast() + #","d":\#(literal)}"# }.map(String.init)
        #expect(try answers(.compareColumns(i, comparison, d), columns) == expected)
    }

    @Test func uuidsOrderAsTheirTextDoes() throws {
        let rows = [
            #"{"u":"00000000-0000-0000-0000-000000000001","v":"80000000-0000-0000-0000-000000000000"}"#,
            #"{"u":"ffffffff-0000-0000-0000-000000000000","v":"FFFFFFFF-0000-0000-0000-000000000000"}"#, #"{"u":null}"#,
        ]
        #expect(try answers(.compareColumns(u, .less, v), rows) == [true, false, nil])
        #expect(try answers(.compareColumns(u, .equal, v), rows) == [false, true, nil])
        #expect(try answers(.compare(column: u, .equal, .uuid(high: 0, low: 1)), rows) == [true, false, nil])
        #expect(try answers(.isIn(column: v, [.uuid(high: 1 << 63, low: 0)], negated: false), rows) == [true, false, nil])
    }

    @Test func timesCompareWithTimes() throws {
        let rows = [#"{"at":-1}"#, #"{"at":0}"#, "{}"]
        #expect(try answers(.compare(column: at, .less, .time(EventTime(milliseconds: 0))), rows) == [true, false, nil])
    }
}

// MARK: - The same answers as a plain evaluator

private struct Row {
    var cells: [Value]
    var json: String {
        let members = zip(fields, cells).compactMap { field, cell -> String? in
            switch cell {
            case .null: nil
            case .bool(let truth): "\"\(field.name)\":\(truth)"
            case .int(let number): "\"\(field.name)\":\(number)"
            case .double(let number): "\"\(field.name)\":\(number)"
            case .string(let text): "\"\(field.name)\":\"\(text)\""
            case .time(let time): "\"\(field.name)\":\(time.milliseconds)"
            case .uuid(let high, let low): "\"\(field.name)\":\"\(uuidText(high, low))\""
            case .wide, .list, .counted: nil
            }
        }
        return "{" + members.joined(separator: ",") + "}"
    }
}

private func uuidText(_ high: UInt64, _ low: UInt64) -> String {
    func hex(_ value: UInt64) -> String {
        String(repeating: "0", count: 16 - String(value, radix: 16).count) + String(value, radix: 16)
    }
    let digits = Array(hex(high) + hex(low))
    return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
}

private func plainOrder(_ a: Value, _ b: Value) -> Int? {
    switch (a, b) {
    case (.int(let x), .int(let y)): x < y ? -1 : x > y ? 1 : 0
    case (.double(let x), .double(let y)): x < y ? -1 : x > y ? 1 : 0
    case (.int(let x), .double(let y)): x == Int64(y) && Double(Int64(y)) == y ? 0 : Double(x) < y ? -1 : 1
    case (.double, .int): plainOrder(b, a).map { -$0 }
    case (.bool(let x), .bool(let y)): (x ? 1 : 0) - (y ? 1 : 0)
    case (.time(let x), .time(let y)): x < y ? -1 : x == y ? 0 : 1
    case (.string(let x), .string(let y)):
        x == y ? 0 : x.utf8.lexicographicallyPrecedes(y.utf8) ? -1 : 1
    case (.uuid(let a, let b), .uuid(let c, let d)): a != c ? (a < c ? -1 : 1) : b != d ? (b < d ? -1 : 1) : 0
    default: nil
    }
}

private func plain(_ predicate: Predicate, _ row: [Value]) -> Bool? {
    func compare(_ a: Value, _ comparison: Comparison, _ b: Value) -> Bool? {
        guard let order = plainOrder(a, b) else { return nil }
        return switch comparison {
        case .equal: order == 0
        case .notEqual: order != 0
        case .less: order < 0
        case .lessOrEqual: order <= 0
        case .greater: order > 0
        case .greaterOrEqual: order >= 0
        }
    }
    switch predicate {
    case .constant(let value): return value
    case .truth(let column):
        guard case .bool(let truth) = row[column] else { return nil }
        return truth
    case .isNull(let column, let negated): return (row[column] == .null) != negated
    case .compare(let column, let comparison, let value): return compare(row[column], comparison, value)
    case .compareColumns(let a, let comparison, let b): return compare(row[a], comparison, row[b])
    case .isIn(let column, let values, let negated):
        if row[column] == .null { return nil }
        if values.contains(where: { compare(row[column], .equal, $0) == true }) { return !negated }
        return values.contains(.null) ? nil : negated
    case .not(let inner): return plain(inner, row).map { !$0 }
    case .and(let parts):
        let all = parts.map { plain($0, row) }
        return all.contains(false) ? false : all.contains(nil) ? nil : true
    case .or(let parts):
        let all = parts.map { plain($0, row) }
        return all.contains(true) ? true : all.contains(nil) ? nil : false
    }
}

struct FilterAgainstPlainEvaluatorTests {
    private struct Dice {
        var random: SplitMix
        mutating func below(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
        mutating func value(_ column: Int) -> Value {
            switch column {
            case i, j: .int([-2, -1, 0, 1, 2, 3, 1 << 53, (1 << 53) + 1, .max, .min][below(10)])
            case d, e: .double([-1.5, -1, 0, 0.5, 1, 2, 0x1p53, 1e15][below(8)])
            case s, t: .string(["", "a", "ab", "b", "é", "abcdefghijklmnopq", "abcdefghijklmnopr"][below(7)])
            case b: .bool(below(2) == 0)
            case u, v: .uuid(high: [0, 1, .max][below(3)], low: [0, 1, .max][below(3)])
            default: .time(EventTime(milliseconds: Int64(below(4)) - 2))
            }
        }
        mutating func literal(_ column: Int) -> Value {
            if below(12) == 0 { return .null }
            if column == i || column == j { return value(below(3) == 0 ? d : i) }
            if column == d || column == e { return below(3) == 0 ? .int(Int64(below(4)) - 1) : value(d) }
            return value(column)
        }
        mutating func comparison() -> Comparison {
            [.equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual][below(6)]
        }
        mutating func predicate(_ depth: Int) -> Predicate {
            let column = below(fields.count)
            switch depth == 0 ? below(6) : below(9) {
            case 0: return .compare(column: column, comparison(), literal(column))
            case 1:
                let pairs = [(i, j), (i, d), (d, j), (d, e), (s, t), (u, v), (b, b), (at, at)]
                let (left, right) = pairs[below(pairs.count)]
                return .compareColumns(left, comparison(), right)
            case 2: return .isIn(column: column, (0..<below(5)).map { _ in literal(column) }, negated: below(2) == 0)
            case 3: return .isNull(column: column, negated: below(2) == 0)
            case 4: return .truth(column: b)
            case 5: return .constant([true, false, nil][below(3)])
            case 6: return .and((0..<below(4)).map { _ in predicate(depth - 1) })
            case 7: return .or((0..<below(4)).map { _ in predicate(depth - 1) })
            default: return .not(predicate(depth - 1))
            }
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func randomConditionsAnswerAsThePlainEvaluatorDoes(_ seed: UInt64) throws {
        var dice = Dice(random: SplitMix(seed: seed))
        let rows = (0..<200).map { _ in
            Row(cells: fields.indices.map { dice.below(5) == 0 ? .null : dice.value($0) })
        }
        let decoder = try RecordDecoder(fields: fields)
        let owned = OwnedBatch(rows.map { Array($0.json.utf8) })
        let columns = decoder.decode(owned.batch, skip: nil)
        #expect(
            (0..<rows.count).map { columns.decoded($0, fields) }
                == rows.map { row in
                    .fields(row.cells.map { $0 == .null ? .missing : .value($0) })
                })
        for _ in 0..<500 {
            let predicate = dice.predicate(3)
            let program = PredicateProgram(predicate, fields: fields, capacity: 64)
            let truths = program.evaluate(columns, count: rows.count)
            let found = (0..<rows.count).map { truths[$0] == 2 ? nil : truths[$0] == 1 }
            #expect(found == rows.map { plain(predicate, $0.cells) }, "\(predicate)")
        }
    }
}
