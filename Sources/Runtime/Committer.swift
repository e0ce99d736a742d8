import Dispatch
import Freshness
import Kafka
import Model
import Observe
import Pipeline
import State
import Synchronization

/// The only one that writes (S19): seals the lanes, forms the commit, makes it durable, and hands its rows on. Everything but
/// `hurry` and `stop` happens on one queue of its own, which may wait for disks and brokers.
///
/// `@unchecked Sendable` is true because: the run's queue is the only one to touch what changes; the rest is behind `Mutex`
/// and atomics.
final class Committer: @unchecked Sendable {
    let plan: Plan
    let store: StateStore
    let results: ResultsStore
    let directory: StateDirectory
    let source: any Source
    let clock: any Clock
    let board: FactsBoard
    let onEvent: @Sendable (OperationalEvent) -> Void
    let publisher: RowPublisher?
    private let watch: EndWatch
    /// A replay takes none (S6).
    private let takesIdleDecisions: Bool
    var cycle: CommitCycle

    private(set) var lanes: [LaneNumber: Lane] = [:]
    private var reports: [LaneNumber: LaneReport] = [:]
    private let mailbox = Mutex<[LaneReport]>([])
    private var outstanding: Set<LaneNumber> = []
    private var granted: Set<LaneNumber> = []
    private var isPaused = false
    private var lastTick: MonotonicTime?
    private var nextMeasure: MonotonicTime?
    private var nextNudge: MonotonicTime?
    var nextGroupCommit: MonotonicTime?
    /// Committed here, not yet told to the group.
    var untoldOffsets: [PartitionID: Int64] = [:]
    private var toldStopped: Set<LaneNumber> = []
    private var booksBefore: [LaneNumber: Books] = [:]
    /// Places whose first expression error was told.
    private var toldErrors: Set<Int> = []
    private(set) var rowsEmitted: Int64 = 0
    private(set) var commits: Int64 = 0
    private(set) var lastCommitAt: MonotonicTime?

    let bell = DispatchSemaphore(value: 0)
    let isRung = Atomic<Bool>(false)
    let isStopping = Atomic<Bool>(false)

    init(
        plan: Plan, store: StateStore, results: ResultsStore, directory: StateDirectory, source: any Source, cycle: CommitCycle,
        takesIdleDecisions: Bool, publisher: RowPublisher?, board: FactsBoard, clock: any Clock,
        onEvent: @escaping @Sendable (OperationalEvent) -> Void
    ) {
        self.plan = plan
        self.store = store
        self.results = results
        self.directory = directory
        self.source = source
        self.cycle = cycle
        self.publisher = publisher
        self.takesIdleDecisions = takesIdleDecisions
        self.board = board
        self.clock = clock
        self.onEvent = onEvent
        watch = EndWatch(source)
    }

    // MARK: From any thread

    /// Something can't wait for the next tick.
    func hurry() {
        if !isRung.exchange(true, ordering: .acquiringAndReleasing) { bell.signal() }
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        hurry()
    }

    // MARK: The run

    func add(_ lane: Lane, watermark: EventTime?, newestEventTime: EventTime?, committedOffset: Int64?, redelivered: Int64) {
        lanes[lane.number] = lane
        cycle.add(
            lane: lane.number, watermark: watermark, newestEventTime: newestEventTime, nextOffset: committedOffset,
            silentSince: clock.monotonic(), redelivered: redelivered)
    }

    /// Commits at the topology's pace until the input is over or it is told to stop. `addFound` makes lanes of partitions that
    /// appeared meanwhile.
    func run(until: RunOptions.Until, isBounded: Bool, addFound: ([PartitionID]) throws(Fault) -> Void) throws(Fault) {
        while true {
            waitForTick()
            if isStopping.load(ordering: .acquiring) {
                board.set(state: .stopping)
                try tick(last: true, ending: false)
                return
            }
            try tick(last: false, ending: false)
            if !isBounded {
                let found = watch.newPartitions(known: Set(lanes.values.map(\.partition)), now: clock.monotonic())
                do throws(Fault) {
                    if !found.isEmpty { try addFound(found) }
                } catch {
                    // They are found again at the next look.
                    if !error.isTransient { throw error }
                }
            }
            guard reports.count == lanes.count, outstanding.isEmpty,
                reports.values.allSatisfy({ $0.isFinished || $0.fault != nil })
            else { continue }
            let isWhole = reports.values.allSatisfy { $0.fault == nil }
            if isBounded, isWhole, until != .now {
                try tick(last: true, ending: true)
                try deliverAll()
                board.set(state: .ended)
                return
            }
            if isBounded {
                try tick(last: true, ending: false)
                return
            }
        }
    }

    private func waitForTick() {
        // Counted from the last tick's beginning: what a commit takes does not stretch the pace.
        let now = clock.monotonic()
        let due = lastTick.map { $0 + plan.commitEvery } ?? now + plan.commitEvery
        _ = bell.wait(timeout: .now() + .milliseconds(Int(max(due - now, .zero).milliseconds)))
        lastTick = clock.monotonic()
        isRung.store(false, ordering: .releasing)
    }

