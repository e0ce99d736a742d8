public import Model

/// What a topology keeps, reckoned from its plan alone: in memory, by the sizes of the pipeline's tables, and in state.db, by those of
/// its rows. Tests hold the sizes to the tables and the sums to a real run, within `EstimateLimits.factor`. Pure; call it
/// from anywhere.
public struct StateEstimate: Equatable, Sendable {
    /// What a plan doesn't say.
    public struct Assumptions: Equatable, Sendable {
        /// Identities among a million events: fewer where events come in copies.
        public var keysPerMillion: Int64
        /// Groups in each window of each aggregate that has a `group_by`.
        public var groups: Int64
        /// Input partitions, each of which keeps its own share of every group.
        public var partitions: Int64
        /// Events a second, of all partitions together; nil: not known.
        public var rate: Double?

        /// What isn't said is taken from the generator, or assumed.
        public init(
            _ plan: Plan, keysPerMillion: Int64? = nil, groups: Int64? = nil, partitions: Int64? = nil, rate: Double? = nil
        ) {
            var known: (partitions: Int64, rate: Double)?
            if case .generator(let generator) = plan.source.kind { known = (Int64(generator.partitions), generator.rate) }
            self.keysPerMillion = keysPerMillion ?? EstimateLimits.keysPerMillion
            self.groups = groups ?? EstimateLimits.groups
            self.partitions = partitions ?? known?.partitions ?? EstimateLimits.partitions
            self.rate = rate ?? known?.rate
        }
    }

    public struct Part: Equatable, Sendable {
        /// `keys` or `cells of AGGREGATE`.
        public var name: String
        public var count: Int64
        /// If all of it is there.
        public var memory: ByteCount
        /// What of it can't wait on disk.
        public var least: ByteCount
        public var disk: ByteCount
        /// For how much event time one is held.
        public var held: TimeSpan
    }

    public let assumed: Assumptions
    /// Of a million events that come within one horizon and into the same windows.
    public let perMillion: [Part]
    /// What is held at one time at the assumed rate; nil where none is known.
    public let standing: [Part]?

    public init(_ plan: Plan, _ assumed: Assumptions) {
        self.assumed = assumed
        let sizes = Sizes(plan: plan, assumed: assumed)
        perMillion = sizes.keys(events: 1e6) + plan.aggregates.map { sizes.cells(of: $0, windows: nil, events: 1e6) }
        standing = assumed.rate.map { rate in
            let horizon = Double(sizes.keysHeld?.milliseconds ?? 0) / 1_000
            return sizes.keys(events: rate * horizon)
                + plan.aggregates.map { aggregate in
                    sizes.cells(
                        of: aggregate, windows: sizes.openWindows(aggregate),
                        events: rate * Double(Sizes.size(of: aggregate).milliseconds) / 1_000)
                }
        }
    }

    public static func memory(_ parts: [Part]) -> ByteCount { ByteCount(parts.reduce(0) { $0 + $1.memory.bytes }) }
    public static func least(_ parts: [Part]) -> ByteCount { ByteCount(parts.reduce(0) { $0 + $1.least.bytes }) }
    public static func disk(_ parts: [Part]) -> ByteCount { ByteCount(parts.reduce(0) { $0 + $1.disk.bytes }) }

    /// Events a second whose keys fit in their part of `state.memory`, and those of which it holds what can't wait on disk; nil:
    /// nothing is deduplicated.
    static func fittingRate(_ plan: Plan) -> (inMemory: Double, onDisk: Double)? {
        let sizes = Sizes(plan: plan, assumed: Assumptions(plan))
        guard let held = sizes.keysHeld else { return nil }
        let budget = Double(plan.stateBudget.bytes) / (Double(held.milliseconds) / 1_000)
        return (budget / sizes.keyMemory, budget * EstimateLimits.filterShare / EstimateLimits.keyFilter)
    }

    /// Groups of an aggregate whose cells fit there in one partition, and how many windows of each are open at once.
    static func fittingGroups(_ plan: Plan, _ aggregate: AggregatePlan) -> (groups: Double, windows: Double) {
        var assumed = Assumptions(plan, groups: EstimateLimits.groups, partitions: 1)
        assumed.rate = nil
        let sizes = Sizes(plan: plan, assumed: assumed)
        let windows = sizes.openWindows(aggregate)
        let part = sizes.cells(of: aggregate, windows: windows, events: 0)
        let groups = Double(aggregate.groupBy.isEmpty ? 1 : EstimateLimits.groups)
        return (Double(plan.stateBudget.bytes) / Double(part.memory.bytes) * groups, windows)
    }
}

extension Plan {
    /// What keys and windows may take; what needs more waits on disk.
    var stateBudget: ByteCount { ByteCount(memoryShares.state) }
}

