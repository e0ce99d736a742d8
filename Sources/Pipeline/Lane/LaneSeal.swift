public import Model

/// What the committer asks of a lane at a commit.
public struct SealRequest: Sendable {
    /// By output: early rows are due (S15, `every`).
    public var due: [Bool]
    /// The combined watermark, for a lane that is idle: its windows close by it (S6, S14).
    public var floor: EventTime?
    /// The bounded input is over: every window closes (S6).
    public var closesAll: Bool
    /// What an operator ordered of copies: it holds from the record behind this seal on (S9).
    public var observing: ObserveOrder?
    public init(due: [Bool], floor: EventTime? = nil, closesAll: Bool = false, observing: ObserveOrder? = nil) {
        self.due = due
        self.floor = floor
        self.closesAll = closesAll
        self.observing = observing
    }
}

extension LaneState {
    /// Hands over what has changed since the last seal and starts an empty delta. Cost: the changed cells, the new keys, and
    /// once the cells of each window whose end or close was passed.
    mutating func seal(_ request: SealRequest, logCapacity: Int) -> SealedLane {
        let changes = StateLog(capacity: logCapacity)
        let partials = StateLog()
        var effective = request.closesAll ? Int64.max : watermark
        if let floor = request.floor, !request.closesAll { effective = max(effective, floor.milliseconds) }
        var lastOpenClose: Int64?
        var hold: Int64?
        cold.seals += 1
        for index in 0..<outputCount {
            if let close = (outputs + index).pointee.lastOpenClose { largestClose = max(largestClose ?? close, close) }
            if let close = (outputs + index).pointee.lastRollUpClose { largestClose = max(largestClose ?? close, close) }
            (outputs + index).pointee.seal(changes, partials, watermark: effective, due: request.due[index], cold)
            if let close = (outputs + index).pointee.lastOpenClose { lastOpenClose = max(lastOpenClose ?? close, close) }
            if let edge = (outputs + index).pointee.hold { hold = min(hold ?? edge, edge) }
        }
        if let order = request.observing { dedup?.pointee.heed(order, from: nextOffset) }
        let heeded = dedup?.pointee.newOrders ?? []
        dedup?.pointee.seal(into: changes, watermark: watermark, cold)
        clocks.seal(into: changes)
        inputTimes?.seal(into: changes)
        cold.sealedBytes = changes.byteCount + partials.byteCount
        var sealed = SealedLane(
            lane: lane, partition: partition, changes: changes, partials: partials, books: books,
            watermark: watermark == noWatermark ? nil : EventTime(milliseconds: watermark),
            newestEventTime: newest == .min ? nil : EventTime(milliseconds: newest), nextOffset: nextOffset,
            lastRecord: lastRecord,
            late: late, deadLetters: deadLetters, lastOpenClose: lastOpenClose.map(EventTime.init(milliseconds:)),
            memory: Int64(memory), largestClose: largestClose.map(EventTime.init(milliseconds:)),
            hold: hold.map(EventTime.init(milliseconds:)), seal: cold.seals)
        sealed.figures = figures
        sealed.heeded = heeded
        sealed.duplicates = dedup?.pointee.takeEntries() ?? []
        if isRekeyed { sealed.duplicates = places.named(sealed.duplicates) }
        sealed.rekeyed = handingOn?.seal() ?? []
        late = []
        deadLetters = []
        ledgerBytes = 0
        oldestTimestamp = nil
        return sealed
    }

    var memory: Int {
        var bytes = dedup?.pointee.bytes ?? 0
        for index in 0..<outputCount {
            bytes += (outputs + index).pointee.windows.bytes + (outputs + index).pointee.coldBytes
            bytes += (outputs + index).pointee.pages.bytes
            if let sessions = (outputs + index).pointee.sessions { bytes += sessions.pointee.bytes }
        }
        return bytes + ledgerBytes + (handingOn?.memory ?? 0)
    }

    var lastOpenClose: EventTime? {
        var last: Int64?
        for index in 0..<outputCount {
            if let close = (outputs + index).pointee.lastOpenClose { last = max(last ?? close, close) }
        }
        return last.map(EventTime.init(milliseconds:))
    }

    /// An estimate of what a seal now would write.
    var deltaBytes: Int {
        var bytes = ledgerBytes + (dedup?.pointee.freshCount ?? 0) * 16 + (dedup?.pointee.entryBytes ?? 0)
        for index in 0..<outputCount {
            let output = outputs + index
            let each = output.pointee.codec.layout.words * 8 + 48
            if let sessions = output.pointee.sessions {
                let variable = sessions.pointee.cells.variableBytes / max(sessions.pointee.cells.live, 1)
                bytes += sessions.pointee.dirty.count * (each + variable)
                continue
            }
            let cells = max(output.pointee.windows.cells.live, 1)
            let variable = output.pointee.windows.cells.variableBytes / cells
            bytes += output.pointee.dirty.count * (each + variable)
        }
        return bytes
    }
}

extension OutputState {
    /// The largest close of the windows that hold data.
    var lastOpenClose: Int64? {
        if let sessions { return sessions.pointee.lastOpenClose }
        var last: Int64?
        for place in 0..<windows.count {
            let close = grid.close(of: windows.windows[place].start)
            last = max(last ?? close, close)
        }
        return last
    }

    /// The largest close of the windows that roll those up that hold data: silence must be able to close them too (S6).
    var lastRollUpClose: Int64? {
        if rollUps.isEmpty || windows.count == 0 { return nil }
        guard let last = (0..<windows.count).map({ windows.windows[$0].start }).max() else { return nil }
        return rollUps.map { path in
            var slot = last
            for grid in path { slot = grid.slots(at: slot).last }
            return path[path.count - 1].close(of: slot)
        }.max()
    }

