public import Model
import State

/// How far a run goes, and the choices that its operator made.
public struct RunOptions: Equatable, Sendable {
    public enum Until: Equatable, Sendable {
        /// Serves until it is told to stop.
        case stopped
        /// The input is bounded by the end offsets seen at start: everything closes, and a later run on the state is refused.
        case end
        /// Stops at the end offsets seen at start; windows stay open and a later run goes on.
        case now
    }

    public var until: Until
    /// Replays a range into a state directory of its own (S17); nil: goes on from where the state stands.
    public var range: ReplayRange?
    /// `--resume TOPIC:P=…`: where to go on in partitions whose position is lost.
    public var resume: [ResumeChoice]
    /// Deletes the state of aggregates that the topology no longer has.
    public var accept: Bool
    /// Bytes of a write-ahead log that a reader holds, above which no input is taken.
    public var heldLog = StateLimits.heldLog
    public init(until: Until = .stopped, range: ReplayRange? = nil, resume: [ResumeChoice] = [], accept: Bool = false) {
        self.until = until
        self.range = range
        self.resume = resume
        self.accept = accept
    }
}

/// A replay's bounds: times bound windows, offsets bound records.
public enum ReplayRange: Equatable, Sendable {
    /// Windows wholly within `[from, until)` are emitted.
    case times(from: EventTime, until: EventTime)
    /// Everything that the records of `[from, until)` touch is emitted. Partitions not named are not read.
    case offsets(from: [PartitionID: Int64], until: [PartitionID: Int64])
}

public struct ResumeChoice: Equatable, Sendable {
    public enum Position: Equatable, Sendable {
        case earliest, latest
        case offset(Int64)
    }
    public var partition: PartitionID
    public var position: Position
    public init(partition: PartitionID, position: Position) {
        self.partition = partition
        self.position = position
    }
}

/// What a run did.
public struct RunSummary: Equatable, Sendable {
    /// Over all partitions, since the state began.
    public var books: Books
    /// Records read by this run.
    public var read: Int64
    public var commits: Int64
    public var rows: Int64
    /// Partitions that stopped, and why.
    public var stopped: [PartitionID: Fault]
    /// Waits of lanes for a turn, in milliseconds: median and 99th percentile.
    public var turnMedian: Int64
    public var turnWorst: Int64
    /// When a lane took the first record of this run; nil: there was none.
    public var firstRecordAt: MonotonicTime?
    /// When the last commit was durable and its rows in their tables; nil: there was none.
    public var lastCommitAt: MonotonicTime?
    /// What lanes asked back that had left their memory, and the most bytes of state that they had in it after a commit.
    public var coldReads: Int64
    public var mostState: Int64
    public init(
        books: Books, read: Int64, commits: Int64, rows: Int64, stopped: [PartitionID: Fault], turnMedian: Int64,
        turnWorst: Int64, firstRecordAt: MonotonicTime? = nil, lastCommitAt: MonotonicTime? = nil,
        coldReads: Int64 = 0, mostState: Int64 = 0
    ) {
        self.books = books
        self.read = read
        self.commits = commits
        self.rows = rows
        self.stopped = stopped
        self.turnMedian = turnMedian
        self.turnWorst = turnWorst
        self.firstRecordAt = firstRecordAt
        self.lastCommitAt = lastCommitAt
        self.coldReads = coldReads
        self.mostState = mostState
    }
}
