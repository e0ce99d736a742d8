import Model
import Testing

@testable import Pipeline

private enum Expected: Equatable {
    case at(Int64)
    case bad
}

/// RFC 3339, chapter 5.6 and appendix C; the numbers are `date -u -d TEXT +%s%3N`.
private let texts: [(String, Expected)] = [
    ("1970-01-01T00:00:00Z", .at(0)), ("1970-01-01t00:00:00z", .at(0)), ("1970-01-01 00:00:00Z", .at(0)),
    ("1969-12-31T23:59:59.999Z", .at(-1)), ("1969-12-31T23:59:59.9999Z", .at(-1)), ("1969-12-31T23:59:59.9989Z", .at(-2)),
    ("1970-01-01T00:00:00.0009Z", .at(0)), ("1970-01-01T00:00:00.1Z", .at(100)), ("1970-01-01T00:00:00.12Z", .at(120)),
    ("1970-01-01T00:00:00.123456789123456789123456789Z", .at(123)), ("2026-01-01T00:00:00Z", .at(1_767_225_600_000)),
    ("2026-01-01T01:00:00+01:00", .at(1_767_225_600_000)), ("2025-12-31T18:30:00-05:30", .at(1_767_225_600_000)),
    ("2026-01-01T00:00:00-00:00", .at(1_767_225_600_000)), ("2026-01-01T00:00:00+00:00", .at(1_767_225_600_000)),
    ("2026-01-01T23:59:00+23:59", .at(1_767_225_600_000)), ("2024-02-29T12:00:00Z", .at(1_709_208_000_000)),
    ("2000-02-29T00:00:00Z", .at(951_782_400_000)), ("1900-02-28T00:00:00Z", .at(-2_203_977_600_000)),
    ("0000-01-01T00:00:00Z", .at(-62_167_219_200_000)), ("0000-02-29T00:00:00Z", .at(-62_162_121_600_000)),
    ("0001-01-01T00:00:00Z", .at(-62_135_596_800_000)), ("9999-12-31T23:59:59.999Z", .at(253_402_300_799_999)),
    ("9999-12-31T23:59:59.999-23:59", .at(253_402_387_139_999)), ("0000-01-01T00:00:00+23:59", .at(-62_167_305_540_000)),
    ("2016-12-31T23:59:60Z", .at(1_483_228_800_000)), ("2016-12-31T23:59:60.999Z", .at(1_483_228_800_000)),
    ("2017-01-01T00:59:60+01:00", .at(1_483_228_800_000)), ("2016-12-31T15:59:60-08:00", .at(1_483_228_800_000)),
    ("2016-12-31T22:59:60Z", .bad), ("2016-12-31T23:59:61Z", .bad), ("2016-12-31T23:59:60+01:00", .bad),
    ("2023-02-29T00:00:00Z", .bad), ("1900-02-29T00:00:00Z", .bad), ("2100-02-29T00:00:00Z", .bad),
    ("2026-04-31T00:00:00Z", .bad),
    ("2026-13-01T00:00:00Z", .bad), ("2026-00-01T00:00:00Z", .bad), ("2026-01-00T00:00:00Z", .bad),
    ("2026-01-32T00:00:00Z", .bad),
    ("2026-01-01T24:00:00Z", .bad), ("2026-01-01T00:60:00Z", .bad), ("2026-01-01T00:00:00", .bad),
    ("2026-01-01T00:00:00.5", .bad),
    ("2026-01-01T00:00Z", .bad), ("2026-01-01", .bad), ("20260101T000000Z", .bad), ("2026-1-1T0:0:0Z", .bad),
    ("2026-01-01T00:00:00.Z", .bad), ("2026-01-01T00:00:00,5Z", .bad), ("2026-01-01T00:00:00+0100", .bad),
    ("2026-01-01T00:00:00+01", .bad), ("2026-01-01T00:00:00+1:00", .bad), ("2026-01-01T00:00:00+24:00", .bad),
    ("2026-01-01T00:00:00+01:60", .bad), ("2026-01-01T00:00:00+01:00 ", .bad), (" 2026-01-01T00:00:00Z", .bad),
    ("2026-01-01T00:00:00ZZ", .bad), ("2026-01-01T00:00:00 Z", .bad), ("2026-01-01_00:00:00Z", .bad),
    ("2026/01/01T00:00:00Z", .bad),
    ("+026-01-01T00:00:00Z", .bad), ("-001-01-01T00:00:00Z", .bad), ("12026-01-01T00:00:00Z", .bad),
    ("2026-01-01T00:00:0xZ", .bad),
    ("2026-01-01T00:00:00[UTC]", .bad), ("2026-W01-1T00:00:00Z", .bad), ("now", .bad), ("1767225600", .bad),
    ("2026-01-01T00:00:00\u{2212}01:00", .bad), ("２026-01-01T00:00:00Z", .bad),
]

