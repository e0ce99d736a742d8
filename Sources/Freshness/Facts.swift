public import Model

/// All that a running topology knows about itself at one moment, as plain values: no clock, no handle. The runtime makes one per
/// commit or tick; metrics, the status page, `weir status` and the objectives are computed from it and the time they are asked at.
public struct Facts: Equatable, Sendable {
    public var topology: String
    /// Weir's own version.
    public var version: String
    public var state: RunState
    public var startedAt: WallTime?
    /// nil: this topology has no broker.
    public var isBrokerUp: Bool?
    public var partitions: [PartitionFacts] = []
    /// The partitions that inputs hand their records on to (S7); empty: they keep them.
    public var rekeyed: [PartitionFacts] = []
    /// Partitions of the group that this process does not read now.
    public var elsewhere: [ElsewhereFacts] = []
    /// After so long a silence a partition may be left out (S6); nil: not known.
    public var idleAfter: TimeSpan?
    /// Since when each holder of the combined watermark holds it, as this process saw it.
    public var heldSince: [PartitionID: WallTime] = [:]
    /// When this process last saw the combined watermark move; nil: it has not.
    public var watermarkMovedAt: WallTime?
    /// The combined one (S5); nil: none yet.
    public var watermark: EventTime?
    /// An element per aggregate of the plan, in its order.
    public var outputs: [OutputFacts]
    public var commits = CommitFacts()
    /// Names of the places where expressions can meet an error, as `Books.expressionErrors` counts them.
    public var expressionPlaces: [String] = []
    /// Of rows whose measures came to no value that can be told; by the same places. Empty: none.
    public var rowErrors: [Int64] = []
    /// nil: the topology does not deduplicate.
    public var dedup: DedupFacts?
    /// By whose values copies and bad clocks are told too; nil: by none.
    public var producerField: String?
    /// nil: this process shares its input with no others.
    public var group: GroupFacts?
    /// What the process may take, client queues included; nil: no bound is set.
    public var memoryBudget: ByteCount?
    /// Records read per second lately, as the runtime measured it; nil: not measured yet.
    public var recordsPerSecond: Double?
    /// The newest rows, newest first; at most `FreshnessLimits.latestRows` of them are shown.
    public var latestRows: [Row] = []

    public init(topology: String, version: String, state: RunState = .starting, outputs: [OutputFacts] = []) {
        self.topology = topology
        self.version = version
        self.state = state
        self.outputs = outputs
    }

    /// What is known before anything ran: names, columns and targets.
    public init(plan: Plan, version: String) {
        self.init(
            topology: plan.name, version: version, outputs: plan.aggregates.map { OutputFacts(plan: $0, fields: plan.fields) })
        expressionPlaces = ExpressionPlaces(plan).names
        memoryBudget = plan.state.memory
        if plan.delivery.isGroup { group = GroupFacts() }
        if let deduplicate = plan.deduplicate {
            dedup = DedupFacts(
                within: deduplicate.within, isObserving: deduplicate.observe, isComparing: deduplicate.compare != nil)
        }
        idleAfter = plan.eventTime.idleAfter
        producerField = plan.source.producer.map { plan.fields[$0].name }
    }

    /// Puts rows that were just emitted, oldest first, before those that are shown already.
    public mutating func show(_ rows: [Row]) {
        let newest = rows.suffix(FreshnessLimits.latestRows).reversed()
        latestRows = Array((newest + latestRows).prefix(FreshnessLimits.latestRows))
    }

    /// The books of all partitions together (S1).
    public var books: Books { lanes.reduce(Books(outputs: outputs.count)) { $0 + $1.books }.joined }

    /// All that keep books, input partitions first.
    public var lanes: [PartitionFacts] { partitions + rekeyed }

    /// Of all partitions together, in this process; a place without errors is 0.
    public var expressionErrors: [(place: String, errors: Int64)] {
        let counts = books.expressionErrors
        return expressionPlaces.enumerated().map {
            ($1, ($0 < counts.count ? counts[$0] : 0) + ($0 < rowErrors.count ? rowErrors[$0] : 0))
        }
    }

    /// The newest event time of all partitions; nil: no record had one yet.
    public var newestEventTime: EventTime? { partitions.compactMap(\.newestEventTime).max() }

    /// Bytes of memory of all lanes' state.
    public var memory: ByteCount { ByteCount(lanes.reduce(0) { $0 + $1.memory.bytes }) }
}

public enum RunState: Equatable, Sendable {
    /// Opening and restoring; nothing was read yet.
    case starting
    case running
    /// Nothing moves until this is cured; Weir tries again by itself.
    case waiting(Fault)
    case stopping
    /// The bounded input is over and everything was emitted.
    case ended

    public var word: String {
        switch self {
        case .starting: "starting"
        case .running: "running"
        case .waiting: "waiting"
        case .stopping: "stopping"
        case .ended: "ended"
        }
    }

    public static let words = ["starting", "running", "waiting", "stopping", "ended"]
}

