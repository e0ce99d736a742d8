import Model

/// An output that takes another one's rows (S14): its windows are unions of that one's windows, its group a part of that one's
/// group, its measures merges of that one's measures.
///
/// While a window of the source can still be corrected, its share is kept by itself, and each revision replaces it; once it is
/// closed its share goes into the window's base. Shares are joined in the order of their windows, then of their groups, so that
/// sums of doubles don't hang on what came when (S17).
final class RollUp: MergedOutput {
    let index: Int
    let plan: AggregatePlan
    let stored: UInt16
    var progress = OutputProgress()
    private(set) var lastEmittedEnd = Int64.min
    /// Outputs that roll this one up.
    var rollUps: [RollUp] = []
    private let grid: WindowGrid
    private let sourceGrid: WindowGrid
    private let fold: RowFold
    private let cells: ClosedCells
    var closed: any KeptClosed { cells }
    private let projection: Projection
    /// What can still be corrected, by the source's window and group.
    private var shares: [Int64: [GroupKey: Share]] = [:]
    private var fresh: [(start: Int64, source: GroupKey)] = []
    private var windows: [Int64: Window] = [:]
    /// Bytes of the shares and bases, about.
    private(set) var memory = 0

    private struct Share {
        var cell: [UInt8]
        var group: GroupKey
        var isFresh = true
        /// Some version of it is in committed state.
        var isStored = false
    }

    private final class Window {
        let slot: Int64
        var entries: [GroupKey: Entry] = [:]
        /// Groups that took something since their last row, and those to be stored.
        var pending: Set<GroupKey> = []
        var changed: Set<GroupKey> = []
        var freshBases: Set<GroupKey> = []
        var isStored = false
        init(slot: Int64) { self.slot = slot }
    }

    fileprivate struct Entry {
        var base: [UInt8] = []
        /// The shares that are not in the base yet, in their order.
        var open: [(start: Int64, source: GroupKey)] = []
        var revision: Int64 = 0
    }

    private static let overhead = 160

    init(
        index: Int, plan: AggregatePlan, from source: AggregatePlan, fields: [FieldPlan], stored: UInt16, bounds: Range<Int64>?,
        closed log: ClosedLog
    ) {
        self.index = index
        self.plan = plan
        self.stored = stored
        grid = WindowGrid(plan, bounds: bounds)
        sourceGrid = WindowGrid(source)
        let layout = CellLayout(plan, fields: fields)
        fold = RowFold(layout)
        cells = ClosedCells(log, grid: grid, stored: stored, fold: fold)
        projection = Projection(plan, layout, from: source, CellLayout(source, fields: fields))
    }

    // MARK: Shares

    /// What the source's row came of: its window, its group and its cell's words. It replaces what it said of them before.
    func take(start: Int64, group: GroupKey, _ words: UnsafePointer<UInt64>) {
        let cell = projection.cell(words)
        let own = projection.group(group)
        take(Share(cell: cell, group: own), start, group, isNews: true)
    }

    private func take(_ share: Share, _ start: Int64, _ source: GroupKey, isNews: Bool) {
        var share = share
        let before = shares[start]?[source]
        share.isStored = share.isStored || before?.isStored ?? false
        shares[start, default: [:]][source] = share
        let isNew = before == nil
        memory += share.cell.count - (before?.cell.count ?? -Self.overhead)
        if isNews { fresh.append((start, source)) }
        each(start) { window in
            if isNew { window.entries[share.group, default: Entry()].insert((start, source)) }
            if isNews {
                window.pending.insert(share.group)
                window.changed.insert(share.group)
            }
        }
    }

    /// The windows that hold a window of the source.
    private func each(_ start: Int64, _ body: (Window) -> Void) {
        let (first, last) = grid.slots(at: start)
        for slot in stride(from: first, through: last, by: Int(grid.every)) where !grid.isBounded || grid.exists(slot) {
            body(window(slot))
        }
    }

    private func window(_ slot: Int64) -> Window {
        if let there = windows[slot] { return there }
        let fresh = Window(slot: slot)
        windows[slot] = fresh
        return fresh
    }

