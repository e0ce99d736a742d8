import CRdKafka
public import Model

/// The transactional producer of a process: what it sends in one transaction is read by `read_committed` readers as a whole or not at
/// all, together with the group's offsets (S20). Used by one thread; every call may wait for brokers, so never a lane's queue.
///
/// After a transaction look at `isDoubtful`: if it is set, close this producer and prepare a new one under the same name before the next
/// transaction, whatever the outcome was.
///
/// `@unchecked Sendable` is true because: its one user at a time is the caller's promise, and the handle may be used from any thread.
public final class KafkaTransactions: @unchecked Sendable {
    private let handle: KafkaHandle
    private let transactionalID: String
    private let uncompressed: Set<String>
    private let timeout: TimeSpan
    private let clock: any Clock
    private let deliveries = TransactionDeliveries()
    private let guarded = GuardedCalls("offsets")
    private var topics: [String: TransactionTopic] = [:]
    private var sent = 0
    private var begun = MonotonicTime(nanoseconds: 0)
    private var isOpen = false
    private var isClosed = false

    /// Whether this producer must not begin another transaction: a fatal error, or a commit or abort that was slow or saw a connection
    /// break. A request that is still on its way somewhere could end the next transaction in the place of this one.
    public private(set) var isDoubtful = false

    /// `uncompressed`: topics whose records are written as they are. `timeout`: after which the broker ends an open transaction.
    /// `onEvent` is called on librdkafka's threads.
    public init(
        _ settings: KafkaSettings, transactionalID: String, uncompressed: Set<String> = [],
        timeout: TimeSpan = KafkaLimits.transactionTimeout, clock: any Clock, onEvent: @escaping @Sendable (KafkaEvent) -> Void
    ) throws(Fault) {
        self.transactionalID = transactionalID
        self.uncompressed = uncompressed
        self.timeout = timeout
        self.clock = clock
        handle = try KafkaHandle(settings, role: .transactions(id: transactionalID, timeout: timeout), onEvent: onEvent)
    }

    /// Once, before the first transaction: ends what a predecessor of this name left open, fences it, and gets to know the topics, without
    /// which the first transaction would take a second. Faults: `transactional_id_forbidden`, `topic_forbidden`, `topic_missing`,
    /// `producer_fenced` (exit 7), `broker_unreachable`, `login_refused`, `tls_failed`.
    public func prepare(warming names: [String], within limit: TimeSpan) throws(Fault) {
        let doing = "prepare the transactional producer"
        let deadline = clock.monotonic() + limit
        while let failure = TransactionFailure(rd_kafka_init_transactions(handle.pointer, slice(to: deadline))) {
            guard failure.step == .again else {
                isDoubtful = true
                throw fault(failure, doing: doing)
            }
            // The cause of a time-out, such as a refused login, is heard beside it.
            let cause = KafkaMetadata.refusal(handle, failure.code, doing: doing, place: transactionalID)
            if !cause.isTransient || deadline < clock.monotonic() { throw cause }
        }
        for name in names {
            let left = max(deadline - clock.monotonic(), .seconds(1))
            _ = try KafkaMetadata.partitions(of: name, topic: topic(name).pointer, handle: handle, toWrite: true, within: left)
        }
    }

    /// Local; costs nothing.
    public func begin() throws(Fault) {
        if isClosed { throw KafkaFault.spent("write") }
        if let failure = TransactionFailure(rd_kafka_begin_transaction(handle.pointer)) {
            if failure.step == .replace { isDoubtful = true }
            throw fault(failure, doing: "begin a transaction")
        }
        deliveries.failure = nil
        for topic in topics.values { topic.begin() }
        begun = clock.monotonic()
        isOpen = true
    }

    /// The same one each time: keep it where many records are sent.
    public func topic(_ name: String) throws(Fault) -> TransactionTopic {
        if let known = topics[name] { return known }
        if isClosed { throw KafkaFault.spent("write") }
        var own: OpaquePointer?
        if uncompressed.contains(name) {
            own = rd_kafka_default_topic_conf_dup(handle.pointer)
            rd_kafka_topic_conf_set(own, "compression.codec", "none", nil, 0)
        }
        guard let pointer = rd_kafka_topic_new(handle.pointer, name, own) else {
            throw KafkaFault.of(rd_kafka_last_error(), doing: "open the topic", place: name)
        }
        let made = TransactionTopic(name, pointer, deliveries)
        topics[name] = made
        return made
    }

