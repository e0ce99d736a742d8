import Freshness
import Model
import Observe
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// Orders to a whole group, with a real broker.
@Suite(.serialized, .enabled(if: KafkaCluster.isAvailable, why))
struct GroupOrdersTests {
    private let first = Scratch()
    private let second = Scratch()

    private func plan(_ cluster: KafkaCluster, _ topic: String, _ scratch: Scratch, observe: Bool = false) throws -> Plan {
        try SmallJob(
            bootstrap: cluster.bootstrap, source: "{topics: [\(topic)], group: \(topic)-group}", lateness: "1h",
            fields: "  id: {type: string}",
            more: """
                deduplicate: {key: [id], within: 2h, observe: \(observe)}
                delivery: exactly_once
                """
        ).plan(scratch.path)
    }

    private func produce(_ ids: [String], _ cluster: KafkaCluster, to topic: String, partition: Int32) throws {
        let records = ids.map { #"{"ts": \#(newYear), "k": "a", "v": 1, "id": "\#($0)"}"# }
        try cluster.produce(records, to: topic, partition: partition)
    }

    private func heeded(_ scratch: Scratch) throws -> [[String]] {
        try stored(scratch.path, "SELECT asked, result FROM decisions WHERE kind = 'observe' ORDER BY sequence")
    }

    @Test func aGroupHeedsAnOrderOnceInEachPartitionAndKeepsToItWhereItsStateWasLost() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("ordered", partitions: 2)
        for partition in [0, 1] as [Int32] {
            try produce(["a\(partition)", "a\(partition)"], cluster, to: topic, partition: partition)
        }
        let plan = try plan(cluster, topic, first)
        let running = Running(plan)
        try running.until("all read") { $0.books.read == 4 && $0.books.duplicate == 2 && $0.state == .running }
        let on = try RestingService.tell(.observe(.on), plan, clock: SystemClock())
        #expect(on.commit == 1 && on.result == JSONTree(#"{"before":false,"observe":true}"#.utf8))
        let standing = try #require(try Command.standing(plan))
        #expect(standing.number == 1 && standing.observe == true)
        let since = try eventually("both partitions heed it") {
            try heeded(first).count == 2 ? running.facts.dedup?.ordered : nil
        }
        #expect(running.facts.dedup?.isObserving == true && since == standing.at)
        #expect(Set(try heeded(first)) == [[#"'{"command":"observe","observe":"on"}'"#, #"'{"order":1,"from":2}'"#]])
        for partition in [0, 1] as [Int32] { try produce(["a\(partition)", "b"], cluster, to: topic, partition: partition) }
        try running.until("they pass") { $0.books.read == 8 && $0.books.duplicateObserved == 2 && $0.books.duplicate == 2 }
        try running.stop()
        #expect(running.events.contains(.commanded("observe", asked: #"{"command":"observe","observe":"on"}"#, commit: 1)))

        // Another machine: state comes from the changelog, the order from the control topic, and neither is heeded again.
        let again = Running(try self.plan(cluster, topic, second))
        try again.until("restored") { $0.books.read == 8 && $0.state == .running }
        #expect(again.facts.dedup?.ordered == since && again.events.contains(.observeOrdered(true, since: since)))
        for partition in [0, 1] as [Int32] { try produce(["b", "b"], cluster, to: topic, partition: partition) }
        try again.until("they pass") { $0.books.read == 12 && $0.books.duplicateObserved == 6 && $0.books.duplicate == 2 }
        #expect(Set(try heeded(second)) == [[#"'{"command":"observe","observe":"on"}'"#, #"'{"order":1,"from":2}'"#]])
        // The socket of any instance takes it too.
        let reset = try CommandTests.ask("{\"command\":\"observe\",\"observe\":\"reset\"}\n", second.path)
        #expect(reset == #"{"commit":2,"result":{"before":true,"observe":false}}"# + "\n")
        #expect(try CommandTests.ask("{\"command\":\"commit\"}\n", second.path).contains("command_in_group"))
        _ = try eventually("both partitions heed it") { try heeded(second).count == 4 ? true : nil }
        #expect(again.facts.dedup?.isObserving == false && again.facts.dedup?.ordered == nil)
        for partition in [0, 1] as [Int32] { try produce(["b"], cluster, to: topic, partition: partition) }
        try again.until("they are dropped") { $0.books.read == 14 && $0.books.duplicate == 4 }
        try again.stop()
    }

    @Test func whereNoInstanceEverRanThereIsNobodyToTell() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("unordered", partitions: 1)
        let plan = try plan(cluster, topic, first)
        #expect { try RestingService.tell(.observe(.on), plan, clock: SystemClock()) } throws: {
            ($0 as? Fault)?.code == "topic_missing"
        }
    }
}
