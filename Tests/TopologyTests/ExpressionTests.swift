import Model
import Testing

@testable import Topology

@Suite struct ExpressionTests {
    private static let fields = FieldTable([
        FieldPlan(name: "s", type: .string), FieldPlan(name: "i", type: .int), FieldPlan(name: "d", type: .double),
        FieldPlan(name: "b", type: .bool), FieldPlan(name: "u", type: .uuid), FieldPlan(name: "t", type: .timestamp(.seconds)),
        FieldPlan(name: "j", type: .json), FieldPlan(name: "in", type: .string), FieldPlan(name: "d2", type: .double),
    ])

    private static func typed(_ text: String) throws -> (predicate: Predicate?, faults: [ExpressionFault]) {
        var typing = Typing(fields: fields)
        let predicate = typing.predicate(try Parser.condition(text))
        return (predicate, typing.faults)
    }

    /// One is written with a letter of its own, the other with an accent behind the `e`.
    @Test func textsThatOnlyLookAlikeAreTwoColumns() throws {
        var typing = Typing(fields: Self.fields)
        let text = "s || '\u{E9}' = 'x' OR s || 'e\u{301}' = 'x' OR s || '\u{E9}' = 'y'"
        _ = typing.predicate(try Parser.condition(text))
        #expect(typing.faults == [])
        #expect(typing.fields.plans.count == Self.fields.plans.count + 2)
    }

    private static func no(_ column: Int) -> Predicate { .and([.isNull(column: column, negated: false), .constant(nil)]) }
    private static func yes(_ column: Int) -> Predicate { .or([.isNull(column: column, negated: true), .constant(nil)]) }
    private static let one = Predicate.compare(column: 1, .equal, .int(1))
    private static let two = Predicate.compare(column: 1, .equal, .int(2))
    private static let three = Predicate.compare(column: 1, .equal, .int(3))

