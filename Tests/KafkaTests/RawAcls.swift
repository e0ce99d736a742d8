import CRdKafka
import Kafka
import Model
import Testkit

/// Gives and takes rights, as an operator does with `kafka-acls`.
struct RawAcls {
    private let cluster: KafkaCluster
    private let admin: OpaquePointer
    private let user: String

    init(_ cluster: KafkaCluster, user: String) throws {
        self.cluster = cluster
        self.user = "User:\(user)"
        admin = try RawClient.handle(RD_KAFKA_PRODUCER, ["bootstrap.servers": cluster.bootstrap])
    }

    func close() { rd_kafka_destroy(admin) }

    /// By the tool, in the words that people are shown.
    func grantByTool(_ right: KafkaRight) throws { try tool("--add", right) }

    func grant(_ right: KafkaRight) throws {
        guard let kind = Self.kind(right) else { return try tool("--add", right) }
        var binding = rd_kafka_AclBinding_new(
            kind, right.name, Self.pattern(right), user, "*", Self.operation(right), RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, nil, 0)
        defer { rd_kafka_AclBinding_destroy(binding) }
        try ask { rd_kafka_CreateAcls(admin, &binding, 1, nil, $0) }
    }

    func take(_ right: KafkaRight) throws {
        guard let kind = Self.kind(right) else { return try tool("--remove", right) }
        var filter = rd_kafka_AclBindingFilter_new(
            kind, right.name, Self.pattern(right), user, "*", Self.operation(right), RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, nil, 0)
        defer { rd_kafka_AclBinding_destroy(filter) }
        try ask { rd_kafka_DeleteAcls(admin, &filter, 1, nil, $0) }
    }

    private func tool(_ action: String, _ right: KafkaRight) throws {
        let words = right.options.split(separator: " ").map { $0.trimmingQuotes }
        try cluster.tool("acls", [action, "--allow-principal", user] + (action == "--remove" ? ["--force"] : []) + words)
    }

    private func ask(_ request: (OpaquePointer?) -> Void) throws {
        let replies = rd_kafka_queue_new(admin)
        defer { rd_kafka_queue_destroy(replies) }
        request(replies)
        guard let event = rd_kafka_queue_poll(replies, 20_000) else { throw RawClient.Failed(what: "no answer about rights") }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw RawClient.Failed(what: String(cString: rd_kafka_err2name(code))) }
    }

    /// nil: this library does not know the kind.
    private static func kind(_ right: KafkaRight) -> rd_kafka_ResourceType_t? {
        switch right.resource {
        case .topic: RD_KAFKA_RESOURCE_TOPIC
        case .group: RD_KAFKA_RESOURCE_GROUP
        case .transactionalID: nil
        }
    }

    private static func pattern(_ right: KafkaRight) -> rd_kafka_ResourcePatternType_t {
        right.isPrefix ? RD_KAFKA_RESOURCE_PATTERN_PREFIXED : RD_KAFKA_RESOURCE_PATTERN_LITERAL
    }

    private static func operation(_ right: KafkaRight) -> rd_kafka_AclOperation_t {
        switch right.operation {
        case .read: RD_KAFKA_ACL_OPERATION_READ
        case .write: RD_KAFKA_ACL_OPERATION_WRITE
        case .create: RD_KAFKA_ACL_OPERATION_CREATE
        case .describeConfigs: RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS
        }
    }
}

extension Substring {
    fileprivate var trimmingQuotes: String { String(hasPrefix("'") ? dropFirst().dropLast() : self) }
}