    /// Hands one record over; it is copied. While the client's queue is full it waits for the broker, at most for the transaction's
    /// time-out. `key` nil: none. `value` nil: a tombstone. `partition` nil: murmur2 of the key decides. `timestamp` 0: now.
    /// A fault means that the transaction has to be aborted.
    ///
    /// Cost: one copy inside librdkafka; nothing else is allocated for a record without headers.
    public func send(
        to topic: TransactionTopic, partition: Int32? = nil, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?,
        headers: [OutgoingRecord.Header] = [], timestamp: Int64 = 0
    ) throws(Fault) {
        if isClosed { throw KafkaFault.spent("write") }
        guard headers.count <= KafkaLimits.headers else { throw KafkaFault.tooManyHeaders(topic.name) }
        // No bytes are not no value: they have an address.
        let some = UnsafeRawPointer(topic.pointer)
        let opaque = Unmanaged.passUnretained(topic).toOpaque()
        var left = timeout.milliseconds
        while true {
            let code = withHeaders(headers) { names, values, sizes in
                weir_produce(
                    handle.pointer, topic.pointer, partition ?? -1, timestamp, key.map { $0.baseAddress ?? some },
                    key?.count ?? 0,
                    value.map { $0.baseAddress ?? some }, value?.count ?? 0, opaque, names, values, sizes, headers.count)
            }
            if code == RD_KAFKA_RESP_ERR_NO_ERROR { break }
            guard code == RD_KAFKA_RESP_ERR__QUEUE_FULL, left > 0 else { throw refusal(of: code, topic.name, partition) }
            rd_kafka_poll(handle.pointer, 10)
            left -= 10
        }
        deliveries.outstanding += 1
        sent += 1
        if sent & 1_023 == 0 { rd_kafka_poll(handle.pointer, 0) }
    }

    /// Waits until the broker has confirmed every record sent. Gives where the last record of this transaction lies in each partition
    /// written to. A fault (the first record's that was refused, or the transaction's) means that it has to be aborted; transient if the
    /// brokers were too slow.
    @discardableResult
    public func flush(within limit: TimeSpan) throws(Fault) -> [PartitionID: Int64] {
        if isClosed { throw KafkaFault.spent("write") }
        var left = limit.milliseconds
        while deliveries.outstanding > 0, deliveries.failure == nil, weir_takes_records(handle.pointer) != 0 {
            if left <= 0 {
                throw KafkaMetadata.refusal(handle, RD_KAFKA_RESP_ERR__TIMED_OUT, doing: "write the records", place: "")
            }
            let slice = min(left, KafkaLimits.flushSlice.milliseconds)
            left -= slice
            _ = rd_kafka_flush(handle.pointer, Int32(slice))
        }
        if let failure = deliveries.failure {
            // It leaves a hole in the numbers by which brokers tell repeated records, so the next ones may be refused too.
            isDoubtful = true
            throw refusal(of: failure)
        }
        if weir_takes_records(handle.pointer) == 0 { throw lost() }
        var found: [PartitionID: Int64] = [:]
        for topic in topics.values { topic.collect(into: &found) }
        return found
    }

