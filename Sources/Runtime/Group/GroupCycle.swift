import Model
import Pipeline

/// Decides what an instance of a group says in a commit to the log of time, and what it asks of its lanes before (S5, S6). A value
/// that decides: it is told the time, and what was read of the log. What it said counts once it is durable; after a commit that
/// failed it is thrown away with the rest of memory.
struct GroupCycle {
    private struct Owned {
        var isIdle: Bool
        /// What the log was told last by us; nil: nothing yet.
        var told: TimeRecord.Report?
        /// Its bounded input was over, and everything shipped, when it came here.
        var wasEnded: Bool
        var nextOffset: Int64?
        var redelivered: Int64
        /// The record that asks for a turn, until the turn is over.
        var asked: Int64?
        var isGranted = false
    }

    private let plan: Plan
    private let layout: GroupLayout
    private let writer = UInt64.random(in: 1 ... .max)
    private var number: Int64 = 0
    private var owned: [LaneNumber: Owned] = [:]
    private var nextEarly: [MonotonicTime?]
    private var allIdle: (since: MonotonicTime, from: EventTime)?
    private var silences: [LaneNumber: (since: MonotonicTime, isFullyRead: Bool)] = [:]

    init(plan: Plan, layout: GroupLayout) {
        self.plan = plan
        self.layout = layout
        nextEarly = Array(repeating: nil, count: plan.aggregates.count)
    }

    mutating func add(_ lane: LaneNumber, head: UnitHead?) {
        owned[lane] = Owned(
            isIdle: head?.isIdle ?? false, told: nil, wasEnded: head?.isEnded ?? false, nextOffset: head?.nextOffset,
            redelivered: head?.books.redelivered ?? 0)
    }

    mutating func remove(_ lane: LaneNumber) {
        owned[lane] = nil
        silences[lane] = nil
    }

    func isIdle(_ lane: LaneNumber) -> Bool { owned[lane]?.isIdle ?? false }
    var idle: Set<LaneNumber> { Set(owned.filter(\.value.isIdle).keys) }

    // MARK: Before the lanes are sealed

    /// Which outputs show early rows in the commit that begins now (S15): asked once a commit.
    mutating func dueOutputs(now: MonotonicTime) -> [Bool] {
        plan.aggregates.indices.map { index in
            switch plan.aggregates[index].emit {
            case .everyCommit: return true
            case .every(let pace):
                if let next = nextEarly[index], now < next { return false }
                nextEarly[index] = now + pace
                return true
            case .final, .onTime: return false
            }
        }
    }

    /// An idle lane's windows close by the combined watermark; after the end of all everything closes.
    func request(_ due: [Bool], _ time: TimeLog) -> SealRequest {
        SealRequest(
            due: due, floor: time.isExact ? time.state.combined : nil, closesAll: time.isExact && time.state.isEnded)
    }

    /// Lanes that have been silent long enough to be left out, each to be asked whether it still is.
    func candidates(_ answers: [CommitCycle.LaneAnswer], _ time: TimeLog, now: MonotonicTime) -> [LaneNumber] {
        guard time.isExact, !time.state.isEnded else { return [] }
        return answers.filter { answer in
            !isIdle(answer.sealed.lane) && answer.isFullyRead && !answer.spoke
                && now - answer.silentSince >= plan.eventTime.idleAfter
        }.map(\.sealed.lane)
    }

    // MARK: The commit

    /// Whether something happened to the lane that a commit must tell, whatever the log of time is told.
    func isChanged(_ sealed: SealedLane) -> Bool {
        guard let known = owned[sealed.lane] else { return false }
        return !sealed.changes.isEmpty || !sealed.partials.isEmpty || !sealed.late.isEmpty || !sealed.deadLetters.isEmpty
            || known.nextOffset != sealed.nextOffset || known.redelivered != sealed.books.redelivered
    }

