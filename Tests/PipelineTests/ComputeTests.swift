import Model
import Testing

@testable import Pipeline
@testable import Topology

/// Expressions from their text to a value in a row, beside rows that have nothing.
@Suite struct ComputeTests {
    private static let fields = [
        FieldPlan(name: "i", type: .int), FieldPlan(name: "z", type: .int), FieldPlan(name: "d", type: .double),
        FieldPlan(name: "s", type: .string), FieldPlan(name: "b", type: .bool), FieldPlan(name: "n", type: .int),
        FieldPlan(name: "t", type: .timestamp(.milliseconds)), FieldPlan(name: "least", type: .int),
    ]
    private static let record =
        #"{"i":7,"z":0,"d":2.5,"s":" Äb_c ","b":true,"t":1767225600123,"least":-9223372036854775808}"#

    /// What a field with this expression holds: the value as text, `null` or `error`.
    private static func told(_ text: String) throws -> String {
        var typing = Typing(fields: FieldTable(fields))
        let found = typing.definition(try Parser.condition(text))
        try #require(typing.faults == [])
        let (computed, type) = try #require(found)
        let plans = typing.fields.plans + [FieldPlan(name: "x", type: type, path: [], computed: computed)]
        let decoder = try RecordDecoder(fields: plans)
        let stage = ComputeStage(plans)
        let owned = OwnedBatch(["{}", record, "{}"].map { Array($0.utf8) })
        // The second batch finds what the first left.
        for _ in 0..<2 { _ = stage.run(decoder.decode(owned.batch, skip: nil)) }
        let columns = stage.run(decoder.decode(owned.batch, skip: nil))
        let column = plans.count - 1
        switch columns.state(column)[1] {
        case FieldState.ok.rawValue: break
        case FieldState.error.rawValue: return "error"
        default: return "null"
        }
        switch type {
        case .double: return "\(columns.double(column)[1])"
        case .string:
            let slice = columns.slices(column)[1]
            let bytes = UnsafeBufferPointer(start: columns.arena + Int(slice.offset), count: Int(slice.length))
            return "'\(String(decoding: bytes, as: UTF8.self))'"
        default: return "\(columns.int64(column)[1])"
        }
    }