    /// Ends the transaction: all records, and where the group goes on. `offsets` are next offsets, `identity` the one that came with their
    /// assignment. Waits at most about twice the transaction's time-out.
    public func commit(offsets: [PartitionID: Int64] = [:], as identity: GroupIdentity? = nil) -> TransactionOutcome {
        precondition(offsets.isEmpty || identity != nil, "Offsets are committed by a member of a group.")
        let before = mark()
        defer {
            judge(since: before)
            isOpen = false
        }
        do throws(Fault) { try flush(within: timeout) } catch { return abandon(error) }
        if !offsets.isEmpty, let identity {
            let failure: TransactionFailure?
            do throws(Fault) { failure = try add(offsets, as: identity, from: before) } catch {
                // Nobody asked for the commit, so nothing was written; the call may come back at any time.
                isDoubtful = true
                return .aborted(error)
            }
            if let failure { return abandon(offsetsFault(failure, offsets, identity.group), failure) }
        }
        FaultPoint.hit(.afterOffsets)
        FaultPoint.hit(.duringCommit)
        guard let failure = untilAnswered(from: before, { rd_kafka_commit_transaction(handle.pointer, -1) }) else {
            return .committed
        }
        // From here on the request to commit may have been carried out, whatever was heard of it.
        let cause = fault(failure, doing: "commit")
        judge(since: before)
        if failure.step == .abort, !isDoubtful, end() == nil {
            judge(since: before)
            return isDoubtful ? .doubtful(cause) : .aborted(cause)
        }
        isDoubtful = true
        return cause.exit == .fenced ? .fenced(cause) : .doubtful(cause)
    }

    /// Drops the transaction, if one is open: nothing of it will ever be seen. The fault tells why this producer can't go on.
    @discardableResult
    public func abort() -> Fault? {
        guard isOpen, !isClosed else { return nil }
        let before = mark()
        defer { isOpen = false }
        let fault = end()
        judge(since: before)
        return fault
    }

    /// Destroys the client; a transaction that is still open stays so until its time-out, or until the next producer of this name is
    /// prepared. False: it hangs and is left behind.
    @discardableResult
    public func close(within limit: TimeSpan) -> Bool {
        guard !isClosed else { return true }
        isClosed = true
        rd_kafka_purge(handle.pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
        while rd_kafka_poll(handle.pointer, 0) > 0 {}
        for topic in topics.values { rd_kafka_topic_destroy(topic.pointer) }
        return handle.destroy(within: limit)
    }

    deinit { close(within: .zero) }
}

// MARK: The end of a transaction

extension KafkaTransactions {
    private struct Mark {
        var at: MonotonicTime
        var brokenConnections: Int
    }

    private func mark() -> Mark { Mark(at: clock.monotonic(), brokenConnections: handle.heard.brokenConnections) }

    private func judge(since before: Mark) {
        while !isClosed, rd_kafka_poll(handle.pointer, 0) > 0 {}
        if clock.monotonic() - before.at > KafkaLimits.transactionDoubt { isDoubtful = true }
        if handle.heard.brokenConnections != before.brokenConnections { isDoubtful = true }
    }

    /// Newer libraries can hang in this call when the group's coordinator is taken away. The fault says so.
    private func add(
        _ offsets: [PartitionID: Int64], as identity: GroupIdentity, from before: Mark
    ) throws(Fault) -> TransactionFailure? {
        let handle = handle
        let milliseconds = Int32(clamping: timeout.milliseconds)
        var hangs = false
        let failure = untilAnswered(from: before) {
            let came = guarded.call(within: timeout + KafkaLimits.guardMargin) {
                let list = PartitionList(offsets.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
                return list.lend { list in
                    identity.lend { ErrorPointer(rd_kafka_send_offsets_to_transaction(handle.pointer, list, $0, milliseconds)) }
                }
            }
            hangs = came == nil
            return came?.pointer
        }
        if hangs { throw KafkaFault.of(RD_KAFKA_RESP_ERR__TIMED_OUT, doing: "commit offsets", place: identity.group) }
        return failure
    }

    /// `@unchecked Sendable` is true because: it is made on one thread and used up on another.
    private struct ErrorPointer: @unchecked Sendable {
        let pointer: OpaquePointer?
        init(_ pointer: OpaquePointer?) { self.pointer = pointer }
    }

    /// Makes a call again as long as that is the thing to do. nil: it succeeded.
    private func untilAnswered(from before: Mark, _ call: () -> OpaquePointer?) -> TransactionFailure? {
        while let failure = TransactionFailure(call()) {
            guard failure.step == .again, clock.monotonic() - before.at < timeout else { return failure }
        }
        return nil
    }

    /// Aborts. The fault: the producer is of no more use; the broker will end the transaction by itself.
    private func end() -> Fault? {
        FaultPoint.hit(.duringAbort)
        guard let failure = untilAnswered(from: mark(), { rd_kafka_abort_transaction(handle.pointer, -1) }) else { return nil }
        isDoubtful = true
        return fault(failure, doing: "abort the transaction")
    }

    /// The commit was not asked for yet, so nothing can have been written, even if the abort fails too.
    private func abandon(_ cause: Fault, _ failure: TransactionFailure? = nil) -> TransactionOutcome {
        if failure?.step == .replace { isDoubtful = true } else { _ = end() }
        return cause.exit == .fenced ? .fenced(cause) : .aborted(cause)
    }

    private func slice(to deadline: MonotonicTime) -> Int32 {
        Int32(clamping: max(min((deadline - clock.monotonic()).milliseconds, 2_000), 1))
    }
}

// MARK: What went wrong

extension KafkaTransactions {
    private static func write(_ topic: String) -> KafkaRight {
        KafkaRight(.write, .topic, topic, why: "write to the topic")
    }

