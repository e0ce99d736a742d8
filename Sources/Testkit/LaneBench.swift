public import Model
import Pipeline
import Runtime

/// One record as a test hands it to a lane.
public struct BenchRecord: Equatable, Sendable {
    /// nil is a tombstone.
    public var payload: [UInt8]?
    public var offset: Int64
    /// `RecordBatch.noTimestamp`: it has none.
    public var timestamp: Int64
    public init(_ payload: [UInt8]?, offset: Int64, timestamp: Int64 = RecordBatch.noTimestamp) {
        self.payload = payload
        self.offset = offset
        self.timestamp = timestamp
    }
}

/// Lanes, merge and commits in one thread, with a clock moved by hand and a state in memory, so that a crash is the loss of
/// everything but what was committed. One partition a lane; lane, partition and order have the same number.
public final class LaneBench {
    /// What is committed: all that survives `crash`.
    public struct Durable: Sendable {
        public var lanes: [LaneNumber: SealedLane] = [:]
        public var states: [LaneNumber: KeyedState] = [:]
        public var number: Int64 = 0
        public var time = CombinedTime()
        /// Records that were delivered to each lane up to the commit.
        public var delivered: [Int] = []
        public var rows: [Row] = []
        public var late: [LaneNumber: [LateEntry]] = [:]
        public var deadLetters: [LaneNumber: [DeadLetter]] = [:]
        public var decisions: [Decision] = []
        public var progress: [OutputProgress] = []
    }

    public let plan: Plan
    public private(set) var durable = Durable()
    public var now = MonotonicTime(nanoseconds: 0)
    /// Lanes of which the end of the log is confirmed.
    public var fullyRead: Set<LaneNumber>
    /// Lanes that do not answer in time.
    public var late: Set<LaneNumber> = []
    /// Bytes that each lane is told to keep within after each commit; nil: everything stays in memory.
    public var spillsTo: Int? { didSet { for at in cores.indices { attach(cores[at], LaneNumber(at)) } } }
    public private(set) var coldReads: Int64 = 0
    /// Everything that was ever fed, by partition: a crash reads it again from the last commit on.
    public private(set) var log: [[BenchRecord]]
    private var delivered: [Int]
    private var cores: [LaneCore] = []
    private var merge: MergeCore
    private var cycle: CommitCycle
    private var silentSince: [MonotonicTime]
    private var spoken: [Int]
    private let stored: [UInt16]

    public init(_ plan: Plan, partitions: Int, spillsTo: Int? = nil) throws(Fault) {
        self.plan = plan
        self.spillsTo = spillsTo
        stored = plan.aggregates.indices.map { UInt16($0 + 1) }
        log = Array(repeating: [], count: partitions)
        delivered = Array(repeating: 0, count: partitions)
        durable.delivered = delivered
        fullyRead = Set((0..<partitions).map { LaneNumber($0) })
        silentSince = Array(repeating: now, count: partitions)
        spoken = Array(repeating: 0, count: partitions)
        merge = MergeCore(plan: plan, storedOutputs: stored)
        cycle = CommitCycle(plan: plan, merge: merge, number: 0, time: CombinedTime())
        try restore()
    }

    // MARK: Records

    /// Adds records to a partition's log without giving them to the lane.
    public func append(_ records: [BenchRecord], to partition: Int) { log[partition] += records }

    /// Hands the lane up to `limit` of the records it has not been given, as one batch; returns how many.
    @discardableResult public func deliver(_ partition: Int, limit: Int = .max) throws(Fault) -> Int {
        let from = delivered[partition]
        let count = min(limit, log[partition].count - from)
        if count == 0 { return 0 }
        delivered[partition] += count
        try process(Array(log[partition][from..<(from + count)]), partition)
        return count
    }

    /// Some lane has not been given all of its records.
    public var hasMore: Bool { log.indices.contains { delivered[$0] < log[$0].count } }

    public func feed(_ records: [BenchRecord], to partition: Int) throws(Fault) {
        append(records, to: partition)
        try deliver(partition)
    }

