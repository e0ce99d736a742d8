import Model
import Pipeline
import Runtime
import Testkit

/// One instance of the group: what the service does around the values that decide, in one thread and with the network of a
/// `GroupSimulation`.
final class SimulatedProcess {
    final class InputLane {
        let core: LaneCore
        let keyed: MergeCore
        var isInTurn = false
        var wantsTurn = false
        var silentSince: Int64
        var spokenAtGrant = 0
        /// A seal that was not waited for: its answer is the next commit's.
        var late: Seal?
        /// Offsets before which its watermark was raised, and to where, since the last seal.
        var raises: [(at: Int64, floor: Int64)] = []

        init(core: LaneCore, keyed: MergeCore, silentSince: Int64) {
            self.core = core
            self.keyed = keyed
            self.silentSince = silentSince
        }
    }

    /// What a lane gave for one request.
    struct Seal {
        var answer: GroupCycle.Answer
        var raises: [(at: Int64, floor: Int64)]
    }

    /// What was produced and not decided.
    struct OpenCommit {
        var transaction: Int
        var units: [LaneNumber: StoredUnit] = [:]
        var changes: [LaneNumber: [StateLog]] = [:]
        var rows: [(unit: LaneNumber, row: Row)] = []
        var raises: [LaneNumber: [(at: Int64, floor: Int64)]] = [:]
        var heeds: [LaneNumber: [HeededOrder]] = [:]
        var late: [LaneNumber: [LateEntry]] = [:]
        /// Entries that were applied again, by their place in the ledger.
        var marks: [LaneNumber: [Int]] = [:]
        var partials: Set<Int> = []
        var handedOn: [HandedOnTurn] = []
        /// By input lane, the number of the seal that it gave.
        var seals: [LaneNumber: Int64] = [:]
        var hasTime = false
    }

    unowned let group: GroupSimulation
    let writer: UInt64
    private(set) var cycle: GroupCycle
    private(set) var log: TimeLog
    private var logStart: Int64
    private let logTarget: Int64
    private(set) var lanes: [LaneNumber: InputLane] = [:]
    private(set) var merges: [LaneNumber: MergeLane] = [:]
    private var coldReads: [LaneNumber: Int64] = [:]
    /// The last order that it has heard of.
    private var order: ObserveOrder?
    var open: OpenCommit?
    /// It was taken for dead and does not know it: all that it commits fails.
    var isZombie = false

    init(_ group: GroupSimulation) {
        self.group = group
        writer = group.draw.next()
        cycle = GroupCycle(plan: group.plan, writer: writer)
        logTarget = group.time.end
        logStart = group.draw.oneIn(3) ? 0 : max(0, logTarget - Int64(group.draw.upTo(40)))
        log = Self.log(group, logStart, writer)
    }

    private static func log(_ group: GroupSimulation, _ start: Int64, _ writer: UInt64) -> TimeLog {
        var log = TimeLog(
            lanes: group.shape.lanes, mergeLanes: group.shape.mergeLanes, rekeyed: group.layout.rekeyed.count,
            start: group.mutant == .newcomerTrustsItself ? 0 : start,
            writer: writer, snapshotEvery: 4)
        log.reach(start)
        return log
    }

    var units: Set<LaneNumber> { Set(lanes.keys).union(merges.keys) }

    // MARK: Units

    func add(_ unit: LaneNumber) {
        let stored = group.units[unit]
        if group.layout.isMerge(unit) {
            let merge = MergeLane(
                plan: group.plan, storedOutputs: group.stored, partition: group.layout.partition(of: unit),
                lanes: group.layout.sources)
            if let stored {
                merge.restore(
                    nextOffset: group.mutant == .partialsFromTheirEnd
                        ? group.partials[group.topic(of: unit)].end : stored.next,
                    closedThrough: group.mutant == .mergeForgetsWhatItClosed ? nil : stored.closedThrough,
                    combined: stored.combined, progress: stored.progress, isEnded: stored.isEnded)
                stored.state.eachEntry {
                    if $0[0] != UInt8(ascii: "x"), !merge.restore(key: $0, value: $1) { group.fail("damaged state of \(unit)") }
                }
            }
            if log.isExact { merge.note(log.state) }
            merges[unit] = merge
            return
        }
        guard
            let core = try? LaneCore(
                group.configuration(of: unit))
        else { return group.fail("no lane \(unit)") }
        if group.shape.spills {
            core.attach(KeyedColdState { [unowned group] in group.units[unit]?.state ?? KeyedState() })
            core.restore(within: 0)
        }
        let keyed = MergeCore(plan: group.plan, storedOutputs: group.stored, choice: .keyed)
        keyed.add(lane: unit, order: Int64(unit))
        if let stored {
            core.restore(
                books: stored.books, watermark: stored.watermark, newestEventTime: stored.newest, nextOffset: stored.next,
                lastRecord: nil)
            core.restore(largestClose: stored.largestClose)
            keyed.restore(progress: stored.progress)
            stored.state.eachEntry { key, value in
                if group.mutant == .ordersForgotten, key[0] == UInt8(ascii: "m") { return }
                if group.mutant == .inputTimesForgotten, key[0] == UInt8(ascii: "t") { return }
                if key[0] == UInt8(ascii: "x") { return }
                let isMerged = "prsbyz".utf8.contains(key[0])
                let isRead = isMerged ? keyed.restore(key: key, value: value) : core.restore(key: key, value: value)
                if !isRead { group.fail("damaged state of \(unit)") }
            }
        }
        keyed.beginClosed(stored?.watermark)
        if let order { core.heed(order) }
        if group.layout.isRekeyed(unit), log.isExact { core.note(log.state) }
        lanes[unit] = InputLane(core: core, keyed: keyed, silentSince: group.now)
        cycle.add(
            lane: unit, isIdle: group.mutant == .idlenessForgotten ? false : stored?.isIdle ?? false,
            isRekeyed: group.layout.isRekeyed(unit))
    }

