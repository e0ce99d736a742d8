import Freshness
import Glibc
import Model
import Observe
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// What an instance of a group finds at its start, against a real broker: each way in which its local copy, the changelog, the group's
/// positions and the input can part is told, and cured or refused. State never starts empty unseen.
@Suite(.serialized, .enabled(if: KafkaCluster.isAvailable, why))
struct GroupRestoreTests {
    /// A group that has read 40 records of two partitions and ended.
    private struct Ended {
        let cluster: KafkaCluster
        let input: String
        let output: String
        let group: String
        let scratch = Scratch()

        init() throws {
            cluster = try KafkaCluster.shared()
            input = try cluster.createTopic("restored", partitions: 2)
            output = try cluster.createTopic("restored-rows")
            group = KafkaCluster.freshTopic("restoring")
            try feed(0..<20)
            // It leaves the group, whose offsets may be moved then.
            #expect(try run(try plan(), RunOptions(until: .now)).read == 40)
        }

        var changelog: String { "\(group).weir.small.changelog" }

        func plan(_ state: String? = nil) throws -> Plan {
            try SmallJob(
                bootstrap: cluster.bootstrap, source: "{topics: [\(input)], group: \(group)}", to: "- kafka: {topic: \(output)}",
                more: "delivery: exactly_once"
            ).plan(state ?? scratch.path)
        }

        func feed(_ seconds: Range<Int>) throws {
            try cluster.produce(
                to: input,
                (0..<2).flatMap { partition in
                    seconds.map { (Int32(partition), event(Double($0), "k\(partition)"), newYear + Int64($0) * 1_000) }
                })
        }

        /// The rest of the input is read to its end; every row must be there once.
        func end(_ state: String? = nil) throws -> [OperationalEvent] {
            try feed(20..<40)
            let running = Running(try plan(state), RunOptions(until: .end))
            try running.summary()
            // Ten records in each of four windows of each key.
            let rows = try cluster.readAll(output).values.flatMap(\.self)
            #expect(rows.count == 8)
            #expect(rows.allSatisfy { String(decoding: $0.value ?? [], as: UTF8.self).contains(#""n":10"#) })
            return running.events
        }

        func wiped(_ events: [OperationalEvent]) -> Set<String> {
            Set(events.compactMap { if case .stateWiped(_, let reason) = $0 { reason } else { nil } })
        }
    }

    // MARK: Cured

    @Test func aCopyThatIsWholeIsUsed() throws {
        let group = try Ended()
        let events = try group.end()
        #expect(group.wiped(events) == [])
        #expect(events.filter { if case .unitRestored(_, let records, _) = $0 { records > 4 } else { false } }.count == 0)
    }

    @Test func aLostDirectoryIsRestoredFromTheChangelog() throws {
        let group = try Ended()
        let other = Scratch()
        #expect(group.wiped(try group.end(other.path)) == [])
    }

    @Test(arguments: [
        ("position = position + 1000, last_offset = last_offset + 1000", "the changelog ends before it"),
        ("last_hash = last_hash + 1", "the changelog holds another record at its place"),
        ("applied_at = applied_at - 8 * 86400000, position = position - 2", "it is older than the changelog keeps its deletions"),
    ])
    func aCopyThatIsNoPrefixOfTheChangelogIsMadeAnew(change: String, reason: String) throws {
        let group = try Ended()
        try EndToEndTests.change("\(group.scratch.path)/state.db", "UPDATE units SET \(change) WHERE lane < 2")
        #expect(group.wiped(try group.end()) == [reason])
    }

    @Test func aDamagedCopyIsMovedAsideAndMadeAnew() throws {
        let group = try Ended()
        group.scratch.write("state.db", Array(repeating: 0x5a, count: 9_000))
        unlink("\(group.scratch.path)/state.db-wal")
        let told = try group.end().contains {
            if case .startedOver(let fault) = $0 { fault.code == "state_moved_aside" } else { false }
        }
        #expect(told)
    }

    // MARK: Refused

    @Test func aChangelogThatIsGoneIsRefusedWithAndWithoutACopy() throws {
        let group = try Ended()
        try group.cluster.delete(group.changelog)
        #expect(try refusal(try group.plan()).code == "changelog_lost")
        let other = Scratch()
        #expect(try refusal(try group.plan(other.path)).code == "changelog_lost")
    }

