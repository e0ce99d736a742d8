public import Model

/// One record as a test file writes it.
public struct FedRecord: Equatable, Sendable {
    /// nil: the source's first topic.
    public var topic: String?
    public var partition: Int32
    /// nil: the one after the highest that the partition was fed. A lower one is a redelivery (S1).
    public var offset: Int64?
    public var key: [UInt8]?
    /// nil is a tombstone.
    public var payload: [UInt8]?
    /// nil: the record's event time; none where that can't be read.
    public var timestamp: WallTime?
    public init(
        topic: String? = nil, partition: Int32 = 0, offset: Int64? = nil, key: [UInt8]? = nil, payload: [UInt8]?,
        timestamp: WallTime? = nil
    ) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.key = key
        self.payload = payload
        self.timestamp = timestamp
    }
}

/// How a process ends before it starts again.
public enum Restart: String, CaseIterable, Sendable {
    /// All memory is lost; what was not committed is read again.
    case crash
    /// It commits and closes first.
    case clean
}

/// What an `expect` sees. Rows, late entries and dead letters are those since the last one; all else is as it stands.
public struct Observation: Equatable, Sendable {
    /// One row of an output, whatever number of targets it has.
    public struct Row: Equatable, Sendable {
        public var output: String
        /// `window_start`, `window_end`, the group, the measures, in declared order.
        public var columns: [Column]
        public var revision: Int64
        public var final: Bool
        public var asOf: EventTime?
        /// A longer session stands in its place (S16).
        public var retracted: Bool
        /// Why it came; nil: its window took events in time.
        public var reason: String?
        public init(
            output: String, columns: [Column], revision: Int64, final: Bool, asOf: EventTime?, retracted: Bool = false,
            reason: String? = nil
        ) {
            self.output = output
            self.columns = columns
            self.revision = revision
            self.final = final
            self.asOf = asOf
            self.retracted = retracted
            self.reason = reason
        }
        public subscript(_ name: String) -> Value? { columns.first { $0.name == name }?.value }
    }
    public struct Column: Equatable, Sendable {
        public var name: String
        public var value: Value
        public init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }
    public struct Count: Equatable, Sendable {
        public var name: String
        public var count: Int64
        public init(_ name: String, _ count: Int64) {
            self.name = name
            self.count = count
        }
    }
    /// An entry of the late ledger (S13).
    public struct Late: Equatable, Sendable {
        public var output: String
        public var topic: String
        public var partition: Int32
        public var offset: Int64
        public var windowStart: EventTime
        public var windowEnd: EventTime
        public var watermark: EventTime
        public var lateBy: TimeSpan
    }
    public struct DeadLetter: Equatable, Sendable {
        public var topic: String
        public var partition: Int32
        public var offset: Int64
        public var reason: RejectReason
        public var field: String?
    }
    /// How far an output is told (S25).
    public struct Progress: Equatable, Sendable {
        public var output: String
        public var completeThrough: EventTime?
        public var finalThrough: EventTime?
    }
    /// The clocks of S24 at the virtual wall time; nil: not known.
    public struct Freshness: Equatable, Sendable {
        public var watermarkLag: TimeSpan?
        public var eventLag: TimeSpan?
        public var queueAge: TimeSpan?
        public var outputs: [Progress]
    }

    public var rows: [Row]
    /// The highest revision by output, window and group since the case began, in the order of their first rows.
    public var latest: [Row]
    /// Totals since the case began, as committed, across restarts.
    public var outcomes: [Count]
    public var late: [Late]
    public var deadLetters: [DeadLetter]
    /// The combined one (S5); nil: none yet.
    public var watermark: EventTime?
    public var freshness: Freshness

    public func count(_ name: String) -> Int64? { outcomes.first { $0.name == name }?.count }
}
