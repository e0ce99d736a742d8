import Model

/// One output's sessions in the merge (S11, S14, S16): lanes tell of theirs, and those of different partitions that overlap are one.
/// Where a session's own partition decides alone nothing is joined, and its lane says when it is over.
///
/// A row stands for a session with its interval. When the session grows or is joined with another one after its row came, the row is
/// taken back with the values that it showed.
final class SessionMerge: MergedOutput {
    let index: Int
    let plan: AggregatePlan
    let stored: UInt16
    var progress = OutputProgress()
    private(set) var lastEmittedEnd = Int64.min
    private let closing: Int64
    let fold: RowFold
    private(set) var groups: [GroupKey: Group] = [:]
    private var touched: [Group] = []
    /// When something is due of a group, the earliest first; out-of-date entries are recognised by the group's own timer.
    private var timers = DueHeap<Group>()
    var largestEnd = Int64.min
    private var finished = FinishedSessions()
    var held = 0
    var memory: Int { held + finished.memory + kept.memory }
    let kept: ClosedSessions
    var closed: any KeptClosed { kept }
    private static let groupOverhead = 260
    static let partOverhead = 96

    init(index: Int, plan: AggregatePlan, fields: [FieldPlan], stored: UInt16, isBounded: Bool, closed log: ClosedLog) {
        self.index = index
        self.plan = plan
        self.stored = stored
        closing = plan.closing.milliseconds
        fold = RowFold(CellLayout(plan, fields: fields))
        kept = ClosedSessions(log, plan: plan, isBounded: isBounded, stored: stored, fold: fold)
    }

    // MARK: Partials

    func isWhole(_ cell: UnsafeRawBufferPointer) -> Bool {
        fold.isWhole(cell) && PipelineLimits.windowStarts.contains(Self.end(cell))
    }

    func isClosed(start: Int64, cell: UnsafeRawBufferPointer, by watermark: Int64) -> Bool {
        Self.end(cell) + closing <= watermark
    }

    static func end(_ cell: UnsafeRawBufferPointer) -> Int64 {
        cell.loadUnaligned(fromByteOffset: sessionEndWord * 8, as: Int64.self)
    }

    func receive(
        start: Int64, group: UnsafeRawBufferPointer, lane: LaneNumber, order: Int64, cell: UnsafeRawBufferPointer, isLast: Bool
    ) {
        // The only word on it, and no row of it has come before.
        if isLast, plan.isKeyed, plan.emit == .final, groups.isEmpty, !cell.isEmpty {
            return finished.add(start: start, end: Self.end(cell), lane: lane, group: group, cell: cell)
        }
        let group = self.group(GroupKey(group))
        let at = group.parts.firstIndex { $0.lane == lane && $0.start == start && !$0.isOver }
        if cell.isEmpty {
            guard let at else { return forgetIfEmpty(group) }
            touch(group)
            if isLast {
                group.parts[at].isOver = true
            } else {
                held -= group.parts[at].cell.count + Self.partOverhead
                if group.parts[at].isStored { group.gone.append((lane, start)) }
                group.parts.remove(at: at)
            }
            return
        }
        let end = Self.end(cell)
        largestEnd = max(largestEnd, end)
        if let at {
            if isLast { group.parts[at].isOver = true }
            // What a lane tells again after a restore is no news.
            if !group.parts[at].cell.elementsEqual(cell) {
                held += cell.count - group.parts[at].cell.count
                group.parts[at].cell = Array(cell)
                group.parts[at].end = end
                group.parts[at].isFresh = true
            }
        } else {
            held += cell.count + Self.partOverhead
            var part = Part(
                lane: lane, order: order, start: start, end: end, cell: Array(cell), isFresh: true, isOver: isLast)
            if let gone = group.gone.firstIndex(where: { $0.lane == lane && $0.start == start }) {
                group.gone.remove(at: gone)
                part.isStored = true
            }
            group.parts.append(part)
        }
        touch(group)
    }

    func group(_ key: GroupKey) -> Group {
        if let there = groups[key] { return there }
        let fresh = Group(key)
        groups[key] = fresh
        held += key.bytes.count + Self.groupOverhead
        return fresh
    }

