import CRdKafka
public import Model

/// From a topology's `kafka:` to librdkafka's properties: the only place that sets any.
public struct KafkaSettings: Equatable, Sendable {
    /// What a client is for; each kind has settings of its own.
    public enum Role: Equatable, Sendable {
        /// Reads partitions by manual assignment, committed records only.
        case consumer(QueueShare)
        /// Asks and commits offsets; sees uncommitted records, so that the end of a log is its end and not the last stable offset.
        case queries(group: String?)
        /// Asks for a group's offsets; waits for those of transactions that are just being ended.
        case offsets(group: String)
        case producer
        /// Writes transactions under this name.
        case transactions(id: String, timeout: TimeSpan)
        /// Is a member of a group and reads nothing. `instance`: its lasting name in the group.
        case membership(group: String, instance: String?, session: TimeSpan)

        var writes: Bool {
            switch self {
            case .producer, .transactions: true
            case .consumer, .queries, .offsets, .membership: false
            }
        }
    }

    /// A property and whether a library that does not know it is fine too.
    struct Property: Equatable {
        var name: String
        var value: String
        var isOptional = false
    }

    public let plan: KafkaPlan
    public let clientID: String

    public init(_ plan: KafkaPlan, clientID: String = "weir") {
        self.plan = plan
        self.clientID = clientID
    }

    /// Refuses what can't work before any connection is made.
    public func check() throws(Fault) { try check(with: .linked) }

    func check(with library: KafkaLibrary) throws(Fault) {
        guard let sasl = plan.sasl else { return }
        if sasl.mechanism.hasPrefix("SCRAM"), !library.canScram {
            throw KafkaFault.scram(sasl.mechanism, version: library.version)
        }
        if sasl.mechanism == "PLAIN", plan.tls == nil { throw KafkaFault.plainWithoutTLS() }
    }

    /// In the order they are set; the topology's own come last but can't touch what the product's promises rest on.
    func properties(for role: Role, with library: KafkaLibrary) throws(Fault) -> [Property] {
        var all = common()
        switch role {
        case .consumer(let queues):
            all += reading(queues, isolation: "read_committed", group: nil, with: library)
        case .queries(let group):
            all += reading(
                QueueShare(budget: ByteCount(0), partitions: 1), isolation: "read_uncommitted", group: group, with: library)
        case .offsets(let group):
            all += reading(
                QueueShare(budget: ByteCount(0), partitions: 1), isolation: "read_committed", group: group, with: library)
        case .producer:
            all += writing()
        case .transactions(let id, let timeout):
            all.removeAll { $0.name == "log.connection.close" }
            all += writing().filter { $0.name != "retry.backoff.ms" }
            all += [
                // Silenced, a connection that breaks under a commit would not be heard of by anybody.
                Property(name: "log.connection.close", value: "true"),
                Property(name: "transactional.id", value: id),
                Property(name: "transaction.timeout.ms", value: "\(timeout.milliseconds)"),
                // The broker answers the first try to add offsets with "not yet"; this is how long it is until the second.
                Property(name: "retry.backoff.ms", value: "\(KafkaLimits.transactionRetryMilliseconds)"),
            ]
        case .membership(let group, let instance, let session):
            all += reading(
                QueueShare(budget: ByteCount(0), partitions: 1), isolation: "read_committed", group: group, with: library)
            all += joining(instance: instance, session: session)
        }
        let known = Set(all.map(\.name)).subtracting(Self.tunable)
        for (name, value) in plan.client.sorted(by: { $0.key < $1.key }) {
            if known.contains(name) || Self.reserved.contains(name) { throw KafkaFault.settingReserved(name) }
            if role.writes, Self.consumerOnly.contains(name) { continue }
            if !role.writes, Self.producerOnly.contains(name) { continue }
            all.removeAll { $0.name == name }
            all.append(Property(name: name, value: value))
        }
        return all
    }

    /// A configuration that `rd_kafka_new` takes over; the caller destroys it if it doesn't get that far.
    func configuration(for role: Role) throws(Fault) -> OpaquePointer {
        let library = KafkaLibrary.linked
        try check(with: library)
        let properties = try properties(for: role, with: library)
        let configuration: OpaquePointer = rd_kafka_conf_new()
        for property in properties {
            var text = [CChar](repeating: 0, count: 512)
            let result = rd_kafka_conf_set(configuration, property.name, property.value, &text, text.count)
            if result == RD_KAFKA_CONF_OK || (result == RD_KAFKA_CONF_UNKNOWN && property.isOptional) { continue }
            rd_kafka_conf_destroy(configuration)
            // The library's own text repeats the value, which may be a secret.
            throw KafkaFault.setting(
                property.name, result == RD_KAFKA_CONF_UNKNOWN ? "no such property" : "the value is not allowed")
        }
        return configuration
    }

