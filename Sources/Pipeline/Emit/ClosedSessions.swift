import Model

/// The closed sessions of one output, kept outside memory for `state.keep_closed`, so that late events can be applied again (S13, S16).
///
/// Those that close lie in chunks (`ClosedSessionChunks`). One that was applied to is an entry of its own, and in memory too, as long as it
/// is kept: where partitions decide alone another session can still be open that it now belongs to.
final class ClosedSessions: KeptClosed {
    /// A session that is over, taken out of what is kept.
    struct Taken {
        var start: Int64
        var end: Int64
        var lane: LaneNumber
        var cell: [UInt8]
        /// What its last row said; nil: none came.
        var shown: Shown?
    }
    struct Shown {
        var revision: Int64
        var cell: [UInt8]
    }
    private struct Applied {
        var session: Taken
        /// Since the last emission.
        var isFresh: Bool
        var isStored = false
    }
    /// A row that is to be taken back.
    private struct Retraction {
        var group: GroupKey
        var start: Int64
        var end: Int64
        var shown: Shown
    }

    private let stored: UInt16
    private let closing: Int64
    private let fold: RowFold
    private let log: ClosedLog
    private var reach: ClosedReach
    private var chunks: ClosedSessionChunks
    private var applied: [GroupKey: [Applied]] = [:]
    private var retractions: [Retraction] = []
    private var fresh: [GroupKey] = []
    /// The next time at which something that was applied to is past its keep.
    private var nextGone = Int64.max
    /// Bytes of what is in memory, about.
    private(set) var memory = 0
    private static let overhead = 300

    init(_ log: ClosedLog, plan: AggregatePlan, isBounded: Bool, stored: UInt16, fold: RowFold) {
        reach = ClosedReach(log, isBounded: isBounded, stored: stored)
        chunks = ClosedSessionChunks(stored: stored)
        closing = plan.closing.milliseconds
        self.log = log
        self.stored = stored
        self.fold = fold
    }

    // MARK: What is kept

    var keeps: Bool { reach.keep > 0 }
    /// Nothing that was applied to could be joined with others.
    var isUntouched: Bool { applied.isEmpty }

    /// A session that began at `start` and holds the end in its cell is over; its last row said what it holds.
    func keep(
        start: Int64, end: Int64, lane: LaneNumber, revision: Int64, group: UnsafeRawBufferPointer, cell: UnsafeRawBufferPointer
    ) {
        guard keeps else { return }
        chunks.add(start: start, end: end, lane: lane, revision: revision, group: group, cell: cell)
    }

    /// The commit closed by `watermark`.
    func closed(by watermark: Int64, asOf: EventTime?) {
        chunks.flush(log.changes)
        let bucket = PipelineLimits.closedSessionBucket
        reach.closed(by: watermark, asOf: asOf, log) { [closing] time in
            floorDivide(max(time, .min / 2) - closing - bucket + 1, bucket) * bucket
        }
        forgetPast()
    }

    /// Their entries in state go with the others.
    private func forgetPast() {
        guard let from = reach.from, nextGone <= from else { return }
        nextGone = .max
        for (group, sessions) in applied {
            let kept = sessions.filter { $0.isFresh || $0.session.end + closing > from }
            for gone in sessions where !(gone.isFresh || gone.session.end + closing > from) { count(gone.session, -1) }
            for one in kept { nextGone = min(nextGone, one.session.end + closing) }
            applied[group] = kept.isEmpty ? nil : kept
        }
    }

    // MARK: Restore

    func begin(_ watermark: EventTime?) {
        reach.begin(watermark)
        forgetPast()
    }
    func restoreMark(_ value: UnsafeRawBufferPointer) -> Bool { reach.restoreMark(value) }