    /// One commit, if there is anything to commit.
    private func tick(last: Bool, ending: Bool) throws(Fault) {
        let now = clock.monotonic()
        // The first commit says where each partition begins: nobody should be missing.
        let wait = last || cycle.number == 0
        let before = cycle.time
        let commit = cycle.form(
            ending: ending, now: now, wall: { clock.wall() }, seal: { seal($0, wait: wait) },
            leave: { takesIdleDecisions ? leave($0, $1) : [] },
            // An idle lane that did not answer can't be asked for its windows: the watermark must not pass them without it.
            holding: { granted.union(before.idle.intersection(outstanding)) }, ship: { ship($0, $1) })
        if let commit {
            try makeDurable(commit)
            tellDecisions(commit, before)
            rowsEmitted += Int64(commit.rows.count)
            commits += 1
        }
        try handOn(commit, last: last)
        if commit != nil { lastCommitAt = clock.monotonic() }
        grantTurns()
        try look(commit, now)
    }

    // MARK: Lanes

    /// Asks every lane for its delta and waits a moment; a lane that is late keeps its partials, watermark and offsets until
    /// the next commit.
    private func seal(_ request: SealRequest, wait: Bool) -> [CommitCycle.LaneAnswer] {
        let group = DispatchGroup()
        for (number, lane) in lanes where !outstanding.contains(number) {
            outstanding.insert(number)
            group.enter()
            lane.run { lane in
                let report = lane.seal(request)
                self.mailbox.withLock { $0.append(report) }
                group.leave()
            }
        }
        if request.closesAll {
            // Nothing comes after the end, so nobody may be missing.
            group.wait()
        } else {
            let limit = wait ? RuntimeLimits.lastSealWait : RuntimeLimits.sealWait
            _ = group.wait(timeout: .now() + .milliseconds(Int(limit.milliseconds)))
        }
        let arrived = mailbox.withLock { box in
            defer { box = [] }
            return box
        }
        var silent: [(lane: LaneNumber, partition: PartitionID, silence: MonotonicTime)] = []
        let now = clock.monotonic()
        for report in arrived {
            let sealed = report.answer.sealed
            outstanding.remove(sealed.lane)
            granted.remove(sealed.lane)
            if let end = report.confirmedEnd, end >= sealed.nextOffset,
                now - report.answer.silentSince >= plan.eventTime.idleAfter
            {
                silent.append((sealed.lane, sealed.partition, report.answer.silentSince))
            }
        }
        let confirmed = source.grows ? watch.confirmations(of: silent, now: now) : nil
        return arrived.map { report in
            var report = report
            let lane = report.answer.sealed.lane
            if silent.contains(where: { $0.lane == lane }) {
                if let confirmed {
                    report.answer.isFullyRead = confirmed[lane].map { $0 <= report.confirmedEnd ?? .min } ?? false
                    if confirmed[lane] != nil, !report.answer.isFullyRead { watch.forget(lane) }
                } else {
                    report.answer.isFullyRead = true
                }
            }
            reports[lane] = report
            return report.answer
        }
    }

    /// Of the lanes that could be left out, those that confirm that they still are silent; they take nothing from now on.
    private func leave(_ candidates: [LaneNumber], _ answers: [CommitCycle.LaneAnswer]) -> [LaneNumber] {
        let answered = Dictionary(uniqueKeysWithValues: answers.map { ($0.sealed.lane, $0.silentSince) })
        return candidates.filter { number in
            guard let since = answered[number], let lane = lanes[number] else { return false }
            return ask(lane) { lane in
                guard lane.isStillSilent(since: since) else { return false }
                lane.becomeIdle()
                return true
            }
        }
    }

    private func ship(_ number: LaneNumber, _ request: SealRequest) -> CommitCycle.LaneAnswer? {
        guard let lane = lanes[number], !outstanding.contains(number) else { return nil }
        let report = ask(lane) { $0.seal(request) }
        reports[number]?.answer = report.answer
        return report.answer
    }

    /// Asks a lane something that it answers between two turns. A lane waits for nothing, so this can't take long.
    private func ask<T: Sendable>(_ lane: Lane, _ body: @escaping @Sendable (isolated Lane) -> T) -> T {
        let reply = Reply<T>()
        lane.run { reply.give(body($0)) }
        return reply.wait()
    }

    private func grantTurns() {
        let idle = cycle.time.idle
        for (number, report) in reports where report.wantsTurn && idle.contains(number) && !outstanding.contains(number) {
            guard let lane = lanes[number] else { continue }
            let watermark = cycle.time.watermark
            granted.insert(number)
            reports[number]!.wantsTurn = false
            lane.run { $0.grant(watermark) }
        }
    }

    func pause(_ yes: Bool) {
        guard yes != isPaused else { return }
        isPaused = yes
        for lane in lanes.values { lane.run { $0.pause(yes) } }
    }

    // MARK: Telling