    private static let readings: [(String, Predicate)] = [
        // Words and signs
        ("s = 'DE'", .compare(column: 0, .equal, .string("DE"))), ("s<>'it''s'", .compare(column: 0, .notEqual, .string("it's"))),
        ("'a' < s", .compare(column: 0, .greater, .string("a"))), ("s >= ''", .compare(column: 0, .greaterOrEqual, .string(""))),
        ("\"in\" != 'x'", .compare(column: 7, .notEqual, .string("x"))), ("s = 'ä🎉'", .compare(column: 0, .equal, .string("ä🎉"))),
        ("b", .truth(column: 3)), ("NOT b", .not(.truth(column: 3))), ("not not b", .not(.not(.truth(column: 3)))),
        ("b = true", .compare(column: 3, .equal, .bool(true))), ("b <> FALSE", .compare(column: 3, .notEqual, .bool(false))),
        ("TRUE", .constant(true)), ("false", .constant(false)), ("NULL", .constant(nil)),
        ("s IS NULL", .isNull(column: 0, negated: false)), ("s is not null", .isNull(column: 0, negated: true)),
        // Precedence
        ("i = 1 OR i = 2 AND i = 3", .or([one, .and([two, three])])),
        ("i = 1 AND i = 2 OR i = 3", .or([.and([one, two]), three])),
        ("(i = 1 OR i = 2) AND i = 3", .and([.or([one, two]), three])), ("i = 1 AND i = 2 AND i = 3", .and([one, two, three])),
        ("NOT i = 1 AND i = 2", .and([.not(one), two])), ("NOT (i = 1 AND i = 2)", .not(.and([one, two]))),
        (
            "b AND NOT s IS NULL OR i IN (1)",
            .or([
                .and([.truth(column: 3), .not(.isNull(column: 0, negated: false))]), .isIn(column: 1, [.int(1)], negated: false),
            ])
        ),
        // Whole numbers against any number, exactly
        ("i = 5", .compare(column: 1, .equal, .int(5))), ("5 < i", .compare(column: 1, .greater, .int(5))),
        ("i = -5", .compare(column: 1, .equal, .int(-5))), ("i = - 5", .compare(column: 1, .equal, .int(-5))),
        ("i = 2.0", .compare(column: 1, .equal, .int(2))), ("i = 1e3", .compare(column: 1, .equal, .int(1_000))),
        ("i < 2.5", .compare(column: 1, .lessOrEqual, .int(2))), ("i <= 2.5", .compare(column: 1, .lessOrEqual, .int(2))),
        ("i > 2.5", .compare(column: 1, .greater, .int(2))), ("i >= 2.5", .compare(column: 1, .greater, .int(2))),
        ("i < -2.5", .compare(column: 1, .lessOrEqual, .int(-3))), ("i > -0.5", .compare(column: 1, .greater, .int(-1))),
        ("2.5 > i", .compare(column: 1, .lessOrEqual, .int(2))), ("i = 2.5", no(1)), ("i != 2.5", yes(1)),
        ("i = 9007199254740993.0", .compare(column: 1, .equal, .int(9_007_199_254_740_993))),
        ("i < 9223372036854775807.5", .compare(column: 1, .lessOrEqual, .int(.max))),
        ("i >= -9223372036854775808", .compare(column: 1, .greaterOrEqual, .int(.min))),
        ("i < 9223372036854775808", yes(1)), ("i > 1e30", no(1)), ("i >= -1e30", yes(1)), ("i < -1e999999999999", no(1)),
        ("i > 1e-999999999999", .compare(column: 1, .greater, .int(0))), ("i = 0e5", .compare(column: 1, .equal, .int(0))),
        // Doubles
        ("d = 1", .compare(column: 2, .equal, .double(1))), ("d < 0.1", .compare(column: 2, .less, .double(0.1))),
        ("d = -0", .compare(column: 2, .equal, .double(0))), ("d > .5", .compare(column: 2, .greater, .double(0.5))),
        ("d < 9007199254740993", .compare(column: 2, .lessOrEqual, .double(9_007_199_254_740_992))),
        ("d > 9007199254740993", .compare(column: 2, .greater, .double(9_007_199_254_740_992))),
        ("d <= 9007199254740995", .compare(column: 2, .less, .double(9_007_199_254_740_996))),
        ("d >= 9007199254740995", .compare(column: 2, .greaterOrEqual, .double(9_007_199_254_740_996))),
        ("d = 9007199254740993", no(2)), ("d != -9007199254740993", yes(2)),
        // Lists
        ("s IN ('a', 'b', 'a')", .isIn(column: 0, [.string("a"), .string("b")], negated: false)),
        // The same letter in two ways of writing it: two texts.
        ("s IN ('\u{E9}', 'e\u{301}')", .isIn(column: 0, [.string("\u{E9}"), .string("e\u{301}")], negated: false)),
        ("i NOT IN (1, 2.0, 2.5)", .isIn(column: 1, [.int(1), .int(2)], negated: true)),
        ("i IN (2.5)", no(1)), ("i NOT IN (2.5, 1e30)", yes(1)),
        ("i IN (1, NULL)", .isIn(column: 1, [.int(1), .null], negated: false)),
        ("i NOT IN (2.5, NULL)", .isIn(column: 1, [.null], negated: true)),
        ("b IN (TRUE)", .isIn(column: 3, [.bool(true)], negated: false)),
        // Types from text
        (
            "u = '6b1e0000-0000-4000-8000-00000000000f'",
            .compare(column: 4, .equal, .uuid(high: 0x6b1e_0000_0000_4000, low: 0x8000_0000_0000_000f))
        ),
        (
            "t >= '2026-01-01T01:00:00+01:00'",
            .compare(column: 5, .greaterOrEqual, .time(EventTime(milliseconds: 1_767_225_600_000)))
        ),
        // Columns
        ("s = \"in\"", .compareColumns(0, .equal, 7)), ("d <= d2", .compareColumns(2, .lessOrEqual, 8)),
        ("i < d", .compareColumns(1, .less, 2)),
    ]

    @Test(arguments: readings)
    func aConditionMeansWhatSQLMeans(text: String, predicate: Predicate) throws {
        let found = try Self.typed(text)
        #expect(found.predicate == predicate)
        #expect(found.faults == [])
    }

    /// Where the fault is, in characters from 0.
    @Test(arguments: [
        ("", 0, Problem.Code.expression), ("i =", 3, .expression), ("i = 1 i", 6, .expression), ("(i = 1", 6, .expression),
        ("i = 1)", 5, .expression),
        ("i == 1", 2, .expression), ("s = 'x", 4, .expression), ("\"s = 1", 0, .expression), ("i < 1 < 2", 6, .expression),
        ("i IN ()", 6, .expression), ("i IN 1", 5, .expression), ("i IS 1", 5, .expression), ("1x = i", 1, .expression),
        ("i = 1.2.3", 7, .expression),
        ("i; DROP", 1, .expression), ("AND b", 0, .expression), ("NOT", 3, .expression), ("`s` = 1", 0, .expression),
        ("s LIKE", 6, .expression), ("i NOT BETWEEN 1 OR 2", 16, .expression), ("CASE b END", 7, .expression),
        ("CASE WHEN b THEN b", 18, .expression), ("cast(i int) = 1", 7, .expression), ("extract(hour t) = 1", 13, .expression),
    ])
    func aWrongSentenceIsToldWhereItIsWrong(text: String, offset: Int, code: Problem.Code) {
        do {
            let found = try Parser.condition(text)
            Issue.record("\(text) was read as \(found)")
        } catch {
            #expect(error.offset == offset)
            #expect(error.code == code)
        }
    }

