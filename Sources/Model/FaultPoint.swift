#if FAULT_POINTS
    import Glibc
    import Synchronization
#endif

/// A named moment of a commit, a restore or a hand-over in a group, at which a test may end, stop or delay the process: the rows of
/// the crash matrix. Debug builds know them, release builds have nothing of them but an empty function.
///
/// Switched on by the environment, read once: `WEIR_CRASH_AT=POINT[:n[:ms]]` kills the process at the n-th hit (1 unless said), or
/// that many milliseconds after it while the process goes on; `WEIR_STOP_AT` stops it (SIGSTOP) likewise; `WEIR_DELAY_AT=POINT:n:ms`
/// holds up the n-th hit and every one after it. `WEIR_DIES_OF=TEXT` ends the process by a record that holds the text.
public enum FaultPoint: String, CaseIterable, Sendable {
    /// The units have sealed, no transaction is open for this commit.
    case beforeBegin = "before_begin"
    case afterBegin = "after_begin"
    /// Some of the commit's records are with the client, some are not.
    case midChangelog = "mid_changelog"
    /// All records but the log of time's are with the client, not all with the broker.
    case afterRecords = "after_records"
    /// The broker has confirmed the records.
    case afterFlush = "after_flush"
    /// Offsets are part of the transaction; nobody has asked for its end.
    case afterOffsets = "after_offsets"
    /// Hit right before the call that commits: with `:n:ms` the process dies while the request or its answer is on its way.
    case duringCommit = "during_commit"
    /// The broker has committed, SQLite knows nothing of it.
    case afterCommitBeforeState = "after_commit_before_state"
    /// Some of the changes are in SQLite's open transaction.
    case insideStateTransaction = "inside_state_transaction"
    case afterState = "after_state"
    /// At least once: the transaction is committed, of the owed rows some are sent.
    case duringOwedRows = "during_owed_rows"
    case duringAbort = "during_abort"
    /// Before the call that fences an earlier producer of this name.
    case beforeInitTransactions = "before_init_transactions"
    /// Some of a unit's changelog is applied and committed to SQLite, some is not read.
    case duringRestore = "during_restore"
    /// A part of the changelog is in SQLite's open transaction.
    case insideRestoreTransaction = "inside_restore_transaction"
    /// Everything is restored, no unit takes records yet.
    case beforeAssignResume = "before_assign_resume"
    /// A revoke was told; the units have stopped taking, their last commit is still to come.
    case duringRevoke = "during_revoke"
    /// The revoke's commit is done, the group has no answer yet.
    case beforeRevokeAnswer = "before_revoke_answer"
    /// Some of the internal topics exist, some do not.
    case duringTopicCreation = "during_topic_creation"

    /// Called from any queue, a few times a commit, never for each record. One branch where nothing is switched on.
    @inline(__always) public static func hit(_ point: FaultPoint) {
        #if FAULT_POINTS
            if let armed { armed.hit(point) }
        #endif
    }

    /// Whether the batch that a lane has just taken is to be handed to its core once more: `WEIR_REDELIVER=n` says so for every
    /// n-th batch of the process, as a client that delivers an offset twice.
    @inline(__always) public static func redelivers() -> Bool {
        #if FAULT_POINTS
            if let armed { return armed.redelivers() }
        #endif
        return false
    }

    /// Ends the process as a fault of its own would if one of these records holds the text of `WEIR_DIES_OF`.
    @inline(__always) public static func meet(_ batch: RecordBatch, _ count: Int) {
        #if FAULT_POINTS
            if let armed { armed.meet(batch, count) }
        #endif
    }
}

#if FAULT_POINTS
    extension FaultPoint {
        /// nil: nothing is switched on.
        fileprivate static let armed = ArmedFaults(environment: { name in getenv(name).map { String(cString: $0) } })
    }

    /// What the environment asks for.
    final class ArmedFaults: Sendable {
        enum Act: Sendable { case crash, stop, delay }
        struct Order: Sendable {
            var act: Act
            var point: FaultPoint
            var at: Int
            /// nil: at once.
            var milliseconds: UInt32?
        }

        private let orders: [Order]
        private let redeliverEvery: Int
        private let deadly: [UInt8]
        private let hits = Mutex<[FaultPoint: Int]>([:])
        private let batches = Atomic<Int>(0)

        init?(environment: (String) -> String?) {
            var orders: [Order] = []
            for (name, act) in [("WEIR_CRASH_AT", Act.crash), ("WEIR_STOP_AT", .stop), ("WEIR_DELAY_AT", .delay)] {
                guard let text = environment(name) else { continue }
                guard let order = Self.order(act, text) else { Self.refuse("\(name)=\(text)") }
                orders.append(order)
            }
            let redelivery = environment("WEIR_REDELIVER")
            redeliverEvery = redelivery.flatMap { Int($0) } ?? 0
            if redelivery != nil, redeliverEvery <= 0 { Self.refuse("WEIR_REDELIVER") }
            deadly = Array((environment("WEIR_DIES_OF") ?? "").utf8)
            if orders.isEmpty && redeliverEvery == 0 && deadly.isEmpty { return nil }
            self.orders = orders
        }

        /// nil: the text is none.
        static func order(_ act: Act, _ text: String) -> Order? {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard (1...3).contains(parts.count), let point = FaultPoint(rawValue: String(parts[0])) else { return nil }
            let at = parts.count > 1 ? Int(parts[1]) : 1
            let milliseconds = parts.count > 2 ? UInt32(parts[2]) : 0
            guard let at, at > 0, let milliseconds, act != .delay || milliseconds > 0 else { return nil }
            return Order(act: act, point: point, at: at, milliseconds: parts.count > 2 ? milliseconds : nil)
        }

        func hit(_ point: FaultPoint) {
            let count = hits.withLock { hits in
                hits[point, default: 0] += 1
                return hits[point] ?? 0
            }
            for order in orders where order.point == point {
                switch order.act {
                case .delay: if count >= order.at { usleep((order.milliseconds ?? 0) * 1_000) }
                case .crash: if count == order.at { Self.signal(SIGKILL, after: order.milliseconds) }
                case .stop: if count == order.at { Self.signal(SIGSTOP, after: order.milliseconds) }
                }
            }
        }

        func redelivers() -> Bool {
            redeliverEvery > 0 && batches.add(1, ordering: .relaxed).newValue % redeliverEvery == 0
        }

        func meet(_ batch: RecordBatch, _ count: Int) {
            guard !deadly.isEmpty else { return }
            for index in 0..<count {
                guard let payload = batch.payloads[index] else { continue }
                let bytes = UnsafeRawBufferPointer(start: payload, count: batch.lengths[index])
                for from in bytes.indices where bytes[from...].starts(with: deadly) { abort() }
            }
        }

        private static func signal(_ number: Int32, after milliseconds: UInt32?) {
            guard let milliseconds else {
                kill(getpid(), number)
                return
            }
            var thread = pthread_t()
            let order = UnsafeMutableRawPointer(bitPattern: UInt(milliseconds) << 8 | UInt(number))
            pthread_create(&thread, nil, strike, order)
            pthread_detach(thread)
        }

        /// A test that asks for what does not exist must not pass.
        private static func refuse(_ text: String) -> Never {
            let words = Array("not a fault that this build knows: \(text)\n".utf8)
            _ = words.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
            abort()
        }
    }

    private func strike(_ order: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        let order = UInt(bitPattern: order)
        usleep(UInt32(order >> 8) * 1_000)
        kill(getpid(), Int32(order & 0xff))
        return nil
    }
#endif