    private func tellDecisions(_ commit: Commit, _ before: CombinedTime) {
        for decision in commit.decisions {
            switch decision {
            case .idle(let lane):
                guard let report = reports[lane] else { continue }
                onEvent(.idle(report.answer.sealed.partition, silentFor: clock.monotonic() - report.answer.silentSince))
            case .speaks(let lane, _):
                if let report = reports[lane] { onEvent(.speaks(report.answer.sealed.partition)) }
            case .resumed(let lane, let from, let to):
                if let lane = lanes[lane] { onEvent(.resumed(lane.partition, from: from, to: to)) }
            case .advanced, .ended: break
            }
        }
    }

    private func look(_ commit: Commit?, _ now: MonotonicTime) throws(Fault) {
        for (number, report) in reports {
            guard let fault = report.fault, !toldStopped.contains(number) else { continue }
            toldStopped.insert(number)
            onEvent(.partitionStopped(report.answer.sealed.partition, fault))
        }
        if nextNudge.map({ now >= $0 }) ?? true {
            nextNudge = now + RuntimeLimits.nudgeEvery
            for lane in lanes.values { lane.run { $0.nudge() } }
        }
        let isMeasured = nextMeasure.map { now >= $0 } ?? true
        if isMeasured { nextMeasure = now + RuntimeLimits.measureEvery }
        let measured = isMeasured ? try store.measurements() : nil
        if isMeasured { tellBursts() }
        // Paused lanes give no reason to commit, so it is looked for here whether the outbox has emptied.
        if isPaused, let measured, measured.outboxBytes <= StateLimits.outboxBytes { pause(false) }
        board.update(
            reports: reports, time: cycle.time, commit: commit, measured: measured,
            freeDisk: isMeasured ? directory.freeBytes : nil,
            waiting: isMeasured && publisher != nil ? try store.topicRowsWaiting() : nil, sinkFault: publisher?.fault,
            wall: clock.wall(), now: now)
        try checkMemory()
    }

    /// Late and rejected records are counted one by one; that they are many is told.
    private func tellBursts() {
        for (number, report) in reports {
            let books = report.answer.sealed.books
            let partition = report.answer.sealed.partition
            for (place, errors) in books.expressionErrors.enumerated() where errors > 0 && toldErrors.insert(place).inserted {
                onEvent(.expressionError(partition, place: ExpressionPlaces(plan).names[place], errors: errors))
            }
            defer { booksBefore[number] = books }
            guard let before = booksBefore[number] else { continue }
            let read = books.read - before.read
            let isBurst = { (count: Int64) in
                count >= RuntimeLimits.burstRecords && count * RuntimeLimits.burstShare >= read
            }
            if isBurst(books.late - before.late) { onEvent(.lateBurst(partition, late: books.late - before.late, of: read)) }
            for reason in RejectReason.allCases {
                let rejected = books.rejectedByReason[Int(reason.rawValue)] - before.rejectedByReason[Int(reason.rawValue)]
                if isBurst(rejected) { onEvent(.rejectedBurst(partition, reason, rejected: rejected, of: read)) }
            }
        }
    }

    /// Keys are never forgotten early to save memory: a process that can't keep them stops and says so (S8).
    private func checkMemory() throws(Fault) {
        let used = reports.values.reduce(cycle.mergeMemory) { $0 + Int64($1.deltaMemory) }
        var budget = plan.state.memory
        // The queues of the client are part of it.
        if case .kafka = plan.source.kind { budget = ByteCount(budget.bytes - QueueShare.budget(of: budget).bytes) }
        guard used > budget.bytes else { return }
        onEvent(.memoryBound(used: ByteCount(used), budget: budget))
        throw Fault(
            "memory_bound",
            "Keys and windows take \(used >> 20) MiB; state.memory leaves them \(budget.bytes >> 20) MiB. Nothing is lost.",
            place: "state.memory", next: "Raise state.memory, shorten deduplicate.within, or group by fewer values.", exit: .state
        )
    }

    func close() {
        let group = DispatchGroup()
        for lane in lanes.values {
            group.enter()
            lane.run {
                $0.close()
                group.leave()
            }
        }
        _ = group.wait(timeout: .now() + .milliseconds(Int(RuntimeLimits.closeLimit.milliseconds)))
        publisher?.close()
    }

    var firstRecordAt: MonotonicTime? { reports.values.compactMap(\.firstTakenAt).min() }
    var turnWaits: Histogram {
        reports.values.reduce(into: Histogram()) { $0.merge($1.turnWaits) }
    }
    var books: Books { reports.values.reduce(Books(outputs: plan.aggregates.count)) { $0 + $1.answer.sealed.books } }
    var stopped: [PartitionID: Fault] {
        Dictionary(uniqueKeysWithValues: reports.values.compactMap { r in r.fault.map { (r.answer.sealed.partition, $0) } })
    }
}

/// One answer from another queue.
private final class Reply<T: Sendable>: Sendable {
    private let value = Mutex<T?>(nil)
    private let done = DispatchSemaphore(value: 0)

    func give(_ answer: T) {
        value.withLock { $0 = answer }
        done.signal()
    }

    func wait() -> T {
        while true {
            done.wait()
            if let answer = value.withLock({ $0 }) { return answer }
        }
    }
}