    func touch(_ group: Group) {
        if group.isTouched { return }
        group.isTouched = true
        touched.append(group)
    }

    private func forgetIfEmpty(_ group: Group) {
        guard group.parts.isEmpty, group.gone.isEmpty, group.sessions.isEmpty, !group.isTouched else { return }
        groups[group.key] = nil
        held -= group.key.bytes.count + Self.groupOverhead
    }

    // MARK: Sessions

    /// The group's sessions anew from its parts; what came of those that are no more is taken back.
    private func form(_ group: Group, into rows: inout [Row], _ changes: StateLog, _ moment: MergeMoment) {
        let order = group.parts.indices.sorted {
            (group.parts[$0].start, group.parts[$0].order) < (group.parts[$1].start, group.parts[$1].order)
        }
        var formed: [Session] = []
        for at in order {
            let part = group.parts[at]
            if !plan.isKeyed, let last = formed.last, part.start < last.end {
                formed[formed.count - 1].parts.append(at)
                formed[formed.count - 1].end = max(last.end, part.end)
            } else {
                formed.append(Session(lane: plan.isKeyed ? part.lane : 0, start: part.start, end: part.end, parts: [at]))
            }
        }
        for index in formed.indices {
            // In the order of the partitions, then of time (S17).
            formed[index].parts.sort {
                (group.parts[$0].order, group.parts[$0].start) < (group.parts[$1].order, group.parts[$1].start)
            }
        }
        var before = group.sessions
        for at in formed.indices {
            guard
                let same = before.firstIndex(where: {
                    $0.lane == formed[at].lane && $0.start == formed[at].start && $0.end == formed[at].end
                })
            else { continue }
            let old = before.remove(at: same)
            formed[at].revision = old.revision
            formed[at].shown = old.shown
            formed[at].isStored = old.isStored
            formed[at].isPending = old.isPending || formed[at].parts.contains { group.parts[$0].isFresh }
        }
        for old in before {
            if old.revision > 0 { rows.append(retraction(of: old, group, moment)) }
            if old.isStored { delete(StateKey.emitted, old.start, group.key, old.lane, changes) }
        }
        group.sessions = formed
    }

    private func retraction(of session: Session, _ group: Group, _ moment: MergeMoment) -> Row {
        fold.begin()
        session.shown.withUnsafeBytes { fold.add($0) }
        return row(session, group, revision: session.revision + 1, moment, retracted: true)
    }

    private func row(
        _ session: Session, _ group: Group, revision: Int64, _ moment: MergeMoment, retracted: Bool = false
    ) -> Row {
        var made = group.key.bytes.withUnsafeBytes {
            row(session.start, session.end, session.lane, $0, revision: revision, moment, retracted: retracted)
        }
        if made.final, !retracted, revision > 1,
            session.parts.contains(where: { group.parts[$0].lane == reappliedLane && group.parts[$0].isFresh })
        {
            made.reason = .reapplied
        }
        return made
    }

    /// Of what was folded.
    private func row(
        _ start: Int64, _ end: Int64, _ lane: LaneNumber, _ group: UnsafeRawBufferPointer, revision: Int64,
        _ moment: MergeMoment, retracted: Bool
    ) -> Row {
        Row(
            output: index, windowStart: EventTime(milliseconds: start), windowEnd: EventTime(milliseconds: end),
            group: GroupBytes.values(group), measures: fold.values(), revision: revision,
            final: end + closing <= watermark(of: lane, moment), asOf: moment.asOf, retracted: retracted,
            errors: retracted ? [] : fold.errors())
    }

    /// What decides about a session: its own partition's watermark, or the combined one.
    private func watermark(of lane: LaneNumber, _ moment: MergeMoment) -> Int64 {
        guard plan.isKeyed, let lanes = moment.laneWatermarks else { return moment.watermark }
        return max(lanes[lane] ?? noWatermark, moment.watermark)
    }

    // MARK: Rows

