public import Model

extension TimeState {
    /// Applies the record at `offset`; records come in the log's order. Deterministic, so that all who read the log agree.
    /// A commit is one step: whatever its reports say counts at once. Cost: the lanes, a few times.
    public mutating func apply(_ record: TimeRecord, at offset: Int64) {
        var isChanged = false
        let reports = record.reports.filter { Int($0.lane) < lanes.count }
        for report in record.reports where Int(report.lane) >= lanes.count {
            rekeyed[Int(report.lane) - lanes.count].take(report)
        }
        for report in reports {
            let at = Int(report.lane)
            lanes[at].take(report)
            if report.standing == .active, lanes[at].standing != .active {
                lanes[at].standing = .active
                isChanged = true
            }
        }
        // A lane that leaves counts once more with what it reached.
        raise()
        for report in reports where report.standing != .active && lanes[Int(report.lane)].standing != .idle {
            lanes[Int(report.lane)].standing = .idle
            isChanged = true
        }
        raise()
        for report in reports where report.standing == .wants {
            let floor = [lanes[Int(report.lane)].watermark, undisturbed].compactMap(\.self).max()
            lanes[Int(report.lane)].standing = .turn(Turn(floor: floor, writer: record.writer, number: record.number))
            isChanged = true
        }
        // Its writer must have known who is left out: a silence that someone broke meanwhile decides nothing.
        if let target = record.advance, let cap = largestClose, isAllIdle, !isChanged, record.read >= changedAt {
            let reached = min(target, cap)
            combined = max(combined ?? reached, reached)
        }
        if isChanged { changedAt = offset + 1 }
        for (partition, end) in record.ends { ends[Int(partition)] = max(ends[Int(partition)], end) }
        raiseClosable()
    }

    /// The minimum over the lanes that count, of which each must have a watermark (S5).
    private mutating func raise() {
        var lowest: EventTime?
        for lane in lanes {
            let own: EventTime?
            switch lane.standing {
            case .idle: continue
            case .active: own = lane.watermark
            case .turn(let turn): own = turn.floor
            }
            guard let own else { return }
            lowest = min(lowest ?? own, own)
        }
        if let lowest { combined = max(combined ?? lowest, lowest) }
    }

    /// The combined watermark if no lane had a turn. From here on a new turn begins: lanes whose turns overlap would
    /// otherwise hold it where the first one found it.
    private var undisturbed: EventTime? {
        var lowest: EventTime?
        for lane in lanes where lane.standing == .active {
            guard let own = lane.watermark else { return combined }
            lowest = min(lowest ?? own, own)
        }
        return [lowest, combined].compactMap(\.self).max()
    }

    private mutating func raiseClosable() {
        guard var reached = combined else { return }
        for lane in rekeyed {
            guard let own = lane.watermark else { return }
            reached = min(reached, own)
        }
        for lane in lanes where lane.standing != .active {
            if let hold = lane.hold { reached = min(reached, hold - .milliseconds(1)) }
        }
        // What was shipped once stays shipped, though a new owner, who can't know, says that it holds it.
        closable = max(closable ?? reached, reached)
    }
}

extension TimeState.Lane {
    fileprivate mutating func take(_ report: TimeRecord.Report) {
        watermark = [watermark, report.watermark].compactMap(\.self).max()
        newestEventTime = [newestEventTime, report.newestEventTime].compactMap(\.self).max()
        largestClose = [largestClose, report.largestClose].compactMap(\.self).max()
        hold = report.hold
        isFinished = isFinished || report.isFinished
        isClosed = isClosed || report.isClosed
    }
}

/// One process's reading of the log of time. Exact from the log's beginning on, or from the first snapshot behind which it has
/// seen every record. Whoever reads the log drives it, on one queue.
public struct TimeLog: Sendable {
    public private(set) var state: TimeState
    /// The next offset of the log to apply.
    public private(set) var position: Int64
    /// `state` is what everyone else has at `position`; before that it says nothing.
    public private(set) var isExact: Bool
    /// Records since the last one that carried a snapshot.
    public private(set) var sinceSnapshot = 0
    /// The last record of this writer that came by; 0: none.
    public private(set) var heard: Int64 = 0
    private let start: Int64
    private let writer: UInt64
    private let snapshotEvery: Int
    private var waiting: [(offset: Int64, record: TimeRecord)] = []

    /// `start`: the first offset that is read. `writer`: whose records are to be `heard`.
    public init(
        lanes: Int, mergeLanes: Int, rekeyed: Int = 0, start: Int64, writer: UInt64 = 0,
        snapshotEvery: Int = GroupLimits.snapshotEvery
    ) {
        state = TimeState(lanes: lanes, mergeLanes: mergeLanes, rekeyed: rekeyed)
        self.start = start
        self.writer = writer
        self.snapshotEvery = snapshotEvery
        position = start
        isExact = start == 0 || Mutant.hastyReplica.isOn
    }

    /// Where a newcomer begins to read so that it probably meets a snapshot: `attempt` 0, 1, … until it did or the answer is
    /// `begin`. `begin`, `end`: the log's first offset and the next one to be written.
    public static func start(begin: Int64, end: Int64, attempt: Int) -> Int64 {
        let reach = Int64(GroupLimits.snapshotEvery) << Int64(min(4 + 2 * attempt, 40))
        return max(begin, end - reach)
    }

    /// Takes the record at `offset`, which is at or past `position`: markers and aborted records take offsets too.
    public mutating func apply(_ record: TimeRecord, at offset: Int64) {
        position = offset + 1
        if record.writer == writer { heard = record.number }
        sinceSnapshot = record.snapshot == nil ? sinceSnapshot + 1 : 0
        if isExact {
            state.apply(record, at: offset)
            return
        }
        waiting.append((offset, record))
        let read = record.read
        guard let snapshot = record.snapshot, read >= start else { return }
        state = snapshot
        for (offset, record) in waiting where offset >= read { state.apply(record, at: offset) }
        isExact = true
        waiting = []
    }

    /// What `state` comes to with `record` behind all that was read.
    public func state(with record: TimeRecord) -> TimeState {
        var state = state
        state.apply(record, at: position)
        return state
    }

    /// There is nothing below this offset that has not been applied, though no record stands there.
    public mutating func reach(_ offset: Int64) { position = max(position, offset) }

    /// The next record should carry `state`. Who owns lane 0 is first, others only where it does not come to it.
    public func wantsSnapshot(isFirst: Bool) -> Bool {
        isExact && sinceSnapshot >= snapshotEvery * (isFirst ? 1 : 2)
    }
}
