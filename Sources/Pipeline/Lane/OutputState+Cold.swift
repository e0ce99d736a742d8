import Model

/// Cells that are in committed state alone, and how they leave memory and come back.
extension OutputState {
    /// What cells take, and what is left in memory of those that left.
    var usedBytes: Int { windows.usedBytes + pages.bytes + coldBytes }

    var coldBytes: Int { cold.values.reduce(0) { $0 + $1.bytes } }

    /// Bytes that can't leave memory, about: what is kept of cold cells and sessions.
    var fixedBytes: Int { coldBytes + (sessions?.pointee.cold.bytes ?? 0) }

    var coldCells: Int { cold.values.reduce(0) { $0 + $1.count } + (sessions?.pointee.cold.count ?? 0) }

    // MARK: Back

    /// Reads the cold cells that these rows fall into, before they are looked for. Cost: two probes a row and window, and one read
    /// of `state` for each that is cold.
    mutating func warm(_ columns: borrowing Columns, rows: UnsafePointer<Int32>, count: Int, _ access: ColdAccess) {
        guard let state = access.begin() else { return }
        let every = lateness.grid.every
        var lastStart = Int64.min
        var groups: ColdGroups?
        for at in 0..<count {
            let row = Int(rows[at])
            if admissions[row] != Admission.taken && admissions[row] != Admission.partly { continue }
            let bytes = group.write(columns, row)
            let hash = groupHash(bytes)
            var start = firsts[row]
            let last = lasts[row]
            while start <= last {
                if start != lastStart {
                    groups = cold[start]
                    lastStart = start
                }
                if let groups, groups.contains(hash), windows.known(start: start, hash: hash, group: bytes) == nil {
                    read(start, hash, bytes, groups, state, access)
                }
                start &+= every
            }
        }
        access.end()
    }

    private mutating func read(
        _ start: Int64, _ hash: UInt64, _ group: UnsafeRawBufferPointer, _ groups: ColdGroups, _ state: any ColdState,
        _ access: ColdAccess
    ) {
        var value: UnsafeRawBufferPointer?
        StateKey.ofGroup(StateKey.cell, output: stored, start: start, group) { value = access.value(of: $0, state) }
        // Another group of the same hash is cold, and this one is new.
        guard let value else { return }
        let cell = windows.cell(start: start, hash: hash, group: group)
        CellWord.setHome(cell, CellWord.alone)
        guard codec.decode(value, into: cell + CellWord.measures) else { return access.damaged("A cell") }
        windows.cells.noteVariable(cell)
        var flags = CellWord.stamp(access.seals)
        // Where early rows are shown, each cell is sent with its first seal.
        if isEarly { flags |= CellWord.sent }
        if groups.holdsUnsent {
            flags |= CellWord.unsent
            windows.noteUnsent(start: start)
        }
        cell[CellWord.link] |= flags
        groups.remove(hash)
    }

    // MARK: Away

    /// Lets cells go that did not change since a seal that is in committed state, those first that changed longest ago, until
    /// `bytes` are free. Returns how many are. Those in pages leave these with the seals to come, and can go afterwards. Cost: two
    /// passes over the cells.
    mutating func spill(_ bytes: Int, _ access: ColdAccess) -> Int {
        if isRollUp { return 0 }
        if let sessions { return spill(sessions, bytes, access) }
        isPaged = false
        var leaving = LeavingCells()
        for place in 0..<windows.count {
            var next = windows.windows[place].head
            while next != 0 {
                let cell = windows.cells[next - 1]
                next = UInt32(truncatingIfNeeded: cell[CellWord.link] & CellWord.nextMask)
                if let age = LeavingCells.age(cell, access) { leaving.count(age, bytes: windows.cells.bytes(of: cell)) }
            }
        }
        if !leaving.choose(toFree: bytes) { return 0 }
        var freed = 0
        for place in 0..<windows.count {
            let start = windows.windows[place].start
            let groups = cold[start] ?? ColdGroups()
            let before = groups.count
            let holdsUnsent = groups.holdsUnsent
            var isUnsent = false
            windows.release(at: place) { cells, cell in
                guard let age = LeavingCells.age(cell, access), leaving.leaves(age), groups.insert(cell[CellWord.hash]) else {
                    return false
                }
                let size = cells.bytes(of: cell)
                leaving.note(age, bytes: size)
                freed += size
                isUnsent = isUnsent || cell[CellWord.link] & CellWord.unsent != 0
                return true
            }
            groups.holdsUnsent = holdsUnsent || isUnsent
            if groups.count > before { cold[start] = groups }
        }
        return freed
    }

    // MARK: Order

    /// A changed cell, and what decides nearly always where it lies in the store.
    private struct Placed {
        var start: Int64
        /// The first bytes of its group.
        var lead: UInt64
        var cell: CellPointer
    }

    /// Cost: a sort of 24 bytes a cell, and groups compared only where their first eight bytes are the same.
    mutating func sortDirty() {
        withUnsafeTemporaryAllocation(of: Placed.self, capacity: dirty.count) { placed in
            for at in 0..<dirty.count {
                let cell = dirty.base[at]
                let group = CellStore.group(cell)
                var lead: UInt64 = 0
                withUnsafeMutableBytes(of: &lead) { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: group.prefix(8))) }
                placed.initializeElement(
                    at: at, to: Placed(start: Int64(bitPattern: cell[CellWord.start]), lead: lead.bigEndian, cell: cell))
            }
            var placed = placed
            placed.sort { a, b in
                if a.start != b.start { return a.start < b.start }
                if a.lead != b.lead { return a.lead < b.lead }
                return CellStore.group(a.cell).lexicographicallyPrecedes(CellStore.group(b.cell))
            }
            for at in 0..<dirty.count { dirty.base[at] = placed[at].cell }
        }
    }

    // MARK: Shipped and restored

    /// Ships what is cold of a window that is due: the merge must know of it, and which of its cells it knows already is not kept.
    mutating func shipCold(start: Int64, _ partials: StateLog, _ access: ColdAccess) {
        guard let groups = cold[start], groups.holdsUnsent else { return }
        groups.holdsUnsent = false
        guard let state = access.begin() else { return }
        defer { access.end() }
        do throws(Fault) {
            let (from, to) = StateKey.window(StateKey.cell, output: stored, start: start)
            try state.scan(from, to)
            while let (key, value) = try state.next() {
                let group = UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix...])
                if windows.known(start: start, hash: groupHash(group), group: group) != nil { continue }
                StateKey.ofGroup(StateKey.partial, output: stored, start: start, group) { partials.put($0, value) }
            }
        } catch {
            access.fail(error)
        }
    }

    /// A cell that a restore found, and for which there is no room in memory. False: it has to be there all the same.
    mutating func restoreCold(start: Int64, group: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Bool {
        if isRollUp { return false }
        if let sessions {
            // It has to be told again when early rows are due.
            if isTimed { return false }
            return sessions.pointee.restoreCold(start: start, group: group, value: value, wasTold: isToldOfSessions)
        }
        let groups = cold[start] ?? ColdGroups()
        guard groups.insert(groupHash(group)) else { return false }
        isPaged = false
        // As with those in memory: it is not known whether it was sent.
        groups.holdsUnsent = true
        cold[start] = groups
        windows.noteUnsent(start: start)
        return true
    }
}
