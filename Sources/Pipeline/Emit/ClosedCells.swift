import Model

/// What the closed windows of one output held, kept outside memory for `state.keep_closed` so that late events can be applied again
/// (S13). A window that closes leaves its cells in chunks, sorted by group: a memory copy a cell and a few entries of state a window,
/// which nothing reads until a late event is applied again. A cell that was applied to is an entry of its own and counts instead of
/// that in the chunk.
///
/// Kept by event time: as long as the combined watermark is less than `keep` past the window's close.
///
/// Without a `keep` it holds nothing, and only knows what is closed.
final class ClosedCells {
    /// A group of a closed window.
    private struct Place: Hashable {
        var slot: Int64
        var group: GroupKey
    }
    struct Cell {
        var revision: Int64
        var bytes: [UInt8]
    }

    private let stored: UInt16
    private let keep: Int64
    let grid: WindowGrid
    private let fold: RowFold
    /// Windows that closed later than this are kept; nil: not known yet.
    private var from: Int64?
    /// Windows that close at or before this are closed.
    private var through = noWatermark
    private let log: ClosedLog
    private var isMarkStored = false
    /// Applied to since the last emission.
    private var fresh: [Place: Cell] = [:]
    private var chunk: [UInt8] = []
    private var lastGone = Int64.min

    init(_ log: ClosedLog, grid: WindowGrid, stored: UInt16, fold: RowFold) {
        self.log = log
        // A replay's windows are those of its range: late events are applied where the stream itself is counted.
        keep = grid.isBounded ? 0 : log.keep.milliseconds
        self.grid = grid
        self.stored = stored
        self.fold = fold
    }

    // MARK: Keeping

    /// What was closed when the state was written. Where nothing says how far back windows were kept, they are from then on.
    func begin(_ watermark: EventTime?) {
        through = watermark?.milliseconds ?? noWatermark
        if from == nil { from = watermark?.milliseconds ?? .min }
    }

    func restoreMark(_ value: UnsafeRawBufferPointer) -> Bool {
        guard value.count == 8 else { return false }
        from = value.loadUnaligned(as: Int64.self)
        isMarkStored = true
        return true
    }

    /// A window closes, with what its groups hold.
    func keep(_ slot: Int64, _ cells: @autoclosure () -> [(group: GroupKey, cell: Cell)]) {
        if keep == 0 { return }
        let cells = cells().sorted { $0.group.bytes.lexicographicallyPrecedes($1.group.bytes) }
        var first: GroupKey?
        for (group, cell) in cells {
            if chunk.count + 16 + group.bytes.count + cell.bytes.count > PipelineLimits.closedChunkBytes { flush(slot, &first) }
            if first == nil { first = group }
            append(UInt32(group.bytes.count))
            append(UInt32(cell.bytes.count))
            append(cell.revision)
            chunk += group.bytes
            chunk += cell.bytes
        }
        flush(slot, &first)
    }

    private func flush(_ slot: Int64, _ first: inout GroupKey?) {
        if let group = first {
            StateKey.ofGroup(StateKey.closedChunk, output: stored, start: slot, group, lane: nil) { key in
                chunk.withUnsafeBytes { log.changes.put(key, $0) }
            }
        }
        chunk.removeAll(keepingCapacity: true)
        first = nil
    }

    private func append(_ number: some FixedWidthInteger) { withUnsafeBytes(of: number.littleEndian) { chunk += $0 } }

    /// Windows were closed by `watermark`; at the `end` of a bounded input all were, and what is past its keep goes by `asOf`.
    func closed(by watermark: Int64, asOf: EventTime?) {
        through = max(through, watermark)
        if keep == 0 { return isMarkStored ? leaveNothing() : () }
        let before = from ?? .min
        let now = watermark == .max ? asOf?.milliseconds ?? noWatermark : watermark
        let (edge, overflow) = now.subtractingReportingOverflow(keep)
        let after = overflow ? before : max(before, edge)
        if after > before {
            // Only where the last window that goes is another one there is something to delete.
            let last = grid.lastSlot(closedAt: after)
            if last != lastGone {
                lastGone = last
                isMarkStored = false
                for tag in [StateKey.closedChunk, StateKey.closedCell] {
                    log.past.append(
                        ClosedChanges.Past(
                            from: StateKey.windowKey(tag, output: stored, start: PipelineLimits.windowStarts.lowerBound),
                            to: StateKey.windowKey(tag, output: stored, start: last + 1)))
                }
            }
        }
        from = after
        guard !isMarkStored else { return }
        isMarkStored = true
        let key = StateKey.windowKey(StateKey.closedMark, output: stored, start: 0)
        key.withUnsafeBytes { key in withUnsafeBytes(of: after) { log.changes.put(key, $0) } }
    }

    /// Nothing is kept any more: what earlier runs kept goes, and the mark with it, since windows close unseen from now on.
    private func leaveNothing() {
        isMarkStored = false
        for tag in [StateKey.closedChunk, StateKey.closedCell, StateKey.closedMark] {
            let range = StateKey.range(tag, ofOutput: stored)
            log.past.append(ClosedChanges.Past(from: range.from, to: range.to))
        }
    }

    // MARK: Applying again

    var keeps: Bool { keep > 0 }
    func isClosed(_ slot: Int64) -> Bool { grid.close(of: slot) <= through }
    /// The cells of this closed window are here.
    func holds(_ slot: Int64) -> Bool { keep > 0 && grid.close(of: slot) > from ?? .max }

