import Kafka
import Model
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)
private let limit = TimeSpan.seconds(20)

@Suite(.enabled(if: KafkaCluster.isAvailable, why))
struct KafkaQueriesTests {
    @Test func aMissingTopicIsAFault() throws {
        let cluster = try KafkaCluster.shared()
        let queries = try KafkaQueries(KafkaSettings(cluster.plan))
        defer { queries.close(within: limit) }
        let fault = #expect(throws: Fault.self) { try queries.partitions(of: ["never-made"], within: limit) }
        #expect(fault?.code == "topic_missing")
        #expect(fault?.place == "never-made")
        #expect(fault?.exit == .broker)
        #expect(fault?.isTransient == false)
    }

    @Test func aBrokerThatIsNotThereIsATransientFault() throws {
        let queries = try KafkaQueries(KafkaSettings(KafkaPlan(bootstrap: "127.0.0.1:1")))
        defer { queries.close(within: limit) }
        let fault = #expect(throws: Fault.self) { try queries.partitions(of: ["any"], within: .milliseconds(500)) }
        #expect(fault?.code == "broker_unreachable")
        #expect(fault?.isTransient == true)
    }

    @Test func watermarksAndOffsetsByTimeAreTold() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("marks", partitions: 2)
        try cluster.produce(numbered(100, topic: topic, partition: 0))
        let queries = try KafkaQueries(KafkaSettings(cluster.plan))
        defer { queries.close(within: limit) }
        let ids = try queries.partitions(of: [topic], within: limit)
        let (first, second) = (PartitionID(topic: topic, number: 0), PartitionID(topic: topic, number: 1))
        #expect(ids == [first, second])
        #expect(try queries.watermarks(of: ids, within: limit) == [first: 0..<100, second: 0..<0])
        let middle = WallTime(milliseconds: 1_700_000_000_040)
        #expect(try queries.offsets(of: ids, from: middle, within: limit) == [first: 40, second: 0])
        let after = WallTime(milliseconds: 1_700_000_000_100)
        #expect(try queries.offsets(of: ids, from: after, within: limit) == [first: 100, second: 0])
    }

    @Test func committedOffsetsAreVisibleToKafkasOwnTools() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("lag", partitions: 2)
        try cluster.produce(numbered(50, topic: topic, partition: 0))
        let group = KafkaCluster.freshTopic("lag-group")
        let queries = try KafkaQueries(KafkaSettings(cluster.plan), group: group)
        defer { queries.close(within: limit) }
        let ids = try queries.partitions(of: [topic], within: limit)
        #expect(try queries.committedOffsets(of: ids, within: limit) == [:])
        try queries.commit([ids[0]: 20], within: limit)
        try queries.commit([ids[0]: 30], within: limit)
        #expect(try queries.committedOffsets(of: ids, within: limit) == [ids[0]: 30])
        let told = try cluster.tool("groups", ["--describe", "--group", group])
        let row = try #require(told.split(separator: "\n").first { $0.contains(topic) }).split(separator: " ")
        #expect(row[0...5].map(String.init) == [group, topic, "0", "30", "50", "20"])
        try queries.checkNoMembers(of: group, within: limit)
    }

    @Test func aGroupWithMembersIsRefused() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("members")
        let group = KafkaCluster.freshTopic("busy-group")
        let queries = try KafkaQueries(KafkaSettings(cluster.plan), group: group)
        defer { queries.close(within: limit) }
        try RawClient.asMember(of: group, topic: topic, cluster) {
            let members = try queries.members(of: group, within: limit)
            #expect(members == 1)
            let check = #expect(throws: Fault.self) { try queries.checkNoMembers(of: group, within: limit) }
            #expect(check?.code == "group_active")
            #expect(check?.exit == .broker)
            let commit = #expect(throws: Fault.self) {
                try queries.commit([PartitionID(topic: topic, number: 0): 1], within: limit)
            }
            #expect(commit?.code == "group_active")
        }
    }

    @Test func aRecordsFingerprintTellsItFromAnotherAtTheSameOffset() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("finger", partitions: 2)
        let value = Array("same".utf8)
        try cluster.produce([
            OutgoingRecord(topic: topic, partition: 0, value: Array("a".utf8), timestamp: 7),
            OutgoingRecord(topic: topic, partition: 0, value: value, timestamp: 8),
            OutgoingRecord(topic: topic, partition: 1, value: Array("b".utf8), timestamp: 7),
        ])
        let queries = try KafkaQueries(KafkaSettings(cluster.plan))
        defer { queries.close(within: limit) }
        let hash = value.withUnsafeBytes { Hash64.of($0) }
        let (first, second) = (PartitionID(topic: topic, number: 0), PartitionID(topic: topic, number: 1))
        #expect(try queries.fingerprint(first, at: 1, within: limit) == RecordFingerprint(offset: 1, timestamp: 8, hash: hash))
        #expect(try queries.fingerprint(first, at: 0, within: limit) != queries.fingerprint(second, at: 0, within: limit))
        #expect(try queries.fingerprint(first, at: 2, within: limit) == nil)
        #expect(try queries.fingerprint(first, at: 900, within: limit) == nil)
    }

    @Test func aRecreatedTopicIsRecognisedByItsFingerprint() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("again")
        let id = PartitionID(topic: topic, number: 0)
        try cluster.produce(numbered(3, topic: topic, partition: 0))
        let queries = try KafkaQueries(KafkaSettings(cluster.plan))
        defer { queries.close(within: limit) }
        let before = try #require(try queries.fingerprint(id, at: 2, within: limit))
        try cluster.recreate(topic)
        try cluster.produce(numbered(3, topic: topic, partition: 0, from: 50))
        let after = try eventually("the new log's record") { () -> RecordFingerprint? in
            let later = try KafkaQueries(KafkaSettings(cluster.plan))
            defer { later.close(within: limit) }
            return try later.fingerprint(id, at: 2, within: limit)
        }
        #expect(after != before)
        #expect(after.offset == before.offset)
    }

    @Test func aTopicIsCreatedOnce() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("twice", partitions: 3)
        let queries = try KafkaQueries(KafkaSettings(cluster.plan))
        defer { queries.close(within: limit) }
        #expect(try queries.partitions(of: [topic], within: limit).count == 3)
        let fault = #expect(throws: Fault.self) { try queries.createTopic(topic, partitions: 1, within: limit) }
        #expect(fault?.code == "topic_exists")
    }
}
