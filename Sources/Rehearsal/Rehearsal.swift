public import Model
import Pipeline
public import Runtime
import State

/// One case's run: the production lanes, merge, commits and state under a clock that only the case moves. Single-threaded.
///
/// Records of one partition that stand next to one another in a step are one batch. A lane has always read its log to the end.
public final class Rehearsal {
    /// Steps that feed leave the commit to `commit`, as a case that has such a step wants it.
    public var commitsOnlyWhenTold = false
    let plan: Plan
    let clock = VirtualClock()
    let directory: StateDirectory
    private let probe: EventTimeProbe
    private let topics: [String]
    private var cuts: [Int] = []
    private(set) var store: StateStore
    private(set) var results: ResultsStore
    private(set) var cycle: CommitCycle
    private var merge: MergeCore
    private(set) var lanes: [RehearsedLane] = []
    /// The re-keyed lanes (S7), in the order of their partitions; empty: inputs keep their records.
    private(set) var rekeyed: [RehearsedRekeyed] = []
    private let targets: [PartitionID]
    /// Why they can't go on.
    private var broken: Fault?
    var told: Told
    private(set) var restarts: [Restart: Int64] = [:]

    /// `partitions`: of each topic, those that exist before anything is fed; nil: those of `appearing`, the records that the
    /// case will feed. A partition that exists holds the watermark back until it speaks or has been silent for long enough
    /// (S5, S6); one of which a feed is the first that is heard was added to the topic at that moment.
    public init(plan: Plan, partitions: Int?, appearing: [FedRecord] = []) throws(Fault) {
        self.plan = plan
        let topics = Self.topics(of: plan)
        self.topics = topics
        told = Told(plan)
        directory = try StateDirectory(inMemory: "rehearsal")
        probe = try EventTimeProbe(plan)
        store = try StateStore(directory: directory, plan: plan, clock: clock)
        results = try ResultsStore(directory: directory, store: store)
        (merge, cycle) = try Self.empty(plan, store)
        var ids = Set(
            topics.flatMap { topic in
                (0..<Int32(clamping: partitions ?? 0)).map { PartitionID(topic: topic, number: $0) }
            })
        if partitions == nil { ids.formUnion(appearing.map { Self.partition($0, topics) }) }
        targets = plan.isRekeyed ? plan.rekeyedPartitions(inputs: ids.count) : []
        try add(ids.sorted())
        try addRekeyed()
    }

    /// The names of what is read, as ledgers tell them: those of its topics, or one for all else.
    static func topics(of plan: Plan) -> [String] {
        if case .kafka(let names, _, _) = plan.source.kind { names } else { ["input"] }
    }

    // MARK: Steps

    /// One step's records. Errors: `input_ended` after `end`; what the state gives.
    public func feed(_ records: [FedRecord]) throws(Fault) {
        try store.checkNotEnded()
        var rest = records[...]
        for size in cuts where !rest.isEmpty {
            try give(rest.prefix(max(size, 1)))
            rest = rest.dropFirst(max(size, 1))
            try tick()
        }
        try give(rest)
        if !commitsOnlyWhenTold || !cuts.isEmpty { try tick() }
    }

    /// Moves the clocks. Commits at each moment at which silence decides something, at which it brings the watermark to the end
    /// or close of a window that holds data, or at which early rows are due, and at the end: what a service commits in time,
    /// whose pace is short against windows, comes as if it had.
    public func advance(_ span: TimeSpan) throws(Fault) {
        try store.checkNotEnded()
        let start = clock.monotonic()
        let end = start + TimeSpan(milliseconds: max(span.milliseconds, 0))
        // Where everything is committed, the pace of a service would have begun to count the silence now.
        if !hasUncommitted { try tick() }
        // Nothing is fed meanwhile: what is shown at the first time that is due stays shown.
        var early = Set(cycle.earlyRowsDue.compactMap(\.self).filter { $0 > start && $0 < end })
        while let next = ([nextDecision, nextEdge].compactMap(\.self) + early).min(), next <= end {
            clock.advance(to: next)
            early.remove(next)
            try tick()
        }
        clock.advance(to: end)
        try tick()
    }

    public func commit() throws(Fault) { try tick() }

    /// Later feeds come in batches of these sizes, each with a commit; what is left of a feed is one batch. Empty: uncut.
    public func recut(_ sizes: [Int]) { cuts = sizes }

