public import Model
public import Pipeline

/// Decides what one commit holds: which lanes are left out, where the combined watermark stands, which rows are due. A
/// value that decides; who drives it (the committer in service, a simulation in tests) hands in the time and does the work.
public struct CommitCycle {
    /// A lane's answer to a seal, with what the watermark rules must know of it.
    public struct LaneAnswer: Sendable {
        public var sealed: SealedLane
        /// What it was sealed with: a late answer belongs to an earlier commit's request.
        public var request: SealRequest
        /// See `Timekeeper.Report`.
        public var silentSince: MonotonicTime
        public var isFullyRead: Bool
        public var spoke: Bool
        public init(
            sealed: SealedLane, request: SealRequest = SealRequest(due: []), silentSince: MonotonicTime, isFullyRead: Bool,
            spoke: Bool
        ) {
            self.sealed = sealed
            self.request = request
            self.silentSince = silentSince
            self.isFullyRead = isFullyRead
            self.spoke = spoke
        }
    }

    public private(set) var number: Int64
    public private(set) var timekeeper: Timekeeper
    private let plan: Plan
    private let merge: MergeCore
    private var reports: [LaneNumber: Timekeeper.Report] = [:]
    private var openCloses: [LaneNumber: EventTime] = [:]
    private var early: EarlyRows
    private var lastOffsets: [LaneNumber: Int64] = [:]
    private var lastRedelivered: [LaneNumber: Int64] = [:]
    /// Choices that operators made, for the next commit.
    private var pending: [Decision] = []
    private var reapplied: [ReappliedEntry] = []
    /// What an operator ordered of copies; nil: nothing, so what the topology says holds.
    public private(set) var observing: ObserveOrder?

    /// `number`: the last commit that is durable.
    public init(plan: Plan, merge: MergeCore, number: Int64, time: CombinedTime, observing: ObserveOrder? = nil) {
        self.observing = observing
        self.plan = plan
        self.merge = merge
        self.number = number
        timekeeper = Timekeeper(restored: time, idleAfter: plan.eventTime.idleAfter)
        early = EarlyRows(plan)
    }

    public var time: CombinedTime { timekeeper.time }
    /// Bytes that the merge's windows take, about.
    public var mergeMemory: Int64 { Int64(merge.memory) }

    /// A lane that exists though it has not been sealed yet: it holds the watermark back until it speaks or is idle (S5).
    /// `nextOffset` as committed; nil: it is not yet, so the lane's first seal is worth a commit.
    /// `redelivered` as committed: records that are dropped unread move no offset, but the books change (S1).
    /// `lastOpenClose` as restored: windows of an idle lane are asked for before the watermark passes them.
    public mutating func add(
        lane: LaneNumber, watermark: EventTime?, newestEventTime: EventTime?, nextOffset: Int64?, silentSince: MonotonicTime,
        redelivered: Int64 = 0, lastOpenClose: EventTime? = nil
    ) {
        reports[lane] = Timekeeper.Report(
            lane: lane, watermark: watermark, newestEventTime: newestEventTime, silentSince: silentSince, isFullyRead: false,
            spoke: false)
        lastOffsets[lane] = nextOffset
        lastRedelivered[lane] = redelivered
        openCloses[lane] = lastOpenClose
    }

    /// A choice that the next commit records.
    public mutating func record(_ decision: Decision) { pending.append(decision) }

    /// An operator's order of copies (S9): the next commit holds it, and each lane heeds it where its seal for that commit ends.
    mutating func observe(_ observe: Bool?) {
        observing = ObserveOrder(number: number + 1, at: WallTime(milliseconds: 0), observe: observe)
    }

    /// What holds of copies.
    var isObserving: Bool { plan.heeding(observing).deduplicate?.observe ?? false }

    /// When silence alone would change something; nil: only records can.
    public var nextDecision: MonotonicTime? { timekeeper.nextDecision(Array(reports.values)) }

    /// By output: when early rows are due next (S15, `every`); nil: at once, or never.
    public var earlyRowsDue: [MonotonicTime?] { early.next }