    func remove(_ unit: LaneNumber) {
        coldReads[unit] = nil
        lanes[unit] = nil
        merges[unit] = nil
        cycle.remove(lane: unit)
    }

    // MARK: Reading

    func take(_ unit: LaneNumber, limit: Int) {
        guard let lane = lanes[unit] else { return }
        if group.layout.isRekeyed(unit) { return takeHandedOn(unit, lane, limit: limit) }
        let from = Int(lane.core.nextOffset)
        let waiting = group.input[Int(unit)].count - from
        guard waiting > 0 else { return }
        if cycle.isIdle(unit), !lane.isInTurn, group.mutant != .idleLanesTake {
            lane.wantsTurn = true
            return
        }
        let before = lane.core.spoken
        let events = group.input[Int(unit)][from..<(from + min(limit, waiting))]
        if !lane.core.take(events.map(\.payload), from: Int64(from)) { group.fail("a batch could not be processed") }
        if lane.core.spoken != before { lane.silentSince = group.now }
    }

    func readOrders() { order = group.orders.last }

    func readPartials(_ unit: LaneNumber, limit: Int) {
        guard let merge = merges[unit] else { return }
        let (records, next) = group.partials[group.topic(of: unit)].read(from: merge.nextOffset, limit: limit)
        for (offset, bytes) in records {
            bytes.withUnsafeBytes { raw in
                do throws(Fault) { try merge.receive(raw, at: offset) } catch { group.fail("\(error)") }
            }
        }
        merge.reach(next)
    }

    func readLog(limit: Int) {
        let (records, next) = group.time.read(from: log.position, limit: limit)
        for (offset, bytes) in records {
            guard
                let record = bytes.withUnsafeBytes({ group.layout.time($0) })
            else { return group.fail("a record of time could not be read") }
            log.apply(record, at: offset)
            guard log.isExact else { continue }
            if let common = group.common[offset], common != log.state { group.fail("two read time differently at \(offset)") }
            for merge in merges.values { merge.note(log.state) }
            for (unit, lane) in lanes where group.layout.isRekeyed(unit) { lane.core.note(log.state) }
        }
        log.reach(next)
        if !log.isExact, log.position >= logTarget {
            logStart /= 2
            log = Self.log(group, logStart, writer)
        }
        beginTurns()
    }

    private func beginTurns() {
        let unanswered = lanes.filter { $0.value.late != nil }.keys
        var begun = cycle.turns(log, unanswered: group.mutant == .turnsBeforeTheAnswer ? [] : Set(unanswered))
        switch group.mutant {
        case .turnsWithoutTheLog:
            for (unit, lane) in lanes where cycle.isIdle(unit) && lane.wantsTurn && !lane.isInTurn {
                begun.append((unit, log.state.combined))
            }
        case .turnsOfAnyRequest:
            for (unit, lane) in lanes where cycle.isIdle(unit) && lane.wantsTurn && !lane.isInTurn {
                if log.isExact, case .turn(let turn) = log.state.lanes[Int(unit)].standing { begun.append((unit, turn.floor)) }
            }
        default: break
        }
        for (unit, floor) in begun {
            guard let lane = lanes[unit], !lane.isInTurn else { continue }
            lane.isInTurn = true
            lane.wantsTurn = false
            lane.spokenAtGrant = lane.core.spoken
            guard let floor, group.mutant != .turnsWithoutAFloor else { continue }
            lane.core.raise(to: floor)
            lane.raises.append((lane.core.nextOffset, floor.milliseconds))
        }
    }

