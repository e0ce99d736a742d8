/// A checked topology: all that the running parts need to know, every default filled in.
public struct Plan: Equatable, Sendable {
    public var name: String
    public var owner: String?
    public var description: String?
    public var kafka: KafkaPlan
    public var source: SourcePlan
    /// A column each: those of the record in declared order, then computed ones, each behind the columns that it is computed from.
    public var fields: [FieldPlan]
    public var eventTime: EventTimePlan
    public var filter: Predicate?
    public var deduplicate: DeduplicatePlan?
    /// An output each, in declared order. Their index is the output's number in this run; their name is its identity in state.
    public var aggregates: [AggregatePlan]
    public var late: LatePlan
    public var deadLetters: DeadLetterPlan
    public var delivery: Delivery
    public var commitEvery: TimeSpan
    public var state: StatePlan
    public var http: HTTPPlan?
    /// The canonical text of each part whose change would change the meaning of stored state.
    public var fingerprint: [FingerprintPart]

    public init(
        name: String, owner: String? = nil, description: String? = nil, kafka: KafkaPlan = KafkaPlan(), source: SourcePlan,
        fields: [FieldPlan], eventTime: EventTimePlan, filter: Predicate? = nil, deduplicate: DeduplicatePlan? = nil,
        aggregates: [AggregatePlan], late: LatePlan = .ledger(keep: .days(30)), deadLetters: DeadLetterPlan = .standard,
        delivery: Delivery = .embedded, commitEvery: TimeSpan = .milliseconds(250), state: StatePlan = StatePlan(),
        http: HTTPPlan? = nil,
        fingerprint: [FingerprintPart] = []
    ) {
        self.name = name
        self.owner = owner
        self.description = description
        self.kafka = kafka
        self.source = source
        self.fields = fields
        self.eventTime = eventTime
        self.filter = filter
        self.deduplicate = deduplicate
        self.aggregates = aggregates
        self.late = late
        self.deadLetters = deadLetters
        self.delivery = delivery
        self.commitEvery = commitEvery
        self.state = state
        self.http = http
        self.fingerprint = fingerprint
    }
}

/// Which commit is the truth, and what readers of the outputs see after a crash (S20–S22).
public enum Delivery: Equatable, Sendable {
    /// One SQLite transaction; this process reads all partitions.
    case embedded
    /// A Kafka transaction with the rows in it; instances share the partitions.
    case exactlyOnce
    /// A Kafka transaction; rows are sent after it and again after a crash.
    case atLeastOnce
    /// Instances form a consumer group.
    public var isGroup: Bool { self != .embedded }
}

/// One part of a topology's fingerprint: `source`, `deduplicate` or `aggregate NAME`. Words, places, pace and memory are in none.
public struct FingerprintPart: Equatable, Sendable {
    public var name: String
    /// Canonical lines `key: value`, so that two versions can be shown side by side.
    public var text: String
    /// Where it stands in the file, `file:line`.
    public var place: String
    public init(name: String, text: String, place: String) {
        self.name = name
        self.text = text
        self.place = place
    }
}

public struct KafkaPlan: Equatable, Sendable {
    public var bootstrap: String
    public var tls: TLS?
    public var sasl: SASL?
    /// librdkafka's own settings, from an allow-list.
    public var client: [String: String]
    public struct TLS: Equatable, Sendable {
        public var ca: String?
        public var certificate: String?
        public var key: String?
        public init(ca: String?, certificate: String?, key: String?) {
            self.ca = ca
            self.certificate = certificate
            self.key = key
        }
    }
    public struct SASL: Equatable, Sendable {
        /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
        public var mechanism: String
        public var user: String
        public var password: String
        public init(mechanism: String, user: String, password: String) {
            self.mechanism = mechanism
            self.user = user
            self.password = password
        }
    }
    public init(bootstrap: String = "localhost:9092", tls: TLS? = nil, sasl: SASL? = nil, client: [String: String] = [:]) {
        self.bootstrap = bootstrap
        self.tls = tls
        self.sasl = sasl
        self.client = client
    }
}

