import Kafka
import Model
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)
private let limit = TimeSpan.seconds(20)

@Suite(.enabled(if: KafkaCluster.isAvailable, why))
struct KafkaTransactionsTests {
    @Test func aTransactionIsReadAsAWholeAndOnlyOnceItIsCommitted() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("whole", partitions: 2)
        let producer = try transactions(cluster.plan, topic, warming: [topic], clock: TestClock(isFrozen: true))
        defer { producer.close(within: limit) }
        try producer.begin()
        try producer.write(["a", "b"], to: topic)
        try producer.write(["c"], to: topic, 1)
        let last = try producer.flush(within: limit)
        #expect(last == [PartitionID(topic: topic, number: 0): 1, PartitionID(topic: topic, number: 1): 0])
        #expect(try producer.topic(topic).lastOffset(in: 0) == 1)
        #expect(try texts(cluster, topic, committed: false) == ["a", "b"])
        let log = try KafkaLog(KafkaSettings(cluster.plan), memory: .mebibytes(16), partitions: 1) { _ in }
        defer { log.close(within: limit) }
        let reader = try log.reader(of: PartitionID(topic: topic, number: 0), from: 0)
        #expect(try !reader.next(within: .milliseconds(300)) { _ in })
        #expect(producer.commit() == .committed)
        #expect(!producer.isDoubtful)
        #expect(try texts(cluster, topic) == ["a", "b"])