    // MARK: Commits

    /// Seals, and produces all that one commit holds; nothing of it counts before it is decided.
    func begin() {
        guard open == nil else { return }
        let now = MonotonicTime(nanoseconds: group.now * 1_000_000)
        var asked = cycle.request(log, isRead: isRead, now: now)
        asked.observing = order
        let request = asked
        if request.closesAll, !log.state.isEnded { group.foreseen += 1 }
        var commit = OpenCommit(transaction: group.nextTransaction())
        let seals = lanes.keys.sorted().compactMap { answer($0, request) }
        let answers = seals.map(\.answer)
        let leaving =
            group.shape.idleness
            ? cycle.candidates(answers, now: now).filter { isStillSilent($0, seals) && (group.isFair || !group.draw.oneIn(4)) }
            : []
        var record = cycle.form(answers, leaving: leaving, log: log, now: now)
        var isWorth = record.isWorthACommit
        for seal in seals { isWorth = handOn(seal.answer.lane.sealed, &commit, &record) || isWorth }
        let asOfEnd = request.closesAll && log.isExact ? log.state(with: record).asOf : nil
        for seal in seals { isWorth = produce(seal, asOfEnd, &commit, &record) || isWorth }
        for (unit, merge) in merges.sorted(by: { $0.key < $1.key }) {
            let sealed = merge.seal(lookup(unit))
            isWorth = isWorth || sealed.isChanged
            if !isZombie, let fault = sealed.fault { group.fail("\(fault)") }
            if !isZombie, !sealed.refused.isEmpty { group.fail("\(unit) refuses \(sealed.refused)") }
            commit.units[unit] = StoredUnit(
                next: sealed.nextOffset, closedThrough: sealed.closedThrough, combined: sealed.combined,
                progress: sealed.progress, isEnded: sealed.isEnded)
            commit.changes[unit] =
                group.mutant == .closedWindowsLeftBehind ? [sealed.changes] : [sealed.changes, sealed.closed.changes]
            commit.rows += sealed.rows.map { (unit, $0) }
        }
        guard isWorth else { return }
        send(&record, &commit)
        open = commit
    }

    /// All input lanes here have taken all that there is, and none owes an answer; some builds of the engine never look.
    private var isRead: Bool {
        guard group.isBounded, group.shape.foreseesTheEnd, group.layout.rekeyed.isEmpty else { return false }
        let done = lanes.filter { unit, lane in lane.late == nil && lane.core.nextOffset == group.input[Int(unit)].count }
        return group.mutant == .endForeseenTooEarly ? !done.isEmpty : done.count == lanes.count
    }

    /// A late answer may be from before its lane took more.
    private func isStillSilent(_ unit: LaneNumber, _ seals: [Seal]) -> Bool {
        let since = seals.first { $0.answer.lane.sealed.lane == unit }?.answer.lane.silentSince
        return since == MonotonicTime(nanoseconds: lanes[unit]!.silentSince * 1_000_000)
    }

    /// nil: it does not answer in time.
    private func answer(_ unit: LaneNumber, _ request: SealRequest) -> Seal? {
        let lane = lanes[unit]!
        if let late = lane.late {
            lane.late = nil
            return late
        }
        let isLate = group.shape.unansweredSeals && !request.closesAll && !group.isFair && group.draw.oneIn(5)
        let seal = seal(unit, lane, request)
        if isLate { lane.late = seal }
        return isLate ? nil : seal
    }

    private func seal(_ unit: LaneNumber, _ lane: InputLane, _ request: SealRequest) -> Seal {
        let isIdle = cycle.isIdle(unit)
        let spoke = isIdle && lane.isInTurn && lane.core.spoken != lane.spokenAtGrant
        var request = request
        if !isIdle || spoke || group.mutant == .idleLanesShipNothing { request.floor = nil }
        lane.isInTurn = false
        let next = lane.core.nextOffset
        let count = group.layout.isRekeyed(unit) ? -1 : group.input[Int(unit)].count
        let before = lane.core.watermark
        lane.core.heed(&request)
        if let raised = lane.core.watermark, raised != before { lane.raises.append((next, raised.milliseconds)) }
        defer { lane.raises = [] }
        return Seal(
            answer: GroupCycle.Answer(
                lane: CommitCycle.LaneAnswer(
                    sealed: lane.core.seal(request), request: request,
                    silentSince: MonotonicTime(nanoseconds: lane.silentSince * 1_000_000), isFullyRead: next == count,
                    spoke: spoke),
                wantsTurn: lane.wantsTurn && isIdle && !spoke, isFinished: group.isBounded && next == count),
            raises: lane.raises)
    }

