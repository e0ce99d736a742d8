import Model

/// One output's windows in the merge.
final class MergeOutput: MergedOutput {
    let index: Int
    let plan: AggregatePlan
    let grid: WindowGrid
    var progress = OutputProgress()
    private(set) var lastEmittedEnd = Int64.min
    let stored: UInt16
    /// Outputs that roll this one up.
    var rollUps: [RollUp] = []
    private let fold: RowFold
    private let cells: ClosedCells
    var closed: any KeptClosed { cells }
    private var windows: [Int64: MergeWindow] = [:]
    /// (window, entry) that got a partial since the last emission.
    private var touched: [(window: MergeWindow, entry: Int)] = []

    init(index: Int, plan: AggregatePlan, fields: [FieldPlan], stored: UInt16, bounds: Range<Int64>?, closed log: ClosedLog) {
        self.index = index
        self.plan = plan
        self.stored = stored
        grid = WindowGrid(plan, bounds: bounds)
        fold = RowFold(CellLayout(plan, fields: fields))
        cells = ClosedCells(log, grid: grid, stored: stored, fold: fold)
    }

    var lastOpenClose: Int64? { windows.keys.max().map { grid.close(of: $0) } }

    func nextEdge(after watermark: Int64) -> Int64? { windows.keys.compactMap { grid.edge(of: $0, after: watermark) }.min() }

    func lastEnd(at time: Int64) -> Int64 { grid.lastEnd(at: time) }

    var memory: Int { windows.values.reduce(0) { $0 + $1.bytes } }

    // MARK: Partials

    func isWhole(_ cell: UnsafeRawBufferPointer) -> Bool { fold.isWhole(cell) }

    func isClosed(start: Int64, cell: UnsafeRawBufferPointer, by watermark: Int64) -> Bool { grid.close(of: start) <= watermark }

    func receive(
        start: Int64, group: UnsafeRawBufferPointer, lane: LaneNumber, order: Int64, cell: UnsafeRawBufferPointer, isLast: Bool
    ) {
        let window = window(start)
        let entry = window.entry(GroupKey(group))
        guard window.replace(entry, lane: lane, order: order, cell: cell) else { return }
        window.setPending(entry)
        touched.append((window, entry))
    }

