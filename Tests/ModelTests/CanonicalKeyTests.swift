import Model
import Testing

struct CanonicalKeyTests {
    private func key(_ group: [Value], start: Int64 = 0, end: Int64 = 60_000) -> [UInt8] {
        CanonicalKey.bytes(
            windowStart: EventTime(milliseconds: start), windowEnd: EventTime(milliseconds: end), group: group)
    }

    @Test func equalValuesHaveOneSpelling() {
        #expect(key([.double(-0.0)]) == key([.double(0)]))
        #expect(key([.double(.nan)]) == key([.double(-.nan)]))
        #expect(key([.wide(5)]) == key([.int(5)]))
    }

    @Test func noTwoGroupsShareTheirBytes() {
        let groups: [[Value]] = [
            [], [.null], [.null, .null], [.string("")], [.string("null")], [.string("a"), .string("bc")],
            [.string("ab"), .string("c")],
            [.string("a:b"), .string("c")], [.int(1)], [.string("1")], [.double(1)], [.bool(true)],
            [.time(EventTime(milliseconds: 1))],
            [.uuid(high: 0, low: 1)], [.wide(Int128(Int64.max) + 1)], [.string("\u{E9}")], [.string("e\u{301}")], [.string("\0")],
        ]
        #expect(Set(groups.map { key($0) }).count == groups.count)
    }

    @Test func bytesCompareAsWindowEndsDoAndThenAsValues() {
        let ascending = [
            key([.null], start: .min, end: .min), key([.null], start: -60_000, end: 0), key([.null], start: -2, end: 60_000),
            key([.null]), key([.int(.min)]), key([.int(-1)]), key([.int(0)]), key([.int(.max)]), key([.double(-.infinity)]),
            key([.double(-1)]), key([.double(0)]), key([.double(1e-300)]), key([.double(.infinity)]),
            key([.null], start: 9, end: .max),
        ]
        for (lower, higher) in zip(ascending, ascending.dropFirst()) { #expect(lower.lexicographicallyPrecedes(higher)) }
        let edge = CanonicalKey.lowest(windowEnd: EventTime(milliseconds: 60_000))
        #expect(ascending[1].lexicographicallyPrecedes(edge))
        #expect(edge.lexicographicallyPrecedes(ascending[2]))
    }
}