    /// One input lane's part. True: it changes something.
    private func produce(_ seal: Seal, _ asOfEnd: EventTime?, _ commit: inout OpenCommit, _ record: inout TimeRecord) -> Bool {
        let sealed = seal.answer.lane.sealed
        let request = seal.answer.lane.request
        let unit = sealed.lane
        let lane = lanes[unit]!
        let state = log.isExact ? log.state : nil
        let hasApplied = applyLate(unit, lane, isLast: request.closesAll, &commit, &record)
        let step = lane.keyed.step(
            sealed, floor: group.mutant == .floorsOfToday && cycle.isIdle(unit) ? state?.combined : request.floor,
            asOf: request.closesAll ? asOfEnd : state?.combined, ended: request.closesAll)
        let route = MergeRoute(
            group.plan, storedOutputs: group.plan.aggregates.indices.map { UInt16($0 + 1) }, layout: group.layout)
        for partials in Partials.encode(
            [sealed], isMerged: { !group.plan.aggregates[Int($0) - 1].isKeyed }, partition: route.partition(ofKey:), limit: 200)
        {
            let at = Int(partials.partition)
            let offset = group.partials[at].append(partials.bytes, transaction: commit.transaction)
            record.ends[partials.partition] = offset + 1
            commit.partials.insert(at)
        }
        commit.units[unit] = StoredUnit(
            next: sealed.nextOffset, watermark: sealed.watermark, newest: sealed.newestEventTime,
            largestClose: sealed.largestClose,
            isIdle: cycle.isIdle(unit), books: sealed.books, progress: lane.keyed.progress, isEnded: request.closesAll)
        commit.changes[unit] = [sealed.changes, step.changes, step.closed.changes]
        commit.late[unit] = sealed.late
        commit.rows += step.rows.map { (unit, $0) }
        commit.raises[unit] = seal.raises
        commit.heeds[unit] = sealed.heeded
        commit.seals[unit] = sealed.seal
        let before = group.units[unit]
        return hasApplied || !step.closed.isEmpty || before?.next != sealed.nextOffset || before?.watermark != sealed.watermark
            || !sealed.changes.isEmpty
            || !step.rows.isEmpty || !step.changes.isEmpty || !sealed.partials.isEmpty || before?.isEnded != request.closesAll
    }

    private func send(_ record: inout TimeRecord, _ commit: inout OpenCommit) {
        guard record.isWorthACommit || !record.ends.isEmpty else { return }
        switch group.mutant {
        case .endsLeftOut: record.ends = [:]
        case .handedOnEndsLeftOut: record.ends = record.ends.filter { $0.key < group.shape.mergeLanes }
        case .rekeyedLanesNotWaitedFor:
            for at in record.reports.indices where group.layout.isRekeyed(record.reports[at].lane) {
                record.reports[at].watermark = [record.reports[at].watermark, log.state.combined].compactMap(\.self).max()
            }
        case .holdsLeftOut: for at in record.reports.indices { record.reports[at].hold = nil }
        case .requestsLeftUnsaid:
            for at in record.reports.indices where record.reports[at].standing == .wants { record.reports[at].standing = .idle }
        case .turnsNotGivenBack:
            record.reports.removeAll { report in
                guard log.isExact, case .turn(let turn) = log.state.lanes[Int(report.lane)].standing else { return false }
                return report.standing != .wants && (report.watermark == nil || report.watermark == turn.floor)
            }
        case .snapshotsWithoutTurns:
            for at in (record.snapshot?.lanes ?? []).indices {
                if case .turn = record.snapshot!.lanes[at].standing { record.snapshot!.lanes[at].standing = .idle }
            }
        case .watermarksAheadOfPartials:
            for at in record.reports.indices where record.reports[at].standing == .active {
                record.reports[at].watermark = record.reports[at].newestEventTime
            }
        default: break
        }
        _ = group.time.append(TimeCodec.encode(record), transaction: commit.transaction)
        commit.hasTime = true
    }

    /// The transaction commits or is aborted; in doubt, which is the same, all memory is dropped.
    func decide(committed: Bool) {
        guard let commit = open else { return }
        open = nil
        group.settle(commit, committed: committed && !isZombie)
        if !committed || isZombie { return group.reset(self) }
        guard group.shape.spills else { return }
        for (unit, seal) in commit.seals {
            guard let core = lanes[unit]?.core else { continue }
            group.coldReads += core.coldReads - (coldReads[unit] ?? 0)
            coldReads[unit] = core.coldReads
            if let fault = core.coldFault { group.fail("\(fault)") }
            core.settle(through: seal)
            core.spill(to: 0)
        }
    }
}
