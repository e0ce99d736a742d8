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

    /// The options of `kafka-acls` that grant it; the address and the principal are the reader's.
    public var options: String {
        "--operation \(operation.rawValue) --\(resource.rawValue) '\(name)'"
            + (isPrefix ? " --resource-pattern-type prefixed" : "")
    }

    /// The whole command, with capitals where the reader has to fill in.
    public var command: String { "kafka-acls --bootstrap-server ADDRESS --add --allow-principal User:NAME \(options)" }
}