    /// One commit, in the order that everyone shares who drives lanes: they are sealed, the silent ones leave, and what is due
    /// is formed. nil where nothing happened that needs one.
    ///
    /// `seal` asks the lanes for their deltas; one that does not answer keeps its own for the next commit. The request's floor
    /// is for idle lanes. `leave` is asked which of the lanes that could be left out, in ascending order, take nothing from now
    /// on. `holding` names the idle lanes that may have taken records, or that can't be asked now; the watermark waits for them.
    /// `ship` asks an idle lane for what it holds up to the combined watermark; idle lanes take no records, so it answers at
    /// once. With re-keying `exchange` hands what inputs gathered to the re-keyed lanes, waits until they have taken it, and gives the
    /// largest close of their windows; `sealRekeyed` asks all of them, once the combined watermark is known. None of them may touch
    /// this value. `ending`: the bounded input is over, so lanes close all and nothing is idle.
    public mutating func form(
        ending: Bool, now: MonotonicTime, wall: () -> WallTime,
        seal: (SealRequest) -> [LaneAnswer],
        leave: (_ candidates: [LaneNumber], _ answers: [LaneAnswer]) -> [LaneNumber] = { candidates, _ in candidates },
        holding: () -> Set<LaneNumber> = { [] },
        ship: (LaneNumber, SealRequest) -> LaneAnswer?,
        exchange: ([RekeyedTurn]) -> EventTime? = { _ in nil },
        sealRekeyed: (SealRequest) -> [SealedLane] = { _ in [] }
    ) -> Commit? {
        let request = SealRequest(
            due: early.due(now), floor: timekeeper.time.watermark, closesAll: ending, observing: observing)
        let answers = seal(request)
        let granted = holding()
        let rekeyedClose = plan.isRekeyed ? exchange(turns(answers, granted)) : nil
        let leaving = ending ? [] : leave(candidates(answers, now), answers)
        var sealed = answers.map(\.sealed)
        let changedBefore = answers.contains { !isQuiet($0.sealed) }
        for answer in answers { note(answer) }
        let watermarkBefore = timekeeper.time.watermark
        let lastClose = (Array(openCloses.values) + [merge.lastOpenClose, rekeyedClose].compactMap { $0 }).max()
        var decisions = timekeeper.step(
            Array(reports.values).sorted { $0.lane < $1.lane }, leaving: leaving, granted: granted, now: now,
            lastOpenClose: lastClose)
        decisions.insert(contentsOf: pending, at: 0)
        pending = []
        var asOf: EventTime?
        if ending {
            asOf = timekeeper.end(Array(reports.values))
            decisions.append(.ended)
        } else if let combined = timekeeper.time.watermark, combined != watermarkBefore || !leaving.isEmpty {
            // Early rows were asked for already.
            let request = SealRequest(due: plan.aggregates.map { _ in false }, floor: combined)
            for lane in timekeeper.time.idle.sorted()
            where (openCloses[lane] ?? EventTime(milliseconds: .min)) > EventTime(milliseconds: .min) {
                guard let answer = ship(lane, request) else { continue }
                note(answer)
                sealed.append(answer.sealed)
            }
        }
        var isRekeyedQuiet = true
        if plan.isRekeyed {
            let rekeyed = sealRekeyed(
                SealRequest(
                    due: request.due, floor: timekeeper.time.watermark, closesAll: ending, observing: observing))
            isRekeyedQuiet = rekeyed.allSatisfy { $0.changes.isEmpty && $0.partials.isEmpty }
            sealed += rekeyed
        }
        for index in reports.keys { reports[index]!.spoke = false }
        let step = merge.step(
            sealed: sealed, combined: timekeeper.time.watermark, idle: timekeeper.time.idle, ended: ending, asOf: asOf)
        guard
            changedBefore || !isRekeyedQuiet || !decisions.isEmpty || !step.rows.isEmpty || !step.changes.isEmpty
                || !step.closed.isEmpty
        else {
            return nil
        }
        number += 1
        let at = wall()
        if observing?.number == number { observing?.at = at }
        return Commit(
            number: number, at: at, lanes: sealed, merge: step.changes, rows: step.rows, decisions: decisions,
            time: timekeeper.time,
            progress: step.progress, closed: step.closed, reapplied: takeReapplied())
    }

