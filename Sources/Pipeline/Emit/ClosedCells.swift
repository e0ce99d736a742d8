import Model

/// What the closed windows of one output held, kept outside memory for `state.keep_closed` so that late events can be applied again
/// (S13). A window that closes leaves its cells in chunks, sorted by group: a memory copy a cell and a few entries of state a window,
/// which nothing reads until a late event is applied again. A cell that was applied to is an entry of its own and counts instead of
/// that in the chunk.
///
/// Kept by event time: as long as the combined watermark is less than `keep` past the window's close.
///
/// Without a `keep` it holds nothing, and only knows what is closed.
final class ClosedCells: KeptClosed {
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
    let grid: WindowGrid
    private let fold: RowFold
    private let log: ClosedLog
    private(set) var reach: ClosedReach
    /// Applied to since the last emission.
    private var fresh: [Place: Cell] = [:]
    private var chunk: [UInt8] = []

    init(_ log: ClosedLog, grid: WindowGrid, stored: UInt16, fold: RowFold) {
        self.log = log
        reach = ClosedReach(log, isBounded: grid.isBounded, stored: stored)
        self.grid = grid
        self.stored = stored
        self.fold = fold
    }

    // MARK: Keeping

    func begin(_ watermark: EventTime?) { reach.begin(watermark) }
    func restoreMark(_ value: UnsafeRawBufferPointer) -> Bool { reach.restoreMark(value) }

    /// A window closes, with what its groups hold.
    func keep(_ slot: Int64, _ cells: @autoclosure () -> [(group: GroupKey, cell: Cell)]) {
        if !keeps { return }
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

    func closed(by watermark: Int64, asOf: EventTime?) {
        reach.closed(by: watermark, asOf: asOf, log) { [grid] in grid.lastSlot(closedAt: $0) }
    }

    // MARK: Applying again

    var keeps: Bool { reach.keep > 0 }
    func isClosed(_ slot: Int64) -> Bool { grid.close(of: slot) <= reach.through }
    /// The cells of this closed window are here.
    func holds(_ slot: Int64) -> Bool { keeps && grid.close(of: slot) > reach.from ?? .max }
    func takes(_ start: Int64) -> Bool { !isClosed(start) || holds(start) }

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