struct DecodeTimeTests {
    private static func decoded(_ texts: [String], _ zone: Zone?) throws -> [Decoded?] {
        let fields = [FieldPlan(name: "t", type: .timestamp(.text(zone: zone)))]
        return try RecordDecoder(fields: fields).all(texts.map { Array(#"{"t":"\#($0)"}"#.utf8) }, fields)
    }

    @Test func textsAreReadAsRFC3339Strictly() throws {
        let found = try Self.decoded(texts.map(\.0), nil)
        for (text, outcome) in zip(texts, found) {
            let expected: Decoded.Cell =
                switch text.1 {
                case .at(let time): .value(.time(EventTime(milliseconds: time)))
                case .bad: .badTime
                }
            #expect(outcome == .fields([expected]), "\(text.0)")
        }
    }

    /// UTC+1, in summer (2024-03-31 01:00Z to 2024-10-27 01:00Z) UTC+2.
    private static let berlin = Zone(
        name: "Europe/Berlin", transitions: [1_711_846_800, 1_729_990_800], offsets: [3_600, 7_200, 3_600])

    @Test(
        arguments: [
            ("2024-03-31T01:59:59.999", 1_711_846_799_999), ("2024-03-31T02:00:00", 1_711_846_800_000),
            ("2024-03-31T02:30:00.5", 1_711_848_600_500), ("2024-03-31T02:59:59", 1_711_850_399_000),
            ("2024-03-31 03:00:00", 1_711_846_800_000), ("2024-03-31t03:30:00", 1_711_848_600_000),
            ("2024-10-27T01:59:59", 1_729_987_199_000), ("2024-10-27T02:00:00", 1_729_987_200_000),
            ("2024-10-27T02:30:00", 1_729_989_000_000), ("2024-10-27T02:59:59.999", 1_729_990_799_999),
            ("2024-10-27T03:00:00", 1_729_994_400_000), ("2024-10-27T02:30:00Z", 1_729_996_200_000),
            ("2024-10-27T02:30:00+01:00", 1_729_992_600_000), ("1970-01-01T00:00:00", -3_600_000),
            ("9999-12-31T23:59:59", 253_402_297_199_000),
            ("0000-01-01T00:00:00", -62_167_222_800_000),
        ] as [(String, Int64)])
    func localTimesGetTheStatedZone(_ text: String, _ expected: Int64) throws {
        #expect(try Self.decoded([text], Self.berlin) == [.fields([.value(.time(EventTime(milliseconds: expected)))])])
    }

    @Test func aZoneChangesNeitherBadTimesNorFallbacks() throws {
        let early = EventTime(milliseconds: 5)
        let fields = [
            FieldPlan(name: "t", type: .timestamp(.text(zone: Self.berlin)), fallback: .time(early)),
            FieldPlan(name: "same", type: .timestamp(.text(zone: nil)), path: ["t"]),
        ]
        let records = [#"{"t":"x"}"#, "{}", #"{"t":7}"#, #"{"t":"2024-01-01T00:00:00"}"#].map { Array($0.utf8) }
        #expect(
            try RecordDecoder(fields: fields).all(records, fields) == [
                .fields([.badTime, .badTime]), .fields([.value(.time(early)), .missing]), .fields([.wrongType, .wrongType]),
                .fields([.value(.time(EventTime(milliseconds: 1_704_063_600_000))), .badTime]),
            ])
    }
}