    func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, order: (LaneNumber) -> Int64) -> Bool {
        let start = StateKey.number(key, at: 3)
        switch key[0] {
        case StateKey.partial:
            guard key.count >= StateKey.windowPrefix + 4 else { return false }
            let lane = StateKey.lane(key)
            let group = UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix..<(key.count - 4)])
            let window = window(start)
            window.isStored = true
            let entry = window.entry(GroupKey(group))
            window.entries[entry].isStored = true
            _ = window.replace(entry, lane: lane, order: order(lane), cell: value)
        case StateKey.emitted:
            guard value.count == 9 else { return false }
            let window = window(start)
            window.isStored = true
            let entry = window.entry(GroupKey(UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix...])))
            window.entries[entry].revision = value.loadUnaligned(as: Int64.self)
            if value[8] != 0 { window.setPending(entry) }
        default: return false
        }
        return true
    }

    // MARK: Rows

    func emit(into rows: inout [Row], changes: StateLog, _ moment: MergeMoment) {
        let watermark = moment.watermark
        let arrived = touched
        touched = []
        if isEarly || plan.isKeyed {
            // Lanes send only what is due; where the window's own partition decides, there is nobody else to wait for.
            var gone: [Int64: [(GroupKey, ClosedCells.Cell)]] = [:]
            for (window, entry) in arrived where window.entries[entry].isPending {
                let own = plan.isKeyed ? ownWatermark(window.entries[entry], moment.laneWatermarks) : watermark
                emitRow(window, entry, into: &rows, watermark: own, asOf: moment.asOf)
                if plan.isKeyed, grid.close(of: window.start) <= own {
                    if cells.keeps { gone[window.start, default: []].append(kept(window.entries[entry])) }
                    forget(window, entry, changes)
                }
            }
            for (start, entries) in gone { cells.keep(start, entries) }
        }
        for window in windows.values.sorted(by: { $0.start < $1.start }) where window.pendingCount > 0 {
            let due = plan.emit == .final ? grid.close(of: window.start) : grid.end(of: window.start)
            guard due <= watermark else { continue }
            for entry in window.entries.indices where window.entries[entry].isPending {
                emitRow(window, entry, into: &rows, watermark: watermark, asOf: moment.asOf)
            }
        }
        store(arrived, changes, watermark)
        for window in windows.values where grid.close(of: window.start) <= watermark {
            if window.isStored {
                StateKey.deleteWindow(changes, StateKey.partial, output: stored, start: window.start)
                StateKey.deleteWindow(changes, StateKey.emitted, output: stored, start: window.start)
            }
            cells.keep(window.start, window.entries.filter { !$0.isGone }.map(kept))
            windows[window.start] = nil
        }
        cells.closed(by: watermark, asOf: moment.asOf)
    }

    /// Of one partition its partial as it came; of several their merge.
    private func kept(_ entry: MergeEntry) -> (GroupKey, ClosedCells.Cell) {
        if entry.partials.count == 1 {
            return (entry.group, ClosedCells.Cell(revision: entry.revision, bytes: entry.partials[0].cell))
        }
        fold.begin()
        for partial in entry.partials { partial.cell.withUnsafeBytes { fold.add($0) } }
        return (entry.group, ClosedCells.Cell(revision: entry.revision, bytes: fold.bytes()))
    }

    /// Its own partition has closed it, and nobody else speaks of it: it need not wait for the combined watermark.
    private func forget(_ window: MergeWindow, _ at: Int, _ changes: StateLog) {
        let entry = window.entries[at]
        if entry.isStored {
            for partial in entry.partials {
                StateKey.ofGroup(
                    StateKey.partial, output: stored, start: window.start, entry.group, lane: partial.lane, changes.delete)
            }
            StateKey.ofGroup(StateKey.emitted, output: stored, start: window.start, entry.group, lane: nil, changes.delete)
        }
        window.forget(at)
    }

    private func ownWatermark(_ entry: MergeEntry, _ laneWatermarks: [LaneNumber: Int64]?) -> Int64 {
        guard let laneWatermarks else { return .max }
        return entry.partials.map { $0.lane == reappliedLane ? .max : laneWatermarks[$0.lane] ?? noWatermark }.min()
            ?? noWatermark
    }

    // MARK: Late events that are applied again

    func reapply(
        start: Int64, group: UnsafeRawBufferPointer, delta: UnsafeRawBufferPointer, _ lookup: ClosedLookup
    ) throws(Fault) {
        let key = GroupKey(group)
        // A group whose own partition has closed its window may be gone before the combined watermark closes it.
        let isGone = cells.isClosed(start) || (plan.isKeyed && !(windows[start]?.holds(key) ?? false))
        guard isGone else {
            // It waits for other partitions: one more source.
            let window = window(start)
            let entry = window.entry(key)
            fold.begin()
            if let before = window.entries[entry].partials.first(where: { $0.lane == reappliedLane }) {
                before.cell.withUnsafeBytes { fold.add($0) }
            }
            fold.add(delta)
            fold.bytes().withUnsafeBytes {
                receive(start: start, group: group, lane: reappliedLane, order: .max, cell: $0, isLast: false)
            }
            window.entries[entry].isReapplied = true
            return
        }
        try cells.add(delta, slot: start, group: key, lookup)
        for rollUp in rollUps {
            fold.begin()
            fold.add(delta)
            try rollUp.reapply(start: start, group: key, fold.total, lookup)
        }
    }

    private func emitRow(_ window: MergeWindow, _ at: Int, into rows: inout [Row], watermark: Int64, asOf: EventTime?) {
        window.entries[at].revision += 1
        window.clearPending(at)
        fold.begin()
        for partial in window.entries[at].partials { partial.cell.withUnsafeBytes { fold.add($0) } }
        let entry = window.entries[at]
        let isFinal = grid.close(of: window.start) <= watermark
        window.entries[at].isReapplied = false
        for rollUp in rollUps { rollUp.take(start: window.start, group: entry.group, fold.total) }
        lastEmittedEnd = max(lastEmittedEnd, grid.end(of: window.start))
        rows.append(
            Row(
                output: index, windowStart: EventTime(milliseconds: grid.start(of: window.start)),
                windowEnd: EventTime(milliseconds: grid.end(of: window.start)),
                group: entry.group.bytes.withUnsafeBytes(GroupBytes.values),
                measures: fold.values(), revision: entry.revision, final: isFinal, asOf: asOf, errors: fold.errors(),
                reason: isFinal && entry.isReapplied && entry.revision > 1 ? .reapplied : nil))
    }

    // MARK: State

    /// Writes the partials that came and what was emitted of them, for windows that stay open.
    private func store(_ arrived: [(window: MergeWindow, entry: Int)], _ changes: StateLog, _ watermark: Int64) {
        for (window, at) in arrived where grid.close(of: window.start) > watermark && !window.entries[at].isGone {
            window.entries[at].isStored = true
            let entry = window.entries[at]
            for partial in entry.partials where partial.isFresh {
                put(changes, StateKey.partial, window.start, entry.group, lane: partial.lane, value: partial.cell)
            }
            for index in window.entries[at].partials.indices { window.entries[at].partials[index].isFresh = false }
            window.changed.insert(at)
        }
        for window in windows.values where !window.changed.isEmpty {
            if grid.close(of: window.start) > watermark {
                window.isStored = true
                for at in window.changed {
                    let entry = window.entries[at]
                    var value = withUnsafeBytes(of: entry.revision) { Array($0) }
                    value.append(entry.isPending ? 1 : 0)
                    put(changes, StateKey.emitted, window.start, entry.group, lane: nil, value: value)
                }
            }
            window.changed.removeAll(keepingCapacity: true)
        }
    }

    private func put(_ changes: StateLog, _ tag: UInt8, _ start: Int64, _ group: GroupKey, lane: LaneNumber?, value: [UInt8]) {
        StateKey.ofGroup(tag, output: stored, start: start, group, lane: lane) { key in
            value.withUnsafeBytes { changes.put(key, $0) }
        }
    }

    private func window(_ start: Int64) -> MergeWindow {
        if let there = windows[start] { return there }
        let fresh = MergeWindow(start: start)
        windows[start] = fresh
        return fresh
    }
}

