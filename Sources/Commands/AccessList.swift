internal import Kafka
internal import Model

/// The rights on the brokers that a topology's user needs, as the commands that grant them.
enum AccessList {
    static func rights(_ plan: Plan) -> [KafkaRight] {
        var outputs: Set<String> = []
        for target in plan.aggregates.flatMap(\.targets) { if case .kafka(let topic) = target { outputs.insert(topic) } }
        if case .topic(let topic) = plan.deadLetters { outputs.insert(topic) }
        if case .topic(let topic)? = plan.deduplicate?.duplicates { outputs.insert(topic) }
        if case .topic(let topic) = plan.late { outputs.insert(topic) }
        guard case .kafka(let inputs, let group, _) = plan.source.kind else {
            return outputs.sorted().map { KafkaRight(.write, .topic, $0, why: "write rows or dead letters") }
        }
        if plan.delivery.isGroup {
            return KafkaRight.needed(
                topics: GroupLayout.Topics(group: group, name: plan.name), group: group, transactionalIDs: "\(plan.name)-",
                inputs: inputs, outputs: outputs.sorted(), creates: true)
        }
        return [KafkaRight(.read, .group, group, why: "tell lag tools how far it is")]
            + inputs.sorted().map { KafkaRight(.read, .topic, $0, why: "read the input") }
            + outputs.sorted().map { KafkaRight(.write, .topic, $0, why: "write rows or dead letters") }
    }

    static func text(_ plan: Plan) -> String {
        let rights = rights(plan)
        if rights.isEmpty { return "# This topology talks to no broker.\n" }
        return rights.map { "# to \($0.why)\n\($0.command)\n" }.joined()
    }
}
