import Model

/// One output's windows in the merge.
final class MergeOutput {
    let index: Int
    let plan: AggregatePlan
    let grid: WindowGrid
    var progress = OutputProgress()
    private(set) var lastEmittedEnd = Int64.min
    let stored: UInt16
    private let codec: CellCodec
    private var windows: [Int64: MergeWindow] = [:]
    /// (window, entry) that got a partial since the last emission.
    private var touched: [(window: MergeWindow, entry: Int)] = []
    /// Two cells' worth of words to fold in.
    private let total: UnsafeMutablePointer<UInt64>
    private let part: UnsafeMutablePointer<UInt64>

    init(index: Int, plan: AggregatePlan, fields: [FieldPlan], stored: UInt16, bounds: Range<Int64>?) {
        self.index = index
        self.plan = plan
        self.stored = stored
        grid = WindowGrid(plan, bounds: bounds)
        let layout = CellLayout(plan, fields: fields)
        codec = CellCodec(layout: layout)
        total = .allocate(capacity: layout.words)
        part = .allocate(capacity: layout.words)
        total.initialize(repeating: 0, count: layout.words)
        part.initialize(repeating: 0, count: layout.words)
    }

    deinit {
        clear(total)
        clear(part)
        total.deallocate()
        part.deallocate()
    }

    var lastOpenClose: Int64? { windows.keys.max().map { grid.close(ofStart: $0) } }

    func nextEdge(after watermark: Int64) -> Int64? { windows.keys.compactMap { grid.edge(ofStart: $0, after: watermark) }.min() }

    var memory: Int { windows.values.reduce(0) { $0 + $1.bytes } }

    // MARK: Partials

    /// The bytes are a cell of this output.
    func isWhole(_ cell: UnsafeRawBufferPointer) -> Bool {
        clear(part)
        return codec.decode(cell, into: part)
    }

    func receive(start: Int64, group: UnsafeRawBufferPointer, lane: LaneNumber, order: Int64, cell: UnsafeRawBufferPointer) {
        let window = window(start)
        let entry = window.entry(GroupKey(group))
        guard window.replace(entry, lane: lane, order: order, cell: cell) else { return }
        window.setPending(entry)
        touched.append((window, entry))
    }

    func restorePartial(start: Int64, group: UnsafeRawBufferPointer, lane: LaneNumber, order: Int64, cell: UnsafeRawBufferPointer)
    {
        let window = window(start)
        window.isStored = true
        _ = window.replace(window.entry(GroupKey(group)), lane: lane, order: order, cell: cell)
    }

    func restoreEmitted(start: Int64, group: UnsafeRawBufferPointer, revision: Int64, pending: Bool) {
        let window = window(start)
        window.isStored = true
        let entry = window.entry(GroupKey(group))
        window.entries[entry].revision = revision
        if pending { window.setPending(entry) }
    }

    // MARK: Rows

    /// Emits the rows that are due, stores what must outlive the process, and forgets windows that the combined watermark
    /// closed. `laneWatermarks` nil: the input is over.
    func emit(into rows: inout [Row], changes: StateLog, watermark: Int64, laneWatermarks: [LaneNumber: Int64]?, asOf: EventTime?)
    {
        let arrived = touched
        touched = []
        if isEarly || plan.isKeyed {
            // Lanes send only what is due; where the window's own partition decides, there is nobody else to wait for.
            for (window, entry) in arrived where window.entries[entry].isPending {
                let own = plan.isKeyed ? ownWatermark(window.entries[entry], laneWatermarks) : watermark
                emitRow(window, entry, into: &rows, watermark: own, asOf: asOf)
            }
        }
        for window in windows.values.sorted(by: { $0.start < $1.start }) where window.pendingCount > 0 {
            let due = plan.emit == .final ? grid.close(ofStart: window.start) : window.start + grid.size
            guard due <= watermark else { continue }
            for entry in window.entries.indices where window.entries[entry].isPending {
                emitRow(window, entry, into: &rows, watermark: watermark, asOf: asOf)
            }
        }
        store(arrived, changes, watermark)
        for window in windows.values where grid.close(ofStart: window.start) <= watermark {
            if window.isStored {
                StateKey.deleteWindow(changes, StateKey.partial, output: stored, start: window.start)
                StateKey.deleteWindow(changes, StateKey.emitted, output: stored, start: window.start)
            }
            windows[window.start] = nil
        }
    }