    /// What the log is to be told of this commit; nil: nothing. `waiting`: idle lanes with a record that waits. `finished`: lanes
    /// that have read all they were asked to. `hasPartials`: where they end must be told.
    mutating func record(
        _ answers: [CommitCycle.LaneAnswer], leaving: [LaneNumber], waiting: [LaneNumber], finished: Set<LaneNumber>,
        hasPartials: Bool, _ time: TimeLog, now: MonotonicTime
    ) -> TimeRecord? {
        var record = TimeRecord(writer: writer, number: number + 1, read: time.position)
        let isEnded = time.isExact && time.state.isEnded
        for answer in answers {
            let lane = answer.sealed.lane
            guard var mine = owned[lane] else { continue }
            if answer.spoke { mine.isIdle = false }
            if leaving.contains(lane) { mine.isIdle = true }
            var standing: TimeRecord.Report.Standing = mine.isIdle ? .idle : .active
            // A turn ends with the seal that follows it: the lane spoke, or it stays idle.
            let endsTurn = mine.isGranted
            if endsTurn {
                mine.isGranted = false
                mine.asked = nil
            } else if mine.isIdle, mine.asked == nil, waiting.contains(lane), time.isExact, !isEnded {
                standing = .wants
                mine.asked = record.number
            } else if mine.asked != nil {
                // It waits for its turn; to say anything now would end it.
                owned[lane] = mine
                continue
            }
            let report = TimeRecord.Report(
                lane: lane, standing: standing, watermark: answer.sealed.watermark,
                newestEventTime: answer.sealed.newestEventTime, largestClose: answer.sealed.largestClose,
                hold: mine.isIdle ? answer.sealed.hold : nil, isFinished: finished.contains(lane) || mine.wasEnded,
                isClosed: isEnded || mine.wasEnded)
            if report != mine.told || endsTurn { record.reports.append(report) }
            owned[lane] = mine
        }
        record.advance = advance(time, now: now, isQuiet: record.reports.allSatisfy { $0.standing == .idle })
        let ownsFirst = owned[0] != nil
        if time.wantsSnapshot(isFirst: ownsFirst), !owned.isEmpty { record.snapshot = time.state }
        guard !record.reports.isEmpty || hasPartials || record.advance != nil || record.snapshot != nil else { return nil }
        number += 1
        return record
    }

    /// The commit is durable.
    mutating func committed(_ heads: [UnitHead], _ record: TimeRecord?) {
        for head in heads {
            owned[head.lane]?.nextOffset = head.nextOffset
            owned[head.lane]?.redelivered = head.books.redelivered
        }
        for report in record?.reports ?? [] { owned[report.lane]?.told = report }
    }

    /// Lanes that asked and whose turn it is now, with the watermark that they are raised to first.
    mutating func grants(_ time: TimeLog) -> [(lane: LaneNumber, floor: EventTime?)] {
        guard time.isExact else { return [] }
        var found: [(lane: LaneNumber, floor: EventTime?)] = []
        for (lane, mine) in owned where mine.asked != nil && !mine.isGranted {
            guard case .turn(let turn) = time.state.lanes[Int(lane)].standing, turn.writer == writer, turn.number == mine.asked
            else { continue }
            owned[lane]?.isGranted = true
            found.append((lane, turn.floor))
        }
        return found
    }

    /// All lanes are idle: silence moves the combined watermark, told by the owner of the first lane (S6).
    private mutating func advance(_ time: TimeLog, now: MonotonicTime, isQuiet: Bool) -> EventTime? {
        guard time.isExact, owned[0] != nil, isQuiet, time.state.isAllIdle, let newest = time.state.newestEventTime else {
            allIdle = nil
            return nil
        }
        let state = time.state
        if allIdle == nil { allIdle = (now, max(newest, state.combined ?? newest)) }
        guard let allIdle, let cap = state.largestClose else { return nil }
        let target = min(allIdle.from + (now - allIdle.since), cap)
        return state.combined.map { target > $0 } ?? true ? target : nil
    }
}