    /// Shares of windows that can't be corrected any more go into the base.
    private func settle(_ changes: StateLog, _ watermark: Int64) {
        for start in shares.keys.sorted() where sourceGrid.close(of: start) <= watermark {
            let closed = shares.removeValue(forKey: start) ?? [:]
            var isStored = false
            for source in closed.keys.sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) {
                guard let share = closed[source] else { continue }
                isStored = isStored || share.isStored
                memory -= share.cell.count + Self.overhead
                each(start) { window in
                    guard var entry = window.entries[share.group] else { return }
                    entry.open.removeAll { $0.start == start && $0.source == source }
                    fold.begin()
                    if !entry.base.isEmpty { entry.base.withUnsafeBytes { fold.add($0) } }
                    share.cell.withUnsafeBytes { fold.add($0) }
                    let base = fold.bytes()
                    memory += base.count - entry.base.count
                    entry.base = base
                    window.entries[share.group] = entry
                    window.freshBases.insert(share.group)
                }
            }
            if isStored { StateKey.deleteWindow(changes, StateKey.share, output: stored, start: start) }
        }
    }

    // MARK: Rows

    func emit(into rows: inout [Row], changes: StateLog, _ moment: MergeMoment) {
        let watermark = moment.watermark
        settle(changes, watermark)
        for window in windows.values.sorted(by: { $0.slot < $1.slot }) {
            let due = plan.emit == .final ? grid.close(of: window.slot) : grid.end(of: window.slot)
            guard isEarly || due <= watermark else { continue }
            for group in window.pending.sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) {
                rows.append(row(window, group, moment))
            }
            window.pending.removeAll(keepingCapacity: true)
        }
        store(changes, watermark)
        for window in windows.values where grid.close(of: window.slot) <= watermark {
            if window.isStored {
                StateKey.deleteWindow(changes, StateKey.base, output: stored, start: window.slot)
                StateKey.deleteWindow(changes, StateKey.emitted, output: stored, start: window.slot)
            }
            for entry in window.entries.values { memory -= entry.base.count }
            cells.keep(
                window.slot,
                window.entries.map { ($0.key, ClosedCells.Cell(revision: $0.value.revision, bytes: $0.value.base)) })
            windows[window.slot] = nil
        }
        cells.closed(by: watermark, asOf: moment.asOf)
    }

    /// Late events were applied again to a closed window of the source: what they add goes into the windows that hold it. Its share
    /// went into their bases when it closed.
    func reapply(start: Int64, group: GroupKey, _ words: UnsafePointer<UInt64>, _ lookup: ClosedLookup) throws(Fault) {
        let cell = projection.cell(words)
        let own = projection.group(group)
        let (first, last) = grid.slots(at: start)
        for slot in stride(from: first, through: last, by: Int(grid.every)) {
            if cells.isClosed(slot) {
                // One that began after its source has nothing to correct.
                guard cells.holds(slot) else { continue }
                var failure: Fault?
                cell.withUnsafeBytes { bytes in
                    do throws(Fault) { try cells.add(bytes, slot: slot, group: own, lookup) } catch { failure = error }
                }
                if let failure { throw failure }
                for rollUp in rollUps {
                    fold.begin()
                    cell.withUnsafeBytes { fold.add($0) }
                    try rollUp.reapply(start: slot, group: own, fold.total, lookup)
                }
                continue
            }
            let window = window(slot)
            var entry = window.entries[own, default: Entry()]
            fold.begin()
            if !entry.base.isEmpty { entry.base.withUnsafeBytes { fold.add($0) } }
            cell.withUnsafeBytes { fold.add($0) }
            let base = fold.bytes()
            memory += base.count - entry.base.count
            entry.base = base
            window.entries[own] = entry
            window.freshBases.insert(own)
            window.pending.insert(own)
            window.changed.insert(own)
        }
    }

    private func row(_ window: Window, _ group: GroupKey, _ moment: MergeMoment) -> Row {
        window.entries[group]!.revision += 1
        window.changed.insert(group)
        let entry = window.entries[group]!
        fold.begin()
        if !entry.base.isEmpty { entry.base.withUnsafeBytes { fold.add($0) } }
        for (start, source) in entry.open { shares[start]?[source]?.cell.withUnsafeBytes { fold.add($0) } }
        for rollUp in rollUps { rollUp.take(start: window.slot, group: group, fold.total) }
        lastEmittedEnd = max(lastEmittedEnd, grid.end(of: window.slot))
        return Row(
            output: index, windowStart: EventTime(milliseconds: grid.start(of: window.slot)),
            windowEnd: EventTime(milliseconds: grid.end(of: window.slot)), group: group.bytes.withUnsafeBytes(GroupBytes.values),
            measures: fold.values(), revision: entry.revision, final: grid.close(of: window.slot) <= moment.watermark,
            asOf: moment.asOf, errors: fold.errors())
    }

    // MARK: State

    private func store(_ changes: StateLog, _ watermark: Int64) {
        for (start, source) in fresh {
            guard let share = shares[start]?[source], share.isFresh else { continue }
            put(changes, StateKey.share, start, source, share.cell)
            shares[start]![source]!.isFresh = false
            shares[start]![source]!.isStored = true
        }
        fresh = []
        for window in windows.values where !window.changed.isEmpty || !window.freshBases.isEmpty {
            if grid.close(of: window.slot) > watermark {
                window.isStored = true
                for group in window.freshBases { put(changes, StateKey.base, window.slot, group, window.entries[group]!.base) }
                for group in window.changed {
                    var value = withUnsafeBytes(of: window.entries[group]!.revision) { Array($0) }
                    value.append(window.pending.contains(group) ? 1 : 0)
                    put(changes, StateKey.emitted, window.slot, group, value)
                }
            }
            window.changed.removeAll(keepingCapacity: true)
            window.freshBases.removeAll(keepingCapacity: true)
        }
    }

    private func put(_ changes: StateLog, _ tag: UInt8, _ start: Int64, _ group: GroupKey, _ value: [UInt8]) {
        StateKey.ofGroup(tag, output: stored, start: start, group, lane: nil) { key in
            value.withUnsafeBytes { changes.put(key, $0) }
        }
    }

    func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, order: (LaneNumber) -> Int64) -> Bool {
        let start = StateKey.number(key, at: 3)
        let group = GroupKey(UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix...]))
        switch key[0] {
        case StateKey.share:
            guard fold.isWhole(value), projection.isGroup(group) else { return false }
            take(
                Share(cell: Array(value), group: projection.group(group), isFresh: false, isStored: true), start, group,
                isNews: false)
        case StateKey.base:
            guard fold.isWhole(value) else { return false }
            let window = window(start)
            window.isStored = true
            window.entries[group, default: Entry()].base = Array(value)
            memory += value.count
        case StateKey.emitted:
            guard value.count == 9 else { return false }
            let window = window(start)
            window.isStored = true
            window.entries[group, default: Entry()].revision = value.loadUnaligned(as: Int64.self)
            if value[8] != 0 { window.pending.insert(group) }
        default: return false
        }
        return true
    }

    // MARK: What it tells

    var lastOpenClose: Int64? { windows.keys.max().map { grid.close(of: $0) } }
    func nextEdge(after watermark: Int64) -> Int64? { windows.keys.compactMap { grid.edge(of: $0, after: watermark) }.min() }
    func lastEnd(at time: Int64) -> Int64 { grid.lastEnd(at: time) }

    // No lane sends it anything.
    func receive(
        start: Int64, group: UnsafeRawBufferPointer, lane: LaneNumber, order: Int64, cell: UnsafeRawBufferPointer, isLast: Bool
    ) {}
    func isWhole(_ cell: UnsafeRawBufferPointer) -> Bool { false }
    func isClosed(start: Int64, cell: UnsafeRawBufferPointer, by watermark: Int64) -> Bool { false }
}