    /// What re-keyed lanes take in this commit: input by input, in the order of their numbers, which is all there is to remember of
    /// it, since the commit holds what came of it too. The watermark of a record is the smallest of all inputs that count: those that
    /// are not idle by decision, and those that were let speak again, from the combined watermark on (S6, S7).
    private func turns(_ answers: [LaneAnswer], _ granted: Set<LaneNumber>) -> [RekeyedTurn] {
        let idle = timekeeper.time.idle
        var marks: [LaneNumber: Int64] = [:]
        for report in reports.values { marks[report.lane] = report.watermark?.milliseconds ?? .min }
        let spoke = Set(answers.filter(\.spoke).map(\.sealed.lane))
        for lane in idle {
            let floor = timekeeper.time.watermark?.milliseconds ?? .min
            marks[lane] = granted.contains(lane) || spoke.contains(lane) ? max(marks[lane] ?? .min, floor) : nil
        }
        var turns: [RekeyedTurn] = []
        for sealed in answers.map(\.sealed).sorted(by: { $0.lane < $1.lane }) {
            let own = marks.removeValue(forKey: sealed.lane)
            if sealed.rekeyed.contains(where: { $0.count > 0 }) {
                turns.append(RekeyedTurn(held: marks.values.min() ?? .max, records: sealed.rekeyed))
            }
            if own != nil { marks[sealed.lane] = sealed.watermark?.milliseconds ?? .min }
        }
        return turns
    }

    private mutating func takeReapplied() -> [ReappliedEntry] {
        defer { reapplied = [] }
        return reapplied
    }

    /// One commit of what operators ordered, where no lane runs: time stands still, and the outputs' `progress` stays as it is.
    public mutating func formOrders(at: WallTime, progress: [OutputProgress]) -> Commit {
        let decisions = pending
        pending = []
        number += 1
        if observing?.number == number { observing?.at = at }
        let step = merge.stepReapplied(combined: time.watermark, ended: time.ended)
        return Commit(
            number: number, at: at, lanes: [], merge: step.changes, rows: step.rows, decisions: decisions, time: time,
            progress: progress, closed: step.closed, reapplied: takeReapplied())
    }

    /// Whether a late event can be applied again; see `MergeCore.fit`.
    func fit(output: Int, time: EventTime) -> MergeCore.Fit { merge.fit(output: output, time: time) }

    /// Applies late events again in the next commit; see `MergeCore.reapply`. `entries`: what becomes of those of the ledger.
    mutating func reapply(
        _ partials: [(output: Int, log: StateLog)], entries: [ReappliedEntry], _ lookup: ClosedLookup
    ) throws(Fault) {
        for part in partials { try merge.reapply(part.log, output: part.output, lookup) }
        reapplied += entries
    }

    /// Lanes that have been silent long enough to be left out, by what they said last.
    private func candidates(_ answers: [LaneAnswer], _ now: MonotonicTime) -> [LaneNumber] {
        var known = reports
        for answer in answers { known[answer.sealed.lane] = Self.report(answer) }
        return timekeeper.candidates(Array(known.values), now: now).sorted()
    }

    private mutating func note(_ answer: LaneAnswer) {
        let lane = answer.sealed.lane
        let spoke = answer.spoke || reports[lane]?.spoke == true
        reports[lane] = Self.report(answer)
        reports[lane]!.spoke = spoke
        openCloses[lane] = answer.sealed.lastOpenClose
        lastOffsets[lane] = answer.sealed.nextOffset
        lastRedelivered[lane] = answer.sealed.books.redelivered
    }

    private func isQuiet(_ sealed: SealedLane) -> Bool {
        sealed.changes.isEmpty && sealed.partials.isEmpty && sealed.late.isEmpty && sealed.deadLetters.isEmpty
            && lastOffsets[sealed.lane] == sealed.nextOffset && lastRedelivered[sealed.lane] == sealed.books.redelivered
    }

    private static func report(_ answer: LaneAnswer) -> Timekeeper.Report {
        Timekeeper.Report(
            lane: answer.sealed.lane, watermark: answer.sealed.watermark, newestEventTime: answer.sealed.newestEventTime,
            silentSince: answer.silentSince, isFullyRead: answer.isFullyRead, spoke: answer.spoke)
    }
}
