import CRdKafka
public import Model
import Synchronization

/// A record to be written.
public struct OutgoingRecord: Equatable, Sendable {
    public struct Header: Equatable, Sendable {
        public var name: String
        public var value: [UInt8]
        public init(_ name: String, _ value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }
    public var topic: String
    /// nil: murmur2 of the key decides, as Java's producer does; records without a key go anywhere.
    public var partition: Int32?
    public var key: [UInt8]?
    /// nil: a tombstone.
    public var value: [UInt8]?
    public var headers: [Header]
    /// Milliseconds; nil: the time of sending.
    public var timestamp: Int64?
    public init(
        topic: String, partition: Int32? = nil, key: [UInt8]? = nil, value: [UInt8]?, headers: [Header] = [],
        timestamp: Int64? = nil
    ) {
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }
}

/// What became of the records since the last flush.
public struct DeliveryReport: Equatable, Sendable {
    public struct Failure: Equatable, Sendable {
        /// The record's ticket, as `send` gave it.
        public var ticket: Int
        public var fault: Fault
    }
    public var delivered = 0
    public var failed = 0
    /// Still unanswered when the limit was reached: they may or may not be written.
    public var pending = 0
    /// The first `KafkaLimits.reportedFailures` of the failed ones, in the order of their reports.
    public var failures: [Failure] = []
    public init(delivered: Int = 0, failed: Int = 0, pending: Int = 0, failures: [Failure] = []) {
        self.delivered = delivered
        self.failed = failed
        self.pending = pending
        self.failures = failures
    }
    public var isComplete: Bool { failed == 0 && pending == 0 }
}

/// Delivery reports as they come in.
struct Deliveries {
    var delivered = 0
    var failed = 0
    var failures: [(ticket: Int, code: rd_kafka_resp_err_t, place: String)] = []
}

/// An idempotent producer: acks=all, no duplicates by its own retries, order kept per partition. Used by one queue or thread at a
/// time.
///
/// `@unchecked Sendable` is true because: its one user at a time is the caller's promise, and the handle may be used from any thread.
public final class KafkaProducer: @unchecked Sendable {
    private let handle: KafkaHandle
    private var topics: [String: OpaquePointer] = [:]
    private var nextTicket = 0
    private var outstanding = 0
    private var isClosed = false

    public init(_ settings: KafkaSettings, onEvent: @escaping @Sendable (KafkaEvent) -> Void) throws(Fault) {
        handle = try KafkaHandle(settings, role: .producer, onEvent: onEvent)
    }

    /// Hands records over; they are copied. When the client's queue is full it waits for the broker, at most `limit` in all; then,
    /// and on any fault, the records before the faulty one are on their way and their tickets lost. Returns the records' tickets.
    @discardableResult
    public func send(_ records: [OutgoingRecord], within limit: TimeSpan) throws(Fault) -> Range<Int> {
        let first = nextTicket
        var left = limit.milliseconds
        for record in records { try send(record, &left) }
        return first..<nextTicket
    }

    /// The bulk path, for many records without headers: as `send`, with the caller's memory.
    public func send(
        topic: String, partition: Int32? = nil, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, timestamp: Int64,
        within limit: TimeSpan
    ) throws(Fault) {
        var left = limit.milliseconds
        let into = try self.topic(topic)
        try enqueue(topic, partition, &left) { ticket in
            weir_produce(
                handle.pointer, into, partition ?? -1, timestamp, key.baseAddress, key.count, value.baseAddress, value.count,
                UnsafeMutableRawPointer(bitPattern: ticket), nil, nil, nil, 0)
        }
    }

    /// Waits until every record sent has its report, at most `limit`, and tells them. Reports that come later are told by the next
    /// flush.
    public func flush(within limit: TimeSpan) -> DeliveryReport {
        if !isClosed {
            _ = rd_kafka_flush(handle.pointer, Int32(clamping: limit.milliseconds))
            while rd_kafka_poll(handle.pointer, 0) > 0 {}
        }
        let told = handle.heard.deliveries.withLock { deliveries in
            defer { deliveries = Deliveries() }
            return deliveries
        }
        outstanding -= told.delivered + told.failed
        return DeliveryReport(
            delivered: told.delivered, failed: told.failed, pending: outstanding,
            failures: told.failures.map {
                .init(ticket: $0.ticket, fault: KafkaFault.of($0.code, doing: "write the record", place: $0.place))
            })
    }

    /// The error after which this producer can't write any more and must be replaced; nil while it can.
    public var spent: Fault? {
        var text = [CChar](repeating: 0, count: 256)
        let code = rd_kafka_fatal_error(handle.pointer, &text, text.count)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaFault.of(code, doing: "write")
    }

