import CRdKafka
import Model
import Testkit

/// What the product doesn't do, done with librdkafka itself: members of groups and transactions.
enum RawClient {
    static func handle(_ type: rd_kafka_type_t, _ settings: [String: String]) throws -> OpaquePointer {
        let configuration: OpaquePointer = rd_kafka_conf_new()
        for (name, value) in settings { rd_kafka_conf_set(configuration, name, value, nil, 0) }
        rd_kafka_conf_set_log_cb(configuration, silent)
        guard let made = rd_kafka_new(type, configuration, nil, 0) else { throw Failed() }
        return made
    }

    /// Runs `body` while a consumer is a member of the group.
    static func asMember(of group: String, topic: String, _ cluster: KafkaCluster, _ body: () throws -> Void) throws {
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

    /// Writes transactions of one record each: `true` commits, `false` aborts.
    static func transactions(_ values: [(text: String, commits: Bool)], to topic: String, _ cluster: KafkaCluster) throws {
        let producer = try handle(
            RD_KAFKA_PRODUCER, ["bootstrap.servers": cluster.bootstrap, "transactional.id": "\(topic)-writer"])
        defer { rd_kafka_destroy(producer) }
        let into: OpaquePointer = rd_kafka_topic_new(producer, topic, nil)
        defer { rd_kafka_topic_destroy(into) }
        try check(rd_kafka_init_transactions(producer, 20_000))
        for (text, commits) in values {
            try check(rd_kafka_begin_transaction(producer))
            var bytes = Array(text.utf8)
            let code = weir_produce(producer, into, 0, 1, nil, 0, &bytes, bytes.count, nil, nil, nil, nil, 0)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw Failed() }
            // An abort would otherwise purge what was not sent yet, and no marker would be written.
            rd_kafka_flush(producer, 20_000)
            try check(commits ? rd_kafka_commit_transaction(producer, 20_000) : rd_kafka_abort_transaction(producer, 20_000))
        }
    }

    /// Every record of a partition, whatever became of its transaction.
    static func uncommitted(_ id: PartitionID, _ cluster: KafkaCluster) throws -> [String] {
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

    private static func check(_ error: OpaquePointer?) throws {
        guard let error else { return }
        defer { rd_kafka_error_destroy(error) }
        throw Failed(what: String(cString: rd_kafka_error_string(error)))
    }

    struct Failed: Error {
        var what = ""
    }
}

private func silent(_: OpaquePointer?, _: Int32, _: UnsafePointer<CChar>?, _: UnsafePointer<CChar>?) {}
