import CRdKafka
public import Model
import Synchronization

/// One partition of the consumer, as its lane sees it. `open`, `take`, `release` and `close` come from the lane's queue, one at a
/// time; `wake` is called on librdkafka's threads when the queue stops being empty, under its lock: it must only schedule the lane.
/// A lane goes on taking until it gets `.nothing`; there is no further wake-up before that.
///
/// Cost: a `take` is one call and a loop over the batch; nothing is allocated per record.
///
/// `@unchecked Sendable` is true because: the columns and marks belong to the lane's queue, and what the control thread changes
/// (`reopen`, `fail`, `stop`) is behind `shared`.
public final class KafkaPartition: PartitionInput, @unchecked Sendable {
    private enum Phase {
        case closed, open, reopening
    }
    private struct Shared {
        var phase = Phase.closed
        var queue: OpaquePointer?
        var fault: Fault?
    }

    public let id: PartitionID
    private let topic: OpaquePointer
    /// Both hold each other until the consumer closes.
    private let consumer: KafkaConsumer
    private let shared = Mutex(Shared())
    private let wakeUp = WakeUp()

    // The lane's own.
    private let messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
    private let payloads: UnsafeMutablePointer<UnsafeRawPointer?>
    private let lengths: UnsafeMutablePointer<Int>
    private let offsets: UnsafeMutablePointer<Int64>
    private let timestamps: UnsafeMutablePointer<Int64>
    private var held = 0
    private var haltAsked = false
    private var position: Int64 = 0
    private var poisonOffset: Int64 = -1
    private var poisonCount = 0
    private var takenBytes: Int64 = 0
    private var takenRecords: Int64 = 0
    private let wakeBytes: Int64
    private let wakeRecords: Int64

    /// The offset at which the broker said that there is no more, past transaction markers; nil once newer records came. On a
    /// read_committed client that is the last stable offset: proof that all committed records were taken, not that the log ends here.
    public private(set) var caughtUpOffset: Int64?

    init(_ id: PartitionID, topic: OpaquePointer, consumer: KafkaConsumer, queues: QueueShare) {
        self.id = id
        self.topic = topic
        self.consumer = consumer
        let size = KafkaLimits.batch
        messages = .allocate(capacity: size)
        payloads = .allocate(capacity: size)
        lengths = .allocate(capacity: size)
        offsets = .allocate(capacity: size)
        timestamps = .allocate(capacity: size)
        wakeBytes = queues.kilobytes * 1_000 / 4
        wakeRecords = queues.records / 4
    }

    deinit {
        release()
        messages.deallocate()
        payloads.deallocate()
        lengths.deallocate()
        offsets.deallocate()
        timestamps.deallocate()
    }

    public func open(at offset: Int64, wake: @escaping @Sendable () -> Void) throws(Fault) {
        wakeUp.set(wake)
        position = offset
        caughtUpOffset = nil
        try shared.withLock { state throws(Fault) in
            precondition(state.queue == nil, "A partition is opened once.")
            try start(&state, at: offset)
        }
    }

    public func take(limit: Int) -> Taken {
        release()
        let (queue, fault, phase) = shared.withLock { (SharedQueue(pointer: $0.queue), $0.fault, $0.phase) }
        if let fault {
            if !haltAsked {
                haltAsked = true
                consumer.ask(.halt(self))
            }
            return .failed(fault)
        }
        guard phase == .open, let queue = queue.pointer else { return .nothing }
        let capacity = min(max(limit, 1), KafkaLimits.batch)
        let got = rd_kafka_consume_batch_queue(queue, 0, messages, capacity)
        guard got > 0 else { return .nothing }
        held = got
        let (count, failure) = fill(got)
        // Less than the lane asked for looks like an empty queue to it, so it is told that there may be more.
        if count < capacity, got == capacity { wakeUp.call() }
        noteTaken()
        if let failure { shared.withLock { if $0.fault == nil { $0.fault = failure } } }
        if count > 0 {
            return .records(
                RecordBatch(count: count, payloads: payloads, lengths: lengths, offsets: offsets, timestamps: timestamps))
        }
        release()
        return failure.map(Taken.failed) ?? .nothing
    }

    public func release() {
        for i in 0..<held { rd_kafka_message_destroy(messages[i]) }
        held = 0
    }

    /// The high watermark of the last fetch response; nil before the first. Any thread.
    public var endOffset: Int64? {
        var low: Int64 = 0
        var high: Int64 = 0
        guard shared.withLock({ $0.phase != .closed }),
            rd_kafka_get_watermark_offsets(consumer.handle.pointer, id.topic, id.number, &low, &high)
                == RD_KAFKA_RESP_ERR_NO_ERROR,
            high >= 0
        else { return nil }
        return high
    }

    /// Nothing of this partition surfaces any more. The control thread stops the fetching, because that waits for librdkafka.
    public func close() {
        release()
        wakeUp.set(nil)
        shared.withLock { $0.phase = .closed }
        consumer.ask(.halt(self))
    }

    /// For the control thread.
    var isOpen: Bool { shared.withLock { $0.phase != .closed && $0.fault == nil } }
}

/// `@unchecked Sendable` is true because: librdkafka's queues may be used from any thread.
private struct SharedQueue: @unchecked Sendable {
    let pointer: OpaquePointer?
}

// MARK: A batch

