import Model

/// Late events that are applied again to sessions (S13, S16): what each would have made alone, a session of one gap, is joined with those
/// that are over and those that wait here.
///
/// Where partitions decide alone, a session that is open in its lane is not known here. It is joined when it closes, if it then overlaps
/// what was applied to.
extension SessionMerge {
    func reapply(
        start: Int64, group: UnsafeRawBufferPointer, delta: UnsafeRawBufferPointer, _ lookup: ClosedLookup
    ) throws(Fault) {
        let key = GroupKey(group)
        var (first, last) = (start, Self.end(delta))
        let others = try kept.take(&first, &last, key, lookup)
        guard plan.isKeyed || isOver(first, last, key) else {
            // It waits for other partitions, and what it belongs to with it: more sources.
            for other in others {
                kept.retract(other, key)
                other.cell.withUnsafeBytes { addPart(key, start: other.start, $0) }
            }
            return addPart(key, start: start, delta)
        }
        kept.put(first, last, lane: others.first?.lane ?? 0, others, delta, key)
    }

    /// Nothing that is open here belongs to the session, and nothing that is still to come can.
    private func isOver(_ start: Int64, _ end: Int64, _ group: GroupKey) -> Bool {
        kept.isClosed(end: end) && !(groups[group]?.parts.contains { $0.start < end && $0.end > start } ?? false)
    }

    /// As a partial of a lane of its own; what begins at the same time is one.
    private func addPart(_ key: GroupKey, start: Int64, _ cell: UnsafeRawBufferPointer) {
        let group = group(key)
        var bytes = Array(cell)
        if let at = group.parts.firstIndex(where: { $0.lane == reappliedLane && $0.start == start }) {
            fold.begin()
            group.parts[at].cell.withUnsafeBytes { fold.add($0) }
            fold.add(cell)
            bytes = fold.bytes()
            held -= group.parts[at].cell.count + Self.partOverhead
            group.parts[at].cell = bytes
            group.parts[at].end = max(group.parts[at].end, Self.end(cell))
            group.parts[at].isFresh = true
        } else {
            group.parts.append(
                Part(
                    lane: reappliedLane, order: .max, start: start, end: Self.end(cell), cell: bytes, isFresh: true, isOver: false
                )
            )
        }
        held += bytes.count + Self.partOverhead
        largestEnd = max(largestEnd, Self.end(cell))
        touch(group)
    }

    /// A session is over whose last row said what `cell` holds.
    func keep(
        _ start: Int64, _ end: Int64, _ lane: LaneNumber, revision: Int64, _ group: UnsafeRawBufferPointer,
        _ cell: UnsafeRawBufferPointer
    ) {
        if plan.isKeyed, !kept.isUntouched {
            let bytes = Array(cell)
            let session = ClosedSessions.Taken(
                start: start, end: end, lane: lane, cell: bytes, shown: ClosedSessions.Shown(revision: revision, cell: bytes))
            if kept.join(session, GroupKey(group)) { return }
        }
        kept.keep(start: start, end: end, lane: lane, revision: revision, group: group, cell: cell)
    }

    /// What its parts hold together.
    func whole(_ session: Session, _ group: Group) -> [UInt8] {
        if session.parts.count == 1 { return group.parts[session.parts[0]].cell }
        fold.begin()
        for part in session.parts { group.parts[part].cell.withUnsafeBytes { fold.add($0) } }
        return fold.bytes()
    }
}
