import Kafka
import Model
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)
private let limit = TimeSpan.seconds(20)

@Suite(.enabled(if: KafkaCluster.isAvailable, why))
struct KafkaLogTests {
    private func reading<T>(
        _ cluster: KafkaCluster, _ topic: String, from offset: Int64 = 0, _ body: (LogReader) throws -> T
    ) throws -> T {
        let log = try KafkaLog(KafkaSettings(cluster.plan), memory: .mebibytes(16), partitions: 1) { _ in }
        defer { log.close(within: limit) }
        return try body(log.reader(of: PartitionID(topic: topic, number: 0), from: offset))
    }

    private func end(_ cluster: KafkaCluster, _ topic: String) throws -> Int64 {
        let queries = try KafkaQueries(KafkaSettings(cluster.plan))
        defer { queries.close(within: limit) }
        let id = PartitionID(topic: topic, number: 0)
        return try #require(try queries.watermarks(of: [id], within: limit)[id]?.upperBound)
    }

    @Test func theEndIsReachedOverMarksAndAbortedRecords() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("ends")
        try RawClient.transactions([("a", true), ("b", false), ("c", true), ("d", false)], to: topic, cluster)
        #expect(try end(cluster, topic) == 8)
        #expect(try texts(cluster, topic) == ["a", "c"])
        try reading(cluster, topic) { reader in
            try reader.read(to: 8) { _ in }
            #expect(reader.position == 8)
            // Nothing to read is read at once.
            try reader.read(to: 8) { _ in Issue.record("read again") }
        }
    }

    @Test func whatLiesPastTheTargetIsLeftForTheNextReading() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("parts")
        try cluster.produce(numbered(10_000, topic: topic, partition: 0))
        try reading(cluster, topic, from: 10) { reader in
            var offsets: [Int64] = []
            for target in [Int64(10), 11, 5_000, 9_999] {
                try reader.read(to: target) { batch in for index in 0..<batch.count { offsets.append(batch.offset(index)) } }
                #expect(reader.position == target)
                #expect(offsets == Array(10..<target))
            }
            _ = try eventually("the last record") {
                try reader.next(within: .milliseconds(10)) { batch in
                    for index in 0..<batch.count { offsets.append(batch.offset(index)) }
                } ? true : nil
            }
            #expect(offsets == Array(10..<10_000))
            #expect(reader.position == 10_000)
        }
    }

    @Test func anOpenTransactionIsWaitedFor() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("pending")
        let producer = try transactions(cluster.plan, topic, warming: [topic])
        defer { producer.close(within: limit) }
        try producer.begin()
        try producer.write(["a", "b"], to: topic)
        try producer.flush(within: limit)
        // Behind the open one, so that the last stable offset stands before it.
        try cluster.produce(numbered(1, topic: topic, partition: 0))
        let target = try end(cluster, topic)
        #expect(target == 3)
        try reading(cluster, topic) { reader in
            let fault = #expect(throws: Fault.self) {
                try reader.read(to: target, patience: .milliseconds(500)) { _ in Issue.record("read too early") }
            }
            #expect(fault?.code == "transaction_pending")
            #expect(fault?.place == "\(topic)/0@0")
            var waits: [LogWait] = []
            var values: [String] = []
            try reader.read(
                to: target,
                waiting: { wait throws(Fault) in
                    waits.append(wait)
                    if waits.count == 3 { #expect(producer.commit() == .committed) }
                },
                { batch in for index in 0..<batch.count { values.append(String(decoding: batch.value(index)!, as: UTF8.self)) } })
            #expect(values == ["a", "b", "0-0"])
            #expect(reader.position >= target)
            #expect(waits.prefix(2) == [.openTransaction(.milliseconds(100)), .openTransaction(.milliseconds(200))])
        }
    }

    @Test func aFollowerIsWokenUpByWhatComesLater() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("follow")
        let log = try KafkaLog(KafkaSettings(cluster.plan), memory: .mebibytes(16), partitions: 1) { _ in }
        defer { log.close(within: limit) }
        let woken = Events()
        let reader = try log.reader(of: PartitionID(topic: topic, number: 0), from: 0) { woken.add(.brokersBack) }
        #expect(try !reader.next(within: .milliseconds(200)) { _ in })
        let before = woken.all.count
        try cluster.produce(numbered(3, topic: topic, partition: 0))
        _ = try eventually("a wake-up") { woken.all.count > before ? true : nil }
        var count = 0
        _ = try eventually("three records") {
            _ = try reader.next(within: .zero) { count += $0.count }
            return count == 3 ? true : nil
        }
        reader.close()
        // Another reader takes the partition up where it likes.
        let again = try log.reader(of: PartitionID(topic: topic, number: 0), from: 2)
        _ = try eventually("the last record") {
            try again.next(within: .milliseconds(10)) { #expect($0.offset(0) == 2) } ? true : nil
        }
    }

    @Test func anOffsetThatIsNotInTheLogIsAFault() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("beyond")
        try cluster.produce(numbered(3, topic: topic, partition: 0))
        try reading(cluster, topic, from: 7) { reader in
            let fault = #expect(throws: Fault.self) { try reader.read(to: 9) { _ in } }
            #expect(fault?.code == "offset_out_of_range")
            #expect(fault?.place == "\(topic)/0@7")
        }
    }
}