    /// Destroys the client; what was not flushed is dropped. False: it hangs and is left behind.
    @discardableResult
    public func close(within limit: TimeSpan) -> Bool {
        guard !isClosed else { return true }
        isClosed = true
        rd_kafka_purge(handle.pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
        while rd_kafka_poll(handle.pointer, 0) > 0 {}
        for topic in topics.values { rd_kafka_topic_destroy(topic) }
        topics = [:]
        return handle.destroy(within: limit)
    }

    deinit { close(within: .zero) }
}

extension KafkaProducer {
    private func send(_ record: OutgoingRecord, _ left: inout Int64) throws(Fault) {
        guard record.headers.count <= KafkaLimits.headers else {
            throw KafkaFault.tooManyHeaders(record.topic)
        }
        let into = try topic(record.topic)
        try enqueue(record.topic, record.partition, &left) { ticket in
            withHeaders(record.headers) { names, values, sizes in
                withOptionalBytes(record.key) { key in
                    withOptionalBytes(record.value) { value in
                        weir_produce(
                            handle.pointer, into, record.partition ?? -1, record.timestamp ?? 0, key.baseAddress, key.count,
                            value.baseAddress, value.count, UnsafeMutableRawPointer(bitPattern: ticket), names, values, sizes,
                            record.headers.count)
                    }
                }
            }
        }
    }

    /// Polls while the queue is full; reports are collected meanwhile.
    private func enqueue(
        _ topic: String, _ partition: Int32?, _ left: inout Int64, _ produce: (Int) -> rd_kafka_resp_err_t
    ) throws(Fault) {
        while true {
            // Tickets are told as pointers, and a null pointer would be none.
            let code = produce(nextTicket + 1)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR {
                nextTicket += 1
                outstanding += 1
                if nextTicket & 1_023 == 0 { rd_kafka_poll(handle.pointer, 0) }
                return
            }
            let place = partition.map { "\(topic)/\($0)" } ?? topic
            guard code == RD_KAFKA_RESP_ERR__QUEUE_FULL, left > 0 else {
                throw KafkaFault.of(code, doing: "write the record", place: place)
            }
            rd_kafka_poll(handle.pointer, 10)
            left -= 10
        }
    }

    private func topic(_ name: String) throws(Fault) -> OpaquePointer {
        if isClosed { throw KafkaFault.spent("write") }
        if let known = topics[name] { return known }
        guard let made = rd_kafka_topic_new(handle.pointer, name, nil) else {
            throw KafkaFault.of(rd_kafka_last_error(), doing: "open the topic", place: name)
        }
        topics[name] = made
        return made
    }
}

/// nil has no address; no bytes have one, for a null pointer means a tombstone or no key.
private func withOptionalBytes<R>(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    guard let bytes else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
    guard !bytes.isEmpty else {
        return withUnsafeBytes(of: UInt8(0)) { body(UnsafeRawBufferPointer(start: $0.baseAddress, count: 0)) }
    }
    return bytes.withUnsafeBytes(body)
}

typealias CStrings = UnsafePointer<UnsafePointer<CChar>?>
typealias CBytes = UnsafePointer<UnsafeRawPointer?>

/// Headers as three C arrays, alive during the call.
func withHeaders<R>(
    _ headers: [OutgoingRecord.Header], _ body: (CStrings?, CBytes?, UnsafePointer<Int>?) -> R
) -> R {
    guard !headers.isEmpty else { return body(nil, nil, nil) }
    var bytes: [UInt8] = []
    var starts: [(name: Int, value: Int)] = []
    for header in headers {
        starts.append((bytes.count, bytes.count + header.name.utf8.count + 1))
        bytes += Array(header.name.utf8) + [0] + header.value
    }
    bytes.append(0)
    return bytes.withUnsafeBytes { all in
        let names = starts.map { UnsafePointer<CChar>?((all.baseAddress! + $0.name).assumingMemoryBound(to: CChar.self)) }
        let values = starts.map { UnsafeRawPointer?(all.baseAddress! + $0.value) }
        let sizes = headers.map(\.value.count)
        return body(names, values, sizes)
    }
}

/// Called by librdkafka from `rd_kafka_poll` and `rd_kafka_flush`, so on the producer's own thread.
func kafkaDelivered(
    _ handle: OpaquePointer?, _ message: UnsafePointer<rd_kafka_message_t>?, _ opaque: UnsafeMutableRawPointer?
) {
    guard let message, let opaque else { return }
    let ears = Unmanaged<KafkaEars>.fromOpaque(opaque).takeUnretainedValue()
    let code = message.pointee.err
    ears.deliveries.withLock { deliveries in
        if code == RD_KAFKA_RESP_ERR_NO_ERROR {
            deliveries.delivered += 1
            return
        }
        deliveries.failed += 1
        guard deliveries.failures.count < KafkaLimits.reportedFailures else { return }
        let topic = message.pointee.rkt.map { String(cString: rd_kafka_topic_name($0)) } ?? ""
        let partition = message.pointee.partition
        deliveries.failures.append(
            (Int(bitPattern: message.pointee._private) - 1, code, partition >= 0 ? "\(topic)/\(partition)" : topic))
    }
}
