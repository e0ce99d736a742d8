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
        /// The largest close of a window that holds data in this lane, or ever held some since its owner has it.
        public var largestClose: EventTime?
        /// Of an idle lane: nothing may close at or past this before the lane has shipped what it holds of it.
        public var hold: EventTime?
        /// It has read all that a bounded run asks for.
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

    public var reports: [Report]
    /// By partition of the partials topic: the next offset behind this commit's records there.
    public var ends: [Int32: Int64]
    /// The combined watermark as the writer knows it.
    public var known: EventTime?
    /// The writer has begun to listen and asks everybody for a full report.
    public var hello: UInt64?
    /// Every lane that the writer owns is reported here.
    public var isFull: Bool
    /// All lanes are idle: where the silence moves the combined watermark (S6).
    public var advance: EventTime?
    public init(
        reports: [Report] = [], ends: [Int32: Int64] = [:], known: EventTime? = nil, hello: UInt64? = nil, isFull: Bool = false,
        advance: EventTime? = nil
    ) {
        self.reports = reports
        self.ends = ends
        self.known = known
        self.hello = hello
        self.isFull = isFull
        self.advance = advance
    }
}
