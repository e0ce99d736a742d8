import Kafka
import Model
import Synchronization
import Testing
import Testkit

private let broker = KafkaCluster.isAvailable
private let why: Comment = .init(rawValue: KafkaCluster.reason)

@Suite(.enabled(if: broker, why))
struct KafkaPartitionTests {
    @Test func everyPartitionIsReadOnceAndInOrder() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("order", partitions: 4)
        try cluster.produce((0..<4).flatMap { numbered(5_000, topic: topic, partition: $0) })
        let reader = try Reader(cluster)
        defer { reader.close() }
        let inputs = try (0..<4).map { try reader.open(topic, $0) }
        for (number, input) in inputs.enumerated() {
            let found = try input.records(5_000, limit: 700)
            #expect(found == stored(0..<5_000, partition: Int32(number)))
            #expect(try input.caughtUp() == 5_000)
            #expect(input.endOffset == 5_000)
            input.close()
        }
    }

    @Test func tombstonesEmptyValuesAndMissingTimestampsAreTold() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("shapes", settings: ["message.timestamp.type": "CreateTime"])
        try cluster.produce([
            OutgoingRecord(topic: topic, partition: 0, key: [1], value: nil, timestamp: 1),
            OutgoingRecord(topic: topic, partition: 0, value: [], timestamp: 2),
            OutgoingRecord(topic: topic, partition: 0, value: [7], headers: [.init("a", [1, 2]), .init("b", [])], timestamp: 3),
            OutgoingRecord(topic: topic, partition: 0, value: [8], timestamp: -1),
        ])
        let reader = try Reader(cluster)
        defer { reader.close() }
        let input = try reader.open(topic)
        defer { input.close() }
        #expect(
            try input.records(4) == [
                StoredRecord(offset: 0, value: nil, timestamp: 1), StoredRecord(offset: 1, value: [], timestamp: 2),
                StoredRecord(offset: 2, value: [7], timestamp: 3),
                StoredRecord(offset: 3, value: [8], timestamp: RecordBatch.noTimestamp),
            ])
    }

    @Test func aWakeUpComesForRecordsThatArriveLater() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("wake")
        let reader = try Reader(cluster)
        defer { reader.close() }
        let wakes = Counter()
        let input = try reader.consumer.partition(PartitionID(topic: topic, number: 0))
        try input.open(at: 0) { wakes.add() }
        defer { input.close() }
        #expect(try input.caughtUp() == 0)
        for round in 1...3 {
            _ = input.take(limit: 10)
            let before = wakes.value
            try cluster.produce(numbered(1, topic: topic, partition: 0, from: round))
            _ = try eventually("wake-up \(round)") { wakes.value > before ? true : nil }
            #expect(try input.records(1).map(\.offset) == [Int64(round - 1)])
        }
    }

    @Test func nothingSurfacesAfterClose() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("closed")
        try cluster.produce(numbered(100, topic: topic, partition: 0))
        let reader = try Reader(cluster)
        defer { reader.close() }
        let input = try reader.open(topic)
        #expect(try input.records(10, limit: 10).count == 10)
        input.close()
        // What is produced now would have arrived by the time that another reader has it.
        try cluster.produce(numbered(1, topic: topic, partition: 0, from: 100))
        let witness = try Reader(cluster)
        defer { witness.close() }
        let other = try witness.open(topic, at: 100)
        defer { other.close() }
        _ = try other.records(1)
        guard case .nothing = input.take(limit: 10) else {
            Issue.record("a closed partition gave something")
            return
        }
    }

    @Test func aRecordOfTwentyMegabytesPasses() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("large", settings: ["max.message.bytes": "\(24 << 20)"])
        let value = (0..<(20 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try cluster.produce([OutgoingRecord(topic: topic, partition: 0, value: value, timestamp: 5)])
        let reader = try Reader(cluster, budget: .mebibytes(1))
        defer { reader.close() }
        let input = try reader.open(topic)
        defer { input.close() }
        #expect(try input.records(1) == [StoredRecord(offset: 0, value: value, timestamp: 5)])
    }
}

final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    func add() { count.add(1, ordering: .relaxed) }
    var value: Int { count.load(ordering: .relaxed) }
}
