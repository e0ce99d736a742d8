public import Model
public import Pipeline

/// Decides what one instance of a group says of time in a commit, and which of its lanes may speak: what `CommitCycle` is where
/// one process has everything. A value that decides; who drives it hands in the time and does the work. After a commit that
/// failed, or of which nobody knows, it is thrown away with all else that is in memory.
///
/// One commit: `request` → seal the lanes → `candidates` → ask them to leave → `form` → produce, with the record's `ends` filled
/// in → commit. Between commits: `turns`, whenever the log was read.
public struct GroupCycle {
    /// An input lane's answer to a seal.
    public struct Answer: Sendable {
        public var lane: CommitCycle.LaneAnswer
        /// It is idle and a record waits.
        public var wantsTurn: Bool
        /// It has read all that a bounded run asks for.
        public var isFinished: Bool
        public init(lane: CommitCycle.LaneAnswer, wantsTurn: Bool, isFinished: Bool) {
            self.lane = lane
            self.wantsTurn = wantsTurn
            self.isFinished = isFinished
        }
    }

    private struct Owned {
        var isIdle: Bool
        var isRekeyed: Bool
        /// It was let take records and has not been sealed since.
        var isInTurn = false
        /// What was said of it last, and in which record; nil: this owner has said nothing yet.
        var said: TimeRecord.Report?
        var number: Int64 = 0
    }

    private let idleAfter: TimeSpan
    private let writer: UInt64
    private var early: EarlyRows
    private var lanes: [LaneNumber: Owned] = [:]
    private var number: Int64 = 0
    private var isClosing = false
    /// Since when all lanes are idle, and the event time that the combined watermark moves on from.
    private var allIdle: (since: MonotonicTime, from: EventTime)?
    /// The last record that moved time by silence: the next one waits until it was heard.
    private var advanced: Int64 = 0

    /// `writer`: drawn at random for this value alone.
    public init(plan: Plan, writer: UInt64) {
        idleAfter = plan.eventTime.idleAfter
        early = EarlyRows(plan)
        self.writer = writer
    }

    // MARK: Ownership

    /// An input lane that this instance owns from now on, restored; `isIdle` as its head says. Its first seal is told in any case:
    /// that ends a turn which its last owner may have asked for.
    /// `isRekeyed`: it reads no input and is never left out; merge lanes wait for it.
    public mutating func add(lane: LaneNumber, isIdle: Bool, isRekeyed: Bool = false) {
        lanes[lane] = Owned(isIdle: isIdle, isRekeyed: isRekeyed)
    }

    public mutating func remove(lane: LaneNumber) { lanes[lane] = nil }

    /// For the lane's head: it does not hold the combined watermark back.
    public func isIdle(_ lane: LaneNumber) -> Bool { lanes[lane]?.isIdle ?? false }

    // MARK: One commit

    /// What lanes are asked for. The floor is for those that are idle. `isRead`: all input lanes here have taken all that a bounded
    /// run asks for, and each will answer. Where those of others have said so too, this commit is the end that its record tells of:
    /// what they hold is shipped with it instead of being written first and shipped when the record was heard.
    public mutating func request(_ log: TimeLog, isRead: Bool = false, now: MonotonicTime) -> SealRequest {
        isClosing = log.isExact && (log.state.isEnded || isRead && isLast(log.state))
        return SealRequest(due: early.due(now), floor: log.isExact ? log.state.combined : nil, closesAll: isClosing)
    }

    /// No lane of anybody else has anything to come.
    private func isLast(_ state: TimeState) -> Bool {
        state.lanes.enumerated().allSatisfy { number, lane in lane.isFinished || lanes[LaneNumber(number)] != nil }
    }

    /// Lanes that have been silent long enough, fully read, to be left out (S6), in ascending order.
    public func candidates(_ answers: [Answer], now: MonotonicTime) -> [LaneNumber] {
        if isClosing { return [] }
        return answers.filter { answer in
            guard let own = lanes[answer.lane.sealed.lane] else { return false }
            return !own.isIdle && !own.isRekeyed && answer.lane.isFullyRead && now - answer.lane.silentSince >= idleAfter
                && !answer.isFinished
        }.map(\.lane.sealed.lane).sorted()
    }

