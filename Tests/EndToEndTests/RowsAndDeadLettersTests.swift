import Model
import Observe
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

@Suite(.enabled(if: KafkaCluster.isAvailable, why))
struct RowsAndDeadLettersTests {
    /// A producer would find out only with its first row, and then after half a minute.
    @Test func anOutputTopicThatIsMissingIsToldAtOnce() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("no-rows")
        let job = SmallJob(
            bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}", to: "- kafka: {topic: nowhere-at-all}")
        let scratch = Scratch()
        let running = Running(try job.plan(scratch.path))
        let told = try eventually("the word that the topic is missing", within: 20) { () -> Fault? in
            for case .outboxStuck("nowhere-at-all", _, let fault) in running.events { return fault }
            return nil
        }
        #expect([told.code, told.place] == ["topic_missing", "nowhere-at-all"])
        try running.stop()
    }

    @Test func rowsGoToATopicAsTheContractWritesThem() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("rows-in")
        let out = try cluster.createTopic("rows-out")
        try cluster.produce(
            [
                event(1, "a", 2), event(2, "b\\u0000\\\"é", 3), #"{"ts": \#(newYear + 3_000)}"#, event(12, "a", 5),
                event(4, "a", 40),
            ],
            to: topic)
        let scratch = Scratch()
        let job = SmallJob(
            bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}", lateness: "1m", emit: "on_time",
            to: "- kafka: {topic: \(out)}")
        // The late event is in a commit of its own.
        let plan = try job.plan(scratch.path)
        try run(plan, RunOptions(until: .now))
        try cluster.produce([event(5, "a", 100)], to: topic)
        try run(plan, RunOptions(until: .now))
        try run(plan)
        let rows = try RawClient.read(5, of: out, cluster)
        func key(_ start: Int64, _ k: String) -> String {
            #"{"window_start":\#(newYear + start),"window_end":\#(newYear + start + 10_000),"k":\#(k)}"#
        }
        func value(_ start: Int64, _ k: String, _ n: Int, _ v: String, _ rest: String) -> String {
            key(start, k).dropLast() + #","n":\#(n),"v":\#(v),\#(rest)}"#
        }
        let at = newYear + 12_000
        let strange = #""b\u0000\"é""#
        let expected: [String: [String]] = [
            key(0, "\"a\""): [
                value(0, "\"a\"", 2, "42", #""revision":1,"final":false,"as_of":\#(at)"#),
                value(0, "\"a\"", 3, "142", #""revision":2,"final":false,"as_of":\#(at)"#),
            ],
            key(0, strange): [value(0, strange, 1, "3", #""revision":1,"final":false,"as_of":\#(at)"#)],
            key(0, "null"): [value(0, "null", 1, "null", #""revision":1,"final":false,"as_of":\#(at)"#)],
            key(10_000, "\"a\""): [value(10_000, "\"a\"", 1, "5", #""revision":1,"final":true,"as_of":\#(at)"#)],
        ]
        #expect(Dictionary(grouping: rows, by: { $0.key ?? "" }).mapValues { $0.map { $0.value ?? "" } } == expected)
        #expect(rows.allSatisfy { $0.headers == ["weir-output": "n"] })
    }

    @Test func deadLettersGoToATopicWithAllTheirHeaders() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("dead-in", settings: ["max.message.bytes": "3000000"])
        let out = try cluster.createTopic("dead-out")
        let long = "[" + String(repeating: "x", count: 200_000)
        try cluster.produce([event(1), "not json", long], to: topic, timestamp: newYear)
        try cluster.produce([Sent(partition: 0, value: nil, timestamp: newYear + 5)], to: topic)
        try cluster.produce([String(repeating: " ", count: 1_500_000)], to: topic, timestamp: newYear + 6)
        let scratch = Scratch()
        let job = SmallJob(
            bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}", more: "dead_letters: {topic: \(out)}")
        let summary = try run(try job.plan(scratch.path))
        #expect(summary.books.rejected == 4 && summary.books.aggregated == 1)
        let letters = try RawClient.read(4, of: out, cluster)
        func headers(_ offset: Int, _ reason: String, _ size: Int, _ timestamp: Int64 = newYear) -> [String: String] {
            [
                "weir-reason": reason, "weir-topic": topic, "weir-partition": "0", "weir-offset": "\(offset)",
                "weir-timestamp": "\(timestamp)", "weir-size": "\(size)",
            ]
        }
        #expect(
            letters.map(\.headers) == [
                headers(1, "undecodable", 8), headers(2, "undecodable", 200_001), headers(3, "tombstone", 0, newYear + 5),
                headers(4, "oversize", 1_500_000, newYear + 6),
            ])
        #expect(letters.map(\.value) == ["not json", String(long.prefix(65_536)), nil, nil])
    }

    @Test func personalPayloadsStayInside() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("personal-in")
        let out = try cluster.createTopic("personal-out")
        try cluster.produce([#"{"ts": "x", "who": "somebody"}"#], to: topic, timestamp: newYear)
        for letters in ["{topic: \(out)}", "{table: {keep: 30d, limit: 1GiB}}"] {
            let scratch = Scratch()
            let job = SmallJob(
                bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}",
                fields: "  who: {type: string, class: personal}", more: "dead_letters: \(letters)")
            try run(try job.plan(scratch.path))
            #expect(
                try stored(scratch.path, "SELECT reason, field, size, payload FROM dead_letters")
                    == (letters.contains("table") ? [["'wrong_type'", "'ts'", "30", "NULL"]] : []))
        }
        let seen = try RawClient.read(1, of: out, cluster)
        #expect(seen.map(\.value) == [nil])
        #expect(seen[0].headers["weir-size"] == "30")
    }
}
