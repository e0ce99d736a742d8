import Dispatch
import Freshness
import Kafka
import Model
import Observe
import Pipeline
import State
import Synchronization

/// The only one that writes in an instance of a group (S19, S20): owns the units that the group gave it, seals them, commits them
/// in one Kafka transaction, and lets SQLite follow. Everything but `hurry` and `stop` happens on the run's thread.
///
/// `@unchecked Sendable` is true because: the run's thread is the only one to touch what changes; the rest is behind `Mutex` and
/// atomics.
final class GroupCommitter: @unchecked Sendable {
    /// What an instance keeps over all hand-overs.
    struct Parts {
        var plan: Plan
        var layout: GroupLayout
        var options: RunOptions
        var clock: any Clock
        var board: FactsBoard
        var onEvent: @Sendable (OperationalEvent) -> Void
        var directory: StateDirectory
        var source: KafkaSource
        var store: GroupStore
        var restores: UnitRestore.Context
        var inHand: RecordsInHand?
        var sender: GroupSender?
        /// nil: no output is a table.
        var feed: ResultsFeed?
        /// Where a bounded run ends, by input partition; nil: it is not bounded.
        var bounds: [PartitionID: Int64]?
        /// A transactional producer under this instance's name, prepared: it fences the one before.
        var makeProducer: () throws(Fault) -> KafkaTransactions
    }

    let parts: Parts
    let plan: Plan
    let layout: GroupLayout
    let clock: any Clock
    let store: GroupStore
    let crew: LaneCrew
    var log: LogWatch
    let replica: TimeReplica
    /// nil: there is nothing that could be ordered.
    let orders: OrderReplica?
    let rows: GroupRows
    var producer: KafkaTransactions
    var cycle: GroupCycle
    var identity: GroupIdentity?
    var units: [LaneNumber: GroupUnit] = [:]
    var merges: [LaneNumber: MergeUnit] = [:]
    /// Units whose state is being brought here, and how far that is. One that is not here yet and not in it is asked for next.
    var arrivals: [LaneNumber: Arrival] = [:]
    let desk: BrokerDesk
    /// What was asked before restores; nil: nothing is asked.
    var survey: Answer<[LaneNumber: UnitFacts]>?
    /// The records that restored lanes took last, as they are in the input now; nil: nothing is asked.
    var lastRecords: Answer<[PartitionID: RecordFingerprint]>?
    /// What brokers answered instead, since when, and when they are asked again.
    var unanswered: (fault: Fault, since: MonotonicTime, again: MonotonicTime)?
    /// Orders to apply late events again, by the lane that is to act on them.
    var lateWork: [LaneNumber: LateWork] = [:]
    /// What the last seal of each merge lane said.
    var mergeReports: [LaneNumber: MergeReport] = [:]
    /// Bytes that wait in merge lanes, about.
    var mergeMemory = 0
    /// Records of the units here that others, or earlier runs, have read.
    var readBefore: [LaneNumber: Int64] = [:]
    /// Why a merge lane can't go on.
    var mergeFault: Fault?
    private var lastTick: MonotonicTime?
    var nextMeasure: MonotonicTime?
    var cadence: CommitCadence
    /// When the progress of restores was told last, or they began.
    var toldProgress: MonotonicTime?
    private let startedAt: MonotonicTime
    private(set) var number: Int64 = 0
    /// The last record of the log of time that a commit of ours held; 0: none.
    var toldTime: Int64 = 0
    private(set) var rowsEmitted: Int64 = 0
    private var rowErrors: RowErrors
    private(set) var commits: Int64 = 0
    private(set) var lastCommitAt: MonotonicTime?
    /// What the last commit took, within reason.
    private(set) var lastTook = TimeSpan.zero

    let bell = RunBell()
    let end: GroupEnd
    let mailbox: GroupMailbox

    init(_ parts: Parts) throws(Fault) {
        self.parts = parts
        plan = parts.plan
        layout = parts.layout
        clock = parts.clock
        startedAt = parts.clock.monotonic()
        cadence = CommitCadence(every: parts.plan.commitEvery)
        store = parts.store
        log = LogWatch(limit: parts.options.heldLog)
        crew = LaneCrew(source: parts.source, idleAfter: parts.plan.eventTime.idleAfter, clock: parts.clock)
        replica = TimeReplica(log: parts.restores.log, queries: parts.restores.queries, layout: parts.layout)
        orders =
            GroupLayout.Topics.hasControl(parts.plan)
            ? OrderReplica(log: parts.restores.log, queries: parts.restores.queries, place: parts.layout.topics.controlPartition)
            : nil
        rows = GroupRows(plan: parts.plan, layout: parts.layout)
        cycle = GroupCycle(plan: parts.plan, writer: replica.writer)
        rowErrors = RowErrors(parts.plan)
        producer = try parts.makeProducer()
        end = GroupEnd(until: parts.options.until)
        mailbox = GroupMailbox(ring: { [bell] in bell.hurry() })
        desk = BrokerDesk(ring: { [bell] in bell.ring() })
    }

