import Kafka
import Model

/// The topics that a group keeps for itself: how each must be, and which of them and of the outputs are written to.
struct InternalTopics {
    let plan: Plan
    let layout: GroupLayout

    init(plan: Plan, layout: GroupLayout) {
        self.plan = plan
        self.layout = layout
    }

    var hasTables: Bool {
        plan.aggregates.contains { $0.targets.contains { if case .table = $0 { true } else { false } } }
    }

    private var all: [InternalTopic] {
        InternalTopic.all(of: layout, hasResults: hasTables, hasControl: GroupLayout.Topics.hasControl(plan))
    }

    /// Every topic that the transactions write to.
    var written: [String] {
        var names = Set(all.map(\.name))
        // Orders come from who gives them, outside of transactions; what became of late events is answered there.
        if !plan.keepsClosedForLate { names.remove(layout.topics.control) }
        if plan.delivery == .exactlyOnce {
            for aggregate in plan.aggregates { for case .kafka(let topic) in aggregate.targets { names.insert(topic) } }
        }
        if case .topic(let topic) = plan.deadLetters { names.insert(topic) }
        if case .topic(let topic)? = plan.deduplicate?.duplicates { names.insert(topic) }
        if case .topic(let topic) = plan.late { names.insert(topic) }
        return names.sorted()
    }

    /// Makes those that are missing, and refuses those that are not as they must be.
    func ensure(_ queries: KafkaQueries) throws(Fault) {
        for topic in all {
            try queries.ensure([topic], within: RuntimeLimits.questionLimit)
            FaultPoint.hit(.duringTopicCreation)
        }
    }

    /// Brokers hear of a topic one after the other: for a moment after a start, one of ours that is missing is not gone.
    static func isYet(toCome fault: Fault, _ layout: GroupLayout.Topics, since start: MonotonicTime, now: MonotonicTime) -> Bool {
        (fault.code == "topic_missing" || fault.code == "partition_missing") && fault.place.hasPrefix(layout.prefix)
            && now - start < RuntimeLimits.newTopicPatience
    }

    /// How long the changelog keeps its deletions for those who were away.
    func deleteRetention(_ queries: KafkaQueries) throws(Fault) -> TimeSpan? {
        let settings = try queries.settings(of: layout.topics.changelog, within: RuntimeLimits.questionLimit)
        return settings["delete.retention.ms"].flatMap { Int64($0) }.map(TimeSpan.milliseconds)
    }
}
