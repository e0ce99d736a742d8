/// The number of a lane inside one process's state. Assigned once to an input partition and never reused; stored.
public typealias LaneNumber = Int32

/// The lane number under which the merge keeps its state.
public let mergeLane: LaneNumber = -1

/// One refused (record, output) pair (S13).
public struct LateEntry: Equatable, Sendable {
    public var output: Int
    /// Where the record lies, if not in the lane's own partition (a re-keyed one has no log).
    public var source: PartitionID?
    public var offset: Int64
    public var eventTime: EventTime
    /// The event's last window.
    public var windowStart: EventTime
    public var windowEnd: EventTime
    /// The partition's watermark before the record.
    public var watermark: EventTime
    public var lateBy: TimeSpan
    /// The dedup identity (S9); nil where there is none.
    public var identity: Identity?
    /// What goes to a topic for late records; nil: they have none.
    public var record: LateRecord?
    public init(
        output: Int, offset: Int64, eventTime: EventTime, windowStart: EventTime, windowEnd: EventTime, watermark: EventTime,
        lateBy: TimeSpan, identity: Identity?, record: LateRecord? = nil
    ) {
        self.output = output
        self.offset = offset
        self.eventTime = eventTime
        self.windowStart = windowStart
        self.windowEnd = windowEnd
        self.watermark = watermark
        self.lateBy = lateBy
        self.identity = identity
        self.record = record
    }
}

/// A late record as it was read.
public struct LateRecord: Equatable, Sendable {
    /// The record's own timestamp; nil if it had none.
    public var timestamp: Int64?
    /// The size of the payload in bytes.
    public var size: Int64
    /// At most 64 KiB of the original bytes; nil where they must not leave (personal fields).
    public var payload: [UInt8]?
    public init(timestamp: Int64?, size: Int64, payload: [UInt8]?) {
        self.timestamp = timestamp
        self.size = size
        self.payload = payload
    }
}

/// 128 bits by which copies of an event are recognised (S9).
public struct Identity: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64
    @inlinable public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// A rejected record on its way to the dead letters (S2).
public struct DeadLetter: Equatable, Sendable {
    public var offset: Int64
    public var reason: RejectReason
    /// The field that was missing or wrong, as an index into the plan's fields; nil where no field is to blame.
    public var field: Int?
    /// The record's own timestamp; nil if it had none.
    public var timestamp: Int64?
    /// The size of the payload in bytes.
    public var size: Int64
    /// At most 64 KiB of the original bytes; nil where they must not leave (personal fields, oversize) or there are none.
    public var payload: [UInt8]?
    public init(offset: Int64, reason: RejectReason, field: Int?, timestamp: Int64?, size: Int64, payload: [UInt8]?) {
        self.offset = offset
        self.reason = reason
        self.field = field
        self.timestamp = timestamp
        self.size = size
        self.payload = payload
    }
}

/// What one lane did since it was sealed last: all of it is committed, or nothing (S19).
public struct SealedLane: Sendable {
    public var lane: LaneNumber
    public var partition: PartitionID
    public var changes: StateLog
    /// Partial results for the merge: key = `PartialKey` bytes, value = the cell's encoding (S14).
    public var partials: StateLog
    /// Totals since the beginning, not since the last seal.
    public var books: Books
    /// nil: no record has passed the stage event time yet (S4: no -1).
    public var watermark: EventTime?
    public var newestEventTime: EventTime?
    public var nextOffset: Int64
    /// The timestamp of the record before `nextOffset` and a hash of its bytes, by which a recreated topic is recognised.
    public var lastRecord: RecordFingerprint?
    public var late: [LateEntry]
    public var deadLetters: [DeadLetter]
    /// The largest close of the windows that hold data in this lane (S6's cap); nil: none does.
    public var lastOpenClose: EventTime?
    /// The largest close of a window that ever held data in this lane; nil: none did. A group's cap, whose partials may wait
    /// elsewhere.
    public var largestClose: EventTime?
    /// When the first of the cells that wait to be shipped to a merge lane is due: its window's end or close. nil: none waits.
    public var hold: EventTime?
    /// Bytes of memory the lane's state takes.
    public var memory: Int64
    /// Totals since the beginning, for who tells them; committed among the changes.
    public var figures = LaneFigures()
    /// Which of the lane's seals this is, since it was made: 1, 2, …
    public var seal: Int64
    /// Copies that were recognised; empty where they are only counted.
    public var duplicates: [CopyEntry] = []
    /// The operator's orders that state does not know of yet, the last of which holds at `nextOffset`.
    public var heeded: [HeededOrder] = []
    /// What is handed on, by re-keyed partition; empty: this lane keeps its records.
    public var rekeyed: [RekeyedRecords] = []
    public init(
        lane: LaneNumber, partition: PartitionID, changes: StateLog, partials: StateLog, books: Books, watermark: EventTime?,
        newestEventTime: EventTime?, nextOffset: Int64, lastRecord: RecordFingerprint?, late: [LateEntry],
        deadLetters: [DeadLetter], lastOpenClose: EventTime?, memory: Int64, largestClose: EventTime? = nil,
        hold: EventTime? = nil, seal: Int64 = 0
    ) {
        self.lane = lane
        self.partition = partition
        self.changes = changes
        self.partials = partials
        self.books = books
        self.watermark = watermark
        self.newestEventTime = newestEventTime
        self.nextOffset = nextOffset
        self.lastRecord = lastRecord
        self.late = late
        self.deadLetters = deadLetters
        self.lastOpenClose = lastOpenClose
        self.memory = memory
        self.largestClose = largestClose
        self.hold = hold
        self.seal = seal
    }