    /// What this commit says. `leaving`: those of the candidates that confirmed that they take nothing from now on. The record is
    /// worth a commit by itself only where `TimeRecord.isWorthACommit`. Lanes that did not answer are not spoken of.
    public mutating func form(_ answers: [Answer], leaving: [LaneNumber], log: TimeLog, now: MonotonicTime) -> TimeRecord {
        number += 1
        var record = TimeRecord(writer: writer, number: number, read: log.position)
        for answer in answers.sorted(by: { $0.lane.sealed.lane < $1.lane.sealed.lane }) {
            let lane = answer.lane.sealed.lane
            guard var own = lanes[lane] else { continue }
            let hadTurn = own.isInTurn
            own.isInTurn = false
            if answer.lane.spoke { own.isIdle = false }
            if leaving.contains(lane) { own.isIdle = true }
            var report = report(answer, isIdle: own.isIdle)
            if own.isRekeyed { report.isFinished = false }
            if hadTurn || report != own.said {
                record.reports.append(report)
                own.said = report
                own.number = number
            }
            lanes[lane] = own
        }
        if let target = silence(log, now) {
            record.advance = target
            advanced = number
        }
        if log.wantsSnapshot(isFirst: lanes[0] != nil) { record.snapshot = log.state }
        return record
    }

    private func report(_ answer: Answer, isIdle: Bool) -> TimeRecord.Report {
        let sealed = answer.lane.sealed
        return TimeRecord.Report(
            lane: sealed.lane, standing: !isIdle ? .active : answer.wantsTurn ? .wants : .idle, watermark: sealed.watermark,
            newestEventTime: sealed.newestEventTime, largestClose: sealed.largestClose, hold: isIdle ? sealed.hold : nil,
            isFinished: answer.isFinished, isClosed: answer.lane.request.closesAll)
    }

    // MARK: Turns

    /// Lanes that may take records from now on, each raised to its floor first (S6). A turn counts only if the last record in
    /// which this instance spoke of the lane asked for it: whatever the log showed before is over. `unanswered`: lanes of which a
    /// seal is under way. Its answer, from before the turn, would end the turn though the lane had taken records in it.
    public mutating func turns(_ log: TimeLog, unanswered: Set<LaneNumber> = []) -> [(lane: LaneNumber, floor: EventTime?)] {
        guard log.isExact else { return [] }
        var begun: [(lane: LaneNumber, floor: EventTime?)] = []
        for (lane, own) in lanes where own.isIdle && !own.isInTurn && !unanswered.contains(lane) {
            guard case .turn(let turn) = log.state.lanes[Int(lane)].standing, turn.writer == writer, turn.number == own.number
            else { continue }
            lanes[lane]!.isInTurn = true
            begun.append((lane, turn.floor))
        }
        return begun.sorted { $0.lane < $1.lane }
    }

    // MARK: Silence

    /// Where the silence of all lanes moves the combined watermark (S6): said by the owner of lane 0, by what it measured
    /// itself.
    private mutating func silence(_ log: TimeLog, _ now: MonotonicTime) -> EventTime? {
        let state = log.state
        guard log.isExact, lanes[0] != nil, !isClosing, !state.lanes.contains(where: { $0.standing == .active }) else {
            allIdle = nil
            return nil
        }
        guard state.isAllIdle else { return nil }
        if allIdle == nil {
            guard let newest = state.newestEventTime else { return nil }
            allIdle = (now, max(newest, state.combined ?? newest))
        }
        guard let allIdle, let cap = state.largestClose, log.heard >= advanced else { return nil }
        let target = min(allIdle.from + (now - allIdle.since), cap)
        return state.combined.map { target > $0 } ?? true ? target : nil
    }
}

extension TimeRecord {
    /// It changes what others know.
    public var isWorthACommit: Bool { !reports.isEmpty || advance != nil }
}
