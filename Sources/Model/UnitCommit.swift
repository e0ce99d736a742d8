/// What the last commit left of one unit of a group: a lane, or a merge lane (S19, S20). Written with each of its commits.
public struct UnitHead: Equatable, Sendable {
    public var lane: LaneNumber
    /// What it reads: an input partition, or one of the partials topic.
    public var partition: PartitionID
    /// 1, 2, … over the unit's life, whoever owns it.
    public var sequence: Int64
    public var at: WallTime
    /// A merge lane keeps none of its own.
    public var books: Books
    public var watermark: EventTime?
    public var newestEventTime: EventTime?
    public var nextOffset: Int64
    public var lastRecord: RecordFingerprint?
    /// Of an input lane: `SealedLane.largestClose`, so that its next owner knows it too (S6).
    public var largestClose: EventTime?
    /// It does not hold the combined watermark back (S6).
    public var isIdle: Bool
    /// The bounded input is over and this unit has closed everything.
    public var isEnded: Bool
    /// The combined watermark as the owner knew it: no unit ever acted on a later one.
    public var combined: EventTime?
    /// For a merge lane: what its windows were closed by.
    public var closedThrough: EventTime?
    /// By stored output number (S25).
    public var progress: [Int32: OutputProgress]
    public init(
        lane: LaneNumber, partition: PartitionID, sequence: Int64, at: WallTime, books: Books, watermark: EventTime?,
        newestEventTime: EventTime?, nextOffset: Int64, lastRecord: RecordFingerprint?, largestClose: EventTime?, isIdle: Bool,
        isEnded: Bool, combined: EventTime?, closedThrough: EventTime?, progress: [Int32: OutputProgress]
    ) {
        self.lane = lane
        self.partition = partition
        self.sequence = sequence
        self.at = at
        self.books = books
        self.watermark = watermark
        self.newestEventTime = newestEventTime
        self.nextOffset = nextOffset
        self.lastRecord = lastRecord
        self.largestClose = largestClose
        self.isIdle = isIdle
        self.isEnded = isEnded
        self.combined = combined
        self.closedThrough = closedThrough
        self.progress = progress
    }
}

/// A row on its way to a topic, as its bytes. In the changelog it says that the row is owed (S21).
public struct OwedRow: Equatable, Sendable {
    public var topic: String
    /// The aggregate's name: header `weir-output`.
    public var output: String
    public var key: [UInt8]
    public var value: [UInt8]
    public init(topic: String, output: String, key: [UInt8], value: [UInt8]) {
        self.topic = topic
        self.output = output
        self.key = key
        self.value = value
    }
}

/// One unit's part of a group's commit: what its changelog partition gets, and SQLite after it.
public struct UnitCommit: Sendable {
    public var head: UnitHead
    public var changes: StateLog
    /// For the late ledger; empty where only counts are kept or a topic takes them.
    public var late: [LateEntry]
    /// For the ledger of duplicates; empty where they are only counted or a topic takes them.
    public var duplicates: [CopyEntry] = []
    /// For the table of dead letters; empty where a topic takes them.
    public var deadLetters: [DeadLetter]
    public var decisions: [Decision]
    /// What is owed from this commit on; replaces what was (S21). Empty with `exactly_once`.
    public var owed: [OwedRow]
    /// The cells of closed windows.
    public var closed = ClosedChanges()
    /// Entries of the unit's late ledger that were applied again, by their numbers among those of all units.
    public var reapplied: [ReappliedEntry] = []
    public init(
        head: UnitHead, changes: StateLog, late: [LateEntry] = [], deadLetters: [DeadLetter] = [], decisions: [Decision] = [],
        owed: [OwedRow] = []
    ) {
        self.head = head
        self.changes = changes
        self.late = late
        self.deadLetters = deadLetters
        self.decisions = decisions
        self.owed = owed
    }
}