    func emit(into rows: inout [Row], changes: StateLog, _ moment: MergeMoment) {
        rows.reserveCapacity(rows.count + finished.count)
        finished.take { start, end, lane, group, cell in
            fold.begin()
            fold.add(cell)
            lastEmittedEnd = max(lastEmittedEnd, end)
            rows.append(row(start, end, lane, group, revision: 1, moment, retracted: false))
            keep(start, end, lane, revision: 1, group, cell)
        }
        var due = touched
        touched = []
        for group in due { form(group, into: &rows, changes, moment) }
        while let group = nextDue(through: moment.watermark) {
            if !group.isTouched { due.append(group) }
            group.isTouched = true
        }
        for group in due {
            group.isTouched = false
            emit(group, into: &rows, changes, moment)
        }
        // What closed now can belong to what was applied to before.
        kept.emit(index, into: &rows, asOf: moment.asOf)
        kept.closed(by: moment.watermark, asOf: moment.asOf)
    }

    private func emit(_ group: Group, into rows: inout [Row], _ changes: StateLog, _ moment: MergeMoment) {
        for at in group.sessions.indices where group.sessions[at].isPending {
            let session = group.sessions[at]
            // Lanes tell of early rows when they are due.
            let isTold = isEarly && session.parts.contains { group.parts[$0].isFresh }
            let isOver = session.parts.allSatisfy { group.parts[$0].isOver } && plan.isKeyed
            guard isTold || isOver || dueTime(session) <= watermark(of: session.lane, moment) else { continue }
            emitRow(at, group, into: &rows, moment)
        }
        store(group, changes, moment)
        close(group, changes, moment)
        let next = group.sessions.map { session in
            let close = plan.isKeyed ? Int64.max : session.end + closing
            return session.isPending ? min(dueTime(session), close) : close
        }.min()
        if let next, next < .max, next < group.timer {
            group.timer = next
            timers.push(next, group)
        }
        forgetIfEmpty(group)
    }

    private func dueTime(_ session: Session) -> Int64 { plan.emit == .final ? session.end + closing : session.end }

    private func emitRow(_ at: Int, _ group: Group, into rows: inout [Row], _ moment: MergeMoment) {
        group.sessions[at].revision += 1
        group.sessions[at].isPending = false
        let session = group.sessions[at]
        fold.begin()
        for part in session.parts { group.parts[part].cell.withUnsafeBytes { fold.add($0) } }
        if plan.emit != .final { group.sessions[at].shown = fold.bytes() }
        lastEmittedEnd = max(lastEmittedEnd, session.end)
        rows.append(row(session, group, revision: session.revision, moment))
    }

    // MARK: State

    private func isClosed(_ session: Session, _ group: Group, _ moment: MergeMoment) -> Bool {
        if plan.isKeyed { return session.parts.allSatisfy { group.parts[$0].isOver } }
        return session.end + closing <= moment.watermark
    }

    /// Writes what came and what was shown of it, for sessions that stay.
    private func store(_ group: Group, _ changes: StateLog, _ moment: MergeMoment) {
        for (lane, start) in group.gone { delete(StateKey.partial, start, group.key, lane, changes) }
        group.gone = []
        for at in group.sessions.indices where !isClosed(group.sessions[at], group, moment) {
            let session = group.sessions[at]
            var isNews = false
            for part in session.parts where group.parts[part].isFresh {
                let own = group.parts[part]
                StateKey.ofGroup(StateKey.partial, output: stored, start: own.start, group.key, lane: own.lane) { key in
                    own.cell.withUnsafeBytes { changes.put(key, $0) }
                }
                group.parts[part].isFresh = false
                group.parts[part].isStored = true
                isNews = true
            }
            // A row that has been shown is what a restore can't work out anew.
            guard session.revision > 0, isNews || !session.isStored else { continue }
            group.sessions[at].isStored = true
            var value = withUnsafeBytes(of: session.revision) { Array($0) }
            withUnsafeBytes(of: session.end) { value += $0 }
            value += session.shown
            StateKey.ofGroup(StateKey.emitted, output: stored, start: session.start, group.key, lane: session.lane) { key in
                value.withUnsafeBytes { changes.put(key, $0) }
            }
        }
    }

