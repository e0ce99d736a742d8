import CRdKafka
import Testkit

/// librdkafka's own handles, for what the harness does beside the product: feeding, reading back, looking at ends of logs.
final class Client: Sendable {
    /// true because: librdkafka's handles may be used from any thread, and this one is freed once, when nobody holds it any more.
    private struct Handle: @unchecked Sendable { let raw: OpaquePointer }
    private let handle: Handle
    private let isConsumer: Bool
    var raw: OpaquePointer { handle.raw }

    init(_ type: rd_kafka_type_t, _ settings: [String: String]) throws {
        let configuration: OpaquePointer = rd_kafka_conf_new()
        var text = [CChar](repeating: 0, count: 256)
        for (name, value) in settings {
            guard rd_kafka_conf_set(configuration, name, value, &text, text.count) == RD_KAFKA_CONF_OK else {
                throw Broken(what: "\(name) cannot be \(value)")
            }
        }
        rd_kafka_conf_set_log_cb(configuration, silent)
        guard let made = rd_kafka_new(type, configuration, &text, text.count) else { throw Broken(what: "no client") }
        handle = Handle(raw: made)
        isConsumer = type == RD_KAFKA_CONSUMER
    }

    deinit {
        if isConsumer { rd_kafka_consumer_close(handle.raw) }
        rd_kafka_destroy(handle.raw)
    }

    /// The ends of a topic's partitions as this handle sees them: the last stable offset if it reads committed records, the end of the
    /// log if not. nil: the broker did not say.
    func ends(_ topic: String, partitions: Int32, within milliseconds: Int32) -> [Int64]? {
        var ends: [Int64] = []
        for partition in 0..<partitions {
            var (low, high): (Int64, Int64) = (0, 0)
            guard
                rd_kafka_query_watermark_offsets(handle.raw, topic, partition, &low, &high, milliseconds)
                    == RD_KAFKA_RESP_ERR_NO_ERROR
            else { return nil }
            ends.append(high)
        }
        return ends
    }

    struct Broken: Error { var what: String }
}

private func silent(_: OpaquePointer?, _: Int32, _: UnsafePointer<CChar>?, _: UnsafePointer<CChar>?) {}

/// Reads a topic from its beginning to its end.
struct LogReader {
    enum Isolation: String {
        case committed = "read_committed"
        case uncommitted = "read_uncommitted"
    }
    var bootstrap: String

    /// All records, each partition in the order of its offsets. With `committed`, waits for transactions that are still open below the
    /// end of the log as it stands now.
    func read(_ topic: String, partitions: Int32, _ isolation: Isolation, within seconds: Double = 90) throws -> [Logged] {
        let looking = try client(.uncommitted)
        let ends = try eventually("the ends of \(topic)", within: 30) {
            looking.ends(topic, partitions: partitions, within: 1_000)
        }
        let reading = try client(isolation)
        let list = rd_kafka_topic_partition_list_new(partitions)
        defer { rd_kafka_topic_partition_list_destroy(list) }
        for partition in 0..<partitions { rd_kafka_topic_partition_list_add(list, topic, partition).pointee.offset = 0 }
        guard rd_kafka_assign(reading.raw, list) == RD_KAFKA_RESP_ERR_NO_ERROR else { throw Client.Broken(what: "no assignment") }
        var reached = [Int64](repeating: 0, count: Int(partitions))
        var found: [[Logged]] = Array(repeating: [], count: Int(partitions))
        _ = try eventually("the end of \(topic), \(isolation.rawValue), at \(ends)", within: seconds) { () -> Bool? in
            while let message = rd_kafka_consumer_poll(reading.raw, 0) {
                defer { rd_kafka_message_destroy(message) }
                let partition = Int(message.pointee.partition)
                switch message.pointee.err {
                case RD_KAFKA_RESP_ERR_NO_ERROR:
                    found[partition].append(Self.logged(message))
                    reached[partition] = message.pointee.offset + 1
                case RD_KAFKA_RESP_ERR__PARTITION_EOF: reached[partition] = max(reached[partition], message.pointee.offset)
                default: break
                }
            }
            return zip(reached, ends).allSatisfy { $0 >= $1 } ? true : nil
        }
        return found.flatMap { $0 }
    }

    func client(_ isolation: Isolation) throws -> Client {
        try Client(
            RD_KAFKA_CONSUMER,
            [
                "bootstrap.servers": bootstrap, "group.id": "chaos-reader", "isolation.level": isolation.rawValue,
                "enable.partition.eof": "true", "enable.auto.commit": "false", "auto.offset.reset": "earliest",
            ])
    }

