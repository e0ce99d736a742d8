import CRdKafka
public import Model

/// One partition of a `KafkaLog`, read by one thread at a time.
///
/// Cost: a call and a loop for each batch; nothing is allocated for a record.
///
/// `@unchecked Sendable` is true because: its one user at a time is the caller's promise, and the wake-up is behind a `Mutex`.
public final class LogReader: @unchecked Sendable {
    public let id: PartitionID
    private let topic: OpaquePointer
    private let log: KafkaLog
    private let queue: OpaquePointer
    private let wakeUp = WakeUp()
    private let messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
    /// Of `messages`: what was not handed out yet.
    private var held = 0..<0
    /// The broker said that there was no more, at this offset.
    private var end: Int64 = -1
    /// Past everything that was received.
    private var received: Int64
    private var takenRecords = 0
    private var takenBytes = 0
    private var isStopped = false

    /// The next offset: all committed records before it were handed out. It steps over the marks of transactions and what was aborted or
    /// compacted away, so it reaches the end of the log even if the last records there are no records.
    public private(set) var position: Int64

    init(_ id: PartitionID, topic: OpaquePointer, from offset: Int64, log: KafkaLog, wake: (@Sendable () -> Void)?) throws(Fault)
    {
        self.id = id
        self.topic = topic
        self.log = log
        position = offset
        received = offset
        guard let queue = rd_kafka_queue_new(log.handle.pointer) else { throw KafkaFault.spent("read") }
        self.queue = queue
        messages = .allocate(capacity: KafkaLimits.batch)
        wakeUp.set(wake)
        if wake != nil { rd_kafka_queue_cb_event_enable(queue, kafkaQueueFilled, Unmanaged.passUnretained(wakeUp).toOpaque()) }
        guard rd_kafka_consume_start_queue(topic, id.number, offset, queue) == 0 else {
            throw KafkaFault.of(rd_kafka_last_error(), doing: "read", place: "\(id)@\(offset)")
        }
    }

    deinit {
        stop()
        messages.deallocate()
    }

    /// Hands out what has come, in at most one batch; waits at most `limit` for something to come. False: nothing came. Faults:
    /// `offset_out_of_range`, `topic_missing`, `topic_forbidden`, `batch_unreadable`.
    public func next(within limit: TimeSpan, _ body: (LogBatch) throws(Fault) -> Void) throws(Fault) -> Bool {
        try next(before: .max, within: limit, body)
    }

    /// Hands out every committed record up to `target`, which is an end of the log with open transactions counted in
    /// (`KafkaQueries.watermarks`). While nothing comes `waiting` hears why, about ten times a second; what it throws ends the reading.
    /// `patience` is for open transactions: fault `transaction_pending`.
    public func read(
        to target: Int64, patience: TimeSpan = KafkaLimits.patience, waiting: (LogWait) throws(Fault) -> Void = { _ in },
        _ body: (LogBatch) throws(Fault) -> Void
    ) throws(Fault) {
        var silent = TimeSpan.zero
        while position < target {
            if try next(before: target, within: KafkaLimits.controlPoll, body) {
                silent = .zero
                continue
            }
            if position >= target { return }
            silent = silent + KafkaLimits.controlPoll
            guard end == position else {
                try waiting(.silence(silent))
                continue
            }
            try waiting(.openTransaction(silent))
            if silent > patience { throw KafkaFault.transactionPending("\(id)@\(position)") }
        }
    }

    /// Ends the reading of this partition; another reader may take it up then. Waits for librdkafka's threads.
    public func close() {
        stop()
        log.forget(self)
    }

    func stop() {
        guard !isStopped else { return }
        isStopped = true
        wakeUp.set(nil)
        for index in held { rd_kafka_message_destroy(messages[index]) }
        held = 0..<0
        rd_kafka_queue_cb_event_enable(queue, nil, nil)
        rd_kafka_consume_stop(topic, id.number)
        rd_kafka_queue_destroy(queue)
    }
}

extension LogReader {
    private func next(
        before target: Int64, within limit: TimeSpan, _ body: (LogBatch) throws(Fault) -> Void
    ) throws(Fault) -> Bool {
        if isStopped { throw KafkaFault.spent("read") }
        if held.isEmpty { try receive(within: limit) }
        var upper = held.lowerBound
        while upper < held.upperBound, messages[upper].unsafelyUnwrapped.pointee.offset < target { upper += 1 }
        let given = held.lowerBound..<upper
        held = upper..<held.upperBound
        defer { for index in given { rd_kafka_message_destroy(messages[index]) } }
        if !given.isEmpty {
            let last = messages[given.upperBound - 1].unsafelyUnwrapped.pointee.offset
            try body(LogBatch(messages: UnsafePointer(messages + given.lowerBound), count: given.count))
            position = last + 1
        }
        // What is held back lies past the target, and so nothing is left before it.
        position =
            held.isEmpty ? max(position, received) : max(position, min(target, messages[upper].unsafelyUnwrapped.pointee.offset))
        return !given.isEmpty
    }

    /// Fills `messages` with records. One is waited for and the rest taken along: a call for many would wait for all of them.
    private func receive(within limit: TimeSpan) throws(Fault) {
        rd_kafka_poll(log.handle.pointer, 0)
        var got = rd_kafka_consume_batch_queue(queue, 0, messages, KafkaLimits.batch)
        if got == 0, limit > .zero, let first = rd_kafka_consume_queue(queue, Int32(clamping: limit.milliseconds)) {
            messages[0] = first
            got = 1 + max(rd_kafka_consume_batch_queue(queue, 0, messages + 1, KafkaLimits.batch - 1), 0)
        }
        guard got > 0 else { return }
        var kept = 0
        var bytes = 0
        var failure: Fault?
        for index in 0..<got {
            let message = messages[index].unsafelyUnwrapped
            guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR, failure == nil else {
                if failure == nil { failure = classify(message) }
                rd_kafka_message_destroy(message)
                continue
            }
            messages[kept] = message
            kept += 1
            received = message.pointee.offset + 1
            bytes += message.pointee.len + message.pointee.key_len
        }
        held = 0..<kept
        noteTaken(kept, bytes)
        if let failure {
            for index in held { rd_kafka_message_destroy(messages[index]) }
            held = 0..<0
            throw failure
        }
    }

    private func classify(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> Fault? {
        let place = "\(id)@\(received)"
        switch message.pointee.err {
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
            received = max(received, message.pointee.offset)
            end = received
            return nil
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
            return missing()
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            return KafkaFault.forbidden(.read(id.topic), place: place)
        default:
            let fault = KafkaFault.of(message.pointee.err, doing: "read", place: place)
            return fault.isTransient ? nil : fault
        }
    }

    /// Metadata flaps, so the brokers are asked before a topic is given up.
    private func missing() -> Fault? {
        do throws(Fault) {
            let there = try KafkaMetadata.partitions(
                of: id.topic, topic: topic, handle: log.handle, within: KafkaLimits.probeTimeout)
            return there.contains(id) ? nil : KafkaFault.topicMissing(id.description)
        } catch {
            return error.isTransient ? nil : error
        }
    }

    /// As for inputs: older libraries look at a full queue again only when they are woken up.
    private func noteTaken(_ records: Int, _ bytes: Int) {
        takenRecords += records
        takenBytes += bytes
        guard takenRecords >= log.queues.records / 4 || takenBytes >= log.queues.kilobytes * 1_000 / 4 else { return }
        takenRecords = 0
        takenBytes = 0
        log.wakeFetchers()
    }
}
