import Model
import Observe
import Pipeline
import State

/// Brings a run to its first record: restores what was committed, checks that the input continues it, makes the lanes.
final class RunStart {
    let plan: Plan
    private let options: RunOptions
    let clock: any Clock
    let store: StateStore
    let directory: StateDirectory
    private let source: any Source
    private let onEvent: @Sendable (OperationalEvent) -> Void
    private let isStopping: () -> Bool
    private let inHand: RecordsInHand?
    let replay: ReplayPlan?
    let storedOutputs: [UInt16]
    let merge: MergeCore
    /// What its input lanes do.
    private var role = LaneRole.whole
    /// Records with an earlier event time don't count, where a replay can't look them up in its logs.
    private(set) var warmBefore: EventTime?
    /// An earlier run has read of this input.
    private var hasRead = false

    init(
        plan: Plan, options: RunOptions, clock: any Clock, directory: StateDirectory, store: StateStore, source: any Source,
        onEvent: @escaping @Sendable (OperationalEvent) -> Void, isStopping: @escaping () -> Bool
    ) {
        self.isStopping = isStopping
        self.plan = plan
        self.options = options
        self.clock = clock
        self.store = store
        self.directory = directory
        self.source = source
        self.onEvent = onEvent
        inHand = RecordsInHand(directory, onEvent: onEvent)
        replay = options.range.map { ReplayPlan($0, plan: plan) }
        storedOutputs = store.outputIDs.map { UInt16(truncatingIfNeeded: $0) }
        merge = MergeCore(plan: plan, storedOutputs: storedOutputs, bounds: replay?.windows)
    }

    /// The run ends by itself.
    var isBounded: Bool {
        options.range != nil || options.until != .stopped || plan.source.isBounded
    }

    func committer(
        results: ResultsStore, directory: StateDirectory, publisher: RowPublisher?, board: FactsBoard
    ) throws(Fault) -> Committer {
        if case .generator(let generator) = plan.source.kind, generator.events == nil, options.until != .stopped {
            throw Fault(
                "source_unbounded", "The generator has no end.", place: "source.generator",
                next: "Give source.generator.events, or run without --until.", exit: .usage)
        }
        let head = store.head
        if options.range != nil, head.number > 0 {
            throw Fault(
                "replay_state_used", "This state directory holds another run; a replay wants one of its own.",
                place: plan.state.directory, next: "Name a new directory with --state.", exit: .state)
        }
        let observing = try Command.observing(in: store)
        if let observing, let observe = observing.observe { onEvent(.observeOrdered(observe, since: observing.at)) }
        let cycle = CommitCycle(plan: plan, merge: merge, number: head.number, time: head.time, observing: observing)
        let committer = Committer(
            plan: plan, store: store, results: results, directory: directory, source: source, cycle: cycle,
            takesIdleDecisions: options.range == nil, heldLog: options.heldLog, publisher: publisher,
            board: board, clock: clock, onEvent: onEvent)
        committer.reapplied = try store.reapplied().mapValues { $0.reduce(0, +) }
        return committer
    }

    func openLanes(_ restored: [RestoredLane], into committer: Committer) throws(Fault) {
        let began = clock.monotonic()
        let (rekeyed, restored) = restored.divided(by: plan)
        let known = Dictionary(uniqueKeysWithValues: restored.map { ($0.partition, $0) })
        var ids = Set(try source.partitions()).union(known.keys)
        try checkChoices(ids)
        let bounds = try replay?.bounds(of: ids.sorted(), plan: plan, source: source)
        if let bounds { ids = Set(bounds.keys) }
        let numbers = try store.lanes(for: ids.sorted())
        for (id, lane) in numbers { merge.add(lane: lane, order: order(id, lane)) }
        let targets = try rekeyedPartitions(rekeyed, inputs: numbers)
        role = inputRole(targets: targets.count, inputs: ids.count)
        warmBefore = bounds?.values.compactMap(\.countsFrom).min()
        var keys = try makeRekeyed(targets, rekeyed, inputs: numbers, committer: committer)
        try merge.restore(from: store)
        let ends = options.until == .stopped || options.range != nil ? nil : try source.ends(of: ids.sorted())
        hasRead = restored.contains { $0.nextOffset != nil }
        var opening: [(lane: Lane, offset: Int64, fault: Fault?)] = []
        for id in ids.sorted() {
            // A signal during a long restore: nothing was opened, so nothing is to be drained.
            if isStopping() { return }
            let made = try make(
                id, number: numbers[id]!, restored: known[id], lanes: ids.count, end: bounds?[id].flatMap(\.end) ?? ends?[id],
                bounds: bounds?[id],
                committer: committer)
            keys += made.keys
            opening.append((made.lane, made.offset, made.fault))
        }
        for (lane, offset, fault) in opening {
            lane.run { lane in
                if let fault { lane.stop(fault) } else { lane.open(at: offset) }
            }
        }
        if hasRead {
            onEvent(.restored(keys: Int64(keys), cells: 0, took: clock.monotonic() - began))
        }
    }