    /// From any thread.
    func stop() { bell.stop() }

    // MARK: The run

    /// Until it is told to stop, or a bounded input is over.
    func run() throws(Fault) {
        while true {
            let due = (lastTick ?? clock.monotonic()) + interval
            // While somebody waits for state, restores have the time until a commit is due.
            if !isRestoring { bell.waitForTick(due: due, by: clock, unless: { crew.isRead }) }
            let isLast = bell.isStopping
            if isLast { parts.board.set(state: .stopping) }
            let letters: [GroupMailbox.Letter] = mailbox.take()
            // A membership that is over can't be mended from here: another process has this instance's name, or a right is missing.
            for case .failed(let fault) in letters { throw fault }
            do throws(Fault) {
                try handle(letters)
                if !isLast { try restoreSome(until: due) }
                lastTick = clock.monotonic()
                bell.heed()
                try tick(last: isLast)
            } catch {
                try recover(from: error)
            }
            if isLast { return }
            if try isOver() { return }
        }
    }

    /// From one tick to the next. When all that is asked for here is read, the end is a matter of hearing and telling: nothing is
    /// gathered by waiting.
    private var interval: TimeSpan {
        guard parts.options.until == .end, !units.isEmpty, crew.isOver else { return cadence.interval(took: lastTook) }
        return min(plan.commitEvery, replica.time.state.isEnded ? RuntimeLimits.endLook : RuntimeLimits.stopLook)
    }

    private func isOver() throws(Fault) -> Bool {
        let look = GroupEnd.Look(
            wasAllClosed: replica.wasAllClosed, isAllClosed: replica.time.isExact && replica.time.state.isAllClosed,
            isSettled: !isRestoring && identity != nil, isEnded: isEnded, isRead: crew.isOver && isHandedOnTaken)
        switch end.judge(look) {
        case .goOn: return false
        case .wasEnded: throw Self.inputEnded(layout.topics.changelog)
        case .commitAndStop:
            try tick(last: true)
            return true
        case .ended:
            try parts.feed?.drain(
                owned: units.keys.sorted(), watermark: replica.time.state.combined, within: RuntimeLimits.lastPublishWait)
            parts.board.set(state: .ended)
            return true
        }
    }

    /// Re-keyed lanes here have taken what lanes here handed on, as far as the log of time tells of it.
    private var isHandedOnTaken: Bool {
        if layout.rekeyed.isEmpty { return true }
        guard replica.time.isExact, replica.time.heard >= toldTime else { return false }
        return crew.reports.values.allSatisfy { report in
            guard report.isRekeyed, let end = layout.end(of: report.answer.sealed.partition) else { return true }
            return report.answer.sealed.nextOffset >= replica.time.state.ends[Int(end)]
        }
    }

    /// What was in memory can't be trusted any more, unless the fault is one that no retry cures: everything is restored from what
    /// is committed, under a new producer.
    private func recover(from fault: Fault) throws(Fault) {
        guard
            fault.isTransient || fault.exit == .fenced
                || InternalTopics.isYet(toCome: fault, layout.topics, since: startedAt, now: clock.monotonic())
        else { throw fault }
        parts.onEvent(.startedOver(fault))
        parts.board.set(state: .waiting(fault))
        producer.close(within: RuntimeLimits.closeLimit)
        let owned = Mutant.memoryKeptAfterDoubt.isOn ? [] : units.keys.sorted()
        if !Mutant.memoryKeptAfterDoubt.isOn { startOver() }
        if bell.isStopping { return }
        var last = fault
        nap()
        while !bell.isStopping {
            do throws(Fault) {
                producer = try parts.makeProducer()
                break
            } catch {
                if !error.isTransient { throw error }
                last = error
                parts.board.set(state: .waiting(last))
                nap()
            }
        }
        // The group may have taken them away meanwhile: its letter comes next, and is handled before anything is committed.
        for lane in owned { begin(lane) }
        parts.board.set(state: .running)
    }

    private func nap() { bell.wait(atMost: RuntimeLimits.retryEvery) }

    // MARK: A commit

    /// One commit, if there is anything to commit.
    func tick(last: Bool) throws(Fault) {
        let now = clock.monotonic()
        try followTime()
        try followOrders()
        prepareLate()
        guard let identity, units.values.contains(where: { $0.standing == .running }) else {
            try look(nil, now)
            return
        }
        let formed = try form(last: last, now: now)
        if let fault = crew.broken { throw fault }
        if let formed {
            number += 1
            try untilCured { () throws(Fault) in try store.refuseIfFull(formed.content.units, at: clock.wall()) }
            let began = clock.monotonic()
            let transaction = GroupTransaction(layout: layout, producer: producer, store: store)
            let ends = try transaction.run(
                formed.content, as: Mutant.metadataAtCommit.isOn ? GroupIdentity(nobodyIn: identity.group) ?? identity : identity)
            if let time = formed.time { toldTime = time.number }
            FaultPoint.hit(.afterCommitBeforeState)
            try follow(formed, ends)
            crew.settle(formed.sealed)
            parts.feed?.bury(formed.tombstones)
            if producer.isDoubtful { try renewProducer() }
            note(formed, took: clock.monotonic() - began)
        }
        try parts.feed?.poll(owned: units.keys, watermark: replica.time.state.combined)
        if last {
            try parts.feed?.drain(
                owned: units.keys.sorted(), watermark: replica.time.state.combined, within: RuntimeLimits.lastPublishWait)
        }
        grant()
        try store.tend(quiet: last || formed == nil)
        try look(formed, now)
    }