    /// Applies entries of the late ledger again, as `weir late reapply` does, in a commit of its own; also after `end`. `output`,
    /// `partition`, `offset`: of those alone.
    public func reapply(output: String? = nil, partition: Int32? = nil, offset: Int64? = nil) throws(Fault) {
        try tick()
        var selection = LateSelection(output: output)
        selection.isAcrossPartitions = plan.isRekeyed
        let entries = try store.late(selection).filter { entry in
            (partition.map { $0 == entry.partition.number } ?? true) && (offset.map { $0 == entry.offset } ?? true)
        }
        let candidates = entries.map { entry in
            let record = lanes.first { $0.id == entry.partition }?.log.first { $0.offset == entry.offset }
            return LateReader.Candidate(
                entry: entry, record: record.map { ReadRecord(payload: $0.payload, timestamp: $0.timestamp) })
        }
        let places = lanes.map { ($0.id, (lane: $0.number, order: $0.order)) }
        let work = LateReapply(
            plan.heeding(cycle.observing), storedOutputs: store.outputIDs.map { UInt16(truncatingIfNeeded: $0) },
            lanes: Dictionary(uniqueKeysWithValues: places))
        let store = store
        let outcome = try work.run(candidates, in: &cycle) { key, included throws(Fault) in
            try store.closedEntry(before: key, included: included)
        }
        for became in outcome.map(\.became) where became.isRefused { told.refused[became, default: 0] += 1 }
        cycle.record(.commanded(word: "late_reapply", asked: "{}", result: "{}"))
        if store.head.time.ended {
            try take(cycle.formOrders(at: clock.wall(), progress: try store.progress()))
        } else {
            try tick()
        }
    }

    /// Copies pass, or are dropped, or what the topology says holds again, as `weir observe` orders it: in a commit of its own, and for
    /// the records behind it. Error: `observe_no_deduplicate`.
    public func observe(_ what: Command.Observing) throws(Fault) {
        try store.checkNotEnded()
        try tick()
        try cycle.order(what, plan)
        try tick()
    }

    /// The input is bounded and over: every window closes (S6).
    public func end() throws(Fault) {
        try store.checkNotEnded()
        try tick(ending: true)
    }

    /// A process ends and another goes on with what the store holds. What was not committed is read again at once.
    public func restart(_ kind: Restart) throws(Fault) {
        restarts[kind, default: 0] += 1
        if kind == .clean {
            try tick()
            results.close()
            store.close()
        }
        store = try StateStore(directory: directory, plan: plan, clock: clock)
        results = try ResultsStore(directory: directory, store: store)
        (merge, cycle) = try Self.empty(plan, store)
        for lane in lanes { merge.add(lane: lane.number, order: lane.order) }
        try addRekeyed()
        try merge.restore(from: store)
        let restored = Dictionary(uniqueKeysWithValues: try store.restoredLanes().map { ($0.lane, $0) })
        for lane in lanes {
            let core = try core(lane.id, lane.number, lane.order)
            let was = restored[lane.number]
            if let was { try core.restore(was, at: 0, from: store) }
            if let order = cycle.observing { core.heed(order) }
            lane.restart(core, now: clock.monotonic())
            cycle.add(
                lane: lane.number, watermark: was?.watermark, newestEventTime: was?.newestEventTime,
                nextOffset: was?.nextOffset, silentSince: clock.monotonic(), redelivered: was?.books.redelivered ?? 0)
        }
        if store.head.time.ended { return }
        for lane in lanes { try read(lane) }
    }

    // MARK: Records

    private func give(_ records: ArraySlice<FedRecord>) throws(Fault) {
        var current: RehearsedLane?
        for record in records {
            let id = partition(record)
            if current?.id != id {
                if let current { try read(current) }
                if !lanes.contains(where: { $0.id == id }) { try add([id]) }
                current = lanes.first { $0.id == id }
            }
            guard let lane = current else { continue }
            var timestamp = record.timestamp
            if timestamp == nil, let payload = record.payload {
                timestamp = try probe.time(of: payload).map { WallTime(milliseconds: $0.milliseconds) }
            }
            if let timestamp { clock.note(timestamp) }
            lane.feed(
                .init(
                    offset: record.offset ?? lane.nextOffset, payload: record.payload,
                    timestamp: timestamp?.milliseconds ?? RecordBatch.noTimestamp))
        }
        if let current { try read(current) }
    }

    private func partition(_ record: FedRecord) -> PartitionID { Self.partition(record, topics) }

    private static func partition(_ record: FedRecord, _ topics: [String]) -> PartitionID {
        PartitionID(topic: record.topic ?? topics.first ?? "input", number: record.partition)
    }

    private func read(_ lane: RehearsedLane) throws(Fault) {
        let isIdle = cycle.time.idle.contains(lane.number)
        try lane.read(floor: isIdle ? cycle.time.watermark : nil, now: clock.monotonic())
    }

    private func add(_ ids: [PartitionID]) throws(Fault) {
        let numbers = try store.lanes(for: ids)
        for id in ids {
            guard let number = numbers[id] else { continue }
            let order = Int64(topics.firstIndex(of: id.topic) ?? topics.count) << 32 | Int64(id.number)
            merge.add(lane: number, order: order)
            let core = try core(id, number, order)
            if let order = cycle.observing { core.heed(order) }
            lanes.append(RehearsedLane(id, number: number, order: order, core: core, silentSince: clock.monotonic()))
            cycle.add(
                lane: number, watermark: nil, newestEventTime: nil, nextOffset: nil, silentSince: clock.monotonic())
        }
    }

