public import CRdKafka
public import Model

/// What the product doesn't do, done with librdkafka itself: members of groups, transactions of one's own, headers read.
public enum RawClient {
    public static func handle(_ type: rd_kafka_type_t, _ settings: [String: String]) throws -> OpaquePointer {
        let configuration: OpaquePointer = rd_kafka_conf_new()
        for (name, value) in settings { rd_kafka_conf_set(configuration, name, value, nil, 0) }
        rd_kafka_conf_set_log_cb(configuration, silent)
        guard let made = rd_kafka_new(type, configuration, nil, 0) else { throw Failed(what: "no client") }
        return made
    }

    /// Runs `body` while a consumer is a member of the group.
    public static func asMember(of group: String, topic: String, _ cluster: KafkaCluster, _ body: () throws -> Void) throws {
        let member = try handle(RD_KAFKA_CONSUMER, ["bootstrap.servers": cluster.bootstrap, "group.id": group])
        defer {
            rd_kafka_consumer_close(member)
            rd_kafka_destroy(member)
        }
        let topics = rd_kafka_topic_partition_list_new(1)
        defer { rd_kafka_topic_partition_list_destroy(topics) }
        rd_kafka_topic_partition_list_add(topics, topic, -1)
        rd_kafka_subscribe(member, topics)
        _ = try eventually("an assignment") {
            if let message = rd_kafka_consumer_poll(member, 10) { rd_kafka_message_destroy(message) }
            var list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
            rd_kafka_assignment(member, &list)
            defer { rd_kafka_topic_partition_list_destroy(list) }
            return (list?.pointee.cnt ?? 0) > 0 ? true : nil
        }
        try body()
    }

    /// A record as any consumer sees it.
    public struct Seen: Equatable {
        public var key: String?
        public var value: String?
        public var size: Int
        public var headers: [String: String]
    }

    /// The first `count` records of partition 0, in order.
    public static func read(_ count: Int, of topic: String, _ cluster: KafkaCluster) throws -> [Seen] {
        let reader = try handle(RD_KAFKA_CONSUMER, ["bootstrap.servers": cluster.bootstrap, "group.id": "\(topic)-reader"])
        defer {
            rd_kafka_consumer_close(reader)
            rd_kafka_destroy(reader)
        }
        let list = rd_kafka_topic_partition_list_new(1)
        defer { rd_kafka_topic_partition_list_destroy(list) }
        rd_kafka_topic_partition_list_add(list, topic, 0).pointee.offset = 0
        rd_kafka_assign(reader, list)
        var seen: [Seen] = []
        return try eventually("\(count) records of \(topic)") {
            guard let message = rd_kafka_consumer_poll(reader, 10) else { return nil }
            defer { rd_kafka_message_destroy(message) }
            guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
            seen.append(
                Seen(
                    key: text(message.pointee.key, message.pointee.key_len),
                    value: text(message.pointee.payload, message.pointee.len), size: message.pointee.len,
                    headers: headers(message)))
            return seen.count >= count ? seen : nil
        }
    }

    /// Writes one record in a transaction and runs `body` before the transaction is committed.
    public static func whileOpen<T>(_ value: String, in topic: String, _ cluster: KafkaCluster, _ body: () throws -> T) throws
        -> T
    {
        try producing(to: topic, cluster) { producer, into in
            try write(value, at: -1, producer, into)
            let result = try body()
            try check(rd_kafka_commit_transaction(producer, 20_000))
            return result
        }
    }

    /// Writes transactions of one record each: `true` commits, `false` aborts.
    public static func transactions(_ values: [(text: String, commits: Bool)], to topic: String, _ cluster: KafkaCluster) throws {
        try producing(to: topic, cluster) { producer, into in
            for (text, commits) in values {
                try write(text, at: 1, producer, into)
                try check(commits ? rd_kafka_commit_transaction(producer, 20_000) : rd_kafka_abort_transaction(producer, 20_000))
            }
        }
    }

    private static func producing<T>(
        to topic: String, _ cluster: KafkaCluster, _ body: (_ producer: OpaquePointer, _ into: OpaquePointer) throws -> T
    ) throws -> T {
        let producer = try handle(
            RD_KAFKA_PRODUCER, ["bootstrap.servers": cluster.bootstrap, "transactional.id": "\(topic)-writer"])
        defer { rd_kafka_destroy(producer) }
        let into: OpaquePointer = rd_kafka_topic_new(producer, topic, nil)
        defer { rd_kafka_topic_destroy(into) }
        try check(rd_kafka_init_transactions(producer, 20_000))
        return try body(producer, into)
    }

    /// Begins a transaction with one record, which is with the broker when this returns: an abort would otherwise purge it, and no
    /// marker would be written.
    private static func write(_ text: String, at timestamp: Int64, _ producer: OpaquePointer, _ into: OpaquePointer) throws {
        try check(rd_kafka_begin_transaction(producer))
        var bytes = Array(text.utf8)
        let code = weir_produce(producer, into, 0, timestamp, nil, 0, &bytes, bytes.count, nil, nil, nil, nil, 0)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw Failed(what: "not sent") }
        rd_kafka_flush(producer, 20_000)
    }

    /// Every record of a partition, whatever became of its transaction.
    public static func uncommitted(_ id: PartitionID, _ cluster: KafkaCluster) throws -> [String] {
        let settings = [
            "bootstrap.servers": cluster.bootstrap, "isolation.level": "read_uncommitted", "enable.partition.eof": "true",
        ]
        let consumer = try handle(RD_KAFKA_CONSUMER, settings)
        defer { rd_kafka_destroy(consumer) }
        let topic: OpaquePointer = rd_kafka_topic_new(consumer, id.topic, nil)
        defer { rd_kafka_topic_destroy(topic) }
        rd_kafka_consume_start(topic, id.number, 0)
        defer { rd_kafka_consume_stop(topic, id.number) }
        var found: [String] = []
        return try eventually("the end of \(id)") {
            guard let message = rd_kafka_consume(topic, id.number, 100) else { return nil }
            defer { rd_kafka_message_destroy(message) }
            if message.pointee.err == RD_KAFKA_RESP_ERR__PARTITION_EOF { return found }
            let bytes = UnsafeRawBufferPointer(start: message.pointee.payload, count: message.pointee.len)
            if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR { found.append(String(decoding: bytes, as: UTF8.self)) }
            return nil
        }
    }

    private static func text(_ bytes: UnsafeMutableRawPointer?, _ count: Int) -> String? {
        bytes.map { String(decoding: UnsafeRawBufferPointer(start: $0, count: count), as: UTF8.self) }
    }

    private static func headers(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> [String: String] {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR else { return [:] }
        var found: [String: String] = [:]
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        var at = 0
        while rd_kafka_header_get_all(list, at, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            found[String(cString: name!)] = value.map {
                String(decoding: UnsafeRawBufferPointer(start: $0, count: size), as: UTF8.self)
            }
            at += 1
        }
        return found
    }

    private static func check(_ error: OpaquePointer?) throws {
        guard let error else { return }
        defer { rd_kafka_error_destroy(error) }
        throw Failed(what: String(cString: rd_kafka_error_string(error)))
    }

    public struct Failed: Error {
        public var what: String
        public init(what: String) { self.what = what }
    }
}

private func silent(_: OpaquePointer?, _: Int32, _: UnsafePointer<CChar>?, _: UnsafePointer<CChar>?) {}