    /// The broker ends a transaction that is open for too long with the same words as one whose name was taken over.
    private var isOverdue: Bool { isOpen && clock.monotonic() - begun >= timeout }

    private func fault(_ failure: TransactionFailure, doing: String) -> Fault {
        if failure.isFence, isOverdue { return KafkaFault.transactionTimedOut(transactionalID, timeout) }
        switch failure.code {
        case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return KafkaFault.forbidden(
                KafkaRight(.write, .transactionalID, transactionalID, why: "write transactions"), place: transactionalID)
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            let told = handle.heard.refusedPartition
            guard let named = topics.keys.first(where: { told.contains("\"\($0)\"") }) else { break }
            return KafkaFault.forbidden(Self.write(named), place: named)
        default: break
        }
        return KafkaFault.of(failure.code, doing: doing, place: transactionalID)
    }

    private func offsetsFault(_ failure: TransactionFailure, _ offsets: [PartitionID: Int64], _ group: String) -> Fault {
        let topics = Set(offsets.keys.map(\.topic)).sorted()
        switch failure.code {
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            let named = topics.filter { failure.text.contains($0) }.max { $0.count < $1.count } ?? topics[0]
            return KafkaFault.forbidden(KafkaRight(.read, .topic, named, why: "commit its offsets"), place: named)
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
            return KafkaFault.of(failure.code, doing: "commit offsets", place: group)
        case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
            return KafkaFault.memberStale(group)
        default:
            return fault(failure, doing: "commit offsets")
        }
    }

    private func refusal(of failure: TransactionDeliveries.Failure) -> Fault {
        failure.code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
            ? KafkaFault.forbidden(Self.write(failure.topic), place: failure.place)
            : KafkaFault.of(failure.code, doing: "write the record", place: failure.place)
    }

    /// A record was not taken.
    private func refusal(of code: rd_kafka_resp_err_t, _ topic: String, _ partition: Int32?) -> Fault {
        if weir_takes_records(handle.pointer) == 0 { return lost() }
        return KafkaFault.of(code, doing: "write the record", place: partition.map { "\(topic)/\($0)" } ?? topic)
    }

    /// Why the transaction takes no more records. The question is a commit, which a transaction that has failed refuses with its cause.
    private func lost() -> Fault {
        var text = [CChar](repeating: 0, count: 512)
        let code = rd_kafka_fatal_error(handle.pointer, &text, text.count)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR {
            isDoubtful = true
            let failure = TransactionFailure(code: code, text: "", isFatal: true, requiresAbort: false, isRetriable: false)
            return fault(failure, doing: "write")
        }
        guard isOpen, let failure = TransactionFailure(rd_kafka_commit_transaction(handle.pointer, -1)) else {
            return KafkaFault.spent("write outside a transaction")
        }
        while rd_kafka_poll(handle.pointer, 0) > 0 {}
        if let refused = deliveries.failure { return refusal(of: refused) }
        return fault(failure, doing: "write the records")
    }
}