    private var isEarly: Bool {
        switch plan.emit {
        case .every, .everyCommit: true
        case .final, .onTime: false
        }
    }

    private func ownWatermark(_ entry: MergeEntry, _ laneWatermarks: [LaneNumber: Int64]?) -> Int64 {
        guard let laneWatermarks else { return .max }
        return entry.partials.map { laneWatermarks[$0.lane] ?? noWatermark }.min() ?? noWatermark
    }

    private func emitRow(_ window: MergeWindow, _ at: Int, into rows: inout [Row], watermark: Int64, asOf: EventTime?) {
        window.entries[at].revision += 1
        window.clearPending(at)
        clear(total)
        var isFirst = true
        for partial in window.entries[at].partials {
            partial.cell.withUnsafeBytes { bytes in
                if isFirst {
                    _ = codec.decode(bytes, into: total)
                } else {
                    clear(part)
                    _ = codec.decode(bytes, into: part)
                    total[recordCountWord] &+= part[recordCountWord]
                    codec.combine(total, with: part)
                }
            }
            isFirst = false
        }
        let entry = window.entries[at]
        lastEmittedEnd = max(lastEmittedEnd, window.start + grid.size)
        rows.append(
            Row(
                output: index, windowStart: EventTime(milliseconds: window.start),
                windowEnd: EventTime(milliseconds: window.start + grid.size),
                group: entry.group.bytes.withUnsafeBytes(GroupBytes.values),
                measures: codec.values(total), revision: entry.revision, final: grid.close(ofStart: window.start) <= watermark,
                asOf: asOf, errors: codec.errors(total)))
    }

    private func clear(_ measures: UnsafeMutablePointer<UInt64>) {
        for word in codec.layout.variable { VariableText.free(&measures[word]) }
        for word in 0..<codec.layout.words { measures[word] = 0 }
    }

    // MARK: State

    /// Writes the partials that came and what was emitted of them, for windows that stay open.
    private func store(_ arrived: [(window: MergeWindow, entry: Int)], _ changes: StateLog, _ watermark: Int64) {
        for (window, at) in arrived where grid.close(ofStart: window.start) > watermark {
            let entry = window.entries[at]
            for partial in entry.partials where partial.isFresh {
                put(changes, StateKey.partial, window.start, entry.group, lane: partial.lane, value: partial.cell)
            }
            for index in window.entries[at].partials.indices { window.entries[at].partials[index].isFresh = false }
            window.changed.insert(at)
        }
        for window in windows.values where !window.changed.isEmpty {
            if grid.close(ofStart: window.start) > watermark {
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
        let length = StateKey.windowPrefix + group.bytes.count + (lane == nil ? 0 : 4)
        withUnsafeTemporaryAllocation(byteCount: length, alignment: 8) { key in
            let target = key.baseAddress!
            StateKey.writeWindow(target, tag, output: stored, start: start)
            group.bytes.withUnsafeBytes { bytes in
                if let from = bytes.baseAddress, bytes.count > 0 {
                    (target + StateKey.windowPrefix).copyMemory(from: from, byteCount: bytes.count)
                }
            }
            if let lane { target.storeBytes(of: lane.bigEndian, toByteOffset: length - 4, as: Int32.self) }
            value.withUnsafeBytes { changes.put(UnsafeRawBufferPointer(key), $0) }
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
    /// What entries and partials take in memory, about.
    private(set) var bytes = 0
    /// An entry's and a partial's own part: their places in arrays and dictionaries, and the headers of their bytes.
    private static let entryOverhead = 220
    private static let partialOverhead = 80

    init(start: Int64) { self.start = start }

    func entry(_ group: GroupKey) -> Int {
        if let there = places[group] { return there }
        entries.append(MergeEntry(group: group))
        bytes += group.bytes.count + Self.entryOverhead
        places[group] = entries.count - 1
        return entries.count - 1
    }

    func replace(_ at: Int, lane: LaneNumber, order: Int64, cell: UnsafeRawBufferPointer) -> Bool {
        let before = entries[at].partials.count
        let isNew = entries[at].replace(lane: lane, order: order, cell: cell)
        if entries[at].partials.count > before { bytes += cell.count + Self.partialOverhead }
        return isNew
    }

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