    private static func logged(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> Logged {
        var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        return Logged(
            partition: message.pointee.partition, offset: message.pointee.offset,
            timestamp: rd_kafka_message_timestamp(message, &kind), key: bytes(message.pointee.key, message.pointee.key_len),
            value: bytes(message.pointee.payload, message.pointee.len), headers: headers(message))
    }

    private static func bytes(_ start: UnsafeMutableRawPointer?, _ count: Int) -> [UInt8]? {
        start.map { Array(UnsafeRawBufferPointer(start: $0, count: count)) }
    }

    private static func headers(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> [String: String] {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR else { return [:] }
        var found: [String: String] = [:]
        var (name, value, size, at): (UnsafePointer<CChar>?, UnsafeRawPointer?, Int, Int) = (nil, nil, 0, 0)
        while rd_kafka_header_get_all(list, at, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            if let name, let value {
                found[String(cString: name)] = String(decoding: UnsafeRawBufferPointer(start: value, count: size), as: UTF8.self)
            }
            at += 1
        }
        return found
    }
}

/// A transaction of nobody's with a record in each partition of a topic, open as long as this lives, and then aborted.
final class OpenTransaction {
    private let client: Client

    init(bootstrap: String, topic: String, partitions: Int32) throws {
        client = try Client(
            RD_KAFKA_PRODUCER, ["bootstrap.servers": bootstrap, "transactional.id": "\(topic)-stranger"])
        try Self.check(rd_kafka_init_transactions(client.raw, 20_000))
        try Self.check(rd_kafka_begin_transaction(client.raw))
        let into: OpaquePointer = rd_kafka_topic_new(client.raw, topic, nil)
        defer { rd_kafka_topic_destroy(into) }
        let bytes = Array("stranger".utf8)
        for partition in 0..<partitions {
            _ = weir_produce(
                client.raw, into, partition, 0, bytes, bytes.count, bytes, bytes.count, nil, nil, nil, nil, 0)
        }
        rd_kafka_flush(client.raw, 10_000)
    }

    /// Ends what is open under a name, and fences whoever has it.
    static func take(name: String, bootstrap: String) throws {
        let client = try Client(RD_KAFKA_PRODUCER, ["bootstrap.servers": bootstrap, "transactional.id": name])
        try check(rd_kafka_init_transactions(client.raw, 20_000))
    }

    deinit {
        if let error = rd_kafka_abort_transaction(client.raw, 20_000) { rd_kafka_error_destroy(error) }
    }

    private static func check(_ error: OpaquePointer?) throws {
        guard let error else { return }
        defer { rd_kafka_error_destroy(error) }
        throw Client.Broken(what: String(cString: rd_kafka_error_string(error)))
    }
}

/// Writes the input while the scenario runs. Whatever happens to brokers, each record arrives once and in order.
final class Feeder {
    private let client: Client
    private let topic: OpaquePointer
    private var traffic: Traffic
    private let perSecond: Int64
    private var waiting: Outgoing?
    private(set) var sent: Int64 = 0

    init(bootstrap: String, topic: String, traffic: Traffic, perSecond: Int64) throws {
        client = try Client(
            RD_KAFKA_PRODUCER,
            [
                "bootstrap.servers": bootstrap, "enable.idempotence": "true", "acks": "all", "linger.ms": "5",
                "message.timeout.ms": "0", "queue.buffering.max.messages": "1000000",
            ])
        self.topic = rd_kafka_topic_new(client.raw, topic, nil)
        self.traffic = traffic
        self.perSecond = perSecond
    }

    deinit { rd_kafka_topic_destroy(topic) }

    /// Hands what is due over to the client; never waits.
    func feed(elapsed milliseconds: Int64) {
        let due = milliseconds * perSecond / 1_000
        while sent < due {
            let record = waiting ?? traffic.next(elapsed: sent * 1_000 / perSecond)
            waiting = record
            guard hand(record) else { break }
            waiting = nil
            sent += 1
        }
        rd_kafka_poll(client.raw, 0)
    }

    /// Waits until the brokers have everything.
    func flush() throws {
        guard rd_kafka_flush(client.raw, 120_000) == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw Client.Broken(what: "the input did not reach the brokers")
        }
    }

    private func hand(_ record: Outgoing) -> Bool {
        record.key.withUnsafeBytes { key in
            let code =
                if let value = record.value {
                    value.withUnsafeBytes { produce(record, key, $0.baseAddress, $0.count) }
                } else {
                    produce(record, key, nil, 0)
                }
            return code == RD_KAFKA_RESP_ERR_NO_ERROR
        }
    }

    private func produce(_ record: Outgoing, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawPointer?, _ count: Int)
        -> rd_kafka_resp_err_t
    {
        weir_produce(
            client.raw, topic, record.partition, record.timestamp, key.baseAddress, key.count, value, count, nil, nil, nil, nil, 0
        )
    }
}