    /// When the first of the cells that wait here for their shipment is due, after a seal. What closes by its own partition
    /// waits for nobody.
    var hold: Int64? {
        if plan.isKeyed { return nil }
        // What is due first of any session; a little too early holds nothing up for long.
        if let sessions { return [sessions.pointee.timers.first, sessions.pointee.cold.firstDue].compactMap { $0 }.min() }
        return (0..<windows.count).compactMap { place in
            let window = windows.windows[place]
            guard window.hasUnsent else { return nil }
            return plan.emit == .final ? grid.close(of: window.start) : grid.end(of: window.start)
        }.min()
    }

    func nextEdge(after watermark: Int64) -> Int64? {
        if let sessions { return sessions.pointee.nextEdge(after: watermark) }
        return (0..<windows.count).compactMap { grid.edge(of: windows.windows[$0].start, after: watermark) }.min()
    }

    mutating func seal(_ changes: StateLog, _ partials: StateLog, watermark: Int64, due: Bool, _ access: ColdAccess) {
        if let sessions {
            SessionSeal(
                plan: plan, stored: stored, codec: codec, changes: changes, partials: partials, watermark: watermark,
                stamp: CellWord.stamp(access.seals)
            ).run(&sessions.pointee, due: due, access)
            return
        }
        let stamp = CellWord.stamp(access.seals)
        if dirty.count >= PipelineLimits.sortedCells { sortDirty() }
        for at in 0..<dirty.count {
            let cell = dirty.base[at]
            let start = Int64(bitPattern: cell[CellWord.start])
            windows.cells.noteVariable(cell)
            if grid.close(of: start) > watermark { store(cell, start, changes) }
            if isShipped(start: start, watermark: watermark, due: due) || (isEarly && cell[CellWord.link] & CellWord.sent == 0) {
                ship(cell, start, partials)
            } else {
                windows.noteUnsent(start: start)
            }
            cell[CellWord.link] = cell[CellWord.link] & ~(CellWord.dirty | CellWord.sealMask) | stamp
        }
        settlePages(changes, watermark: watermark, stamp: stamp)
        dirty.removeAll()
        for place in 0..<windows.count {
            let window = windows.windows[place]
            guard window.hasUnsent, isShipped(start: window.start, watermark: watermark, due: due) else { continue }
            var next = window.head
            while next != 0 {
                let cell = windows.cells[next - 1]
                next = UInt32(truncatingIfNeeded: cell[CellWord.link] & CellWord.nextMask)
                if cell[CellWord.link] & CellWord.unsent != 0 { ship(cell, window.start, partials) }
            }
            if !cold.isEmpty { shipCold(start: window.start, partials, access) }
            windows.windows[place].hasUnsent = false
        }
        closeWindows(changes, watermark)
    }

    /// A cell that a restore found. Whether it was sent is not known: it is sent again, which tells the merge nothing new.
    mutating func restore(start: Int64, group: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Bool {
        if let sessions {
            return sessions.pointee.restore(
                codec, start: start, group: group, value: value, CellWord.unsent | (isToldOfSessions ? CellWord.sent : 0))
        }
        let cell = windows.cell(start: start, hash: groupHash(group), group: group)
        noteAlone(cell)
        cell[CellWord.link] |= CellWord.unsent
        windows.noteUnsent(start: start)
        guard codec.decode(value, into: cell + CellWord.measures) else { return false }
        windows.cells.noteVariable(cell)
        return true
    }

    /// Early rows are due now and then.
    var isTimed: Bool {
        if case .every = plan.emit { true } else { false }
    }

    /// A session that a restore found may have been told to the merge.
    var isToldOfSessions: Bool { !(plan.isKeyed && plan.emit == .final) }

    var isEarly: Bool {
        switch plan.emit {
        case .every, .everyCommit: true
        case .final, .onTime: false
        }
    }

    /// Whether a row may come of this window now, so that the merge must know of it.
    private func isShipped(start: Int64, watermark: Int64, due: Bool) -> Bool {
        switch plan.emit {
        case .final: grid.close(of: start) <= watermark
        case .onTime: grid.end(of: start) <= watermark
        case .every: due || grid.end(of: start) <= watermark
        case .everyCommit: true
        }
    }

    private func ship(_ cell: CellPointer, _ start: Int64, _ partials: StateLog) {
        write(cell, start, StateKey.partial, partials)
        cell[CellWord.link] = (cell[CellWord.link] & ~CellWord.unsent) | CellWord.sent
    }

    func write(_ cell: CellPointer, _ start: Int64, _ tag: UInt8, _ log: StateLog) {
        codec.write(cell, tag, output: stored, start: start, to: log)
    }

    private mutating func closeWindows(_ changes: StateLog, _ watermark: Int64) {
        let grid = grid
        let stored = stored
        var gone: [Int64] = []
        var homes: [UInt32] = []
        windows.close(
            where: { grid.close(of: $0.start) <= watermark },
            visit: { cells, window in
                StateKey.deleteWindow(changes, StateKey.cell, output: stored, start: window.start)
                gone.append(window.start)
                guard window.pages > 0 else { return }
                StateKey.deleteWindow(changes, StateKey.page, output: stored, start: window.start)
                var next = window.head
                while next != 0 {
                    let cell = cells[next - 1]
                    next = UInt32(truncatingIfNeeded: cell[CellWord.link] & CellWord.nextMask)
                    let home = CellWord.home(cell)
                    if home != CellWord.nowhere, home != CellWord.alone, home != homes.last { homes.append(home) }
                }
            })
        for home in homes { pages.release(home) }
        if !cold.isEmpty { for start in gone { cold[start] = nil } }
    }
}