public struct SourcePlan: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        case kafka(topics: [String], group: String, start: StartPosition)
        /// Globs, expanded at start.
        case files([String])
        case generator(GeneratorPlan)
    }
    public enum StartPosition: Equatable, Sendable {
        case earliest, latest
        /// The first record with this timestamp or a later one.
        case timestamp(WallTime)
    }
    public var kind: Kind
    public var maxRecord: ByteCount
    /// The fields that the producers promise to use as message key (S11, S14).
    public var keyedBy: [String]
    /// The column that says who made a record: copies and bad clocks are told by it too.
    public var producer: Int?
    public init(kind: Kind, maxRecord: ByteCount = .mebibytes(1), keyedBy: [String] = [], producer: Int? = nil) {
        self.kind = kind
        self.maxRecord = maxRecord
        self.keyedBy = keyedBy
        self.producer = producer
    }

    /// It ends by itself.
    public var isBounded: Bool {
        switch kind {
        case .files: true
        case .generator(let generator): generator.events != nil
        case .kafka: false
        }
    }
}

/// The reference workload: telemetry with copies and late events, the same for the same seed.
public struct GeneratorPlan: Equatable, Sendable {
    public var seed: UInt64
    /// Events per second of event time.
    public var rate: Double
    public var partitions: Int32
    /// How many events in all; nil: without end.
    public var events: Int64?
    /// The event time of the first event; nil: now.
    public var start: EventTime?
    /// True: as fast as they are taken. False: event time runs with the machine's clock.
    public var unpaced: Bool
    public init(
        seed: UInt64 = 1, rate: Double = 5_000, partitions: Int32 = 8, events: Int64? = nil, start: EventTime? = nil,
        unpaced: Bool = false
    ) {
        self.seed = seed
        self.rate = rate
        self.partitions = partitions
        self.events = events
        self.start = start
        self.unpaced = unpaced
    }
}

public struct FieldPlan: Equatable, Sendable {
    public var name: String
    public var type: FieldType
    /// Where it stands in the record: object keys from the root.
    public var path: [String]
    public var required: Bool
    /// Stands in for a missing or null value.
    public var fallback: Value?
    /// `class: personal`: payloads of rejected records don't leave the process.
    public var isPersonal: Bool
    /// Set where the column is not read from the record.
    public var computed: Computed?
    /// A part of an expression, which nobody declared; its name is its canonical text.
    public var isHidden: Bool
    public init(
        name: String, type: FieldType, path: [String]? = nil, required: Bool = false, fallback: Value? = nil,
        isPersonal: Bool = false, computed: Computed? = nil, isHidden: Bool = false
    ) {
        self.name = name
        self.type = type
        self.path = path ?? [name]
        self.required = required
        self.fallback = fallback
        self.isPersonal = isPersonal
        self.computed = computed
        self.isHidden = isHidden
    }
}

public struct EventTimePlan: Equatable, Sendable {
    public enum Source: Equatable, Sendable {
        case field(Int)
        case recordTimestamp
    }
    public var source: Source
    public var outOfOrderness: TimeSpan
    public var idleAfter: TimeSpan
    public var maxFuture: TimeSpan
    public init(
        source: Source, outOfOrderness: TimeSpan = .zero, idleAfter: TimeSpan = .seconds(30), maxFuture: TimeSpan = .minutes(10)
    ) {
        self.source = source
        self.outOfOrderness = outOfOrderness
        self.idleAfter = idleAfter
        self.maxFuture = maxFuture
    }
}

public struct DeduplicatePlan: Equatable, Sendable {
    /// Columns, in declared order.
    public var key: [Int]
    public var within: TimeSpan
    /// `within`/16, floored to a millisecond, but at least 1 s, unless set (S7).
    public var bucket: TimeSpan
    public var observe: Bool
    /// The columns by which copies are told apart, in declared order (S9); nil: they are not.
    public var compare: [Int]?
    /// What is kept about copies one by one.
    public var duplicates: DuplicatesPlan
    public var scope: DeduplicateScope
    public init(
        key: [Int], within: TimeSpan, bucket: TimeSpan? = nil, observe: Bool = false, compare: [Int]? = nil,
        duplicates: DuplicatesPlan = .count, scope: DeduplicateScope = .partition
    ) {
        self.key = key
        self.within = within
        self.bucket = bucket ?? TimeSpan(milliseconds: max(within.milliseconds / 16, 1_000))
        self.observe = observe
        self.compare = compare
        self.duplicates = duplicates
        self.scope = scope
    }
}

