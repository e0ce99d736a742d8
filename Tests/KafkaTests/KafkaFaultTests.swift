import Kafka
import Model
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)
private let limit = TimeSpan.seconds(20)

/// What goes wrong with topics on a healthy broker.
@Suite(.enabled(if: KafkaCluster.isAvailable, why))
struct KafkaFaultTests {
    @Test(arguments: [Int64(3), 500])
    func aLostOffsetStopsItsPartitionOnly(offset: Int64) throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("retention", partitions: 2)
        try cluster.produce(numbered(10, topic: topic, partition: 0) + numbered(10, topic: topic, partition: 1))
        if offset < 10 { try cluster.deleteRecords(PartitionID(topic: topic, number: 0), before: 5) }
        let reader = try Reader(cluster)
        defer { reader.close() }
        let lost = try reader.open(topic, 0, at: offset)
        let sound = try reader.open(topic, 1)
        let fault = try lost.fault()
        #expect(fault.code == "offset_out_of_range")
        #expect(fault.place == "\(topic)/0@\(offset)")
        #expect(fault.exit == .choiceNeeded)
        #expect(!fault.isTransient)
        #expect(try sound.records(10) == stored(0..<10, partition: 1))
        try cluster.produce(numbered(10, topic: topic, partition: 1, from: 10))
        #expect(try sound.records(10) == stored(10..<20, partition: 1))
        #expect(try lost.fault() == fault)
        lost.close()
        sound.close()
    }

    @Test func aTopicDeletedWhileItIsReadFailsItsPartitionsAndTheClientStillCloses() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("deleted")
        let other = try cluster.createTopic("remaining")
        try cluster.produce(numbered(10, topic: topic, partition: 0))
        let reader = try Reader(cluster)
        let input = try reader.open(topic)
        let sound = try reader.open(other)
        #expect(try input.records(10).count == 10)
        try cluster.delete(topic)
        #expect(try input.fault(within: 60).code == "topic_missing")
        try cluster.produce(numbered(10, topic: other, partition: 0))
        #expect(try sound.records(10) == stored(0..<10, partition: 0))
        input.close()
        sound.close()
        #expect(reader.consumer.close(within: .seconds(10)))
    }

    @Test func partitionsAddedLaterAreReadWithoutDisturbingTheOthers() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("grown", partitions: 2)
        try cluster.produce(numbered(2_000, topic: topic, partition: 0) + numbered(2_000, topic: topic, partition: 1))
        let reader = try Reader(cluster)
        defer { reader.close() }
        #expect(try reader.consumer.discover([topic], within: limit).map(\.number) == [0, 1])
        let early = try (0..<2).map { try reader.open(topic, $0) }
        // Half is taken, half waits in the queues.
        for (number, input) in early.enumerated() {
            #expect(try input.records(1_000, limit: 500) == stored(0..<1_000, partition: Int32(number)))
        }
        try cluster.tool("topics", ["--alter", "--topic", topic, "--partitions", "4"])
        _ = try eventually("four partitions") {
            try reader.consumer.discover([topic], within: limit).count == 4 ? true : nil
        }
        try cluster.produce(numbered(100, topic: topic, partition: 2) + numbered(100, topic: topic, partition: 3))
        let late = try (2..<4).map { try reader.open(topic, $0) }
        for (number, input) in late.enumerated() {
            #expect(try input.records(100) == stored(0..<100, partition: Int32(number + 2)))
        }
        for (number, input) in early.enumerated() {
            #expect(try input.records(1_000) == stored(1_000..<2_000, partition: Int32(number)))
            #expect(try input.caughtUp() == 2_000)
        }
        for input in early + late { input.close() }
    }

    @Test func abortedTransactionsAreInvisibleAndTheEndIsPastTheirMarkers() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("aborted")
        try RawClient.transactions([("a", true), ("b", false), ("c", true), ("d", false)], to: topic, cluster)
        let reader = try Reader(cluster)
        defer { reader.close() }
        let input = try reader.open(topic)
        defer { input.close() }
        var values: [String] = []
        // Four records, each followed by a marker.
        let end = try input.caughtUp { batch in
            values += batch.stored.map { String(decoding: $0.value ?? [], as: UTF8.self) }
        }
        #expect(end == 8)
        #expect(values == ["a", "c"])
    }
}
