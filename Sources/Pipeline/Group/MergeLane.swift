public import Model

/// The pure core of one merge lane: joins the partials of its partition of the partials topic for all outputs that don't close
/// by their own partition (S14), and closes windows by the log of time. Not thread-safe: its lane's queue is the only caller.
public final class MergeLane {
    private let core: MergeCore
    private var clock: MergeClock
    private let lanes: Int
    private let partition: PartitionID
    /// What its windows were closed by; it never goes back, whoever owned the lane.
    private var closedThrough: EventTime?
    /// The newest combined watermark that it acted on, whoever owned the lane.
    private var combined: EventTime?
    private var isEnded = false
    private var received = 0
    /// What late events add to windows, since the last seal.
    private var late: [(entry: Int64, key: [UInt8], cell: [UInt8])] = []

    /// `lanes`: how many input lanes there are; their number is their order (S17).
    public init(plan: Plan, storedOutputs: [UInt16], partition: PartitionID, lanes: Int) {
        core = MergeCore(plan: plan, storedOutputs: storedOutputs, choice: .notKeyed)
        for lane in 0..<lanes { core.add(lane: LaneNumber(lane), order: Int64(lane)) }
        clock = MergeClock(partition: partition.number, position: 0)
        self.lanes = lanes
        self.partition = partition
    }

    // MARK: Restore, before the first partial

    /// What the lane's last commit left. Until the log of time is read again, what is due is as of its `closedThrough`.
    public func restore(
        nextOffset: Int64, closedThrough: EventTime?, combined: EventTime?, progress: [Int32: OutputProgress], isEnded: Bool
    ) {
        clock.reach(nextOffset)
        self.closedThrough = closedThrough
        self.combined = combined
        self.isEnded = isEnded
        core.restore(progress: progress)
        core.beginClosed(closedThrough)
    }

    /// One entry of the lane's committed state. False: damaged.
    public func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Bool {
        core.restore(key: key, value: value)
    }

    // MARK: Work

    public var nextOffset: Int64 { clock.position }

    /// The value of the record at `offset`. One below the next offset was taken before. Errors: `partials_damaged`.
    public func receive(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(Fault) {
        guard offset >= clock.position else { return }
        let isWhole = Partials.decode(bytes) { lane, entry, key, cell in
            received += 1
            if let entry {
                guard lane >= 0, lane < lanes, core.isPartial(key: key, cell: cell) else { return false }
                late.append((entry, Array(key), Array(cell)))
                return true
            }
            let source = Mutant.partialsAdded.isOn ? LaneNumber(received % lanes) : lane
            return lane >= 0 && lane < lanes && core.receive(key: key, cell: cell, from: source, closed: closedThrough)
        }
        guard isWhole else {
            throw Fault(
                "partials_damaged", "A record of the internal topic that carries partial results can't be read.",
                place: "\(partition)@\(offset)",
                next: "See that nothing else writes to this topic; instances of different versions must not share a group.",
                exit: .state)
        }
        clock.reach(offset + 1)
    }

    /// Markers and aborted records take offsets too: everything below this one was taken.
    public func reach(_ offset: Int64) { clock.reach(offset) }

    /// The log of time after each of its records, once it is exact, in order.
    public func note(_ state: TimeState) { clock.note(state) }

    /// Bytes of the partials that wait here, about.
    public var memory: Int { core.memory }

    // MARK: Commits

    /// A merge lane's part of a commit.
    public struct Sealed: Sendable {
        public var rows: [Row]
        public var changes: StateLog
        public var progress: [Int32: OutputProgress]
        public var nextOffset: Int64
        public var combined: EventTime?
        public var closedThrough: EventTime?
        public var isEnded: Bool
        public var closed: ClosedChanges
        /// Entries of the late ledger that a window of theirs could not take any more, since it is not kept here.
        public var refused: [Int64]
        /// Nothing of this may be committed.
        public var fault: Fault?
        /// There is something to commit. That `closedThrough` moved alone is nothing: no window was there to close.
        public var isChanged: Bool
    }

    /// Everything since the last seal: rows that are due, state, and how far the lane came. `lookup`: of the state that the last seal's
    /// commit left, for late events that are applied again.
    public func seal(_ lookup: ClosedLookup = { _, _ in nil }) -> Sealed {
        let moment = clock.moment
        let before = (isEnded, core.progress)
        var fault: Fault?
        var refused: [Int64] = []
        do throws(Fault) { refused = try applyLate(lookup) } catch { fault = error }
        closedThrough = [closedThrough, moment.closable].compactMap(\.self).max()
        combined = [combined, moment.combined].compactMap(\.self).max()
        isEnded = isEnded || moment.end != nil
        // As of what they close by, though others may be further on: a row that is not final can get another one (S16).
        let step = core.step(
            closable: closedThrough, asOf: moment.end.map(\.asOf) ?? closedThrough, ended: moment.end != nil)
        defer { received = 0 }
        return Sealed(
            rows: step.rows, changes: step.changes, progress: core.progress, nextOffset: clock.position,
            combined: combined, closedThrough: closedThrough, isEnded: isEnded, closed: step.closed, refused: refused,
            fault: fault,
            isChanged: received > 0 || !step.rows.isEmpty || !step.changes.isEmpty || !step.closed.isEmpty
                || before != (isEnded, core.progress))
    }

    private func applyLate(_ lookup: ClosedLookup) throws(Fault) -> [Int64] {
        var refused: [Int64] = []
        defer { late = [] }
        for (entry, key, cell) in late where try !core.reapply(key: key, cell: cell, lookup) { refused.append(entry) }
        return refused
    }
}