    /// SQLite after Kafka; then what is owed.
    private func follow(_ formed: FormedCommit, _ ends: [LaneNumber: ChangelogEnd]) throws(Fault) {
        if !Mutant.stateBeforeKafka.isOn {
            try untilCured { () throws(Fault) in try store.apply(formed.content.units, ends: ends) }
        }
        FaultPoint.hit(.afterState)
        for unit in formed.content.units {
            let lane = unit.head.lane
            units[lane]?.head = unit.head
            units[lane]?.owed = unit.owed
            // Behind the last record stands the mark of the transaction.
            if let end = ends[lane] { units[lane]?.changelogEnd = end.offset + 2 }
        }
        try settleOwed()
    }

    func renewProducer() throws(Fault) {
        producer.close(within: RuntimeLimits.closeLimit)
        producer = try parts.makeProducer()
    }

    /// A full disk, or full dead letters, stop the input and are waited for; nothing is lost meanwhile.
    private func untilCured(_ body: () throws(Fault) -> Void) throws(Fault) {
        var failedAt: MonotonicTime?
        while true {
            do throws(Fault) {
                try body()
                if let failedAt {
                    parts.onEvent(.diskBack(free: ByteCount(parts.directory.freeBytes ?? 0), after: clock.monotonic() - failedAt))
                    pauseAll(false)
                    parts.board.set(state: .running)
                }
                return
            } catch {
                // A group that waits for an answer gets it: what is committed is safe, and memory comes again.
                guard error.code == "disk_full" || error.code == "dead_letters_full", mailbox.isEmpty,
                    !bell.isStopping
                else { throw error }
                if failedAt == nil {
                    failedAt = clock.monotonic()
                    pauseAll(true)
                    parts.board.set(state: .waiting(error))
                    parts.onEvent(.diskFull(free: ByteCount(parts.directory.freeBytes ?? 0)))
                }
                nap()
            }
        }
    }

    private func note(_ formed: FormedCommit, took: TimeSpan) {
        lastTook = min(took, RuntimeLimits.longestRestoreSlice)
        commits += 1
        rowsEmitted += Int64(formed.rows.count)
        rowErrors.note(formed.rows)
        lastCommitAt = clock.monotonic()
        parts.board.committed(took)
        parts.onEvent(
            .committed(
                number: number, rows: formed.rows.count, took: took,
                bytes: ByteCount(formed.content.units.reduce(0) { $0 + Int64($1.changes.byteCount) })))
        if took.milliseconds > plan.commitEvery.milliseconds * RuntimeLimits.slowCommit {
            parts.onEvent(.slowCommit(number: number, took: took, expected: plan.commitEvery))
        }
    }

    /// The bounded input is over for the whole group, and everything of it is committed here.
    var isEnded: Bool { !units.isEmpty && units.values.allSatisfy { $0.head?.isEnded ?? false } }

    /// What this instance did.
    var summary: RunSummary {
        let waits = crew.turnWaits
        return RunSummary(
            books: crew.books(plan).adding(rowErrors),
            read: crew.reports.values.filter { !$0.isRekeyed }.reduce(0) { sum, report in
                let sealed = report.answer.sealed
                return sum + sealed.books.read - (readBefore[sealed.lane] ?? 0)
            },
            commits: commits, rows: rowsEmitted,
            stopped: crew.stopped, turnMedian: waits.quantile(0.5) ?? 0, turnWorst: waits.quantile(0.99) ?? 0,
            firstRecordAt: crew.firstRecordAt, lastCommitAt: lastCommitAt, coldReads: crew.coldReads, mostState: crew.mostState)
    }

    func close() {
        desk.close()
        dropAll()
        replica.close()
        orders?.close()
        producer.close(within: RuntimeLimits.closeLimit)
        parts.sender?.close()
        parts.feed?.close()
    }

    private static func inputEnded(_ place: String) -> Fault {
        Fault(
            "input_ended", "The input of this group was bounded and is over: every window was closed.", place: place,
            next: "Read it again under another source.group.", exit: .state)
    }

    func pauseAll(_ yes: Bool) {
        crew.pause(yes)
        for merge in merges.values { merge.run { $0.pause(yes) } }
    }
}