    private func common() -> [Property] {
        var all = [
            Property(name: "bootstrap.servers", value: plan.bootstrap),
            Property(name: "client.id", value: clientID),
            Property(name: "socket.nagle.disable", value: "true"),
            Property(name: "socket.keepalive.enable", value: "true"),
            Property(name: "socket.timeout.ms", value: "15000"),
            Property(name: "reconnect.backoff.ms", value: "50"),
            Property(name: "reconnect.backoff.max.ms", value: "1000"),
            Property(name: "topic.metadata.refresh.interval.ms", value: "30000"),
            Property(name: "allow.auto.create.topics", value: "false"),
            Property(name: "log.connection.close", value: "false"),
            Property(name: "enable.metrics.push", value: "false", isOptional: true),
        ]
        if let tls = plan.tls {
            if let ca = tls.ca { all.append(Property(name: "ssl.ca.location", value: ca)) }
            if let certificate = tls.certificate { all.append(Property(name: "ssl.certificate.location", value: certificate)) }
            if let key = tls.key { all.append(Property(name: "ssl.key.location", value: key)) }
        }
        if let sasl = plan.sasl {
            all.append(Property(name: "sasl.mechanism", value: sasl.mechanism))
            all.append(Property(name: "sasl.username", value: sasl.user))
            all.append(Property(name: "sasl.password", value: sasl.password))
        }
        let protocolName =
            switch (plan.tls != nil, plan.sasl != nil) {
            case (false, false): "plaintext"
            case (true, false): "ssl"
            case (false, true): "sasl_plaintext"
            case (true, true): "sasl_ssl"
            }
        all.append(Property(name: "security.protocol", value: protocolName))
        return all
    }

    private func reading(_ queues: QueueShare, isolation: String, group: String?, with library: KafkaLibrary) -> [Property] {
        var all = [
            Property(name: "enable.auto.commit", value: "false"),
            Property(name: "enable.auto.offset.store", value: "false"),
            Property(name: "auto.offset.reset", value: "error"),
            Property(name: "enable.partition.eof", value: "true"),
            Property(name: "check.crcs", value: "true"),
            Property(name: "isolation.level", value: isolation),
            Property(name: "fetch.message.max.bytes", value: "\(queues.fetchBytes)"),
            Property(name: "fetch.max.bytes", value: "\(queues.responseBytes)"),
            // The library wants fetch.max.bytes to be at least this.
            Property(name: "message.max.bytes", value: "\(min(queues.responseBytes, 1_000_000))"),
            Property(name: "receive.message.max.bytes", value: "\(KafkaLimits.receiveBytes)"),
            Property(name: "queued.min.messages", value: "\(queues.records)"),
            Property(name: "queued.max.messages.kbytes", value: "\(queues.kilobytes)"),
            Property(name: "fetch.wait.max.ms", value: "\(KafkaLimits.fetchWaitMilliseconds)"),
            Property(name: "fetch.error.backoff.ms", value: "50"),
        ]
        if library.hasQueueBackoff {
            let backoff = "\(KafkaLimits.queueBackoff.milliseconds)"
            all.append(Property(name: "fetch.queue.backoff.ms", value: backoff, isOptional: true))
        }
        if let group { all.append(Property(name: "group.id", value: group)) }
        return all
    }

    private func joining(instance: String?, session: TimeSpan) -> [Property] {
        var all = [
            // What each member gets is a function of the members' names alone, so a restart under the same name moves nothing.
            Property(name: "partition.assignment.strategy", value: "range"),
            Property(name: "session.timeout.ms", value: "\(session.milliseconds)"),
            Property(name: "heartbeat.interval.ms", value: "\(KafkaLimits.heartbeat.milliseconds)"),
            Property(name: "max.poll.interval.ms", value: "\(KafkaLimits.answerWithin.milliseconds)"),
        ]
        if let instance { all.append(Property(name: "group.instance.id", value: instance)) }
        return all
    }

    private func writing() -> [Property] {
        [
            Property(name: "enable.idempotence", value: "true"),
            Property(name: "acks", value: "all"),
            Property(name: "partitioner", value: "murmur2_random"),
            Property(name: "linger.ms", value: "\(KafkaLimits.lingerMilliseconds)"),
            Property(name: "compression.codec", value: "lz4"),
            Property(name: "message.max.bytes", value: "\(KafkaLimits.producedBytes)"),
            Property(name: "queue.buffering.max.messages", value: "\(KafkaLimits.producerRecords)"),
            Property(name: "queue.buffering.max.kbytes", value: "\(KafkaLimits.producerKilobytes)"),
            Property(name: "retry.backoff.ms", value: "10"),
        ]
    }

    /// Ours by default, but a topology may say otherwise.
    private static let tunable: Set<String> = [
        "socket.timeout.ms", "socket.keepalive.enable", "reconnect.backoff.ms", "reconnect.backoff.max.ms",
        "topic.metadata.refresh.interval.ms", "log.connection.close", "fetch.message.max.bytes", "fetch.max.bytes",
        "receive.message.max.bytes", "queued.min.messages", "queued.max.messages.kbytes", "fetch.wait.max.ms",
        "fetch.error.backoff.ms", "fetch.queue.backoff.ms", "linger.ms", "compression.codec", "queue.buffering.max.messages",
        "queue.buffering.max.kbytes", "retry.backoff.ms", "client.id",
    ]
    /// Never a topology's: secrets have keys of their own, and plugins run code.
    private static let reserved: Set<String> = [
        "group.instance.id", "transactional.id", "plugin.library.paths", "enable.ssl.certificate.verification", "debug",
        "ssl.key.password", "sasl.kerberos.kinit.cmd",
    ]
    private static let consumerOnly: Set<String> = [
        "fetch.message.max.bytes", "fetch.max.bytes", "queued.min.messages", "queued.max.messages.kbytes", "fetch.wait.max.ms",
        "fetch.error.backoff.ms", "fetch.queue.backoff.ms",
    ]
    private static let producerOnly: Set<String> = [
        "linger.ms", "compression.codec", "queue.buffering.max.messages", "queue.buffering.max.kbytes", "retry.backoff.ms",
        "message.timeout.ms", "delivery.timeout.ms", "batch.size",
    ]
}
