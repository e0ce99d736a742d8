/// What one process says in one commit to the group's log of time, from which all form the same combined watermark (S5, S6).
public struct TimeRecord: Equatable, Sendable {
    /// What a lane says of itself.
    public struct Report: Equatable, Sendable {
        public enum Standing: UInt8, Sendable {
            /// It holds the combined watermark back.
            case active = 0
            /// It is left out, by decision.
            case idle = 1
            /// It is idle and a record waits: it asks from which watermark on it may speak.
            case wants = 2
        }
        public var lane: LaneNumber
        public var standing: Standing
        public var watermark: EventTime?
        public var newestEventTime: EventTime?
        /// The largest close of a window that ever held data in this lane.
        public var largestClose: EventTime?
        /// Of an idle lane: nothing may close at or past this before the lane has shipped what it holds of it.
        public var hold: EventTime?
        /// It has read all that a bounded run asks for. Never of a re-keyed lane.
        public var isFinished: Bool
        /// After the end of all: it has shipped everything.
        public var isClosed: Bool
        public init(
            lane: LaneNumber, standing: Standing, watermark: EventTime?, newestEventTime: EventTime?, largestClose: EventTime?,
            hold: EventTime? = nil, isFinished: Bool = false, isClosed: Bool = false
        ) {
            self.lane = lane
            self.standing = standing
            self.watermark = watermark
            self.newestEventTime = newestEventTime
            self.largestClose = largestClose
            self.hold = hold
            self.isFinished = isFinished
            self.isClosed = isClosed
        }
    }

    /// Drawn at random when the writer began to listen: with `number` it names the record.
    public var writer: UInt64
    /// 1, 2, … of this writer.
    public var number: Int64
    /// The next offset of the log that the writer had not applied when it decided what it says here.
    public var read: Int64
    /// A lane at most once.
    public var reports: [Report]
    /// By partition of the partials topic, and behind those of the re-keyed one: the next offset behind this commit's records there.
    public var ends: [Int32: Int64]
    /// All lanes are idle: where the silence moves the combined watermark (S6).
    public var advance: EventTime?
    /// The state at `read`, now and then, so that a newcomer needs only the log's last records.
    public var snapshot: TimeState?
    public init(
        writer: UInt64, number: Int64, read: Int64, reports: [Report] = [], ends: [Int32: Int64] = [:],
        advance: EventTime? = nil, snapshot: TimeState? = nil
    ) {
        self.writer = writer
        self.number = number
        self.read = read
        self.reports = reports
        self.ends = ends
        self.advance = advance
        self.snapshot = snapshot
    }
}

/// What the log of time comes to at one offset: the same for everyone who applied the records before it (S5, S6).
public struct TimeState: Equatable, Sendable {
    public enum Standing: Equatable, Sendable {
        case active
        case idle
        /// It was idle and may take records from the turn's floor on; it counts as if it stood there.
        case turn(Turn)
    }

    public struct Turn: Equatable, Sendable {
        /// nil: there was no combined watermark and the lane has none.
        public var floor: EventTime?
        /// The record that asked for it.
        public var writer: UInt64
        public var number: Int64
        public init(floor: EventTime?, writer: UInt64, number: Int64) {
            self.floor = floor
            self.writer = writer
            self.number = number
        }
    }

    public struct Lane: Equatable, Sendable {
        /// One of which nothing was heard is active without a watermark: it holds all back (S5).
        public var standing = Standing.active
        public var watermark: EventTime?
        public var newestEventTime: EventTime?
        public var largestClose: EventTime?
        public var hold: EventTime?
        public var isFinished = false
        public var isClosed = false
        public init() {}
    }

    /// Input lanes, by their numbers.
    public var lanes: [Lane]
    /// Re-keyed lanes, whose numbers go on behind those of input lanes: they hold no watermark back, but a window closes only when each
    /// of them has shipped its part of it (S7). Of what a lane says of itself only watermark, largest close and that it is closed.
    public var rekeyed: [Lane] = []
    /// The combined watermark; it never goes back.
    public var combined: EventTime?
    /// What merges may close by: everything that ends or closes up to here was shipped.
    public var closable: EventTime?
    /// By partition of the partials topic: behind the last partial that any record told of. Then by that of the re-keyed topic.
    public var ends: [Int64]
    /// Behind the last record after which other lanes were left out than before.
    public var changedAt: Int64

    /// The state at the beginning of the log.
    public init(lanes: Int, mergeLanes: Int, rekeyed: Int = 0) {
        self.lanes = Array(repeating: Lane(), count: lanes)
        self.rekeyed = Array(repeating: Lane(), count: rekeyed)
        ends = Array(repeating: 0, count: mergeLanes + rekeyed)
        changedAt = 0
    }

    /// Every lane has read all that a bounded run asks for.
    public var isEnded: Bool { lanes.allSatisfy(\.isFinished) }
    /// Every lane has shipped everything after the end.
    public var isAllClosed: Bool { lanes.allSatisfy(\.isClosed) && rekeyed.allSatisfy(\.isClosed) }
    public var isAllIdle: Bool { lanes.allSatisfy { $0.standing == .idle } }
    public var newestEventTime: EventTime? { lanes.compactMap(\.newestEventTime).max() }
    /// What closes the last window that held data in any output: silence moves nothing past it (S6).
    public var largestClose: EventTime? { (lanes + rekeyed).compactMap(\.largestClose).max() }
    /// As of when the rows are that come at the end (S6).
    public var asOf: EventTime? { [combined, newestEventTime].compactMap(\.self).max() }
}