/// Sizes in bytes, and what is assumed where nothing else is known.
public enum EstimateLimits {
    public static let keysPerMillion: Int64 = 1_000_000
    public static let groups: Int64 = 1_000
    public static let partitions: Int64 = 8
    /// Bytes of a text.
    public static let text = 16
    /// An estimate and what is measured are at most this many times apart.
    public static let factor = 2.0
    /// Memory of a key: a slot has 18 bytes, and of the slots a quarter to three quarters are taken.
    static let keyMemory = 48.0
    /// Of a word that is noted of each key beside it (`compare`, `duplicates`), in a slot's proportion.
    static let noteMemory = 21.0
    static let noteDisk = 8.0
    /// What stays in memory of a key that waits on disk, in a filter; and the share of the memory that filters may have: the rest is for
    /// what is new.
    static let keyFilter = 2.4
    static let filterShare = 0.75
    /// What stays of a cell that waits on disk: a hash, in a table of which a quarter to three quarters are taken.
    static let coldCell = 16.0
    /// The same of a session: its interval too, in a table of which three eighths to three quarters are taken.
    static let coldSession = 44.0
    /// Memory of a partition's empty tables.
    static let laneMemory = 116_736.0
    /// A key in state.db, and the share by which pages are longer than what is in them.
    static let keyDisk = 16.0
    static let pages = 1.25
    /// Header words of a cell, its place in its window's table, and how many cells are allocated at a time.
    static let cellHeader = 7
    /// Words behind a session's measures; its timer counts as two.
    static let sessionWords = 6
    static let cellPlace = 16.0
    static let cellBlock = 256.0
    /// Bytes of group that a cell's header has room for.
    static let inlineGroup = 24
    /// In the merge: a group of a window, and a partition's part of it, beside their bytes.
    static let mergeEntry = 220.0
    static let mergePartial = 80.0
    /// Bytes of a row of state.db beside group and measures.
    static let rowOverhead = 23.0
    /// The largest sketch of distinct values; entries of 4 bytes below.
    static let distinct = 4_100.0
    /// A quantile's numbers before it counts in buckets; buckets of 12 bytes for numbers that a factor of a thousand spans.
    static let exactNumbers = 64.0
    static let buckets = 350.0
    /// The largest sketch of a quantile, for numbers that differ by tens of orders of magnitude.
    static let quantileBytes = 4 + 12 * 4_096
    /// Values that a list of the `k` most frequent is chosen from.
    static func topValues(_ k: Int) -> Int { 2 * max(256, 16 * k) }
}

/// The sizes of one plan's keys and cells.
struct Sizes {
    let plan: Plan
    let assumed: StateEstimate.Assumptions

    // MARK: - Keys

    /// From a key's event until the watermark has passed its bucket: on average half a bucket late.
    var keysHeld: TimeSpan? {
        plan.deduplicate.map {
            $0.within + plan.eventTime.outOfOrderness + TimeSpan(milliseconds: $0.bucket.milliseconds / 2)
        }
    }

    private var notes: Double {
        (plan.deduplicate?.compare == nil ? 0 : 1) + (plan.deduplicate?.duplicates.keepsPlaces ?? false ? 1 : 0)
    }
    var keyMemory: Double { EstimateLimits.keyMemory + notes * EstimateLimits.noteMemory }

    func keys(events: Double) -> [StateEstimate.Part] {
        guard let held = keysHeld else { return [] }
        let count = events * Double(assumed.keysPerMillion) / 1e6
        return [
            StateEstimate.Part(
                name: "keys", count: Self.whole(count),
                memory: Self.bytes(count * keyMemory + Double(assumed.partitions) * EstimateLimits.laneMemory),
                least: Self.bytes(count * EstimateLimits.keyFilter + Double(assumed.partitions) * EstimateLimits.laneMemory),
                disk: Self.bytes(
                    count * (EstimateLimits.keyDisk + notes * EstimateLimits.noteDisk) * EstimateLimits.pages), held: held)
        ]
    }

    // MARK: - Cells

    static func size(of aggregate: AggregatePlan) -> TimeSpan { aggregate.window.longest }

    static func step(of aggregate: AggregatePlan) -> TimeSpan { aggregate.window.step }

    /// From a window's start until the watermark has passed its end and its lateness.
    func cellsHeld(_ aggregate: AggregatePlan) -> TimeSpan {
        Self.size(of: aggregate) + aggregate.allowedLateness + plan.eventTime.outOfOrderness
    }

    /// Windows that are open at once; one that is still filling counts half.
    func openWindows(_ aggregate: AggregatePlan) -> Double {
        let held = cellsHeld(aggregate).milliseconds - Self.size(of: aggregate).milliseconds / 2
        return Double(held) / Double(Self.step(of: aggregate).milliseconds)
    }

    /// Of these, those of which the merge was told something that it must be able to correct.
    private func toldWindows(_ aggregate: AggregatePlan, of open: Double?) -> Double {
        switch aggregate.emit {
        case .final: return 0
        case .onTime:
            guard let open else { return .infinity }
            return min(open, Double(aggregate.allowedLateness.milliseconds) / Double(Self.step(of: aggregate).milliseconds))
        case .every, .everyCommit: return .infinity
        }
    }