extension RollUp.Entry {
    /// Mostly it is the last one.
    fileprivate mutating func insert(_ share: (start: Int64, source: GroupKey)) {
        var at = open.count
        while at > 0,
            share.start < open[at - 1].start
                || (share.start == open[at - 1].start && share.source.bytes.lexicographicallyPrecedes(open[at - 1].source.bytes))
        {
            at -= 1
        }
        open.insert(share, at: at)
    }
}

/// How a cell and a group of the source become those of its roll-up.
struct Projection {
    private let copies: [(from: Int, to: Int, words: Int)]
    private let codec: CellCodec
    /// The columns of the roll-up's group, by their place in the source's.
    private let columns: [Int]
    private let sourceColumns: Int

    init(_ plan: AggregatePlan, _ layout: CellLayout, from source: AggregatePlan, _ sourceLayout: CellLayout) {
        codec = CellCodec(layout: layout)
        columns = plan.groupBy.map { column in source.groupBy.firstIndex(of: column) ?? 0 }
        sourceColumns = source.groupBy.count
        var copies: [(from: Int, to: Int, words: Int)] = [(recordCountWord, recordCountWord, 1)]
        for (at, slot) in layout.slots.enumerated() {
            guard let asked = layout.answers.firstIndex(where: { $0.slot == at }),
                let measure = source.measures.firstIndex(where: { $0.isMerged(into: plan.measures[asked]) })
            else { continue }
            let from = sourceLayout.slots[sourceLayout.answers[measure].slot]
            copies.append((from.word, slot.word, slot.operation.words))
        }
        self.copies = copies
    }

    /// The bytes of the roll-up's cell.
    func cell(_ words: UnsafePointer<UInt64>) -> [UInt8] {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: codec.layout.words) { buffer in
            let own = buffer.baseAddress!
            own.initialize(repeating: 0, count: codec.layout.words)
            for copy in copies { (own + copy.to).update(from: words + copy.from, count: copy.words) }
            // Texts are only read: the source's memory serves.
            codec.settle(own)
            return [UInt8](unsafeUninitializedCapacity: codec.encodedLength(own)) { bytes, count in
                count = codec.encodedLength(own)
                codec.encode(own, into: UnsafeMutableRawPointer(bytes.baseAddress!))
            }
        }
    }

    func group(_ source: GroupKey) -> GroupKey {
        source.bytes.withUnsafeBytes { bytes in
            let parts = GroupBytes.parts(bytes)
            let own = columns.flatMap { $0 < parts.count ? Array(bytes[parts[$0]]) : [] }
            return own.withUnsafeBytes(GroupKey.init)
        }
    }

    func isGroup(_ source: GroupKey) -> Bool { source.bytes.withUnsafeBytes { GroupBytes.parts($0).count } == sourceColumns }
}