/// One input partition and its lane.
public struct PartitionFacts: Equatable, Sendable {
    public var id: PartitionID
    public var lane: LaneNumber
    public var books: Books
    /// nil: no record has passed the stage event time yet.
    public var watermark: EventTime?
    public var newestEventTime: EventTime?
    public var nextOffset: Int64
    /// The next offset that will be written; nil: not known.
    public var endOffset: Int64?
    /// The part of a bounded input that was read, 0 to 1, where its end offset is not known before it is reached.
    public var share: Double?
    /// By decision (S6).
    public var isIdle = false
    public var idleSince: WallTime?
    /// Everything that the partition holds is read and committed.
    public var isCaughtUp = false
    /// For how long no record of it passed the stage event time; nil: not known.
    public var silentFor: TimeSpan?
    /// The record timestamp of the oldest record that is read or waiting but not committed; nil: there is none, or it is not known.
    public var oldestUncommitted: WallTime?
    /// Why this partition stopped; nil: it did not.
    public var fault: Fault?
    /// What the lane's state takes.
    public var memory: ByteCount = ByteCount(0)
    /// What the lane counts beside its books.
    public var figures = LaneFigures()

    public init(id: PartitionID, lane: LaneNumber, books: Books, nextOffset: Int64 = 0) {
        self.id = id
        self.lane = lane
        self.books = books
        self.nextOffset = nextOffset
    }
}

/// One aggregate's output.
public struct OutputFacts: Equatable, Sendable {
    public var name: String
    /// The group's columns, then the measures, as a `Row` holds them.
    public var groupColumns: [OutputColumn]
    public var measureColumns: [OutputColumn]
    /// The target of its freshness (S25); nil: it has none.
    public var within: TimeSpan?
    public var progress = OutputProgress()
    public var rowsEmitted: Int64 = 0
    /// Rows that are committed but not yet where they belong.
    public var rowsWaiting: Int64 = 0
    /// Why rows can't be delivered at the moment; nil: they can.
    public var sinkFault: Fault?
    /// Event time to emission, milliseconds (S24).
    public var latencyFromEvent = Histogram()
    /// Record timestamp to emission, milliseconds (S24).
    public var latencyFromRecord = Histogram()

    public init(name: String, groupColumns: [OutputColumn] = [], measureColumns: [OutputColumn] = [], within: TimeSpan? = nil) {
        self.name = name
        self.groupColumns = groupColumns
        self.measureColumns = measureColumns
        self.within = within
    }

    public init(plan: AggregatePlan, fields: [FieldPlan]) {
        self.init(
            name: plan.name,
            groupColumns: plan.groupBy.map { OutputColumn(fields[$0].name, isPersonal: fields[$0].isPersonal) },
            measureColumns: plan.measures.map { measure in
                // A count of persons tells nothing about one; their smallest or first value does.
                let shows = measure.function != .count
                return OutputColumn(measure.name, isPersonal: shows && measure.column.map { fields[$0].isPersonal } ?? false)
            },
            within: plan.freshness?.within)
    }
}

public struct OutputColumn: Equatable, Sendable {
    public var name: String
    /// Its values are never shown on a status page or in a log.
    public var isPersonal: Bool
    public init(_ name: String, isPersonal: Bool = false) {
        self.name = name
        self.isPersonal = isPersonal
    }
}

public struct CommitFacts: Equatable, Sendable {
    /// The last commit's number, counted over the life of the state; 0: none yet.
    public var number: Int64 = 0
    public var lastAt: WallTime?
    public var lastDuration: TimeSpan?
    /// How long commits took in this run, milliseconds.
    public var durations = Histogram()
    public var stateBytes: ByteCount?
    public var walBytes: ByteCount?
    /// Other processes whose view of the state keeps its write-ahead log from being cut, once it is long.
    public var walHolders: [String] = []
    public var freeDisk: ByteCount?
    public init() {}

    /// Called once a commit is durable.
    public mutating func made(_ number: Int64, at: WallTime, took: TimeSpan) {
        self.number = number
        lastAt = at
        lastDuration = took
        durations.record(took.milliseconds)
    }
}

public struct DedupFacts: Equatable, Sendable {
    public var within: TimeSpan
    /// Keys remembered now, over all lanes.
    public var keys: Int64 = 0
    public var bytes: ByteCount = ByteCount(0)
    /// The event time of the oldest remembered key, to its bucket; nil: none is remembered.
    public var oldest: EventTime?
    /// Copies pass.
    public var isObserving: Bool
    /// By whose word that is so: an operator's, since when; nil: the topology's.
    public var ordered: WallTime?
    /// Copies are told apart by their content.
    public var isComparing: Bool
    public init(within: TimeSpan, isObserving: Bool = false, isComparing: Bool = false) {
        self.within = within
        self.isObserving = isObserving
        self.isComparing = isComparing
    }
}

public enum FreshnessLimits {
    /// Rows that a status page shows.
    public static let latestRows = 50
    /// Over how long a rate is told.
    public static let ratePeriod = TimeSpan.seconds(10)
    /// Points that a rate keeps; a caller that counts more often than this in a period sees a shorter one.
    public static let ratePoints = 64
    /// Partitions that a status names one by one as holding the watermark; the rest is a number.
    public static let namedHolders = 8
}
