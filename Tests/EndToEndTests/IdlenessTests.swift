import Freshness
import Model
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// Silence with a real broker (S6).
@Suite(.enabled(if: KafkaCluster.isAvailable, why))
struct IdlenessTests {
    private func job(_ cluster: KafkaCluster, _ topic: String) -> SmallJob {
        SmallJob(
            bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}", eventTime: "out_of_orderness: 0s, idle_after: 1s",
            window: "{tumbling: 2s}")
    }

    private func idle(_ facts: Facts) -> [Int32] { facts.partitions.filter(\.isIdle).map(\.id.number) }

    @Test func aSilentPartitionStopsHoldingBackAndSpeaksAgain() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("silent", partitions: 2)
        try cluster.produce([event(1), event(11)], to: topic)
        let scratch = Scratch()
        let running = Running(try job(cluster, topic).plan(scratch.path))
        // Partition 1 is left out; partition 0 is silent too, and what is open is finished.
        try running.until("the last window's row") { $0.outputs[0].rowsEmitted == 2 }
        #expect(try smallRows(scratch.path) == [["0", "'a'", "1", "1"], ["10", "'a'", "1", "1"]])
        try running.until("all idle") { idle($0) == [0, 1] }
        // A restart repeats the decision and not the measurement.
        try running.stop()
        let again = Running(try job(cluster, topic).plan(scratch.path))
        try again.until("running") { $0.state == .running && $0.partitions.count == 2 }
        #expect(idle(again.facts) == [0, 1])
        // What it says now is before what was told as final.
        try cluster.produce([event(5, "late"), event(30, "new")], to: topic, partition: 1)
        try again.until("the late one") { $0.books.late == 1 && $0.books.aggregated == 3 }
        try again.until("the new window's row") { $0.outputs[0].rowsEmitted == 1 }
        try again.stop()
        #expect(try smallRows(scratch.path).map { $0[1] } == ["'a'", "'a'", "'new'"])
        let kinds = try stored(scratch.path, "SELECT DISTINCT kind FROM decisions ORDER BY 1").map { $0[0] }
        #expect(kinds == ["'advanced'", "'idle'", "'speaks'"])
        let summary = try run(try job(cluster, topic).plan(scratch.path))
        #expect(summary.books.read == 4 && summary.books.balances)
    }

    @Test func anOpenTransactionIsNoSilenceAndItsMarkersAreNoRecords() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("open", partitions: 2)
        let scratch = Scratch()
        let clock = SystemClock()
        // It runs from here on only: a broker's first transaction can take longer than the silence.
        let running = try RawClient.whileOpen(event(1, "tx"), in: topic, cluster) {
            let running = Running(try job(cluster, topic).plan(scratch.path))
            try running.until("running") { $0.state == .running && $0.partitions.count == 2 }
            let began = clock.monotonic()
            try cluster.produce([event(21)], to: topic, partition: 1)
            try running.until("the other one's silence") { idle($0).contains(1) }
            try running.until("twice as long") { _ in clock.monotonic() - began > .seconds(3) }
            // What holds the watermark is told: the one in which the transaction is open, and since when.
            let holders = running.facts.holders
            #expect(holders.map(\.partition.number) == [0] && holders.map(\.watermark) == [nil])
            #expect((holders[0].since.map { clock.wall() - $0 } ?? .zero) > .seconds(1))
            #expect(idle(running.facts) == [1])
            #expect(running.facts.outputs[0].rowsEmitted == 0)
            return running
        }
        try running.until("both windows' rows") { $0.outputs[0].rowsEmitted == 2 }
        try running.until("all idle") { idle($0) == [0, 1] }
        try running.stop()
        #expect(try smallRows(scratch.path) == [["0", "'tx'", "1", "1"], ["20", "'a'", "1", "1"]])
        // A bounded run ends behind the marker.
        #expect(try run(try job(cluster, topic).plan(scratch.path), within: 20).books.read == 2)
    }
}
