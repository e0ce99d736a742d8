import Kafka
import Model
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)
private let limit = TimeSpan.seconds(20)

@Suite(.enabled(if: KafkaCluster.isAvailable, why))
struct KafkaProducerTests {
    @Test func everyRecordIsReportedAndStored() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("written", partitions: 2)
        let producer = try KafkaProducer(KafkaSettings(cluster.plan)) { _ in }
        defer { producer.close(within: limit) }
        #expect(try producer.send(numbered(1_500, topic: topic, partition: 0), within: limit) == 0..<1_500)
        #expect(try producer.send(numbered(10, topic: topic, partition: 1), within: limit) == 1_500..<1_510)
        #expect(producer.flush(within: limit) == DeliveryReport(delivered: 1_510))
        #expect(producer.flush(within: limit) == DeliveryReport())
        let found = try cluster.readAll(topic)
        #expect(found[PartitionID(topic: topic, number: 0)] == stored(0..<1_500, partition: 0))
        #expect(found[PartitionID(topic: topic, number: 1)] == stored(0..<10, partition: 1))
    }

    /// Java's default partitioner puts these keys there: murmur2 of the key, modulo 4.
    @Test func keysLandWhereJavaPutsThem() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("keys", partitions: 4)
        let keys = (0..<40).map { "user-\($0)" }
        try cluster.produce(keys.map { OutgoingRecord(topic: topic, key: Array($0.utf8), value: Array($0.utf8), timestamp: 1) })
        var expected: [Int32: [String]] = [:]
        for key in keys { expected[Int32(murmur2(Array(key.utf8)) & 0x7fff_ffff) % 4, default: []].append(key) }
        for (id, records) in try cluster.readAll(topic) {
            #expect(records.map { String(decoding: $0.value ?? [], as: UTF8.self) } == expected[id.number] ?? [])
        }
    }

    @Test func aRecordTheBrokerFindsTooLargeIsAFaultOfItsOwn() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("tight", settings: ["max.message.bytes": "10000"])
        let producer = try KafkaProducer(
            KafkaSettings(KafkaPlan(bootstrap: cluster.bootstrap, client: ["compression.codec": "none"]))
        ) {
            _ in
        }
        defer { producer.close(within: limit) }
        let large = [UInt8](repeating: 1, count: 20_000)
        try producer.send([OutgoingRecord(topic: topic, partition: 0, value: large)], within: limit)
        let report = producer.flush(within: limit)
        #expect(report.failures.map(\.fault.code) == ["record_too_large"])
        #expect(report.failures.first?.ticket == 0)
        #expect(report.failures.first?.fault.place == "\(topic)/0")
        try producer.send(numbered(1, topic: topic, partition: 0), within: limit)
        #expect(producer.flush(within: limit) == DeliveryReport(delivered: 1))
    }

    @Test func aTopicThatIsNotThereIsAFaultOfTheDelivery() throws {
        let cluster = try KafkaCluster.shared()
        let plan = KafkaPlan(bootstrap: cluster.bootstrap, client: ["topic.metadata.propagation.max.ms": "500"])
        let producer = try KafkaProducer(KafkaSettings(plan)) { _ in }
        defer { producer.close(within: limit) }
        try producer.send([OutgoingRecord(topic: "never-made-either", value: [1])], within: limit)
        let report = producer.flush(within: limit)
        #expect(report.failures.map(\.fault.code) == ["topic_missing"])
        #expect(report.failures.map(\.fault.place) == ["never-made-either"])
    }

    @Test func unansweredRecordsArePending() throws {
        let producer = try KafkaProducer(KafkaSettings(KafkaPlan(bootstrap: "127.0.0.1:1"))) { _ in }
        defer { producer.close(within: limit) }
        try producer.send([OutgoingRecord(topic: "any", value: [1])], within: limit)
        #expect(producer.flush(within: .milliseconds(50)) == DeliveryReport(pending: 1))
    }

    @Test func aFullQueueIsWaitedForAndThenAFault() throws {
        let plan = KafkaPlan(bootstrap: "127.0.0.1:1", client: ["queue.buffering.max.messages": "10"])
        let producer = try KafkaProducer(KafkaSettings(plan)) { _ in }
        defer { producer.close(within: limit) }
        let fault = #expect(throws: Fault.self) {
            try producer.send(numbered(11, topic: "any", partition: 0), within: .milliseconds(50))
        }
        #expect(fault?.code == "producer_full")
        #expect(fault?.isTransient == true)
    }
}

/// Kafka's murmur2, as its protocol documents it.
private func murmur2(_ bytes: [UInt8]) -> UInt32 {
    let m: UInt32 = 0x5bd1_e995
    var h = 0x9747_b28c ^ UInt32(bytes.count)
    let words = bytes.count / 4
    for i in 0..<words {
        var k = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[i * 4 + $1]) << UInt32(8 * $1) }
        k = k &* m
        k ^= k >> 24
        h = (h &* m) ^ (k &* m)
    }
    let tail = bytes.count % 4
    if tail > 0 {
        for i in (0..<tail).reversed() { h ^= UInt32(bytes[words * 4 + i]) << UInt32(8 * i) }
        h = h &* m
    }
    h ^= h >> 13
    h = h &* m
    return h ^ (h >> 15)
}
