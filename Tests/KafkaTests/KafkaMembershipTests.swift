import CRdKafka
import Kafka
import Model
import Synchronization
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)
private let limit = TimeSpan.seconds(20)

@Suite(.enabled(if: KafkaCluster.isAvailable, why))
struct KafkaMembershipTests {
    private func group(_ hint: String, partitions: Int32 = 4) throws -> (KafkaCluster, topic: String, group: String) {
        let cluster = try KafkaCluster.shared()
        return (cluster, try cluster.createTopic(hint, partitions: partitions), KafkaCluster.freshTopic("\(hint)-group"))
    }

    @Test func twoMembersShareThePartitionsAndOneThatLeavesHandsItsOwnOver() throws {
        let (cluster, topic, group) = try group("shared")
        let one = try Member(cluster.plan, group: group, instance: "one", topics: [topic])
        defer { one.close(leaving: true) }
        let all = try one.owns(4)
        #expect(!all.identity.member.isEmpty)
        let two = try Member(cluster.plan, group: group, instance: "two", topics: [topic])
        let (first, second) = (try one.owns(2), try two.owns(2))
        #expect(Set(first.partitions + second.partitions) == Set(all.partitions))
        #expect(first.identity.generation == second.identity.generation)
        #expect(first.identity.generation != all.identity.generation)
        #expect(two.close(leaving: true))
        #expect(try one.owns(4).partitions == all.partitions)
        #expect(
            one.said.withLock { $0.changes } == [
                "assigned [0, 1, 2, 3]", "revoked [0, 1, 2, 3]", "assigned [0, 1]", "revoked [0, 1]", "assigned [0, 1, 2, 3]",
            ])
        #expect(two.said.withLock { $0.changes } == ["assigned [2, 3]", "revoked [2, 3]"])
    }

    @Test func nothingIsSharedOutAnewBeforeTheHandlerOfARevokeReturns() throws {
        let (cluster, topic, group) = try group("answer")
        let one = try Member(cluster.plan, group: group, instance: "one", topics: [topic])
        defer { one.close(leaving: true) }
        try one.owns(4)
        one.said.withLock { $0.holdsUp = true }
        let two = try Member(cluster.plan, group: group, instance: "two", topics: [topic])
        defer { two.close(leaving: true) }
        _ = try eventually("the revoke") { one.said.withLock { $0.isInRevoke } ? true : nil }
        let queries = try KafkaQueries(KafkaSettings(cluster.plan))
        defer { queries.close(within: limit) }
        let clock = TestClock()
        let start = clock.monotonic()
        // The heartbeats go on meanwhile, so it is not put out.
        _ = try eventually("more time than a session may be silent") {
            let members = try queries.members(of: group, within: limit)
            #expect(members == 2)
            #expect(two.said.withLock { $0.assigned } == nil)
            return clock.monotonic() - start > .seconds(8) ? true : nil
        }
        one.said.withLock { $0.holdsUp = false }
        try one.owns(2)
        try two.owns(2)
        #expect(one.said.withLock { $0.changes } == ["assigned [0, 1, 2, 3]", "revoked [0, 1, 2, 3]", "assigned [0, 1]"])
    }

    @Test func aRestartUnderTheSameNameMovesNothing() throws {
        let (cluster, topic, group) = try group("restart")
        let one = try Member(cluster.plan, group: group, instance: "one", topics: [topic])
        defer { one.close(leaving: true) }
        try one.owns(4)
        let two = try Member(cluster.plan, group: group, instance: "two", topics: [topic])
        let before = try one.owns(2)
        let old = try two.owns(2)
        #expect(two.close(leaving: false))
        let again = try Member(cluster.plan, group: group, instance: "two", topics: [topic])
        defer { again.close(leaving: true) }
        let new = try again.owns(2)
        #expect(new.partitions == old.partitions)
        #expect(new.identity.generation == old.identity.generation)
        #expect(try one.owns(2).identity === before.identity)
        #expect(one.said.withLock { $0.changes }.count == 3)
    }

    @Test func asManyInstancesOfOneNameLeaveOneStanding() throws {
        let (cluster, topic, group) = try group("double")
        let first = try Member(cluster.plan, group: group, instance: "same", topics: [topic])
        defer { first.close(leaving: false) }
        try first.owns(4)
        let second = try Member(cluster.plan, group: group, instance: "same", topics: [topic])
        defer { second.close(leaving: true) }
        try second.owns(4)
        let fault = try first.fault()
        #expect(fault.code == "instance_fenced")
        #expect(fault.place == "same")
        #expect(fault.exit == .fenced)
        #expect(second.said.withLock { $0.faults } == [])
    }

    /// librdkafka says the same of both.
    @Test(arguments: [false, true]) func onlyAfterABrokenConnectionIsAFencedMemberItsOwnGhost(_ wasAway: Bool) throws {
        let mock = try RawMock(topic: "events")
        let member = try Member(mock.plan, group: "ghosts", instance: "one", topics: ["events"])
        defer { member.close(leaving: false) }
        try member.owns(2)
        if wasAway {
            mock.setAway(true)
            _ = try eventually("the broken connection") { member.heardABreak ? true : nil }
            mock.setAway(false)
        }
        mock.answer(.heartbeat, with: [RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID])
        let fault = try member.fault()
        #expect(fault.code == (wasAway ? "member_put_out" : "instance_fenced"))
        #expect(fault.isTransient == wasAway)
    }

    @Test func aMemberMoreThanThereArePartitionsOwnsNone() throws {
        let (cluster, topic, group) = try group("spare", partitions: 1)
        let one = try Member(cluster.plan, group: group, instance: "one", topics: [topic])
        defer { one.close(leaving: true) }
        try one.owns(1)
        let two = try Member(cluster.plan, group: group, instance: "two", topics: [topic])
        defer { two.close(leaving: true) }
        try two.owns(0)
        try one.owns(1)
        one.close(leaving: true)
        try two.owns(1)
        #expect(two.said.withLock { $0.changes }.last == "assigned [0]")
    }

    @Test func aMemberReadsNothing() throws {
        let (cluster, topic, group) = try group("unread", partitions: 1)
        try cluster.produce(numbered(1_000, topic: topic, partition: 0))
        let member = try Member(cluster.plan, group: group, instance: nil, topics: [topic])
        try member.owns(1)
        let queries = try KafkaQueries(KafkaSettings(cluster.plan), group: group)
        defer { queries.close(within: limit) }
        #expect(try queries.members(of: group, within: limit) == 1)
        #expect(member.close(leaving: false))
        // A member without a name leaves in any case.
        _ = try eventually("an empty group") { try queries.members(of: group, within: limit) == 0 ? true : nil }
        #expect(try queries.committedOffsets(of: [PartitionID(topic: topic, number: 0)], within: limit) == [:])
    }
}
