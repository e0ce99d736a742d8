public import Model

/// A right that a user needs on the brokers, and what for. Without one the step that needs it fails with a fault that names it.
public struct KafkaRight: Hashable, Sendable {
    public enum Resource: String, Sendable {
        case topic
        case group
        case transactionalID = "transactional-id"
    }
    public enum Operation: String, Sendable {
        case read = "Read"
        case write = "Write"
        case create = "Create"
        case describeConfigs = "DescribeConfigs"
    }

    public var operation: Operation
    public var resource: Resource
    public var name: String
    /// It counts for every name that begins with `name`.
    public var isPrefix: Bool
    /// Completes "Weir needs it to …".
    public var why: String

    public init(_ operation: Operation, _ resource: Resource, _ name: String, isPrefix: Bool = false, why: String) {
        self.operation = operation
        self.resource = resource
        self.name = name
        self.isPrefix = isPrefix
        self.why = why
    }

    static func read(_ topic: String) -> KafkaRight { KafkaRight(.read, .topic, topic, why: "read the topic") }

    /// The options of `kafka-acls` that grant it; the address and the principal are the reader's.
    public var options: String {
        "--operation \(operation.rawValue) --\(resource.rawValue) '\(name)'"
            + (isPrefix ? " --resource-pattern-type prefixed" : "")
    }

    /// The whole command, with capitals where the reader has to fill in.
    public var command: String { "kafka-acls --bootstrap-server ADDRESS --add --allow-principal User:NAME \(options)" }
}

extension KafkaRight {
    /// All that a member of a group needs, and nothing more. `transactionalIDs` begins the names of every instance's producer; `inputs`
    /// and `outputs` are the topics that the topology names. `creates`: Weir makes its own topics, which it does at the first start only.
    public static func needed(
        topics: GroupLayout.Topics, group: String, transactionalIDs: String, inputs: [String], outputs: [String], creates: Bool
    ) -> [KafkaRight] {
        let own = topics.prefix
        var all = [KafkaRight(.read, .group, group, why: "join the group and commit its offsets")]
        all += inputs.sorted().map { KafkaRight(.read, .topic, $0, why: "read the input and commit its offsets") }
        all += outputs.sorted().map { KafkaRight(.write, .topic, $0, why: "write rows, dead letters or late records") }
        all += [
            KafkaRight(.write, .transactionalID, transactionalIDs, isPrefix: true, why: "commit in transactions"),
            KafkaRight(.read, .topic, own, isPrefix: true, why: "restore state and follow the group's time"),
            KafkaRight(.write, .topic, own, isPrefix: true, why: "write state and the group's time"),
            KafkaRight(.describeConfigs, .topic, own, isPrefix: true, why: "check the settings of its own topics"),
        ]
        if creates { all.append(KafkaRight(.create, .topic, own, isPrefix: true, why: "create its own topics")) }
        return all
    }
}
