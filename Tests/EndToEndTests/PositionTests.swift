import Freshness
import Kafka
import Model
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// Where reading begins, and what others are told of it.
@Suite(.enabled(if: KafkaCluster.isAvailable, why))
struct PositionTests {
    @Test func whatCameBetweenTwoRunsIsReadEvenIfTheFirstReadNothing() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("latest", partitions: 4)
        let records = workload(400)
        try cluster.produce(records[..<300], to: topic)
        let scratch = Scratch()
        let job = ReferenceJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)], start: latest}")
        #expect(try run(try job.plan(scratch.path), RunOptions(until: .now)).read == 0)
        try cluster.produce(records[300...], to: topic)
        #expect(try run(try job.plan(scratch.path), RunOptions(until: .now)).read == 100)
    }

    /// S17: offsets bound records; those that nobody has written are not waited for.
    @Test func aReplayEndsWhereTheLogEnds() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("replay", partitions: 1)
        try cluster.produce(workload(300, partitions: 1), to: topic)
        let scratch = Scratch()
        let id = PartitionID(topic: topic, number: 0)
        let summary = try run(
            try ReferenceJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}").plan(scratch.path),
            RunOptions(until: .end, range: .offsets(from: [id: 100], until: [id: 1_000])), within: 20)
        #expect(summary.books.read == 200 && summary.books.balances)
    }

    @Test func theGroupHearsOfTheLastCommitThoughNothingFollows() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("group", partitions: 1)
        let records = workload(200, partitions: 1)
        try cluster.produce(records[..<100], to: topic)
        let scratch = Scratch()
        let running = Running(
            try ReferenceJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)], group: \(topic)}").plan(scratch.path))
        try running.until("the first records") { $0.books.read == 100 }
        // Soon after the group heard of the first ones, so that it can't hear of these at once.
        try cluster.produce(records[100...], to: topic)
        let id = PartitionID(topic: topic, number: 0)
        let queries = try KafkaQueries(
            KafkaSettings(KafkaPlan(bootstrap: cluster.bootstrap)), group: topic, onEvent: { _ in })
        defer { queries.close(within: .seconds(1)) }
        var told: Int64?
        _ = try eventually("the group's offset", within: 20) { () -> Bool? in
            told = try queries.committedOffsets(of: [id], within: .seconds(5))[id]
            return told == 200 ? true : nil
        }
        #expect(told == 200)
        try running.until("what is remembered") { ($0.dedup?.bytes.bytes ?? 0) > 0 && $0.dedup?.oldest != nil }
        try running.stop()
    }
}