    @Test(arguments: [
        ("b AND x = 1", [6], Problem.Code.unknownField), ("x = 1 OR y = 2", [0, 9], .unknownField),
        ("x = y", [0, 4], .unknownField),
        ("s = 1", [4], .typeMismatch), ("i = 'a'", [4], .typeMismatch), ("t = 5", [4], .typeMismatch),
        ("t = 'now'", [4], .typeMismatch),
        ("t = '2026-01-01T00:00:00'", [4], .typeMismatch), ("t = '2026-01-01T00:00:00.0001Z'", [4], .typeMismatch),
        ("u = 'x'", [4], .typeMismatch),
        ("u < '6b1e0000-0000-4000-8000-00000000000f'", [4], .typeMismatch), ("b > TRUE", [4], .typeMismatch),
        ("j = 'x'", [0], .typeMismatch),
        ("j IS NULL", [0], .typeMismatch), ("s = i", [4], .typeMismatch), ("s", [0], .typeMismatch), ("5", [0], .typeMismatch),
        ("1 = 1", [0], .typeMismatch),
        ("i IN ('a', 1, 'b')", [6, 14], .typeMismatch), ("d > 1e999", [4], .typeMismatch), ("1 IN (1)", [0], .typeMismatch),
        ("i = TRUE", [4], .typeMismatch),
        ("lower(i) = 'x'", [6], .typeMismatch), ("s + 1 = 2", [0], .typeMismatch), ("-s = 2", [1], .typeMismatch),
        ("i IN (1, s)", [9], .typeMismatch), ("f()", [0], .expression), ("lowr(s) = 'x'", [0], .expression),
        ("substr(s) = 'x'", [0], .expression), ("sum(i) = 1", [0], .expression), ("i || 'x' = 'y'", [0], .typeMismatch),
        ("t + t = t", [0], .typeMismatch), ("d % 2 = 1", [0], .typeMismatch), ("cast(u AS int) = 1", [0], .typeMismatch),
        ("cast(s AS number) = 1", [0], .expression), ("coalesce(i, s) = 1", [0], .typeMismatch),
        ("date_trunc('eon', t) = t", [11], .expression), ("date_trunc('day', t, 'Nowhere') = t", [21], .badValue),
        ("s LIKE 'x' ESCAPE '%'", [18], .typeMismatch), ("i BETWEEN 'a' AND 'b'", [10, 18], .typeMismatch),
        ("round(d, 99) = 1", [9], .typeMismatch), ("if(s, 1, 2) = 1", [3], .typeMismatch),
        ("i = NULL", [4], .neverTrue),
    ])
    func aWrongTypeIsToldWhereItStands(text: String, offsets: [Int], code: Problem.Code) throws {
        let found = try Self.typed(text)
        #expect(found.faults.map(\.offset) == offsets)
        #expect(found.faults.allSatisfy { $0.code == code })
        #expect((found.predicate == nil) == found.faults.contains { $0.severity == .error })
    }

    /// Where the part stands that is an error for every record.
    @Test(arguments: [
        ("i > 9223372036854775807 + 1", [4]), ("i > -(-9223372036854775808)", [6]), ("i > 3 - -9223372036854775807", [4]),
        ("i > 9223372036854775807 * 2", [4]), ("i > -9223372036854775808 / -1", [4]), ("d > 1e308 * 10", [4]),
        ("d > -1e308 - 1e308", [4]), ("i > 5 / 0", [8]), ("i / 0 > 1", [4]), ("i % (1 - 1) = 1", [5]), ("d / 0.0 > 1", [4]),
        ("i BETWEEN 1 / 0 AND 2 % 0", [14, 24]), ("i IN (1, 2 / 0)", [13]), ("i = cast('1x' AS int)", [9]),
        ("d = cast('1e999' AS double)", [9]), ("i = cast(2.5 AS int)", [9]), ("b = cast('yes' AS bool)", [9]),
        ("u = cast('6b1e' AS uuid)", [9]), ("t > cast('2026-02-30T00:00:00Z' AS timestamp)", [9]),
        ("t > cast('2026-01-01' AS timestamp)", [9]), ("t > cast('2026-01-01T00:00:00.0001Z' AS timestamp)", [9]),
        ("s = cast(cast(253402300800000 AS timestamp) AS string)", [9]), ("substr(s, 2, -1) = 'x'", [13]),
        ("CASE WHEN b THEN 1 / 0 ELSE 2 END = 1", [21]), ("cast(1 / 0 AS string) = s", [9]),
    ])
    func anErrorOfConstantsIsToldWhereItStands(text: String, offsets: [Int]) throws {
        let found = try Self.typed(text)
        #expect(found.faults.map(\.offset) == offsets)
        #expect(found.faults.allSatisfy { $0.code == .constantError && $0.severity == .error })
        #expect(found.predicate == nil)
    }

