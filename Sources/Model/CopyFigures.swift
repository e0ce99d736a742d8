/// Figures that are kept in all and by producer; they add up.
public protocol ProducedFigures: Equatable, Sendable {
    init()
    /// By what the largest producers are chosen.
    var weight: Int64 { get }
    static func += (a: inout Self, b: Self)
}

/// What is known of copies (S9): of those that were recognised, whether they were dropped or let pass, and of those that were
/// not. Totals since the beginning. An age is how far the partition's watermark has moved since the kept event was remembered (the
/// later of its time and the watermark then): the measure of `within`, so that 0 is a copy that any horizon recognises. It is
/// exact where the copy carries the kept event's time, and known to a bucket where not.
public struct CopyFigures: ProducedFigures {
    public var copies: Int64 = 0
    /// With `compare`; what came of events that were remembered without it is none of these.
    public var exact: Int64 = 0
    public var retimed: Int64 = 0
    public var conflicting: Int64 = 0
    /// Copies in the oldest quarter of the horizon.
    public var oldestQuarter: Int64 = 0
    public var ages = AgeHistogram()
    /// Of one key in `sampledOf`: copies that came after the key was forgotten, and within `reach` horizons.
    public var missed: Int64 = 0
    public var missedAges = AgeHistogram()

    /// One of so many keys is remembered longer, by so many times.
    public static let sampledOf: Int64 = 256
    public static let reach: Int64 = 16

    public init() {}

    public var weight: Int64 { copies + missed * Self.sampledOf }
    /// Recognised, but nothing was there to compare them with.
    public var uncompared: Int64 { copies - exact - retimed - conflicting }
    /// About how many copies were not recognised.
    public var missedEstimate: Int64 { missed * Self.sampledOf }

    public static func += (a: inout CopyFigures, b: CopyFigures) {
        a.copies += b.copies
        a.exact += b.exact
        a.retimed += b.retimed
        a.conflicting += b.conflicting
        a.oldestQuarter += b.oldestQuarter
        a.ages.merge(b.ages)
        a.missed += b.missed
        a.missedAges.merge(b.missedAges)
    }

    /// One copy that was recognised; `isOld`: in the oldest quarter of the horizon.
    public mutating func count(_ kind: CopyEntry.Kind, age: Int64, isOld: Bool) {
        copies += 1
        switch kind {
        case .exact: exact += 1
        case .retimed: retimed += 1
        case .conflicting: conflicting += 1
        case .uncompared: break
        }
        if isOld { oldestQuarter += 1 }
        ages.record(age)
    }

    /// The smallest `within` that would have recognised so large a share of all copies that are known or estimated, to the bounds
    /// of the histograms; nil: there was no copy.
    public func horizon(catching share: Double) -> TimeSpan? {
        let all = copies + missedEstimate
        guard all > 0 else { return nil }
        var rest = max(1, Int64((share * Double(all)).rounded(.up)))
        for bucket in 0..<max(ages.counts.count, missedAges.counts.count) {
            if bucket < ages.counts.count { rest -= ages.counts[bucket] }
            if bucket < missedAges.counts.count { rest -= missedAges.counts[bucket] * Self.sampledOf }
            if rest <= 0 {
                // A key is forgotten when the watermark has moved by all of its horizon.
                return .milliseconds(min(OctaveBuckets.upperBound(bucket), max(ages.largest, missedAges.largest)) + 1)
            }
        }
        return nil
    }
}

/// Event times too far past their record's own timestamp: `rejected(future_time)` (S3).
public struct ClockFigures: ProducedFigures {
    public var records: Int64 = 0
    /// How far past.
    public var ahead = AgeHistogram()
    public init() {}

    public var weight: Int64 { records }
    public static func += (a: inout ClockFigures, b: ClockFigures) {
        a.records += b.records
        a.ahead.merge(b.ahead)
    }
}

/// Figures of all records, and of the largest producers among them.
public struct FiguresByProducer<Figures: ProducedFigures>: Equatable, Sendable {
    public struct Producer: Equatable, Sendable {
        /// The value of `source.producer`, at most `CopyLimits.nameBytes` of it; nil: the record had none.
        public var name: String?
        public var figures: Figures
        public init(name: String?, figures: Figures) {
            self.name = name
            self.figures = figures
        }
    }
    public var total: Figures
    public var producers: [Producer]
    /// Of producers that are not told one by one.
    public var others: Figures
    public init(total: Figures = Figures(), producers: [Producer] = [], others: Figures = Figures()) {
        self.total = total
        self.producers = producers
        self.others = others
    }

    public static func + (a: Self, b: Self) -> Self {
        var sum = a
        sum.total += b.total
        sum.others += b.others
        var places = Dictionary(a.producers.indices.map { (a.producers[$0].name, $0) }, uniquingKeysWith: { first, _ in first })
        for producer in b.producers {
            if let at = places[producer.name] {
                sum.producers[at].figures += producer.figures
            } else {
                places[producer.name] = sum.producers.count
                sum.producers.append(producer)
            }
        }
        return sum
    }

    /// The largest `count`, largest first; what the rest had is with the others.
    public func largest(_ count: Int) -> Self {
        var told = self
        told.producers.sort { ($0.figures.weight, $1.name ?? "") > ($1.figures.weight, $0.name ?? "") }
        for producer in told.producers.dropFirst(count) { told.others += producer.figures }
        told.producers = Array(told.producers.prefix(count))
        return told
    }
}

/// One copy whose content was not that of the event that was kept.
public struct ConflictingCopy: Equatable, Sendable {
    /// Where the copy is; no source: in the lane's own partition.
    public var source: PartitionID?
    public var offset: Int64
    public var eventTime: EventTime
    public var age: TimeSpan
    /// The one field that differs; nil: several do.
    public var field: String?
    /// What the copy says there; nil where values must not leave (personal fields), or several fields differ.
    public var value: String?
    public init(offset: Int64, eventTime: EventTime, age: TimeSpan, field: String?, value: String?) {
        self.offset = offset
        self.eventTime = eventTime
        self.age = age
        self.field = field
        self.value = value
    }
}

/// What a lane counts beside its books, totals since the beginning: committed with everything else.
public struct LaneFigures: Equatable, Sendable {
    public var copies = FiguresByProducer<CopyFigures>()
    public var clocks = FiguresByProducer<ClockFigures>()
    /// Conflicting copies by the one field that differed; nil: several did.
    public var conflicts: [String?: Int64] = [:]
    /// The newest, oldest first.
    public var samples: [ConflictingCopy] = []
    /// Keys that are remembered longer to estimate what is missed.
    public var sampledKeys: Int64 = 0
    public init() {}
}

public enum CopyLimits {
    /// Producers that are told one by one.
    public static let producers = 20
    /// Producers that one lane tells apart: more, so that the largest of many stay.
    public static let laneProducers = 64
    /// Conflicting copies that one lane shows.
    public static let samples = 8
    /// Bytes of a producer's name, or of a value in a sample.
    public static let nameBytes = 64
    /// The share of copies that the told horizon would have recognised.
    public static let caught = 0.999
}