    /// Forgets the sessions that are closed.
    private func close(_ group: Group, _ changes: StateLog, _ moment: MergeMoment) {
        var gone: Set<Int> = []
        var open: [Session] = []
        for session in group.sessions {
            guard isClosed(session, group, moment) else {
                open.append(session)
                continue
            }
            gone.formUnion(session.parts)
            if kept.keeps, session.revision > 0 {
                let cell = whole(session, group)
                group.key.bytes.withUnsafeBytes { key in
                    cell.withUnsafeBytes { keep(session.start, session.end, session.lane, revision: session.revision, key, $0) }
                }
            }
            // Another one that came to the same start has written over what stood there.
            let isTaken = group.sessions.contains {
                $0.isStored && $0.lane == session.lane && $0.start == session.start && $0.end != session.end
            }
            if session.isStored, !isTaken { delete(StateKey.emitted, session.start, group.key, session.lane, changes) }
        }
        if gone.isEmpty { return }
        for at in gone {
            let part = group.parts[at]
            held -= part.cell.count + Self.partOverhead
            let isTaken = group.parts.contains {
                $0.isStored && $0.lane == part.lane && $0.start == part.start && $0.isOver != part.isOver
            }
            if part.isStored, !isTaken { delete(StateKey.partial, part.start, group.key, part.lane, changes) }
        }
        // Indexes move up over those that go.
        let places = Dictionary(
            uniqueKeysWithValues: group.parts.indices.filter { !gone.contains($0) }.enumerated().map { ($1, $0) })
        group.parts = group.parts.indices.filter { !gone.contains($0) }.map { group.parts[$0] }
        for at in open.indices { open[at].parts = open[at].parts.compactMap { places[$0] } }
        group.sessions = open
    }

    private func delete(_ tag: UInt8, _ start: Int64, _ group: GroupKey, _ lane: LaneNumber, _ changes: StateLog) {
        StateKey.ofGroup(tag, output: stored, start: start, group, lane: lane) { changes.delete($0) }
    }

    func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, order: (LaneNumber) -> Int64) -> Bool {
        guard key.count >= StateKey.windowPrefix + 4 else { return false }
        let start = StateKey.number(key, at: 3)
        let lane = StateKey.lane(key)
        let group = group(GroupKey(UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix..<(key.count - 4)])))
        switch key[0] {
        case StateKey.partial:
            guard isWhole(value) else { return false }
            let end = Self.end(value)
            largestEnd = max(largestEnd, end)
            held += value.count + Self.partOverhead
            group.parts.append(
                Part(
                    lane: lane, order: order(lane), start: start, end: end, cell: Array(value), isFresh: false, isOver: false,
                    isStored: true))
        case StateKey.emitted:
            guard value.count >= 16 else { return false }
            let shown = UnsafeRawBufferPointer(rebasing: value[16...])
            guard shown.isEmpty || fold.isWhole(shown) else { return false }
            group.sessions.append(
                Session(
                    lane: lane, start: start, end: value.loadUnaligned(fromByteOffset: 8, as: Int64.self),
                    revision: value.loadUnaligned(as: Int64.self), isPending: false, shown: Array(shown), isStored: true))
        default: return false
        }
        // The first emission forms the sessions and sets their timers.
        touch(group)
        return true
    }

    private func nextDue(through limit: Int64) -> Group? {
        while let (time, group) = timers.pop(through: limit) {
            guard group.timer == time else { continue }
            group.timer = .max
            return group
        }
        return nil
    }

    // MARK: What it tells

    /// Sessions close in the order of their ends; a lane that decides alone tells of its own.
    var lastOpenClose: Int64? { groups.isEmpty || plan.isKeyed ? nil : largestEnd + closing }

    func nextEdge(after watermark: Int64) -> Int64? {
        groups.values.lazy.flatMap(\.sessions).compactMap { [closing] session in
            let edge = session.end > watermark ? session.end : session.end + closing
            return edge > watermark ? edge : nil
        }.min()
    }

    func lastEnd(at time: Int64) -> Int64 { time }
}