extension KafkaPartition {
    /// Messages to columns. What is not a record is classified and left out; after an error that leaves a hole nothing more of the
    /// batch counts.
    private func fill(_ got: Int) -> (count: Int, failure: Fault?) {
        var count = 0
        var bytes: Int64 = 0
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        for i in 0..<got {
            let message = messages[i]!
            if message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR {
                takenBytes &+= bytes
                takenRecords &+= Int64(count)
                bytes = 0
                switch classify(message) {
                case .on: continue
                case .hole: return (count, nil)
                case .failed(let fault): return (count, fault)
                }
            }
            payloads[count] = UnsafeRawPointer(message.pointee.payload)
            let length = message.pointee.len
            lengths[count] = length
            let offset = message.pointee.offset
            offsets[count] = offset
            let timestamp = rd_kafka_message_timestamp(message, &type)
            timestamps[count] = timestamp == -1 ? RecordBatch.noTimestamp : timestamp
            bytes &+= Int64(length) &+ Int64(message.pointee.key_len)
            position = offset &+ 1
            count &+= 1
            caughtUpOffset = nil
        }
        takenBytes &+= bytes
        takenRecords &+= Int64(count)
        return (count, nil)
    }

    private enum Notice {
        /// Nothing is lost; go on with the batch.
        case on
        /// The client stepped over something; what follows must not be taken.
        case hole
        case failed(Fault)
    }

    private func classify(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> Notice {
        let code = message.pointee.err
        let place = "\(id)@\(position)"
        switch code {
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
            caughtUpOffset = message.pointee.offset
            // Past markers and removed records: the next offset is known to be at least this.
            position = max(position, message.pointee.offset)
            return .on
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
            // Metadata flaps: the control thread asks again before it is believed.
            consumer.ask(.doubt(self))
            return .on
        case RD_KAFKA_RESP_ERR__BAD_MSG, RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
            if poisonOffset == position { poisonCount += 1 } else { (poisonOffset, poisonCount) = (position, 1) }
            if poisonCount >= KafkaLimits.poisonAttempts { return .failed(KafkaFault.of(code, doing: "read", place: place)) }
            shared.withLock { if $0.phase == .open { $0.phase = .reopening } }
            consumer.ask(.reopen(self, offset: position))
            return .hole
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: return .failed(KafkaFault.forbidden(.read(id.topic), place: place))
        default:
            let fault = KafkaFault.of(code, doing: "read", place: place)
            // What cures itself is told once by the consumer's events, not by every partition.
            return fault.isTransient ? .on : .failed(fault)
        }
    }

    private func noteTaken() {
        guard takenBytes >= wakeBytes || takenRecords >= wakeRecords else { return }
        takenBytes = 0
        takenRecords = 0
        consumer.wakeFetcher()
    }
}

// MARK: What the control thread does

extension KafkaPartition {
    /// The partition can't go on.
    func fail(_ fault: Fault) {
        shared.withLock { if $0.fault == nil { $0.fault = fault } }
        wakeUp.call()
    }

    /// Reads again from `offset` with a queue of its own, so that nothing fetched before surfaces.
    func reopen(at offset: Int64) {
        let isWanted = shared.withLock { $0.phase == .reopening }
        guard isWanted else { return }
        stop()
        let failure = shared.withLock { state -> Fault? in
            guard state.phase == .reopening else { return nil }
            do throws(Fault) {
                try start(&state, at: offset)
                return nil
            } catch {
                return error
            }
        }
        if let failure { fail(failure) }
        wakeUp.call()
    }

    /// The consumer closes.
    func retire() {
        shared.withLock { $0.phase = .closed }
        wakeUp.set(nil)
        stop()
    }

    /// Ends the fetching and frees the queue. Waits for librdkafka's threads; once.
    func stop() {
        let queue = shared.withLock { state in
            defer { state.queue = nil }
            return SharedQueue(pointer: state.queue)
        }
        guard let queue = queue.pointer else { return }
        rd_kafka_queue_cb_event_enable(queue, nil, nil)
        rd_kafka_consume_stop(topic, id.number)
        rd_kafka_queue_destroy(queue)
    }

    private func start(_ state: inout Shared, at offset: Int64) throws(Fault) {
        guard let queue = rd_kafka_queue_new(consumer.handle.pointer) else { throw KafkaFault.spent("read") }
        rd_kafka_queue_cb_event_enable(queue, kafkaQueueFilled, Unmanaged.passUnretained(wakeUp).toOpaque())
        guard rd_kafka_consume_start_queue(topic, id.number, offset, queue) == 0 else {
            let code = rd_kafka_last_error()
            rd_kafka_queue_cb_event_enable(queue, nil, nil)
            rd_kafka_queue_destroy(queue)
            throw KafkaFault.of(code, doing: "read", place: "\(id)@\(offset)")
        }
        state.queue = queue
        state.phase = .open
    }
}

/// The lane's wake-up; it may be taken away while librdkafka's threads call it.
final class WakeUp: Sendable {
    /// A struct around the closure: a bare one would be wrapped in two more thunks by each reading through the generic
    /// `Mutex`, and stored so, until calls take seconds.
    private struct Call: Sendable { var body: (@Sendable () -> Void)? }
    private let wake = Mutex(Call())
    func set(_ wake: (@Sendable () -> Void)?) { self.wake.withLock { $0.body = wake } }
    func call() {
        let wake = wake.withLock { $0 }
        wake.body?()
    }
}

/// Called by librdkafka when the queue stops being empty, with the queue locked.
func kafkaQueueFilled(_ handle: OpaquePointer?, _ opaque: UnsafeMutableRawPointer?) {
    guard let opaque else { return }
    Unmanaged<WakeUp>.fromOpaque(opaque).takeUnretainedValue().call()
}
