import Model
import Testing

@testable import Topology

@Suite struct ScalarTests {
    @Test(
        arguments: [
            ("0s", 0), ("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("24h", 86_400_000), ("7d", 604_800_000),
            ("90m", 5_400_000),
            ("5", nil), ("5 m", nil), ("1h30m", nil), ("1.5h", nil), ("-5m", nil), ("05m", nil), ("m", nil), ("", nil),
            ("5M", nil),
            ("1w", nil), ("99999999999999999999d", nil), ("9223372036854775807d", nil), ("1e3s", nil), ("٥m", nil),
        ] as [(String, Int64?)])
    func aSpanIsOneWholeNumberWithOneUnit(text: String, milliseconds: Int64?) {
        #expect(Scalars.span(text)?.milliseconds == milliseconds)
        if let milliseconds { #expect(Scalars.span(CanonicalText.span(milliseconds))?.milliseconds == milliseconds) }
    }

    @Test(
        arguments: [
            ("0B", 0), ("1KiB", 1_024), ("64MiB", 64 << 20), ("1GiB", 1 << 30), ("2TiB", 2 << 40), ("1MB", nil), ("1", nil),
            ("1.5GiB", nil), ("1mib", nil), ("9223372036854775807KiB", nil),
        ] as [(String, Int64?)])
    func aSizeIsOneWholeNumberWithABinaryUnit(text: String, bytes: Int64?) {
        #expect(Scalars.size(text)?.bytes == bytes)
        if let bytes { #expect(Scalars.size(CanonicalText.size(bytes))?.bytes == bytes) }
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-01-01T00:00:00Z", 1_767_225_600_000),
            ("2026-01-01T01:30:00+01:30", 1_767_225_600_000),
            ("2025-12-31T22:00:00-02:00", 1_767_225_600_000), ("2000-02-29T23:59:59.999Z", 951_868_799_999),
            ("1969-12-31T23:59:59.5Z", -500), ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
            ("2026-01-01t00:00:00z", 1_767_225_600_000), ("2026-02-29T00:00:00Z", nil), ("1900-02-29T00:00:00Z", nil),
            ("2026-13-01T00:00:00Z", nil), ("2026-01-00T00:00:00Z", nil), ("2026-01-01T24:00:00Z", nil),
            ("2026-01-01T00:00:60Z", nil),
            ("2026-01-01T00:00:00", nil), ("2026-01-01 00:00:00Z", nil), ("2026-01-01T00:00:00.Z", nil),
            ("2026-01-01T00:00:00+1:00", nil),
            ("2026-01-01T00:00:00Zx", nil), ("2026-01-01", nil), ("", nil), ("2026-01-01T00:00:00+24:00", nil),
        ] as [(String, Int64?)])
    func anInstantIsRFC3339WithItsZone(text: String, milliseconds: Int64?) {
        #expect(Instant.parse(text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        ("2026-01-01T00:00:00.123Z", false), ("2026-01-01T00:00:00.123000Z", false), ("2026-01-01T00:00:00.1230001Z", true),
    ])
    func anInstantTellsWhatMillisecondsCannotHold(text: String, isFiner: Bool) {
        #expect(Instant.parse(text)?.isFiner == isFiner)
    }

    @Test(
        arguments: [
            ("5000/s", 5_000), ("0.5/s", 0.5), ("0/s", nil), ("5000", nil), ("5000/m", nil), ("1e3/s", nil), ("/s", nil),
        ] as [(String, Double?)])
    func aRateIsPerSecond(text: String, rate: Double?) { #expect(Scalars.rate(text) == rate) }

    @Test(
        arguments: [
            ("127.0.0.1:8080", "127.0.0.1", 8_080), ("[::1]:0", "::1", 0), ("my-host_1.de:65535", "my-host_1.de", 65_535),
            ("8080", nil, nil),
            (":8080", nil, nil), ("a:65536", nil, nil), ("a:+1", nil, nil), ("a b:1", nil, nil), ("::1:80", nil, nil),
            ("[x]:1", "x", 1),
            ("[]:1", nil, nil),
        ] as [(String, String?, UInt16?)])
    func anAddressIsHostAndPort(text: String, host: String?, port: UInt16?) {
        let found = Scalars.listen(text)
        #expect(found?.host == host)
        #expect(found?.port == port)
    }

    @Test(
        arguments: [
            ("6b1e0000-0000-4000-8000-00000000000f", 0x6b1e_0000_0000_4000, 0x8000_0000_0000_000f),
            ("6B1E00000000400080000000 0000000F", nil, nil),
            ("6b1e000000004000800000000000000f", 0x6b1e_0000_0000_4000, 0x8000_0000_0000_000f),
            ("6b1e-00000000-4000-8000-00000000000f", nil, nil), ("", nil, nil), ("ｆ0000000000000000000000000000000", nil, nil),
        ] as [(String, UInt64?, UInt64?)])
    func aUUIDIs32Digits(text: String, high: UInt64?, low: UInt64?) {
        let found = UUIDText.parse(text)
        #expect(found?.high == high)
        #expect(found?.low == low)
    }

    @Test(
        arguments: [
            ("agregates", "aggregates"), ("topic", "topics"), ("htpp", "http"), ("tumblign", "tumbling"), ("Name", "name"),
            ("x", nil),
            ("colour", nil), ("lates", "late"),
        ] as [(String, String?)])
    func theNearestNameIsNearEnough(name: String, nearest: String?) {
        let names = ["name", "aggregates", "topics", "http", "late", "tumbling", "filter"]
        #expect(Spelling.nearest(to: name, among: names) == nearest)
    }

    @Test(arguments: [
        ("yes", "string", Value.string("yes")), ("1e3", "string", .string("1e3")), ("012", "string", .string("012")),
        ("1e3", "double", .double(1_000)), ("-3", "int", .int(-3)), ("\"7\"", "int", .int(7)), ("true", "bool", .bool(true)),
        ("\"null\"", "string", .string("null")),
        ("2026-01-01T00:00:00Z", "timestamp", .time(EventTime(milliseconds: 1_767_225_600_000))),
    ])
    func aScalarIsTextUntilItsDeclarationTypesIt(text: String, type: String, value: Value) {
        let reading = read(small(fields: "f: {type: \(type), default: \(text)}"))
        #expect(texts(reading) == [])
        #expect(reading.plan?.fields.last?.fallback == value)
    }
}
