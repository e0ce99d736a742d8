import Model
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// What producers should not send, through the whole pipeline: each case's outcome as the topology's page fixes it.
struct BadInputTests {
    private struct Case {
        var bytes: [UInt8]?
        /// nil: aggregated.
        var reason: String?
        var field: String?
        var name: String
        init(_ name: String, _ text: String, _ reason: String? = nil, _ field: String? = nil) {
            (self.name, self.bytes, self.reason, self.field) = (name, Array(text.utf8), reason, field)
        }
        init(_ name: String, bytes: [UInt8]?, _ reason: String?) {
            (self.name, self.bytes, self.reason) = (name, bytes, reason)
        }
    }

    private static func with(_ k: String, _ v: String = "1", ts: String = "1767225601000") -> String {
        #"{"ts":\#(ts),"k":\#(k),"v":\#(v)}"#
    }

    private static let cases: [Case] = [
        Case("plain", with(#""a""#)),
        Case("bytes that are no text", bytes: [0xff, 0xfe, 0x00, 0x80], "undecodable"),
        Case(
            "bad UTF-8 in a string", bytes: Array(#"{"ts":1767225601000,"k":""#.utf8) + [0xc3, 0x28] + Array("\"}".utf8),
            "undecodable"),
        Case("100,000 brackets", String(repeating: "[", count: 100_000), "undecodable"),
        Case(
            "100,000 brackets that close",
            #"{"ts":1767225601000,"x":"# + String(repeating: "[", count: 100_000)
                + String(repeating: "]", count: 100_000) + "}", "undecodable"),
        Case("cut off", #"{"ts":1767225601000,"k":"a""#, "undecodable"),
        Case("trailing bytes", with(#""a""#) + "x", "undecodable"),
        Case("two records in one", with(#""a""#) + with(#""a""#), "undecodable"),
        Case("an array", "[1]", "undecodable"),
        Case("empty", "", "undecodable"),
        Case("raw control byte", "{\"ts\":1767225601000,\"k\":\"a\u{1}\"}", "undecodable"),
        Case("duplicate keys: the last counts", #"{"ts":1,"k":"x","v":7,"ts":1767225601000,"k":"a","v":1}"#),
        Case("an escaped NUL is kept", with(#""n\u0000l""#)),
        Case("a BOM is skipped", "\u{feff}" + with(#""a""#)),
        Case("lone surrogate in a declared field", with(#""\ud800""#), "wrong_type", "k"),
        Case("lone surrogate elsewhere", #"{"ts":1767225601000,"k":"a","v":1,"other":"\ud800"}"#),
        Case("beyond 2^53, exact", with(#""big""#, "9007199254740993")),
        Case("beyond 2^63", with(#""a""#, "9223372036854775808"), "wrong_type", "v"),
        Case("1e999 in a declared field", with(#""a""#, "1e999"), "wrong_type", "v"),
        Case("1e999 elsewhere", #"{"ts":1767225601000,"k":"a","v":1,"other":1e999}"#),
        Case("6.0 is an int", with(#""a""#, "6.0")),
        Case("6.5 is none", with(#""a""#, "6.5"), "wrong_type", "v"),
        Case("a number is no text", with("5"), "wrong_type", "k"),
        Case("text is no number", with(#""a""#, #""5""#), "wrong_type", "v"),
        Case("no time", #"{"k":"a"}"#, "missing_field", "ts"),
        Case("null time", with(#""a""#, ts: "null"), "missing_field", "ts"),
        Case("time of 1970", with(#""1970""#, ts: "0")),
        Case("time of 1969", with(#""1969""#, ts: "-1")),
        Case("no year", with(#""a""#, ts: "99999999999999999999"), "bad_time", "ts"),
        Case("null group", with("null")),
    ]

    private static var rows: [[String]] {
        [
            ["-1767225610", "'1969'", "1", "1"], ["-1767225600", "'1970'", "1", "1"],
            ["0", "NULL", "1", "1"], ["0", "'a'", "6", "11"], ["0", "'big'", "1", "9007199254740993"], ["0", "'n\0l'", "1", "1"],
        ]
    }

    /// Times of 1970 are no late ones here, but windows of their own.
    private static let eventTime = "out_of_orderness: 36500d, idle_after: 1h"

    private func check(_ state: String, _ summary: RunSummary, _ cases: [Case], rows: [[String]] = BadInputTests.rows) throws {
        #expect(summary.books.balances && summary.read == Int64(cases.count))
        let letters = try stored(state, "SELECT \"offset\", reason, field, size, payload FROM dead_letters ORDER BY 1")
        let expected = cases.enumerated().compactMap { offset, one -> [String]? in
            guard let reason = one.reason else { return nil }
            let kept = reason == "tombstone" || reason == "oversize" ? nil : one.bytes.map { $0.prefix(65_536) }
            let payload = kept.map { "x'" + $0.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "'" }
            return [
                "\(offset)", "'\(reason)'", one.field.map { "'\($0)'" } ?? "NULL", "\(one.bytes?.count ?? 0)", payload ?? "NULL",
            ]
        }
        for (letter, wanted) in zip(letters, expected) where letter != wanted {
            let name = Int(letter[0]).map { cases[$0].name } ?? ""
            Issue.record("\(name): \(letter.map { $0.prefix(200) }), expected \(wanted.map { $0.prefix(200) })")
        }
        #expect(letters.map { $0[0] } == expected.map { $0[0] })
        #expect(try smallRows(state) == rows)
    }

    @Test(.enabled(if: KafkaCluster.isAvailable, why)) func badRecordsOfATopicEndAsTheyShould() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("bad", settings: ["max.message.bytes": "25000000"])
        var cases = Self.cases
        cases.append(Case("tombstone", bytes: nil, "tombstone"))
        cases.append(Case("far ahead of its own timestamp", Self.with(#""a""#, ts: "253402300799000"), "future_time"))
        cases.append(Case("year 9999 in microseconds", Self.with(#""a""#, ts: "253402300799000000"), "bad_time", "ts"))
        cases.append(Case("20 MB", "{\"x\":\"" + String(repeating: "x", count: 20_000_000) + "\"}", "oversize"))
        cases.append(Case("after all that", Self.with(#""a""#)))
        try cluster.produce(cases.map { Sent(partition: 0, key: nil, value: $0.bytes, timestamp: newYear) }, to: topic)
        let scratch = Scratch()
        let job = SmallJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}", eventTime: Self.eventTime)
        let summary = try run(try job.plan(scratch.path))
        try check(scratch.path, summary, cases, rows: Self.rows.map { $0[1] == "'a'" ? ["0", "'a'", "7", "12"] : $0 })
    }

    @Test func badLinesOfAFileEndAsTheyShould() throws {
        var cases = Self.cases
        // A file's records have no timestamp of their own, so the future guard does not strike.
        cases.append(Case("100 MB", "{\"x\":\"" + String(repeating: "x", count: 100_000_000) + "\"}", "oversize"))
        let scratch = Scratch()
        scratch.write("bad.ndjson", Array(cases.map { $0.bytes ?? [] }.joined(separator: [10])))
        let job = SmallJob(source: "{files: [\"\(scratch.path)/bad.ndjson\"]}", eventTime: Self.eventTime)
        let state = scratch.file("state")
        let summary = try run(try job.plan(state))
        try check(state, summary, cases)
    }

    /// A record of year 9999 is data where nothing forbids it; what follows is late, and told.
    @Test func aTimeOfYear9999MakesWhatFollowsLate() throws {
        let scratch = Scratch()
        scratch.write("far.ndjson", Array("\(event(1))\n\(Self.with(#""far""#, ts: "253402300799000"))\n\(event(2))\n".utf8))
        let job = SmallJob(source: "{files: [\"\(scratch.path)/far.ndjson\"]}")
        let state = scratch.file("state")
        let summary = try run(try job.plan(state))
        #expect([summary.books.aggregated, summary.books.late] == [2, 1])
        #expect(try smallRows(state).map { $0[1] } == ["'a'", "'far'"])
        #expect(
            try stored(state, "SELECT \"offset\", late_by FROM late") == [["2", "\(253_402_300_799_000 - newYear - 10_000)"]])
    }
}
