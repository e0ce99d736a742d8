import Model
import Testing
import Testkit

@testable import Kafka

private let why: Comment = .init(rawValue: KafkaCluster.reason)
private let limit = TimeSpan.seconds(20)

/// Topics of Weir's own: made, looked at, refused.
@Suite(.enabled(if: KafkaCluster.isAvailable, why))
struct KafkaTopicsTests {
    private func asking<T>(_ body: (KafkaCluster, KafkaQueries) throws -> T) throws -> T {
        let cluster = try KafkaCluster.shared()
        let queries = try KafkaQueries(KafkaSettings(cluster.plan))
        defer { queries.close(within: limit) }
        return try body(cluster, queries)
    }

    @Test func missingTopicsAreMadeAndThoseThatAreThereAreLeftAlone() throws {
        try asking { _, queries in
            let group = KafkaCluster.freshTopic("made")
            let own = [
                InternalTopic.compacted("\(group).changelog", partitions: 3),
                .passing("\(group).watermarks", partitions: 1, kept: .days(1)),
            ]
            try queries.ensure(own, within: limit)
            try queries.ensure(own, within: limit)
            #expect(try queries.partitions(of: own.map(\.name), within: limit).count == 4)
            for topic in own {
                let found = try queries.settings(of: topic.name, within: limit)
                #expect(topic.settings.filter { found[$0.name] != $0.value } == [])
            }
        }
    }

    @Test func aTopicThatWouldLoseStateIsRefusedWithTheCommandThatMendsIt() throws {
        try asking { cluster, queries in
            let topic = try cluster.createTopic(
                "lossy", settings: ["cleanup.policy": "delete", "delete.retention.ms": "1000", "max.message.bytes": "20000000"])
            let wanted = InternalTopic.compacted(topic, partitions: 1)
            let fault = #expect(throws: Fault.self) { try queries.ensure([wanted], within: limit) }
            #expect(fault?.code == "topic_settings")
            #expect(fault?.place == topic)
            #expect(
                fault?.what
                    == "A topic of Weir's own has other settings than it needs: cleanup.policy is delete and must be compact; "
                    + "delete.retention.ms is 1000 and must be at least 604800000.")
            let command = try #require(fault?.next)
            #expect(
                command == "kafka-configs --bootstrap-server ADDRESS --alter --entity-type topics --entity-name \(topic) "
                    + "--add-config cleanup.policy=compact,delete.retention.ms=604800000")
            try cluster.tool("configs", command.split(separator: " ").dropFirst(3).map(String.init))
            _ = try eventually("the broker's new settings") {
                (try? queries.ensure([wanted], within: limit)).map { true }
            }
        }
    }

    @Test func anotherNumberOfPartitionsIsRefused() throws {
        try asking { cluster, queries in
            let topic = try cluster.createTopic("grown-log", partitions: 2)
            let fault = #expect(throws: Fault.self) {
                try queries.ensure([.compacted(topic, partitions: 3)], within: limit)
            }
            #expect(fault?.code == "partitions_changed")
            #expect(fault?.what == "The topic has 2 partitions and must have 3.")
            #expect(fault?.exit == .state)
        }
    }

    @Test(arguments: [
        (InternalTopic.Setting.Rule.exactly, "7", "7", true), (.exactly, "7", "8", false), (.atLeast, "7", "7", true),
        (.atLeast, "7", "6", false), (.atLeast, "7", "-1", true), (.atLeast, "-1", "7", false), (.atLeast, "-1", "-1", true),
        (.atLeast, "7", "many", false), (.whenCreated, "7", "8", true),
    ])
    func aSettingIsJudgedByItsRule(rule: InternalTopic.Setting.Rule, wanted: String, found: String, isAllowed: Bool) {
        #expect(InternalTopic.Setting("any", wanted, rule).allows(found) == isAllowed)
    }

    @Test func aGroupHasTheTopicsThatItsLayoutNeeds() {
        let plan = Plan(
            name: "usage", source: SourcePlan(kind: .kafka(topics: ["in"], group: "g", start: .earliest)), fields: [],
            eventTime: EventTimePlan(source: .recordTimestamp), aggregates: [])
        var layout = GroupLayout(plan: plan, group: "g", inputs: (0..<4).map { PartitionID(topic: "in", number: $0) })
        func counts(hasResults: Bool) -> [String] {
            InternalTopic.all(of: layout, hasResults: hasResults).map { "\($0.name) \($0.partitions)" }
        }
        layout.mergeLanes = 0
        #expect(counts(hasResults: false) == ["g.weir.usage.changelog 4", "g.weir.usage.watermarks 1"])
        layout.mergeLanes = 4
        #expect(
            counts(hasResults: true) == [
                "g.weir.usage.changelog 8", "g.weir.usage.watermarks 1", "g.weir.usage.partials 4", "g.weir.usage.results 4",
            ])
        layout.mergeLanes = 0
        #expect(
            InternalTopic.all(of: layout, hasResults: false, hasControl: true).map { "\($0.name) \($0.partitions)" } == [
                "g.weir.usage.changelog 4", "g.weir.usage.watermarks 1", "g.weir.usage.control 1",
            ])
        var rekeying = plan
        rekeying.deduplicate = DeduplicatePlan(key: [0], within: .hours(1), scope: .topic)
        let inputs = (0..<12).map { PartitionID(topic: "in", number: $0) }
        layout = GroupLayout(plan: rekeying, group: "g", inputs: inputs)
        #expect(counts(hasResults: false) == ["g.weir.usage.changelog 20", "g.weir.usage.watermarks 1", "g.weir.usage.rekey 8"])
        // The rights to a group's own topics are those to their prefix.
        #expect(
            InternalTopic.all(of: layout, hasResults: true, hasControl: true).allSatisfy { $0.name.hasPrefix("g.weir.usage.") })
    }
}