        try producer.begin()
        #expect(try producer.topic(topic).lastOffset(in: 0) == nil)
        try producer.write(["d"], to: topic)
        #expect(try producer.flush(within: limit) == [PartitionID(topic: topic, number: 0): 3])
        #expect(producer.abort() == nil)
        #expect(producer.abort() == nil)
        try producer.begin()
        try producer.write(["e"], to: topic)
        #expect(producer.commit() == .committed)
        #expect(try texts(cluster, topic) == ["a", "b", "e"])
        #expect(try texts(cluster, topic, committed: false) == ["a", "b", "d", "e"])
    }

    @Test func keysTombstonesHeadersAndEmptyValuesArriveAsTheyAre() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("shapes")
        let producer = try transactions(cluster.plan, topic, warming: [topic])
        defer { producer.close(within: limit) }
        try producer.begin()
        let into = try producer.topic(topic)
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        try producer.send(to: into, key: nil, value: none, headers: [.init("weir-output", [1, 2])], timestamp: 7)
        try producer.send(to: into, key: none, value: nil)
        #expect(producer.commit() == .committed)
        let log = try KafkaLog(KafkaSettings(cluster.plan), memory: .mebibytes(16), partitions: 1) { _ in }
        defer { log.close(within: limit) }
        var seen: [String] = []
        let reader = try log.reader(of: PartitionID(topic: topic, number: 0), from: 0)
        try reader.read(to: 3) { batch in
            for index in 0..<batch.count {
                seen.append("\(batch.offset(index)) \(batch.key(index)?.count ?? -1) \(batch.value(index)?.count ?? -1)")
            }
        }
        #expect(seen == ["0 -1 0", "1 0 -1"])
        #expect(reader.position == 3)
    }

    @Test func theGroupsOffsetsAreCommittedWithTheRecordsAndNotByAnAbort() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("offsets", partitions: 2)
        let group = KafkaCluster.freshTopic("offsets-group")
        let member = try Member(cluster.plan, group: group, instance: "one", topics: [topic])
        defer { member.close(leaving: true) }
        let (ids, identity) = try member.owns(2)
        let queries = try KafkaQueries(KafkaSettings(cluster.plan), group: group)
        defer { queries.close(within: limit) }
        let producer = try transactions(cluster.plan, group, warming: [topic])
        defer { producer.close(within: limit) }
        for (text, offset) in [("a", Int64(5)), ("b", 9)] {
            try producer.begin()
            try producer.write([text], to: topic)
            #expect(producer.commit(offsets: [ids[0]: offset, ids[1]: offset + 1], as: identity) == .committed)
            #expect(try queries.committedOffsets(of: ids, within: limit) == [ids[0]: offset, ids[1]: offset + 1])
        }
        try producer.begin()
        try producer.write(["c"], to: topic)
        producer.abort()
        // Nothing but offsets is a transaction too.
        try producer.begin()
        #expect(producer.commit(offsets: [ids[0]: 11], as: identity) == .committed)
        #expect(try queries.committedOffsets(of: ids, within: limit) == [ids[0]: 11, ids[1]: 10])
        #expect(try texts(cluster, topic) == ["a", "b"])
    }

    @Test func aSecondProducerOfTheSameNameFencesTheFirst() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("fence")
        let first = try transactions(cluster.plan, topic, warming: [topic])
        defer { first.close(within: limit) }
        try first.begin()
        try first.write(["of the first"], to: topic)
        try first.flush(within: limit)
        let second = try transactions(cluster.plan, topic, warming: [topic])
        defer { second.close(within: limit) }
        guard case .fenced(let fault) = first.commit() else {
            Issue.record("the first was not fenced")
            return
        }
        #expect(fault.code == "producer_fenced")
        #expect(fault.exit == .fenced)
        #expect(first.isDoubtful)
        try second.begin()
        try second.write(["of the second"], to: topic)
        #expect(second.commit() == .committed)
        #expect(try texts(cluster, topic) == ["of the second"])
    }

    @Test func anIdentityOfAGenerationThatIsOverIsRefused() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("stale", partitions: 2)
        let group = KafkaCluster.freshTopic("stale-group")
        let member = try Member(cluster.plan, group: group, instance: "one", topics: [topic])
        defer { member.close(leaving: true) }
        let (ids, old) = try member.owns(2)
        let other = try Member(cluster.plan, group: group, instance: "two", topics: [topic])
        defer { other.close(leaving: true) }
        let new = try member.owns(1)
        #expect((old.generation ?? 0) < (new.identity.generation ?? 0))
        let producer = try transactions(cluster.plan, group, warming: [topic], clock: TestClock(isFrozen: true))
        defer { producer.close(within: limit) }
        try producer.begin()
        try producer.write(["stale"], to: topic)
        guard case .aborted(let fault) = producer.commit(offsets: [ids[0]: 7], as: old) else {
            Issue.record("an old identity was accepted")
            return
        }
        #expect(fault.code == "member_stale")
        #expect(fault.isTransient)
        #expect(!producer.isDoubtful)
        try producer.begin()
        try producer.write(["fresh"], to: topic)
        #expect(producer.commit(offsets: [new.partitions[0]: 3], as: new.identity) == .committed)
        #expect(try texts(cluster, topic) == ["fresh"])
    }

    @Test func aTransactionThatIsOpenForTooLongIsNoFence() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("overdue")
        let clock = TestClock()
        let first = try transactions(cluster.plan, topic, warming: [topic], clock: clock)
        defer { first.close(within: limit) }
        try first.begin()
        try first.write(["a"], to: topic)
        try first.flush(within: limit)
        // What the broker does to an overdue transaction is what it does to a fenced one.
        let second = try transactions(cluster.plan, topic, warming: [topic])
        defer { second.close(within: limit) }
        clock.advance(.seconds(40))
        guard case .doubtful(let fault) = first.commit() else {
            Issue.record("not doubtful")
            return
        }
        #expect(fault.code == "transaction_timed_out")
        #expect(first.isDoubtful)
    }

    @Test func aRecordThatIsRefusedIsTheFaultOfTheFlushAndTheNextProducerGoesOn() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("narrow", settings: ["max.message.bytes": "10000"])
        let plan = KafkaPlan(bootstrap: cluster.bootstrap, client: ["compression.codec": "none"])
        let producer = try transactions(plan, topic, warming: [topic])
        defer { producer.close(within: limit) }
        try producer.begin()
        try producer.write([String(repeating: "x", count: 20_000)], to: topic)
        let fault = #expect(throws: Fault.self) { try producer.flush(within: limit) }
        #expect(fault?.code == "record_too_large")
        #expect(fault?.place == "\(topic)/0")
        #expect(producer.commit() == fault.map { .aborted($0) })
        #expect(producer.isDoubtful)
        producer.close(within: limit)
        let next = try transactions(plan, topic, warming: [topic])
        defer { next.close(within: limit) }
        try next.begin()
        try next.write(["x"], to: topic)
        #expect(next.commit() == .committed)
        #expect(try texts(cluster, topic) == ["x"])
    }

    @Test func aTopicThatIsNotThereIsAFaultOfThePreparation() throws {
        let cluster = try KafkaCluster.shared()
        let fault = #expect(throws: Fault.self) { try transactions(cluster.plan, "nowhere", warming: ["never-made-at-all"]) }
        #expect(fault?.code == "topic_missing")
        #expect(fault?.place == "never-made-at-all")
    }

    @Test func aSlowCommitMakesItsProducerDoubtfulWhateverItsOutcome() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("slow")
        let clock = TestClock(isFrozen: true)
        let producer = try transactions(cluster.plan, topic, warming: [topic], clock: clock)
        defer { producer.close(within: limit) }
        try producer.begin()
        try producer.write(["a"], to: topic)
        #expect(!producer.isDoubtful)
        clock.leap(.seconds(3))
        #expect(producer.commit() == .committed)
        #expect(producer.isDoubtful)
    }
}
