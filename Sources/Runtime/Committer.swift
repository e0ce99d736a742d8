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
    /// A replay takes none (S6).
    private let takesIdleDecisions: Bool
    var cycle: CommitCycle

    let crew: LaneCrew
    var log: LogWatch
    private var lastTick: MonotonicTime?
    private var nextMeasure: MonotonicTime?
    var nextGroupCommit: MonotonicTime?
    /// Committed here, not yet told to the group.
    var untoldOffsets: [PartitionID: Int64] = [:]
    private var toldStopped: Set<LaneNumber> = []
    private var booksBefore: [LaneNumber: Books] = [:]
    /// Places whose first expression error was told.
    private var toldErrors: Set<Int> = []
    private(set) var rowsEmitted: Int64 = 0
    private var rowErrors: RowErrors
    private(set) var commits: Int64 = 0
    private(set) var lastCommitAt: MonotonicTime?

    let desk = CommandDesk()
    /// Late entries that were applied again, by lane: beside the books.
    var reapplied: [LaneNumber: Int64] = [:]
    let bell = RunBell()

    init(
        plan: Plan, store: StateStore, results: ResultsStore, directory: StateDirectory, source: any Source, cycle: CommitCycle,
        takesIdleDecisions: Bool, heldLog: Int64 = StateLimits.heldLog, publisher: RowPublisher?, board: FactsBoard,
        clock: any Clock,
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
        rowErrors = RowErrors(plan)
        log = LogWatch(limit: heldLog)
        board.set(observing: cycle.observing)
        crew = LaneCrew(source: source, idleAfter: plan.eventTime.idleAfter, clock: clock)
    }

    // MARK: From any thread

    /// Something can't wait for the next tick.
    func hurry() { bell.hurry() }

    func stop() { bell.stop() }

    // MARK: The run

    func add(_ lane: Lane, watermark: EventTime?, newestEventTime: EventTime?, committedOffset: Int64?, redelivered: Int64) {
        crew.add(lane, ceiling: MemoryBound(plan).firstCeiling)
        cycle.add(
            lane: lane.number, watermark: watermark, newestEventTime: newestEventTime, nextOffset: committedOffset,
            silentSince: clock.monotonic(), redelivered: redelivered)
    }

    /// Commits at the topology's pace until the input is over or it is told to stop. `addFound` makes lanes of partitions that
    /// appeared meanwhile.
    func run(until: RunOptions.Until, isBounded: Bool, addFound: ([PartitionID]) throws(Fault) -> Void) throws(Fault) {
        while true {
            waitForTick()
            if bell.isStopping {
                board.set(state: .stopping)
                try tick(last: true, ending: false)
                return
            }
            // What is left goes into the commit that closes all: written before, open windows would only be deleted again.
            if isBounded, until != .now, crew.isRead { return try finish() }
            try tick(last: false, ending: false)
            if !isBounded {
                let found = crew.newPartitions()
                do throws(Fault) {
                    if !found.isEmpty { try addFound(found) }
                } catch {
                    // They are found again at the next look.
                    if !error.isTransient { throw error }
                }
            }
            guard crew.isOver else { continue }
            let isWhole = reports.values.allSatisfy { $0.fault == nil }
            if isBounded, isWhole, until != .now { return try finish() }
            if isBounded {
                try tick(last: true, ending: false)
                return
            }
        }
    }

    /// The bounded input is over.
    private func finish() throws(Fault) {
        try tick(last: true, ending: true)
        try deliverAll()
        board.set(state: .ended)
    }

    private func waitForTick() {
        // Counted from the last tick's beginning: what a commit takes does not stretch the pace.
        let now = clock.monotonic()
        let due = lastTick.map { $0 + plan.commitEvery } ?? now + plan.commitEvery
        bell.waitForTick(due: due, by: clock, unless: { crew.isRead })
        lastTick = clock.monotonic()
        bell.heed()
    }

    /// One commit, if there is anything to commit.
    private func tick(last: Bool, ending: Bool) throws(Fault) {
        let now = clock.monotonic()
        // The first commit says where each partition begins: nobody should be missing.
        let wait = last || cycle.number == 0
        let before = cycle.time
        let orders = try takeOrders()
        let commit = cycle.form(
            ending: ending, now: now, wall: { clock.wall() }, seal: { request in crew.seal(wait: wait) { _ in request } },
            leave: { takesIdleDecisions ? crew.leave($0, $1) : [] },
            // An idle lane that did not answer can't be asked for its windows: the watermark must not pass them without it.
            holding: { crew.granted.union(before.idle.intersection(crew.outstanding)) }, ship: { crew.ship($0, $1) },
            exchange: { crew.rekeyed.take($0) }, sealRekeyed: { crew.rekeyed.seal($0) })
        if let fault = crew.broken ?? crew.rekeyed.broken { throw fault }
        if let commit {
            try makeDurable(commit)
            crew.settle(commit.lanes)
            for entry in commit.reapplied where entry.kind == .counted { reapplied[entry.lane, default: 0] += 1 }
            if !orders.isEmpty { board.set(observing: cycle.observing) }
            for order in orders { order.answer(commit.number) }
            tellDecisions(commit, before)
            rowsEmitted += Int64(commit.rows.count)
            rowErrors.note(commit.rows)
            commits += 1
        }
        try handOn(commit, last: last)
        if commit != nil { lastCommitAt = clock.monotonic() }
        for lane in crew.waiting where cycle.time.idle.contains(lane) { crew.grant(lane, cycle.time.watermark) }
        try look(commit, now)
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
                if let lane = crew.lanes[lane] { onEvent(.resumed(lane.partition, from: from, to: to)) }
            case .commanded(let word, let asked, _): onEvent(.commanded(word, asked: asked, commit: commit.number))
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
        crew.nudge(now)
        let isMeasured = nextMeasure.map { now >= $0 } ?? true
        if isMeasured { nextMeasure = now + RuntimeLimits.measureEvery }
        let measured = isMeasured ? try store.measurements() : nil
        if isMeasured { tellBursts() }
        if let measured { note(log: measured.walBytes, now) }
        // Paused lanes give no reason to commit, so it is looked for here whether the outbox has emptied.
        if crew.isPaused, let measured, measured.outboxBytes <= StateLimits.outboxBytes, !log.isFull { crew.pause(false) }
        board.update(
            reports: reports, rekeyed: crew.rekeyed.reports, time: cycle.time, commit: commit, measured: measured,
            freeDisk: isMeasured ? directory.freeBytes : nil,
            reapplied: reapplied,
            waiting: isMeasured && publisher != nil ? try store.topicRowsWaiting() : nil, sinkFault: publisher?.fault,
            wall: clock.wall(), now: now)
        try crew.keep(MemoryBound(plan), merge: cycle.mergeMemory, onEvent)
    }

    private func note(log bytes: Int64, _ now: MonotonicTime) {
        let change = log.look(bytes, file: directory.stateFile, now: now, readers: directory.logReaders)
        board.set(logHolders: log.holders.map(\.words))
        switch change {
        case .filled(let fault):
            crew.pause(true)
            board.set(state: .waiting(fault))
            onEvent(.failed(fault))
        case .freed(let after):
            board.set(state: .running)
            onEvent(.commitBack(after: after))
        case nil: break
        }
    }

    /// Late and rejected records are counted one by one; that they are many is told.
    private func tellBursts() {
        for sealed in reports.values.map(\.answer.sealed) + crew.rekeyed.reports.map(\.sealed) {
            let (number, books, partition) = (sealed.lane, sealed.books, sealed.partition)
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

    func close() {
        desk.close()
        crew.close()
        publisher?.close()
    }

    var reports: [LaneNumber: LaneReport] { crew.reports }
    var lanes: [LaneNumber: Lane] { crew.lanes }
    var firstRecordAt: MonotonicTime? { crew.firstRecordAt }
    var turnWaits: Histogram { crew.turnWaits }
    var books: Books { crew.books(plan).adding(rowErrors) }
    var stopped: [PartitionID: Fault] { crew.stopped }
}
