import Model

/// One output in one lane: who it admits, where its windows lie, and what they hold.
struct OutputState: ~Copyable {
    let plan: AggregatePlan
    /// The output's number in stored keys.
    let stored: UInt16
    let lateness: LatenessStage
    let codec: CellCodec
    var group: GroupBytes
    var windows: WindowStore
    /// Where cells stand together in state.
    var pages: CellPages
    /// Cells may come into pages: not where they may have to be read back one by one.
    var isPaged: Bool
    /// nil: its windows are no sessions.
    let sessions: UnsafeMutablePointer<SessionStore>?
    var admits: PredicateProgram?
    /// What it said of the batch's rows.
    var admitted: UnsafePointer<UInt8>?
    /// It is fed by another output in the merge, and takes no records.
    let isRollUp: Bool
    /// The outputs that roll this one up, each as the windows on the way to it.
    let rollUps: [[WindowGrid]]
    /// A measure's own `where`, by slot.
    var measureAdmits: UnsafeMutablePointer<PredicateProgram>
    /// What they said of the batch's rows.
    let measureResults: UnsafeMutablePointer<UnsafePointer<UInt8>>
    var measureProgram: [Int]
    let programCount: Int
    /// Per row of the batch.
    let admissions: UnsafeMutablePointer<UInt8>
    let firsts: UnsafeMutablePointer<Int64>
    let lasts: UnsafeMutablePointer<Int64>
    /// Cells changed since the last seal.
    var dirty = GrowingBuffer<CellPointer>(capacity: 256)
    /// By window: the groups whose cells are in committed state alone; empty where everything fits.
    var cold: [Int64: ColdGroups] = [:]
    /// By measure: records with a text too long for it, since the lane last took them over.
    let longTexts: UnsafeMutablePointer<Int>

    init(_ index: Int, of topology: Plan, stored: UInt16, bounds: Range<Int64>?) {
        let plan = topology.aggregates[index]
        let fields = topology.fields
        self.plan = plan
        self.stored = stored
        isRollUp = plan.from != nil
        rollUps = topology.aggregates.indices.compactMap { topology.rollUpPath(from: index, to: $0)?.map { WindowGrid($0) } }
        lateness = LatenessStage(grid: WindowGrid(plan, bounds: bounds))
        let layout = CellLayout(plan, fields: fields)
        codec = CellCodec(layout: layout)
        group = GroupBytes(plan.groupBy, fields: fields)
        windows = WindowStore(layout)
        pages = CellPages(layout)
        isPaged = CellPages.fit(layout) && !plan.window.isSession
        if case .session(let gap) = plan.window {
            let store = UnsafeMutablePointer<SessionStore>.allocate(capacity: 1)
            store.initialize(to: SessionStore(plan, gap: gap, layout: layout))
            sessions = store
        } else {
            sessions = nil
        }
        if let predicate = plan.admits {
            admits = PredicateProgram(predicate, fields: fields, capacity: BatchScratch.rows)
        } else {
            admits = nil
        }
        let own = plan.measures.filter { $0.admits != nil }
        programCount = own.count
        measureAdmits = .allocate(capacity: max(own.count, 1))
        measureResults = .allocate(capacity: max(own.count, 1))
        for (at, measure) in own.enumerated() {
            (measureAdmits + at).initialize(to: PredicateProgram(measure.admits!, fields: fields, capacity: BatchScratch.rows))
        }
        var next = 0
        measureProgram = []
        for measure in plan.measures {
            measureProgram.append(measure.admits == nil ? -1 : next)
            if measure.admits != nil { next += 1 }
        }
        admissions = .allocate(capacity: BatchScratch.rows)
        admissions.initialize(repeating: Admission.none, count: BatchScratch.rows)
        firsts = .allocate(capacity: BatchScratch.rows)
        lasts = .allocate(capacity: BatchScratch.rows)
        longTexts = .allocate(capacity: max(plan.measures.count, 1))
        longTexts.initialize(repeating: 0, count: max(plan.measures.count, 1))
    }

    deinit {
        measureAdmits.deinitialize(count: programCount)
        measureAdmits.deallocate()
        measureResults.deallocate()
        admissions.deallocate()
        firsts.deallocate()
        lasts.deallocate()
        sessions?.deinitialize(count: 1)
        sessions?.deallocate()
        longTexts.deallocate()
    }

    var grid: WindowGrid { lateness.grid }

    /// Folds the rows that this output takes into their cells. `rows` are those that got past dedup. A row stands once for
    /// each of its windows, rows one after the other: sums of doubles fold in the order of the records (S17).
    mutating func aggregate(
        _ columns: borrowing Columns, rows: UnsafePointer<Int32>, count: Int, scratch: borrowing BatchScratch,
        accumulate: AccumulateStage, times: UnsafePointer<Int64>, offsets: UnsafePointer<Int64>
    ) {
        if let sessions {
            aggregate(
                into: sessions, columns, rows: rows, count: count, scratch: scratch, accumulate: accumulate, times: times,
                offsets: offsets)
            return
        }
        let every = lateness.grid.every
        var taken = 0
        for at in 0..<count {
            let row = Int(rows[at])
            let admission = admissions[row]
            if admission != Admission.taken && admission != Admission.partly { continue }
            let bytes = group.write(columns, row)
            let hash = groupHash(bytes)
            var start = firsts[row]
            let last = lasts[row]
            while start <= last {
                let cell = windows.cell(start: start, hash: hash, group: bytes)
                if cell[CellWord.link] & CellWord.dirty == 0 { dirty.append(cell) }
                cell[CellWord.link] |= CellWord.dirty | CellWord.unsent
                cell[CellWord.measures + recordCountWord] &+= 1
                scratch.taken[taken] = Int32(truncatingIfNeeded: row)
                scratch.cells[taken] = cell
                taken &+= 1
                if taken == BatchScratch.rows {
                    fold(columns, taken, scratch, accumulate, times, offsets)
                    taken = 0
                }
                start &+= every
            }
        }
        fold(columns, taken, scratch, accumulate, times, offsets)
    }

    func fold(
        _ columns: borrowing Columns, _ count: Int, _ scratch: borrowing BatchScratch, _ accumulate: AccumulateStage,
        _ times: UnsafePointer<Int64>, _ offsets: UnsafePointer<Int64>
    ) {
        if count == 0 { return }
        for at in 0..<codec.layout.slots.count {
            let program = measureProgram[codec.layout.slots[at].measure]
            let admitted = program < 0 ? nil : measureResults[program]
            longTexts[codec.layout.slots[at].measure] &+= accumulate.fold(
                codec.layout.slots[at], columns, rows: scratch.taken, cells: scratch.cells, count: count, times: times,
                offsets: offsets, admits: admitted)
        }
    }
}