    /// `windows` that are open; nil: those into which one event falls. `events` come into each.
    func cells(of aggregate: AggregatePlan, windows open: Double?, events: Double) -> StateEstimate.Part {
        let overlapping = Double(Self.size(of: aggregate).milliseconds) / Double(Self.step(of: aggregate).milliseconds)
        let windows = max(open ?? overlapping, 1)
        let groups = aggregate.groupBy.isEmpty ? 1 : Double(assumed.groups)
        let lanes = Double(assumed.partitions)
        // A group that is keyed comes from one partition, and what is rolled up is joined already.
        let parts = aggregate.isKeyed || aggregate.from != nil ? groups : groups * lanes
        let each = events > 0 ? min(parts, events) : parts
        let cells = each * windows
        let shape = shape(of: aggregate, valuesPerCell: events / max(each, 1))
        let header = EstimateLimits.cellHeader + (aggregate.window.isSession ? EstimateLimits.sessionWords : 0)
        let stride = Double(header + shape.words + (shape.isVariable ? 1 : 0)) * 8
        let blocks = (cells / lanes / EstimateLimits.cellBlock).rounded(.up) * lanes
        let group = Double(groupBytes(aggregate))
        var memory = blocks * EstimateLimits.cellBlock * stride + cells * (EstimateLimits.cellPlace + shape.memory)
        if group > Double(EstimateLimits.inlineGroup) { memory += cells * group }
        var disk = cells * (EstimateLimits.rowOverhead + group + shape.disk)
        let told = min(toldWindows(aggregate, of: open), windows)
        let rows = min(groups, each) * told
        let merged = rows * (EstimateLimits.mergeEntry + group) + each * told * (EstimateLimits.mergePartial + shape.disk)
        let cold = aggregate.window.isSession ? EstimateLimits.coldSession : EstimateLimits.coldCell
        let least = (aggregate.from == nil ? cells * cold : memory) + merged
        memory += merged
        disk += rows * (EstimateLimits.rowOverhead + group + 9) + each * told * (EstimateLimits.rowOverhead + group + shape.disk)
        return StateEstimate.Part(
            name: "cells of \(aggregate.name)", count: Self.whole(cells), memory: Self.bytes(memory),
            least: Self.bytes(min(least, memory)),
            disk: Self.bytes(disk * EstimateLimits.pages), held: cellsHeld(aggregate))
    }

    /// Bytes of a group: a tag and a value for each column, a text with its length.
    func groupBytes(_ aggregate: AggregatePlan) -> Int {
        aggregate.groupBy.reduce(0) { bytes, column in
            switch plan.fields[column].type {
            case .string, .json: bytes + 5 + EstimateLimits.text
            case .uuid: bytes + 17
            case .int, .double, .bool, .timestamp: bytes + 9
            }
        }
    }

    /// Words of a cell's measures; what their texts and sketches take in memory; what all of it takes encoded.
    func shape(of aggregate: AggregatePlan, valuesPerCell: Double) -> (words: Int, isVariable: Bool, memory: Double, disk: Double)
    {
        var words = aggregate.window.isSession ? 2 : 1
        var isVariable = false
        var memory = 0.0
        var disk = 0.0
        for (at, measure) in aggregate.measures.enumerated() {
            let type = measure.column.map { plan.fields[$0].type }
            let isText = type == .string || type == .json
            var own = 0.0
            switch measure.function {
            case .count: words += 1
            case .sum, .avg: words += type == .double ? 2 : 3
            case .stddev: words += 3
            case .min, .max:
                words += 2
                own = isText ? Double(EstimateLimits.text) : 0
            case .first, .last:
                words += 6
                own = isText ? Double(EstimateLimits.text) : 0
            case .approxDistinct:
                words += 1
                own = min(4 + 4 * valuesPerCell, EstimateLimits.distinct)
            case .quantile:
                // All quantiles of one column share a sketch.
                let isFirst = !aggregate.measures[..<at].contains {
                    $0.function == .quantile && $0.column == measure.column && $0.admits == measure.admits
                }
                guard isFirst else { continue }
                words += 1
                own =
                    valuesPerCell <= EstimateLimits.exactNumbers
                    ? 4 + 8 * valuesPerCell : 4 + 12 * min(valuesPerCell, EstimateLimits.buckets)
            case .exactDistinct:
                words += 1
                own = 8 + 16 * min(valuesPerCell, Double(measure.limit ?? 1))
            case .top:
                words += 2
                let values = min(valuesPerCell, Double(EstimateLimits.topValues(measure.limit ?? 1)))
                own = 16 + values * (isText ? 32 + Double(EstimateLimits.text) : 24)
                memory += 32
            case .largest, .largestDistinct:
                words += 1
                own = 8 + min(valuesPerCell, Double(measure.limit ?? 1)) * (isText ? 4 + Double(EstimateLimits.text) : 8)
            }
            guard own > 0 else { continue }
            isVariable = true
            memory += 8 + max(own, 24)
            disk += own
        }
        return (words, isVariable, memory, disk + Double(words) * 8)
    }

    private static func whole(_ number: Double) -> Int64 { Int64(min(number.rounded(), 1e18)) }
    private static func bytes(_ number: Double) -> ByteCount { ByteCount(whole(number)) }
}