    func restoreCell(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Bool {
        let prefix = StateKey.windowPrefix + Self.placeLength
        guard key.count >= prefix, value.count >= 8 else { return false }
        let cell = UnsafeRawBufferPointer(rebasing: value[8...])
        guard fold.isWhole(cell) else { return false }
        let place = StateKey.windowPrefix
        let start = StateKey.number(key, at: place)
        let end = StateKey.number(key, at: place + 8)
        let lane = Int32(bigEndian: key.loadUnaligned(fromByteOffset: place + 16, as: Int32.self))
        guard keeps else { return true }
        let bytes = Array(cell)
        let session = Taken(
            start: start, end: end, lane: lane, cell: bytes,
            shown: Shown(revision: value.loadUnaligned(as: Int64.self), cell: bytes))
        hold(
            Applied(session: session, isFresh: false, isStored: true), GroupKey(UnsafeRawBufferPointer(rebasing: key[prefix...])))
        return true
    }

    // MARK: Applying again

    func isClosed(end: Int64) -> Bool { end + closing <= reach.through }
    /// What an event belongs to ends later than the event.
    func fits(_ time: Int64) -> Bool { keeps && time + closing >= reach.from ?? .max }
    func fits(_ time: Int64, since edge: Int64) -> Bool { keeps && time + closing >= edge }
    func takes(_ start: Int64) -> Bool { fits(start) }

    /// Takes out the group's sessions that overlap an interval, or with each other one that does; the interval grows with them. In the order of
    /// their starts. Errors: what `lookup` throws, `state_damaged`.
    func take(
        _ start: inout Int64, _ end: inout Int64, _ group: GroupKey, _ lookup: ClosedLookup
    ) throws(Fault) -> [Taken] {
        var taken: [Taken] = []
        var stored: [ClosedSessionChunks.Found] = []
        var reached = Int64.max
        while true {
            if start < reached {
                reached = start
                stored = try chunks.find(group, endingAfter: start, lookup)
            }
            let before = taken.count
            for at in stored.indices.reversed() where stored[at].start < end && stored[at].end > start {
                let found = stored.remove(at: at)
                guard found.cell.withUnsafeBytes({ fold.isWhole($0) }) else { throw ClosedCells.damaged }
                try chunks.remove(found)
                taken.append(
                    Taken(
                        start: found.start, end: found.end, lane: found.lane, cell: found.cell,
                        shown: Shown(revision: found.revision, cell: found.cell)))
                (start, end) = (min(start, found.start), max(end, found.end))
            }
            taken += takeApplied(&start, &end, group)
            if taken.count == before { break }
        }
        return taken.sorted { ($0.start, $0.end) < ($1.start, $1.end) }
    }

    private func takeApplied(_ start: inout Int64, _ end: inout Int64, _ group: GroupKey) -> [Taken] {
        var taken: [Taken] = []
        while let at = applied[group]?.firstIndex(where: { $0.session.start < end && $0.session.end > start }) {
            guard let one = applied[group]?.remove(at: at) else { break }
            count(one.session, -1)
            if one.isStored { key(one.session, group).withUnsafeBytes { log.changes.delete($0) } }
            (start, end) = (min(start, one.session.start), max(end, one.session.end))
            taken.append(one.session)
        }
        if applied[group]?.isEmpty ?? false { applied[group] = nil }
        return taken
    }

    /// A session that closes where it overlaps what late events were applied to: they are one, and its own row is taken back. False: it
    /// overlaps nothing.
    func join(_ session: Taken, _ group: GroupKey) -> Bool {
        var (start, end) = (session.start, session.end)
        let others = takeApplied(&start, &end, group)
        if others.isEmpty { return false }
        put(start, end, lane: session.lane, (others + [session]).sorted { ($0.start, $0.end) < ($1.start, $1.end) }, nil, group)
        return true
    }

    /// What was taken out is one session now, with a late event's cell; rows follow with the next emission.
    func put(
        _ start: Int64, _ end: Int64, lane: LaneNumber, _ sessions: [Taken], _ delta: UnsafeRawBufferPointer?, _ group: GroupKey
    ) {
        fold.begin()
        for session in sessions { session.cell.withUnsafeBytes { fold.add($0) } }
        if let delta { fold.add(delta) }
        let same = sessions.firstIndex { $0.start == start && $0.end == end }
        for (at, session) in sessions.enumerated() where at != same { retract(session, group) }
        hold(
            Applied(
                session: Taken(
                    start: start, end: end, lane: lane, cell: fold.bytes(), shown: same.flatMap { sessions[$0].shown }),
                isFresh: true),
            group)
        fresh.append(group)
    }

    /// Its row is taken back with the next emission, if one came.
    func retract(_ session: Taken, _ group: GroupKey) {
        guard let shown = session.shown else { return }
        retractions.append(Retraction(group: group, start: session.start, end: session.end, shown: shown))
    }

    private func hold(_ one: Applied, _ group: GroupKey) {
        applied[group, default: []].append(one)
        nextGone = min(nextGone, one.session.end + closing)
        count(one.session, 1)
    }

    private func count(_ session: Taken, _ sign: Int) {
        memory += sign * (session.cell.count + Self.overhead)
    }

    // MARK: Rows

    func emit(_ output: Int, into rows: inout [Row], asOf: EventTime?) {
        chunks.rewrite(log.changes)
        for row in retractions.sorted(by: { ($0.start, $0.end) < ($1.start, $1.end) }) {
            fold.begin()
            row.shown.cell.withUnsafeBytes { fold.add($0) }
            rows.append(
                Row(
                    output: output, windowStart: EventTime(milliseconds: row.start), windowEnd: EventTime(milliseconds: row.end),
                    group: row.group.bytes.withUnsafeBytes(GroupBytes.values), measures: fold.values(),
                    revision: row.shown.revision + 1, final: true, asOf: asOf, retracted: true))
        }
        retractions = []
        for group in fresh {
            for at in (applied[group] ?? []).indices where applied[group]![at].isFresh {
                rows.append(show(group, at, output, asOf))
            }
        }
        fresh = []
    }

    private func show(_ group: GroupKey, _ at: Int, _ output: Int, _ asOf: EventTime?) -> Row {
        var session = applied[group]![at].session
        let revision = (session.shown?.revision ?? 0) + 1
        session.shown = Shown(revision: revision, cell: session.cell)
        applied[group]![at] = Applied(session: session, isFresh: false, isStored: true)
        let value = withUnsafeBytes(of: revision.littleEndian, Array.init) + session.cell
        key(session, group).withUnsafeBytes { key in value.withUnsafeBytes { log.changes.put(key, $0) } }
        fold.begin()
        session.cell.withUnsafeBytes { fold.add($0) }
        return Row(
            output: output, windowStart: EventTime(milliseconds: session.start), windowEnd: EventTime(milliseconds: session.end),
            group: group.bytes.withUnsafeBytes(GroupBytes.values), measures: fold.values(), revision: revision, final: true,
            asOf: asOf, errors: fold.errors(), reason: .reapplied)
    }

    /// Start, end and lane, behind the bucket of the end.
    private static let placeLength = 20

    private func key(_ session: Taken, _ group: GroupKey) -> [UInt8] {
        var key = StateKey.windowKey(
            StateKey.closedCell, output: stored, start: ClosedSessionChunks.bucket(of: session.end))
        withUnsafeBytes(of: StateKey.ordered(session.start)) { key += $0 }
        withUnsafeBytes(of: StateKey.ordered(session.end)) { key += $0 }
        withUnsafeBytes(of: session.lane.bigEndian) { key += $0 }
        return key + group.bytes
    }
}