    private func core(_ id: PartitionID, _ number: LaneNumber, _ order: Int64) throws(Fault) -> LaneCore {
        let role: LaneRole = targets.isEmpty ? .whole : .source(targets: targets.count, limit: .max)
        return try LaneCore(configuration(id, number, order, role))
    }

    private func configuration(_ id: PartitionID, _ number: LaneNumber, _ order: Int64, _ role: LaneRole) -> LaneConfiguration {
        var configuration = LaneConfiguration(
            plan: plan, lane: number, partition: id, partitionOrder: order,
            storedOutputs: store.outputIDs.map { UInt16(truncatingIfNeeded: $0) })
        configuration.role = role
        return configuration
    }

    /// As they were committed. What inputs handed on and no commit holds is read again by them.
    private func addRekeyed() throws(Fault) {
        if targets.isEmpty { return }
        let numbers = try store.lanes(for: targets)
        let restored = try store.restoredLanes()
        let names = Dictionary(uniqueKeysWithValues: lanes.map { ($0.number, $0.id) })
        let before = rekeyed
        rekeyed = []
        for (place, id) in targets.enumerated() {
            let (number, order) = (numbers[id]!, Int64(id.number))
            merge.add(lane: number, order: order)
            let core = try LaneCore(configuration(id, number, order, .rekeyed(sources: names)))
            if let was = restored.first(where: { $0.lane == number }) { try core.restore(was, at: 0, from: store) }
            if let order = cycle.observing { core.heed(order) }
            rekeyed.append(RehearsedRekeyed(core, after: place < before.count ? before[place] : nil))
        }
    }

    private func exchange(_ turns: [RekeyedTurn]) -> EventTime? {
        for turn in turns {
            for (place, records) in turn.records.enumerated() where broken == nil {
                do throws(Fault) { try rekeyed[place].core.take(records, held: turn.held) } catch { broken = error }
            }
        }
        return rekeyed.compactMap(\.core.lastOpenClose).max()
    }

    private static func empty(_ plan: Plan, _ store: StateStore) throws(Fault) -> (MergeCore, CommitCycle) {
        let merge = MergeCore(plan: plan, storedOutputs: store.outputIDs.map { UInt16(truncatingIfNeeded: $0) })
        let cycle = CommitCycle(
            plan: plan, merge: merge, number: store.head.number, time: store.head.time,
            observing: try Command.observing(in: store))
        return (merge, cycle)
    }

    // MARK: Commits

    private var hasUncommitted: Bool { lanes.contains { !$0.isCommitted } }

    /// When silence alone would leave a lane out, by what the lanes say now.
    private var nextDecision: MonotonicTime? {
        let idle = cycle.time.idle
        return lanes.filter { !idle.contains($0.number) || $0.hasSpoken }.map { $0.silentSince + plan.eventTime.idleAfter }.min()
            .map { max($0, clock.monotonic()) }
    }

    /// When, all lanes being idle, the silence brings the watermark to where a window with data ends or closes.
    private var nextEdge: MonotonicTime? {
        guard let watermark = cycle.time.watermark else { return nil }
        let cores = lanes.map(\.core) + rekeyed.map(\.core)
        let edges = (cores.map { $0.nextEdge(after: watermark) } + [merge.nextEdge(after: watermark)]).compactMap(\.self)
        guard let edge = edges.min(), let moment = cycle.timekeeper.moment(of: edge) else { return nil }
        return moment > clock.monotonic() ? moment : nil
    }

    private func tick(ending: Bool = false) throws(Fault) {
        if store.head.time.ended { return }
        let idle = cycle.time.idle
        let commit = cycle.form(
            ending: ending, now: clock.monotonic(), wall: { clock.wall() },
            seal: { request in lanes.map { $0.seal(request, isIdle: idle.contains($0.number)) } },
            ship: { number, request in lanes.first { $0.number == number }?.seal(request, isIdle: true) },
            exchange: { exchange($0) },
            sealRekeyed: { request in
                rekeyed.map { lane in
                    if let floor = request.floor { lane.core.raise(to: floor) }
                    return lane.core.seal(request)
                }
            })
        if let broken { throw broken }
        if let commit { try take(commit) }
    }

    private func take(_ commit: Commit) throws(Fault) {
        try store.commit(commit)
        try results.catchUp()
        for sealed in commit.lanes { lanes.first { $0.number == sealed.lane }?.committedOffset = sealed.nextOffset }
        told.take(commit, plan)
        try deliver()
    }

    /// What waits for topics goes with the next commit, as if the broker had confirmed it at once.
    private func deliver() throws(Fault) {
        while let row = try store.pendingTopicRows(after: 0, limit: Self.delivery).last {
            store.topicRowsDelivered(through: row.sequence)
        }
        while let late = try store.pendingLate(after: 0, limit: Self.delivery).last {
            store.lateDelivered(through: late.sequence)
        }
        while let letter = try store.pendingDeadLetters(after: 0, limit: Self.delivery).last {
            store.deadLettersDelivered(through: letter.sequence)
        }
    }
    private static let delivery = 10_000
}