public struct AggregatePlan: Equatable, Sendable {
    public enum Emission: Equatable, Sendable {
        case final
        case onTime
        case every(TimeSpan)
        case everyCommit
    }
    public var name: String
    public var window: Window
    public var allowedLateness: TimeSpan
    public var admits: Predicate?
    /// Columns, in declared order.
    public var groupBy: [Int]
    public var measures: [MeasurePlan]
    public var emit: Emission
    public var targets: [Target]
    /// `source.keyed_by` is part of the group: windows close by their own partition (S14).
    public var isKeyed: Bool
    public var freshness: FreshnessPlan?
    /// The aggregate that this one rolls up, by its index (S14); nil: it takes records. Its lateness is that one's.
    public var from: Int?
    public init(
        name: String, window: Window, allowedLateness: TimeSpan = .zero, admits: Predicate? = nil, groupBy: [Int],
        measures: [MeasurePlan], emit: Emission = .final, targets: [Target] = [], isKeyed: Bool = false,
        freshness: FreshnessPlan? = nil, from: Int? = nil
    ) {
        self.name = name
        self.window = window
        self.allowedLateness = allowedLateness
        self.admits = admits
        self.groupBy = groupBy
        self.measures = measures
        self.emit = emit
        self.targets = targets
        self.isKeyed = isKeyed
        self.freshness = freshness
        self.from = from
    }
    public enum Target: Equatable, Sendable {
        case kafka(topic: String)
        /// `keep`: rows whose window ended longer ago than this are deleted; nil: kept for ever.
        case table(name: String, keep: TimeSpan?)
    }
}

public struct FreshnessPlan: Equatable, Sendable {
    public var within: TimeSpan
    /// The share of time in which freshness is within the target, above 0 and at most 1; nil: none was promised.
    public var objective: Double?
    /// The expected hours, such as `Mon-Fri 08:00-20:00 Europe/Berlin`; nil: always.
    public var hours: String?
    public init(within: TimeSpan, objective: Double? = nil, hours: String? = nil) {
        self.within = within
        self.objective = objective
        self.hours = hours
    }
}

public struct MeasurePlan: Equatable, Sendable {
    public enum Function: String, Equatable, Sendable, CaseIterable {
        case count, sum, avg, min, max, first, last, stddev
        case approxDistinct = "approx_distinct"
        case exactDistinct = "exact_distinct"
        case quantile, top, largest
        case largestDistinct = "largest_distinct"
    }
    public var name: String
    public var function: Function
    /// nil: `count()`, which counts records.
    public var column: Int?
    /// The share that `quantile(x, share)` asks for, 0…1.
    public var share: Double?
    /// How many different values `exact_distinct(x, limit)` counts at most, and how many `top`, `largest` and `largest_distinct` list.
    public var limit: Int?
    /// `… where EXPR`: records this measure takes.
    public var admits: Predicate?
    public init(
        name: String, function: Function, column: Int? = nil, share: Double? = nil, limit: Int? = nil, admits: Predicate? = nil
    ) {
        self.name = name
        self.function = function
        self.column = column
        self.share = share
        self.limit = limit
        self.admits = admits
    }
}

public enum LatePlan: Equatable, Sendable {
    case count
    case ledger(keep: TimeSpan)
    case topic(String)
}

public enum DeadLetterPlan: Equatable, Sendable {
    case topic(String)
    /// At `limit` input stops with the cause.
    case table(keep: TimeSpan, limit: ByteCount)
    public static let standard = DeadLetterPlan.table(keep: .days(30), limit: ByteCount(1 << 30))
}

public struct StatePlan: Equatable, Sendable {
    public var directory: String
    /// Client queues included.
    public var memory: ByteCount
    /// The part of `memory` that belongs to the Kafka client's prefetch queues, as a divisor.
    public static let queueShare: Int64 = 4
    /// This instance's name in a group; nil: made once and kept in the directory.
    public var instance: String?
    /// Which rows the tables of an instance of a group hold.
    public enum TableRows: Equatable, Sendable {
        /// Those of the partitions that it owns.
        case own
        /// Those of the whole group.
        case all
    }
    public var tables: TableRows
    /// How long, by event time, what closed windows held is kept for late events that are applied again; zero: not at all.
    public var keepClosed: TimeSpan
    public init(
        directory: String = "./state", memory: ByteCount = .mebibytes(512), instance: String? = nil, tables: TableRows = .own,
        keepClosed: TimeSpan = .days(1)
    ) {
        self.directory = directory
        self.memory = memory
        self.instance = instance
        self.tables = tables
        self.keepClosed = keepClosed
    }
}

public struct HTTPPlan: Equatable, Sendable {
    public var host: String
    public var port: UInt16
    public init(host: String = "127.0.0.1", port: UInt16 = 8080) {
        self.host = host
        self.port = port
    }
}
