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

    /// How long a changelog keeps its deletions for those who were away (S20).
    static let deleteRetention = TimeSpan.days(7)

    struct Topic {
        var name: String
        var partitions: Int32
        var settings: [String: String]
    }

    private var hasTables: Bool {
        plan.aggregates.contains { $0.targets.contains { if case .table = $0 { true } else { false } } }
    }

    var all: [Topic] {
        let inputs = Int32(layout.inputs.count)
        var topics = [
            Topic(
                name: layout.topics.changelog, partitions: Int32(layout.units),
                settings: [
                    "cleanup.policy": "compact", "delete.retention.ms": String(Self.deleteRetention.milliseconds),
                    "min.compaction.lag.ms": "60000", "segment.bytes": String(64 << 20), "compression.type": "producer",
                ]),
            Topic(
                name: layout.topics.watermarks, partitions: 1,
                settings: [
                    // Whole states of the log stand in it all the time, so its beginning may go.
                    "cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": String(256 << 20),
                    "segment.bytes": String(32 << 20),
                ]),
        ]
        if layout.mergeLanes > 0 {
            topics.append(
                Topic(
                    name: layout.topics.partials, partitions: Int32(layout.mergeLanes),
                    settings: ["cleanup.policy": "delete", "retention.ms": String(TimeSpan.days(7).milliseconds)]))
        }
        if hasTables {
            topics.append(
                Topic(
                    name: layout.topics.results, partitions: inputs,
                    settings: ["cleanup.policy": "compact", "segment.bytes": String(64 << 20)]))
        }
        return topics
    }

    /// Every topic that the transactions write to.
    var written: [String] {
        var names = Set(all.map(\.name))
        if plan.delivery == .exactlyOnce {
            for aggregate in plan.aggregates { for case .kafka(let topic) in aggregate.targets { names.insert(topic) } }
        }
        if case .topic(let topic) = plan.deadLetters { names.insert(topic) }
        return names.sorted()
    }

    /// Makes those that are missing.
    func ensure(_ queries: KafkaQueries) throws(Fault) {
        for topic in all {
            do throws(Fault) {
                let there = try queries.partitions(of: [topic.name], within: RuntimeLimits.questionLimit)
                guard there.count == Int(topic.partitions) else {
                    throw Fault(
                        "partitions_changed",
                        "The internal topic has \(there.count) partitions, and this input needs \(topic.partitions).",
                        place: topic.name,
                        next:
                            "A key's partition changes with their number: start anew under another source.group, or take added partitions back.",
                        exit: .state)
                }
            } catch {
                guard error.code == "topic_missing" else { throw error }
                do throws(Fault) {
                    try queries.createTopic(
                        topic.name, partitions: topic.partitions, settings: topic.settings, within: RuntimeLimits.questionLimit)
                } catch {
                    // Another instance was faster.
                    if error.code != "topic_exists" { throw error }
                }
                FaultPoint.hit(.duringTopicCreation)
            }
        }
    }
}