    /// Adds `delta`, a cell, to a group of a closed window.
    func add(_ delta: UnsafeRawBufferPointer, slot: Int64, group: GroupKey, _ lookup: ClosedLookup) throws(Fault) {
        let place = Place(slot: slot, group: group)
        var cell = Cell(revision: 0, bytes: [])
        if let known = fresh[place] {
            cell = known
        } else if let known = try find(slot, group, lookup) {
            cell = Cell(revision: known.revision + 1, bytes: known.bytes)
        } else {
            cell.revision = 1
        }
        fold.begin()
        if !cell.bytes.isEmpty { cell.bytes.withUnsafeBytes { fold.add($0) } }
        fold.add(delta)
        cell.bytes = fold.bytes()
        fresh[place] = cell
    }

    private func find(_ slot: Int64, _ group: GroupKey, _ lookup: ClosedLookup) throws(Fault) -> Cell? {
        let own = StateKey.key(StateKey.closedCell, output: stored, start: slot, group)
        if let found = try lookup(own, true), found.key == own {
            guard found.value.count >= 8 else { throw Self.damaged }
            let revision = found.value.withUnsafeBytes { $0.loadUnaligned(as: Int64.self) }
            return Cell(revision: revision, bytes: try whole(Array(found.value[8...])))
        }
        // Where partitions close by themselves a window was kept in several goes, whose chunks overlap.
        var key = StateKey.key(StateKey.closedChunk, output: stored, start: slot, group)
        var isFirst = true
        while let found = try lookup(key, isFirst), found.key.prefix(StateKey.windowPrefix) == key.prefix(StateKey.windowPrefix) {
            if let cell = try find(group, in: found.value) { return cell }
            key = found.key
            isFirst = false
        }
        return nil
    }

    private func find(_ group: GroupKey, in chunk: [UInt8]) throws(Fault) -> Cell? {
        var at = 0
        while at < chunk.count {
            guard at + 16 <= chunk.count else { throw Self.damaged }
            let (groupLength, length, revision) = chunk.withUnsafeBytes {
                (
                    Int($0.loadUnaligned(fromByteOffset: at, as: UInt32.self)),
                    Int($0.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self)),
                    $0.loadUnaligned(fromByteOffset: at + 8, as: Int64.self)
                )
            }
            at += 16
            guard at + groupLength + length <= chunk.count else { throw Self.damaged }
            if chunk[at..<(at + groupLength)].elementsEqual(group.bytes) {
                return Cell(
                    revision: revision, bytes: try whole(Array(chunk[(at + groupLength)..<(at + groupLength + length)])))
            }
            at += groupLength + length
        }
        return nil
    }

    private func whole(_ bytes: [UInt8]) throws(Fault) -> [UInt8] {
        guard bytes.withUnsafeBytes({ fold.isWhole($0) }) else { throw Self.damaged }
        return bytes
    }

    static let damaged = Fault(
        "state_damaged", "The cells of a closed window can't be read.", place: "closed windows",
        next: "Restore the state directory from a backup, or count the range again with a replay.", exit: .state)

    /// The rows of what was applied since the last emission, in the order of windows and groups.
    func emit(_ output: Int, into rows: inout [Row], asOf: EventTime?) {
        if fresh.isEmpty { return }
        let order = fresh.sorted {
            $0.key.slot != $1.key.slot
                ? $0.key.slot < $1.key.slot : $0.key.group.bytes.lexicographicallyPrecedes($1.key.group.bytes)
        }
        for (place, cell) in order {
            fold.begin()
            cell.bytes.withUnsafeBytes { fold.add($0) }
            rows.append(
                Row(
                    output: output, windowStart: EventTime(milliseconds: grid.start(of: place.slot)),
                    windowEnd: EventTime(milliseconds: grid.end(of: place.slot)),
                    group: place.group.bytes.withUnsafeBytes(GroupBytes.values), measures: fold.values(), revision: cell.revision,
                    final: true, asOf: asOf, errors: fold.errors(), reason: .reapplied))
            let key = StateKey.key(StateKey.closedCell, output: stored, start: place.slot, place.group)
            let value = withUnsafeBytes(of: cell.revision.littleEndian, Array.init) + cell.bytes
            key.withUnsafeBytes { key in value.withUnsafeBytes { log.changes.put(key, $0) } }
        }
        fresh = [:]
    }
}

/// What one commit does to the cells of closed windows, of all outputs.
final class ClosedLog {
    let keep: TimeSpan
    fileprivate(set) var changes = StateLog(capacity: 64)
    fileprivate var past: [ClosedChanges.Past] = []

    init(keep: TimeSpan) { self.keep = keep }

    func take() -> ClosedChanges {
        if changes.isEmpty, past.isEmpty { return ClosedChanges(changes: changes) }
        defer {
            changes = StateLog(capacity: 64)
            past = []
        }
        return ClosedChanges(changes: changes, past: past)
    }
}

extension StateKey {
    static func windowKey(_ tag: UInt8, output: UInt16, start: Int64) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: windowPrefix) { bytes, count in
            writeWindow(UnsafeMutableRawPointer(bytes.baseAddress!), tag, output: output, start: start)
            count = windowPrefix
        }
    }

    static func key(_ tag: UInt8, output: UInt16, start: Int64, _ group: GroupKey) -> [UInt8] {
        windowKey(tag, output: output, start: start) + group.bytes
    }
}
