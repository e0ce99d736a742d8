import Model

/// Sessions that are in committed state alone, and how they leave memory and come back (S11): by their group and time where an event could
/// join them, and by time alone where something is due of them.
extension OutputState {
    /// Reads the cold sessions that these rows could be joined with, before any is judged. Cost: a probe a row, and one read of `state`
    /// for each that is cold.
    mutating func warm(
        _ sessions: UnsafeMutablePointer<SessionStore>, _ columns: borrowing Columns, rows: UnsafePointer<Int32>, count: Int,
        times: UnsafePointer<Int64>, _ access: ColdAccess
    ) {
        guard let state = access.begin() else { return }
        var starts: [Int64] = []
        for at in 0..<count {
            let row = Int(rows[at])
            if let admitted, admitted[row] != 1 { continue }
            let bytes = group.write(columns, row)
            let hash = groupHash(bytes)
            starts.removeAll(keepingCapacity: true)
            sessions.pointee.cold.touched(hash, time: times[row], gap: sessions.pointee.gap, into: &starts)
            for start in starts {
                var value: UnsafeRawBufferPointer?
                StateKey.ofGroup(StateKey.cell, output: stored, start: start, bytes) { value = access.value(of: $0, state) }
                // It is another group of the same hash.
                guard let value else { continue }
                guard let entry = sessions.pointee.cold.take(hash, start: start),
                    sessions.pointee.bring(back: entry, codec, group: bytes, value: value, access)
                else {
                    access.damaged("A session")
                    break
                }
            }
        }
        access.end()
    }

    /// As `spill(_:_:)`. Sessions of which something is due soon stay.
    mutating func spill(_ sessions: UnsafeMutablePointer<SessionStore>, _ bytes: Int, _ access: ColdAccess) -> Int {
        let isTimed = isTimed
        // Where early rows are due now and then, what they need stays until they were told.
        func age(_ cell: CellPointer) -> Int? {
            if cell[CellWord.link] & SessionWord.stored == 0 || (isTimed && cell[CellWord.link] & CellWord.unsent != 0) {
                return nil
            }
            return LeavingCells.age(cell, access)
        }
        var leaving = LeavingCells()
        sessions.pointee.each { cell, _ in
            if let age = age(cell) { leaving.count(age, bytes: sessions.pointee.cells.bytes(of: cell)) }
        }
        if !leaving.choose(toFree: bytes) { return 0 }
        var freed = 0
        sessions.pointee.release { store, cell in
            guard let age = age(cell), leaving.leaves(age), store.cool(cell) else { return false }
            let size = store.cells.bytes(of: cell)
            leaving.note(age, bytes: size)
            freed += size
            return true
        }
        return freed
    }
}

extension SessionSeal {
    /// Cold sessions that are done with together, before the next ones come back.
    private static let together = 4_096

    /// Brings back the cold sessions that are due, some at a time, and does what is due of them. As `wake`.
    func wakeCold(_ store: inout SessionStore, allGo: Bool, _ access: ColdAccess) -> Bool {
        let due = store.cold.due(through: watermark)
        if case .nothing = due { return false }
        guard let state = access.begin() else { return false }
        var stands = false
        var brought = 0
        func bring(_ from: [UInt8], _ to: [UInt8]) throws(Fault) {
            try state.scan(from, to)
            while let (key, value) = try state.next() {
                let start = StateKey.number(key, at: 3)
                let group = UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix...])
                let hash = groupHash(group)
                // One of the same hash may be in memory.
                if store.holds(sealedAt: start, hash: hash, group: group) { continue }
                guard let entry = store.cold.take(hash, start: start, dueThrough: watermark) else { continue }
                guard store.bring(back: entry, codec, group: group, value: value, access) else {
                    return access.damaged("A session")
                }
                brought += 1
                if brought % Self.together == 0 { stands = wake(&store, allGo: allGo) || stands }
            }
        }
        do throws(Fault) {
            switch due {
            case .nothing: break
            case .all:
                let range = StateKey.range(StateKey.cell, ofOutput: stored)
                try bring(range.from, range.to)
            case .from(let starts):
                for start in starts {
                    let (from, to) = StateKey.window(StateKey.cell, output: stored, start: start)
                    try bring(from, to)
                }
            }
            if case .all = due, store.cold.count > 0 { access.damaged("A session") }
        } catch {
            access.fail(error)
        }
        access.end()
        store.cold.noteEmpty()
        return wake(&store, allGo: allGo) || stands
    }
}