/// One window of one output: its groups and what each lane said of them.
final class MergeWindow {
    let start: Int64
    var entries: [MergeEntry] = []
    private(set) var pendingCount = 0
    /// Something of it is in committed state.
    var isStored = false
    /// Entries whose revision or pending mark changed since they were stored.
    var changed: Set<Int> = []
    private var places: [GroupKey: Int] = [:]
    /// Entries that were forgotten.
    private var free: [Int] = []
    private static let nobody = GroupKey(UnsafeRawBufferPointer(start: nil, count: 0))
    /// What entries and partials take in memory, about.
    private(set) var bytes = 0
    /// An entry's and a partial's own part: their places in arrays and dictionaries, and the headers of their bytes.
    private static let entryOverhead = 220
    private static let partialOverhead = 80

    init(start: Int64) { self.start = start }

    func entry(_ group: GroupKey) -> Int {
        if let there = places[group] { return there }
        bytes += group.bytes.count + Self.entryOverhead
        guard let at = free.popLast() else {
            entries.append(MergeEntry(group: group))
            places[group] = entries.count - 1
            return entries.count - 1
        }
        entries[at] = MergeEntry(group: group)
        places[group] = at
        return at
    }

    /// Its place is free for another.
    func forget(_ at: Int) {
        clearPending(at)
        changed.remove(at)
        places[entries[at].group] = nil
        bytes -= entries[at].group.bytes.count + Self.entryOverhead
        for partial in entries[at].partials { bytes -= partial.cell.count + Self.partialOverhead }
        entries[at] = MergeEntry(group: Self.nobody, isGone: true)
        free.append(at)
    }

    func replace(_ at: Int, lane: LaneNumber, order: Int64, cell: UnsafeRawBufferPointer) -> Bool {
        let before = entries[at].partials.count
        let isNew = entries[at].replace(lane: lane, order: order, cell: cell)
        if entries[at].partials.count > before { bytes += cell.count + Self.partialOverhead }
        return isNew
    }

    func holds(_ group: GroupKey) -> Bool { places[group] != nil }

    func setPending(_ at: Int) {
        if !entries[at].isPending {
            entries[at].isPending = true
            pendingCount += 1
        }
    }

    func clearPending(_ at: Int) {
        if entries[at].isPending {
            entries[at].isPending = false
            pendingCount -= 1
        }
        changed.insert(at)
    }
}

struct MergeEntry {
    let group: GroupKey
    var partials: [(lane: LaneNumber, order: Int64, cell: [UInt8], isFresh: Bool)] = []
    var revision: Int64 = 0
    /// It took an event since its last row.
    var isPending = false
    /// Something of it is in committed state.
    var isStored = false
    /// Nothing stands here any more.
    var isGone = false
    /// One of them was late and applied again.
    var isReapplied = false

    init(group: GroupKey, isGone: Bool = false) {
        self.group = group
        self.isGone = isGone
    }

    /// The later partial of a source replaces the earlier one; kept in partition order (S17). False: it says the same.
    mutating func replace(lane: LaneNumber, order: Int64, cell: UnsafeRawBufferPointer) -> Bool {
        if let at = partials.firstIndex(where: { $0.lane == lane }) {
            if partials[at].cell.elementsEqual(cell) { return false }
            partials[at].cell = Array(cell)
            partials[at].isFresh = true
            return true
        }
        let at = partials.firstIndex { $0.order > order } ?? partials.count
        partials.insert((lane, order, Array(cell), true), at: at)
        return true
    }
}
