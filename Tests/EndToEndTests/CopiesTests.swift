import Freshness
import Model
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// What is told of copies and of bad clocks, with a real broker: embedded, and in a group whose instance lost its state.
@Suite(.serialized, .enabled(if: KafkaCluster.isAvailable, why))
struct CopiesTests {
    private let first = Scratch()
    private let second = Scratch()

    private func job(_ cluster: KafkaCluster, _ topic: String, duplicates: String, isGroup: Bool) -> SmallJob {
        SmallJob(
            bootstrap: cluster.bootstrap, source: "{topics: [\(topic)], producer: sdk, group: \(topic)-group}", lateness: "1h",
            fields: "  id: {type: string}\n  sdk: {type: string}",
            more: """
                deduplicate: {key: [id], within: 2h, compare: {ignore: [sdk]}, duplicates: \(duplicates)}
                \(isGroup ? "delivery: exactly_once" : "")
                """)
    }

    private func record(_ second: Int, id: String, value: Int = 1, sdk: String = "ios") -> String {
        #"{"ts": \#(newYear + Int64(second) * 1_000), "k": "a", "v": \#(value), "id": "\#(id)", "sdk": "\#(sdk)"}"#
    }

    /// Five events, and seven copies of them; one from a clock that is a year ahead of the broker's.
    private func produce(_ cluster: KafkaCluster, to topic: String) throws {
        let firsts = (0..<5).map { record($0, id: "e\($0)") }
        let copies = [
            record(0, id: "e0"), record(1, id: "e1"), record(9, id: "e1", sdk: "web"), record(2, id: "e2", value: 7),
            record(3, id: "e3", value: 8, sdk: "web"), record(4, id: "e4"), record(4, id: "e4"),
        ]
        let wall = SystemClock().wall().milliseconds
        let ahead = #"{"ts": \#(wall + 365 * 86_400_000), "k": "a", "v": 1, "id": "z", "sdk": "web"}"#
        try cluster.produce(firsts + copies + [ahead], to: topic, partition: 0)
    }

    private func expect(_ facts: Facts) {
        let copies = facts.copies
        #expect(copies.total.copies == 7 && copies.total.exact == 4)
        #expect(copies.total.retimed == 1 && copies.total.conflicting == 2 && copies.total.missed == 0)
        #expect(copies.producers.map(\.name) == ["ios", "web"] && copies.producers.map(\.figures.copies) == [5, 2])
        #expect(facts.conflicts.map(\.field) == ["v"] && facts.conflicts.map(\.copies) == [2])
        #expect(Set(facts.conflictSamples.map(\.copy.offset)) == [8, 9])
        #expect(facts.badClocks.producers.map(\.name) == ["web"] && facts.badClocks.total.records == 1)
    }

    private static let ledger = [
        ["5", "0", "'exact'", "NULL"], ["6", "1", "'exact'", "NULL"], ["7", "1", "'retimed'", "NULL"],
        ["8", "2", "'conflicting'", "'v'"], ["9", "3", "'conflicting'", "'v'"], ["10", "4", "'exact'", "NULL"],
        ["11", "4", "'exact'", "NULL"],
    ]

    private func ledger(_ scratch: Scratch) throws -> [[String]] {
        try stored(scratch.path, "SELECT \"offset\", kept_offset, kind, field FROM duplicates ORDER BY 1")
    }

    @Test(arguments: [false, true]) func theLedgerAndTheFiguresComeBack(isGroup: Bool) throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("copies", partitions: 1)
        try produce(cluster, to: topic)
        let small = job(cluster, topic, duplicates: "ledger", isGroup: isGroup)
        let running = Running(try small.plan(first.path))
        try running.until("all read") { $0.books.read == 13 && $0.state == .running }
        expect(running.facts)
        try running.stop()
        #expect(try ledger(first) == Self.ledger)
        // A group's state comes back without a file of it.
        let state = isGroup ? second : first
        let again = Running(try small.plan(state.path))
        try again.until("restored") { $0.books.read == 13 && $0.state == .running }
        expect(again.facts)
        try cluster.produce([record(0, id: "e0", sdk: "web")], to: topic, partition: 0)
        try again.until("one more") { $0.copies.total.exact == 5 }
        try again.stop()
        #expect(try ledger(state) == Self.ledger + [["13", "0", "'exact'", "NULL"]])
    }

    @Test(arguments: [false, true]) func theTopicOfDuplicatesHasEachOnce(isGroup: Bool) throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("copied", partitions: 1)
        let duplicates = try cluster.createTopic("duplicates", partitions: 1)
        try produce(cluster, to: topic)
        let running = Running(try job(cluster, topic, duplicates: "{topic: \(duplicates)}", isGroup: isGroup).plan(first.path))
        try running.until("all read") { $0.books.read == 13 && $0.state == .running }
        let records = try eventually("all copies") { () -> [String]? in
            let all = try cluster.readAll(duplicates).values.joined().map { String(decoding: $0.value ?? [], as: UTF8.self) }
            return all.count >= 7 ? all : nil
        }
        try running.stop()
        let kinds = ["exact", "exact", "retimed", "conflicting", "conflicting", "exact", "exact"]
        let expected = zip(Self.ledger, kinds).enumerated().map { at, one in
            let field = one.0[3] == "NULL" ? "null" : "\"v\""
            let time = newYear + [0, 1, 9, 2, 3, 4, 4][at] * 1_000
            return #"{"topic":"\#(topic)","partition":0,"offset":\#(one.0[0]),"kept_offset":\#(one.0[1]),"event_time":\#(time),"#
                + #""age_ms":\#([4_000, 3_000, 0, 7_000, 6_000, 5_000, 5_000][at]),"kind":"\#(one.1)","field":\#(field)}"#
        }
        #expect(records == expected)
    }
}