    /// Partitions that appeared while it runs are read from their first offset.
    func add(found ids: [PartitionID], to committer: Committer) throws(Fault) {
        let numbers = try store.lanes(for: ids)
        for id in ids.sorted() {
            let number = numbers[id]!
            // What the brokers do not know alike yet is found again at the next look.
            guard let first = try? source.offset(of: id, .earliest) else { continue }
            merge.add(lane: number, order: order(id, number))
            let configuration = configuration(id, number)
            let core = try LaneCore(configuration)
            core.attach(ColdReader(directory, lane: number, of: committer.lanes.count + ids.count, plan))
            core.jump(to: first)
            let lane = Lane(
                configuration: configuration, core: core, input: try source.input(id), clock: clock, isIdle: false, bound: nil,
                warmBelow: .min, watermarkBound: nil, inHand: inHand?.slot(of: id, next: first),
                bell: committer.bell)
            committer.add(lane, watermark: nil, newestEventTime: nil, committedOffset: nil, redelivered: 0)
            onEvent(.partitionFound(id, from: first))
            lane.run { $0.open(at: first) }
        }
    }

    private func checkChoices(_ ids: Set<PartitionID>) throws(Fault) {
        for choice in options.resume where !ids.contains(choice.partition) {
            throw Fault(
                "resume_refused", "There is no partition \(choice.partition).", place: "\(choice.partition)",
                next: "Name a partition of the source's topics, as TOPIC:NUMBER.", exit: .usage)
        }
    }

    // MARK: One lane

    private func make(
        _ id: PartitionID, number: LaneNumber, restored: RestoredLane?, lanes: Int, end: Int64?, bounds: ReplayPlan.Bounds?,
        committer: Committer
    ) throws(Fault) -> (lane: Lane, offset: Int64, keys: Int, fault: Fault?) {
        let configuration = configuration(id, number, warmBefore: bounds?.countsFrom)
        let core = try LaneCore(configuration)
        core.attach(ColdReader(directory, lane: number, of: lanes, plan))
        core.restore(within: MemoryBound(plan).restored(lanes: lanes))
        var fault: Fault?
        var offset: Int64
        if let known = bounds?.open ?? restored?.nextOffset {
            offset = known
        } else {
            // Of a partition that appeared since an earlier run nothing may be stepped over, whatever `start` says.
            offset = hasRead ? try source.offset(of: id, .earliest) : try source.firstOffset(of: id)
        }
        if let restored { try core.restore(restored, at: offset, from: store) } else { core.jump(to: offset) }
        if let mark = restored?.fileFingerprint { try source.check(id, mark: mark) }
        if let choice = options.resume.first(where: { $0.partition == id }) {
            guard try checked(id, restored) != nil else { throw Self.notLost(id, offset) }
            let chosen = try source.offset(of: id, choice.position)
            committer.cycle.record(.resumed(lane: number, from: offset, to: chosen))
            offset = chosen
            core.jump(to: chosen)
        } else {
            fault = try checked(id, restored)
        }
        if let order = committer.cycle.observing { core.heed(order) }
        let keys = core.keys
        // Restored here, on the start's thread; from now on only the lane's queue has it.
        nonisolated(unsafe) let handed = core
        if restored?.fileFingerprint == nil, let mark = try source.mark(of: id) {
            try store.record(fileFingerprint: mark, of: number)
        }
        let lane = Lane(
            configuration: configuration, core: handed, input: try source.input(id), clock: clock,
            isIdle: committer.cycle.time.idle.contains(number), bound: end, warmBelow: bounds?.counts ?? .min,
            watermarkBound: replay?.watermarkBound, inHand: inHand?.slot(of: id, next: offset),
            bell: committer.bell)
        committer.add(
            lane, watermark: restored?.watermark, newestEventTime: restored?.newestEventTime,
            committedOffset: restored?.nextOffset, redelivered: restored?.books.redelivered ?? 0)
        return (lane, offset, keys, fault)
    }

    /// A partition whose log does not continue what was read stops; the others go on.
    private func checked(_ id: PartitionID, _ restored: RestoredLane?) throws(Fault) -> Fault? {
        do throws(Fault) {
            try source.check(id, position: restored?.nextOffset, lastRecord: restored?.lastRecord)
            return nil
        } catch {
            if error.exit == .choiceNeeded { return error }
            throw error
        }
    }

    private func configuration(_ id: PartitionID, _ number: LaneNumber, warmBefore: EventTime? = nil) -> LaneConfiguration {
        var configuration = LaneConfiguration(
            plan: plan, lane: number, partition: id, partitionOrder: order(id, number), storedOutputs: storedOutputs,
            bounds: replay?.windows, warmBefore: warmBefore)
        configuration.role = role
        return configuration
    }

    private func order(_ id: PartitionID, _ number: LaneNumber) -> Int64 { source.order(of: id) ?? Int64(number) }

    private static func notLost(_ id: PartitionID, _ offset: Int64) -> Fault {
        Fault(
            "resume_refused", "The position of this partition is not lost: it goes on at \(offset).", place: "\(id)@\(offset)",
            next: "Leave --resume away for this partition; to read a range again use --from and --until.", exit: .usage)
    }
}