    @Test(arguments: [
        ("i + 1", "8"), ("i - 10", "-3"), ("i * 2.5", "17.5"), ("i / 2", "3"), ("-i / 2", "-3"), ("i / 2.0", "3.5"),
        ("-i % 4", "-3"), ("i / z", "error"), ("i % z", "error"), ("d / z", "error"), ("i + n", "null"), ("least / -1", "error"),
        ("least % -1", "0"), ("abs(least)", "error"), ("-least", "error"), ("least - 1", "error"), ("least * -1", "error"),
        ("9223372036854775807 + i", "error"), ("1e308 * i * i", "error"), ("abs(-d)", "2.5"), ("1 + 2 * 3", "7"),
        ("round(d)", "3.0"), ("round(-d)", "-3.0"), ("floor(-d)", "-3.0"), ("ceil(d)", "3.0"), ("round(2.345, 1)", "2.3"),
        ("round(1e300, 15)", "1e+300"), ("round(-1112211840638143.8, 2)", "-1112211840638143.8"), ("least(i, z, 3)", "0"),
        ("greatest(i, d)", "7.0"), ("least(i, n)", "null"),
        ("greatest('a', 'ab')", "'ab'"), ("d * 0 * -1", "0.0"), ("i / z + n", "error"),
    ])
    func arithmeticIsExactOrAnError(text: String, value: String) throws { #expect(try Self.told(text) == value) }

    @Test(arguments: [
        ("lower(s)", "' Äb_c '"), ("upper(s)", "' ÄB_C '"), ("length(s)", "6"), ("trim(s)", "'Äb_c'"), ("length('')", "0"),
        ("substr(s, 2, 2)", "'Äb'"), ("substr(s, 3)", "'b_c '"), ("substr(s, 0, 2)", "' '"), ("substr(s, 9)", "''"),
        ("substr(s, 1, 0)", "''"), ("substr(s, 2, z - 1)", "error"), ("substr(s, n)", "null"),
        ("substr(s, 2, 9223372036854775807)", "'Äb_c '"), ("replace(s, 'b', 'long')", "' Älong_c '"),
        ("replace('aaa', 'a', '')", "''"), ("replace(s, '', 'x')", "' Äb_c '"), ("trim(s) || '-' || 'ß'", "'Äb_c-ß'"),
        ("s LIKE ' _b%'", "1"), ("s LIKE '%c'", "0"), ("s LIKE '%b!_c%' ESCAPE '!'", "1"), ("s LIKE '%!'  ESCAPE '!'", "0"),
        ("'' LIKE '%'", "1"), ("s NOT LIKE '______'", "0"), ("s LIKE cast(n AS string)", "null"), ("'aXbXc' LIKE '%X_'", "1"),
    ])
    func textsAreCountedInScalars(text: String, value: String) throws { #expect(try Self.told(text) == value) }

    @Test(arguments: [
        ("cast(d AS int)", "error"), ("cast(2.0 AS int)", "2"), ("cast(1e18 * i * i AS int)", "error"),
        ("cast('-12' AS int)", "-12"),
        ("cast(trim('9223372036854775808') AS int)", "error"), ("cast(trim('1x') AS int)", "error"),
        ("cast(trim(' ') AS int)", "error"),
        ("cast(lower(' 1') AS int)", "error"), ("cast('-1.5e3' AS double)", "-1500.0"), ("cast(trim('inf') AS double)", "error"),
        ("cast(trim('1e999') AS double)", "error"), ("cast(least AS string)", "'-9223372036854775808'"),
        ("cast(d AS string)", "'2.5'"),
        ("cast(b AS string)", "'true'"), ("cast('false' AS bool)", "0"), ("cast(trim('yes') AS bool)", "error"),
        ("cast(b, int)", "1"),
        ("coalesce(n, z, i / z)", "0"), ("coalesce(i / z, 1)", "error"), ("nullif(i, 7)", "null"),
        ("nullif(i, n)", "7"), ("if(z = 0, 0, i / z)", "0"), ("case when n > 1 then 1 when b then 2 else i / z end", "2"),
        ("case i when 6 then 'a' when 7 then 'b' end", "'b'"), ("case i when 6 then 'a' end", "null"), ("i BETWEEN 7 AND d", "0"),
        ("i / z > 1", "null"), ("i / z IS NULL", "1"), ("i IN (z, n, 7)", "1"), ("i NOT IN (z, n)", "null"), ("(i > 3) = b", "1"),
    ])
    func onlyTheChosenBranchCounts(text: String, value: String) throws {
        #expect(try Self.told(text) == value)
    }

    /// 2026-01-01T00:00:00.123Z, a Thursday.
    @Test(arguments: [
        ("date_trunc('day', t)", "1767225600000"), ("date_trunc('week', t)", "1766966400000"),
        ("date_trunc('month', t - 1000)", "1764547200000"), ("date_trunc('year', t)", "1767225600000"),
        ("date_trunc('quarter', t - 1000)", "1759276800000"), ("date_trunc('second', t)", "1767225600000"),
        ("extract(year FROM t)", "2026"), ("date_part('week', t)", "1"), ("extract(hour FROM t - 1000)", "23"),
        ("extract(millisecond FROM t)", "123"), ("extract(day FROM t - 1000)", "31"), ("t - (t - 5)", "5"),
        ("date_part('month', cast(-62135596800000 AS timestamp))", "1"),
        ("date_trunc('day', cast(9223372036854775807 AS timestamp))", "error"), ("t > '2026-01-01T00:00:00Z'", "1"),
    ])
    func timesAreThoseOfTheCalendar(text: String, value: String) throws { #expect(try Self.told(text) == value) }
}