    @Test(arguments: [
        ("i > 24 * 60 - 1", Predicate.compare(column: 1, .greater, .int(1_439))),
        ("7 / 2 < i", .compare(column: 1, .greater, .int(3))), ("i > 7 / 2.0", .compare(column: 1, .greater, .int(3))),
        ("i % 2 = -7 % 4", .compare(column: 9, .equal, .int(-3))), ("d = -(1 - 1.0)", .compare(column: 2, .equal, .double(0))),
        ("s = 'a' || 'b'", .compare(column: 0, .equal, .string("ab"))),
        ("i = -9223372036854775808 % -1", .compare(column: 1, .equal, .int(0))),
        ("s = cast(1.5 AS string) || cast(TRUE AS string)", .compare(column: 0, .equal, .string("1.5true"))),
        ("i IN (1 + 1, cast('3' AS int))", .isIn(column: 1, [.int(2), .int(3)], negated: false)),
        ("b = cast('true' AS bool)", .compare(column: 3, .equal, .bool(true))),
    ])
    func constantsAreComputedWhenTheTopologyIsRead(text: String, predicate: Predicate) throws {
        let found = try Self.typed(text)
        #expect(found.faults == [])
        #expect(found.predicate == predicate)
    }

    @Test func equalPartsAreOneColumn() throws {
        var typing = Typing(fields: Self.fields)
        let before = typing.fields.plans.count
        let predicate = typing.predicate(try Parser.condition("i + 1 > 2 AND i+1 < 9"))
        #expect(
            predicate == .and([.compare(column: before, .greater, .int(2)), .compare(column: before, .less, .int(9))]))
        #expect(typing.fields.plans.count == before + 1)
        #expect(typing.fields.plans[before].computed == Computed(.add, [.column(1), .literal(.int(1))]))
        #expect(typing.fields.plans[before].name == "add(i, 1)")
    }

    @Test func aLongChainNeedsNoDeepStackAndADeepOneIsRefused() throws {
        let chain = Array(repeating: "i = 1", count: 1_000).joined(separator: " OR ")
        #expect(try Self.typed(chain).predicate == .or(Array(repeating: Self.one, count: 1_000)))
        let list = "i IN (\((0..<5_000).map(String.init).joined(separator: ",")))"
        #expect(try Self.typed(list).predicate == .isIn(column: 1, (0..<5_000).map { .int($0) }, negated: false))
        for deep in [
            String(repeating: "(", count: 500) + "b" + String(repeating: ")", count: 500),
            String(repeating: "NOT ", count: 500) + "b",
            String(repeating: "-", count: 500) + "1", Array(repeating: "b", count: 5_000).joined(separator: " AND "),
        ] {
            #expect(throws: ExpressionFault.self) { try Parser.condition(deep) }
        }
    }

    @Test(arguments: [
        ("count()", MeasurePlan(name: "m", function: .count)), ("COUNT(j)", MeasurePlan(name: "m", function: .count, column: 6)),
        ("sum(i)", MeasurePlan(name: "m", function: .sum, column: 3)),
        ("last(id)", MeasurePlan(name: "m", function: .last, column: 1)),
        ("min(ts)", MeasurePlan(name: "m", function: .min, column: 0)),
        ("max(s)", MeasurePlan(name: "m", function: .max, column: 2)),
        (
            "stddev(d) where i > 1 AND b",
            MeasurePlan(
                name: "m", function: .stddev, column: 4,
                admits: .and([.compare(column: 3, .greater, .int(1)), .truth(column: 5)]))
        ),
        ("count() WHERE s = 'x'", MeasurePlan(name: "m", function: .count, admits: .compare(column: 2, .equal, .string("x")))),
    ])
    func aMeasureIsAFunctionOfAFieldWithACondition(text: String, measure: MeasurePlan) {
        let named = small().split(separator: "\n").map {
            $0.contains("measures:") ? "    measures: {m: \"\(text)\"}" : String($0)
        }
        let reading = read(named.joined(separator: "\n"))
        #expect(texts(reading) == [])
        #expect(reading.plan?.aggregates[0].measures == [measure])
    }
}