    @Test func aChangelogWhoseRecordsWereDeletedIsRefused() throws {
        let group = try Ended()
        // Brokers delete records only where the policy says so.
        func policy(_ words: String) throws {
            try group.cluster.tool(
                "configs",
                [
                    "--alter", "--entity-type", "topics", "--entity-name", group.changelog, "--add-config",
                    "cleanup.policy=\(words)",
                ])
        }
        try policy("[compact,delete]")
        try group.cluster.deleteRecords(PartitionID(topic: group.changelog, number: 1), before: 2)
        try policy("compact")
        #expect(try refusal(try group.plan()).code == "changelog_cut")
        let other = Scratch()
        #expect(try refusal(try group.plan(other.path)).code == "changelog_cut")
    }

    @Test func aGroupThatWasResetIsRefused() throws {
        let group = try Ended()
        try group.cluster.tool(
            "groups", ["--group", group.group, "--reset-offsets", "--to-earliest", "--execute", "--topic", group.input])
        let fault = try refusal(try group.plan())
        #expect(fault.code == "group_moved")
        #expect(fault.exit == .choiceNeeded)
    }

    @Test func addedPartitionsAreRefused() throws {
        let group = try Ended()
        try group.cluster.tool("topics", ["--alter", "--topic", group.input, "--partitions", "3"])
        let fault = try refusal(try group.plan())
        #expect(fault.exit == .state)
        let other = Scratch()
        #expect(try refusal(try group.plan(other.path)).code == "partitions_changed")
        #expect(fault.code == "partitions_changed")
    }

    @Test func partitionsThatAreAddedMeanwhileEndTheInstance() throws {
        let group = try Ended()
        let running = Running(try group.plan())
        try running.until("its state") { $0.partitions.reduce(0) { $0 + $1.books.read } == 40 }
        try group.cluster.tool("topics", ["--alter", "--topic", group.input, "--partitions", "3"])
        #expect(try running.fault(within: 90).code == "partitions_changed")
    }

    @Test func ofTwoProcessesWithOneNameOneGoesOnAndOneIsTold() throws {
        let group = try Ended()
        func plan(_ state: Scratch) throws -> Plan {
            var plan = try group.plan(state.path)
            plan.state.instance = "twin"
            return plan
        }
        let places = [Scratch(), Scratch()]
        let first = Running(try plan(places[0]))
        try first.until("its state") { $0.partitions.reduce(0) { $0 + $1.books.read } == 40 }
        let second = Running(try plan(places[1]))
        let (ended, other) = try eventually("the end of one", within: 60) {
            first.isOver ? (first, second) : second.isOver ? (second, first) : nil
        }
        #expect(try ended.fault().exit == .fenced)
        try group.feed(20..<40)
        try other.until("the other's work", within: 60) { $0.partitions.reduce(0) { $0 + $1.books.read } == 80 }
        try other.stop()
    }

    @Test func anInputThatWasMadeAnewIsRefused() throws {
        let group = try Ended()
        try group.cluster.recreate(group.input, partitions: 2)
        try group.feed(100..<150)
        let fault = try refusal(try group.plan())
        #expect(fault.code == "topic_recreated")
        #expect(fault.exit == .choiceNeeded)
        #expect(!fault.next.contains("--resume"))
    }

    @Test func aPositionThatRetentionHasPassedIsRefused() throws {
        let group = try Ended()
        try group.feed(20..<40)
        try group.cluster.deleteRecords(PartitionID(topic: group.input, number: 1), before: 30)
        let fault = try refusal(try group.plan())
        #expect(fault.code == "offset_out_of_range")
        #expect(!fault.next.contains("--resume"))
    }

    @Test func aPositionPastTheInputsEndIsRefused() throws {
        let group = try Ended()
        try group.cluster.recreate(group.input, partitions: 2)
        try group.feed(0..<5)
        #expect(try refusal(try group.plan()).code == "offset_out_of_range")
    }

    @Test func aChoiceOfAPlaceIsRefused() throws {
        let group = try Ended()
        let choice = ResumeChoice(partition: PartitionID(topic: group.input, number: 0), position: .earliest)
        #expect(try refusal(try group.plan(), RunOptions(resume: [choice])).code == "resume_in_group")
    }
}