    private func process(_ records: [BenchRecord], _ partition: Int) throws(Fault) {
        let core = cores[partition]
        let before = core.coldReads
        if cycle.time.idle.contains(LaneNumber(partition)), let watermark = cycle.time.watermark { core.raise(to: watermark) }
        let bytes = records.flatMap { $0.payload ?? [] }
        let lengths = records.map { $0.payload?.count ?? 0 }
        let offsets = records.map(\.offset)
        let timestamps = records.map(\.timestamp)
        var fault: Fault?
        bytes.withUnsafeBytes { bytes in
            var at = 0
            let payloads = records.map { record -> UnsafeRawPointer? in
                defer { at += record.payload?.count ?? 0 }
                return record.payload == nil ? nil : (bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 16)!) + at
            }
            let batch = {
                (p: UnsafePointer<UnsafeRawPointer?>, l: UnsafePointer<Int>, o: UnsafePointer<Int64>, t: UnsafePointer<Int64>) in
                RecordBatch(count: records.count, payloads: p, lengths: l, offsets: o, timestamps: t)
            }
            do throws(Fault) { try core.process(batch(payloads, lengths, offsets, timestamps)) } catch { fault = error }
        }
        if let fault { throw fault }
        coldReads += core.coldReads - before
        if core.spoken > spoken[partition] { silentSince[partition] = now }
    }

    // MARK: Commits

    /// Seals every lane and commits, if there is something to commit.
    @discardableResult public func commit() -> Commit? { form(ending: false) }

    /// The bounded input is over: everything closes.
    @discardableResult public func end() -> Commit? { form(ending: true) }

    private func form(ending: Bool) -> Commit? {
        let idle = cycle.time.idle
        let commit = cycle.form(
            ending: ending, now: now, wall: { WallTime(milliseconds: now.nanoseconds / 1_000_000) },
            seal: { request in
                cores.indices.filter { !late.contains(LaneNumber($0)) }.map { at in
                    var request = request
                    if !idle.contains(LaneNumber(at)) { request.floor = nil }
                    return answer(at, request)
                }
            },
            holding: { idle.intersection(late) },
            ship: { lane, request in late.contains(lane) ? nil : answer(Int(lane), request) })
        if let commit { apply(commit) }
        return commit
    }

    private func answer(_ at: Int, _ request: SealRequest) -> CommitCycle.LaneAnswer {
        let spoke = cores[at].spoken > spoken[at]
        spoken[at] = cores[at].spoken
        return CommitCycle.LaneAnswer(
            sealed: cores[at].seal(request), silentSince: silentSince[at],
            isFullyRead: fullyRead.contains(LaneNumber(at)) && delivered[at] == log[at].count, spoke: spoke)
    }

    private func apply(_ commit: Commit) {
        durable.number = commit.number
        durable.time = commit.time
        durable.delivered = delivered
        for lane in commit.lanes {
            durable.lanes[lane.lane] = lane
            durable.states[lane.lane, default: KeyedState()].apply(lane.changes)
            durable.late[lane.lane, default: []] += lane.late
            durable.deadLetters[lane.lane, default: []] += lane.deadLetters
        }
        if let spillsTo {
            for lane in commit.lanes {
                cores[Int(lane.lane)].settle(through: lane.seal)
                cores[Int(lane.lane)].spill(to: spillsTo)
            }
        }
        durable.states[mergeLane, default: KeyedState()].apply(commit.merge)
        durable.rows += commit.rows
        durable.decisions += commit.decisions
        durable.progress = commit.progress
    }

    // MARK: Crash

    /// Memory is lost; what was not committed will be delivered again.
    public func crash() throws(Fault) {
        delivered = durable.delivered
        try restore()
    }

    private func restore() throws(Fault) {
        cores = []
        merge = MergeCore(plan: plan, storedOutputs: stored)
        cycle = CommitCycle(plan: plan, merge: merge, number: durable.number, time: durable.time)
        for at in log.indices {
            let lane = LaneNumber(at)
            let core = try LaneCore(
                LaneConfiguration(
                    plan: plan, lane: lane, partition: PartitionID(topic: "t", number: Int32(at)), partitionOrder: Int64(at),
                    storedOutputs: stored))
            merge.add(lane: lane, order: Int64(at))
            attach(core, lane)
            if let spillsTo { core.restore(within: spillsTo) }
            let was = durable.lanes[lane]
            if let was {
                core.restore(
                    books: was.books, watermark: was.watermark, newestEventTime: was.newestEventTime, nextOffset: was.nextOffset,
                    lastRecord: was.lastRecord)
            }
            try load(lane) { core.restore(key: $0, value: $1) }
            cycle.add(
                lane: lane, watermark: was?.watermark, newestEventTime: was?.newestEventTime, nextOffset: was?.nextOffset ?? 0,
                silentSince: now, redelivered: was?.books.redelivered ?? 0, lastOpenClose: was?.lastOpenClose)
            cores.append(core)
        }
        try load(mergeLane) { merge.restore(key: $0, value: $1) }
        silentSince = Array(repeating: now, count: log.count)
        spoken = Array(repeating: 0, count: log.count)
    }

    private func attach(_ core: LaneCore, _ lane: LaneNumber) {
        if spillsTo != nil { core.attach(KeyedColdState { [unowned self] in durable.states[lane] ?? KeyedState() }) }
    }

    private func load(_ lane: LaneNumber, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Bool) throws(Fault) {
        var isWhole = true
        durable.states[lane]?.eachEntry { key, value in isWhole = body(key, value) && isWhole }
        if !isWhole {
            throw Fault("state_damaged", "An entry of lane \(lane) could not be read.", next: "Look at the codec.", exit: .state)
        }
    }

    // MARK: What it tells

    public var books: [Books] { cores.map(\.books) }
    public var watermarks: [EventTime?] { cores.map(\.watermark) }
    public var combined: CombinedTime { cycle.time }
    public var nextDecision: MonotonicTime? { cycle.nextDecision }
    public var keys: [Int] { cores.map(\.keys) }
}