    /// Everything that is in committed state: what stays is what the lane says of itself.
    public mutating func letGo() {
        changes = StateLog()
        partials = StateLog()
        late = []
        deadLetters = []
        duplicates = []
        rekeyed = []
    }
}

public struct RecordFingerprint: Equatable, Sendable {
    public var offset: Int64
    public var timestamp: Int64
    public var hash: UInt64
    public init(offset: Int64, timestamp: Int64, hash: UInt64) {
        self.offset = offset
        self.timestamp = timestamp
        self.hash = hash
    }
}

/// A step that a measurement caused and a restart must repeat (S6), or a choice an operator made. Stored, in order.
public enum Decision: Equatable, Sendable {
    /// The lane stops holding the combined watermark back.
    case idle(lane: LaneNumber)
    /// It speaks again, its watermark raised to `watermark` first (nil: there was no combined one yet).
    case speaks(lane: LaneNumber, watermark: EventTime?)
    /// All lanes are idle and the combined watermark was moved to this.
    case advanced(to: EventTime)
    /// A position was lost and an operator chose where to go on (`--resume`); `[from, to)` was not read.
    case resumed(lane: LaneNumber, from: Int64, to: Int64)
    /// An operator told the service something (docs/operations.md): the command's word, its line, and what it did, as JSON.
    case commanded(word: String, asked: String, result: String)
    /// The bounded input is over; every window closed.
    case ended
}

/// The combined watermark and who is left out of it (S5, S6): committed with everything else.
public struct CombinedTime: Equatable, Sendable {
    public var watermark: EventTime?
    public var idle: Set<LaneNumber>
    public var ended: Bool
    public init(watermark: EventTime? = nil, idle: Set<LaneNumber> = [], ended: Bool = false) {
        self.watermark = watermark
        self.idle = idle
        self.ended = ended
    }
}

/// One emitted row (S16). `output` is an index into the plan's aggregates.
public struct Row: Equatable, Sendable {
    public var output: Int
    public var windowStart: EventTime
    public var windowEnd: EventTime
    public var group: [Value]
    public var measures: [Value]
    public var revision: Int64
    public var final: Bool
    public var asOf: EventTime?
    /// A longer session stands in its place: this row is to be forgotten.
    public var retracted: Bool
    /// Why it came; nil: its window took events in time.
    public var reason: Reason?
    public enum Reason: String, Sendable {
        /// Late events were applied again (S13).
        case reapplied
    }
    /// Measures whose value can't be told: a sum beyond the range of doubles, more different values than the limit. They stand as
    /// null, and are counted.
    public var errors: [Int]
    public init(
        output: Int, windowStart: EventTime, windowEnd: EventTime, group: [Value], measures: [Value], revision: Int64,
        final: Bool, asOf: EventTime?, retracted: Bool = false, errors: [Int] = [], reason: Reason? = nil
    ) {
        self.output = output
        self.windowStart = windowStart
        self.windowEnd = windowEnd
        self.group = group
        self.measures = measures
        self.revision = revision
        self.final = final
        self.asOf = asOf
        self.retracted = retracted
        self.errors = errors
        self.reason = reason
    }
}

/// Everything that becomes durable together (S19).
public struct Commit: Sendable {
    /// 1, 2, … without gaps over the life of the state.
    public var number: Int64
    public var at: WallTime
    /// A lane stands here at most twice; then the later entry's totals hold and both lists of changes apply in order.
    public var lanes: [SealedLane]
    public var merge: StateLog
    public var rows: [Row]
    public var decisions: [Decision]
    public var time: CombinedTime
    /// Per aggregate, S25.
    public var progress: [OutputProgress]
    /// The cells of closed windows.
    public var closed: ClosedChanges
    /// Entries of the late ledger that were applied again.
    public var reapplied: [ReappliedEntry]
    public init(
        number: Int64, at: WallTime, lanes: [SealedLane], merge: StateLog, rows: [Row], decisions: [Decision], time: CombinedTime,
        progress: [OutputProgress], closed: ClosedChanges = ClosedChanges(), reapplied: [ReappliedEntry] = []
    ) {
        self.number = number
        self.at = at
        self.lanes = lanes
        self.merge = merge
        self.rows = rows
        self.decisions = decisions
        self.time = time
        self.progress = progress
        self.closed = closed
        self.reapplied = reapplied
    }
}

/// How far an output is told (S25); nil: nothing yet.
public struct OutputProgress: Equatable, Sendable {
    public var completeThrough: EventTime?
    public var finalThrough: EventTime?
    public init(completeThrough: EventTime? = nil, finalThrough: EventTime? = nil) {
        self.completeThrough = completeThrough
        self.finalThrough = finalThrough
    }
}
