import Model

/// Hands over what changed of one output's sessions since the last seal, and what became due of any (S11, S12, S15).
///
/// The merge is told of a session under its start; one that was told and has another interval now is withdrawn, so that the
/// merge can take back the row that came of it (S16). What merges may join is told as soon as a session of another partition
/// that touches it could come to a row.
struct SessionSeal {
    let plan: AggregatePlan
    let stored: UInt16
    let codec: CellCodec
    let changes: StateLog
    let partials: StateLog
    let watermark: Int64
    /// Of this seal, as `CellWord.stamp` gives it.
    let stamp: UInt64

    func run(_ store: inout SessionStore, due: Bool, _ access: ColdAccess) {
        // What is over goes first: another session may have come to the same start since. One that came and went since the last seal
        // has nothing to wake it yet.
        for at in 0..<store.dirty.count {
            let index = store.dirty.base[at]
            let cell = store.cells[index]
            if cell[CellWord.link] & SessionWord.absorbed == 0, store.close(cell) <= watermark {
                store.wake(index, at: next(cell, store))
            }
        }
        // Where none stays, what they had in state goes at once.
        let allGo = store.lastOpenClose.map { $0 <= watermark } ?? false
        var stands = wake(&store, allGo: allGo)
        if store.cold.count > 0 { stands = wakeCold(&store, allGo: allGo, access) || stands }
        if stands {
            let all = StateKey.range(StateKey.cell, ofOutput: stored)
            all.from.withUnsafeBytes { from in all.to.withUnsafeBytes { changes.deleteRange(from: from, to: $0) } }
        }
        store.sortDirty()
        for at in 0..<store.dirty.count {
            let index = store.dirty.base[at]
            let cell = store.cells[index]
            // It went with what was over.
            guard cell[CellWord.link] & CellWord.dirty != 0, cell[CellWord.link] & SessionWord.live != 0 else { continue }
            seal(cell, index, &store, due: due)
        }
        store.forgetDirty()
        if due, case .every = plan.emit { shipAll(&store) }
        _ = wake(&store, allGo: false)
    }

    private func seal(_ cell: CellPointer, _ index: UInt32, _ store: inout SessionStore, due: Bool) {
        settle(cell, store)
        if cell[CellWord.link] & SessionWord.absorbed != 0 {
            store.remove(index)
            return
        }
        store.cells.noteVariable(cell)
        let start = store.start(cell)
        if store.close(cell) > watermark {
            codec.write(cell, StateKey.cell, output: stored, start: start, to: changes)
            cell[CellWord.link] |= SessionWord.stored
            // Early rows follow the session as it grows: what was told of it is taken back in this commit in any case.
            let isNew = isEarly && (cell[CellWord.link] & CellWord.sent == 0 || store.sealedEnd(cell) != store.end(cell))
            if isNew || isShipped(due: due) || shipment(cell, store) <= watermark {
                ship(cell, StateKey.partial, store)
            } else if cell[CellWord.link] & CellWord.sent != 0, store.sealedEnd(cell) != store.end(cell) {
                withdraw(cell, start)
            }
        }
        store.set(cell, SessionWord.sealedStart, start)
        store.set(cell, SessionWord.sealedEnd, store.end(cell))
        cell[CellWord.link] = cell[CellWord.link] & ~(CellWord.dirty | CellWord.sealMask) | stamp
        store.wake(index, at: next(cell, store))
    }

    /// Takes back what stands under a start that the session no longer has.
    private func settle(_ cell: CellPointer, _ store: borrowing SessionStore) {
        let sealed = store.sealedStart(cell)
        let isAbsorbed = cell[CellWord.link] & SessionWord.absorbed != 0
        guard isAbsorbed || sealed != store.start(cell) else { return }
        forget(cell, sealed)
        if cell[CellWord.link] & CellWord.sent != 0 { withdraw(cell, sealed) }
    }

    private func forget(_ cell: CellPointer, _ start: Int64) {
        guard cell[CellWord.link] & SessionWord.stored != 0 else { return }
        StateKey.ofGroup(StateKey.cell, output: stored, start: start, CellStore.group(cell)) { changes.delete($0) }
        cell[CellWord.link] &= ~SessionWord.stored
    }

    private func withdraw(_ cell: CellPointer, _ start: Int64) {
        StateKey.ofGroup(StateKey.partial, output: stored, start: start, CellStore.group(cell)) { partials.delete($0) }
        cell[CellWord.link] &= ~CellWord.sent
    }

    private func ship(_ cell: CellPointer, _ tag: UInt8, _ store: borrowing SessionStore) {
        codec.write(cell, tag, output: stored, start: store.start(cell), to: partials)
        cell[CellWord.link] = (cell[CellWord.link] & ~CellWord.unsent) | CellWord.sent
    }

    /// A closed session's last word. Where its own partition decides alone, the merge is told that it is the last.
    private func tellLast(_ cell: CellPointer, _ store: borrowing SessionStore) {
        if cell[CellWord.link] & CellWord.unsent != 0 {
            ship(cell, plan.isKeyed ? StateKey.over : StateKey.partial, store)
        } else if plan.isKeyed {
            StateKey.ofGroup(StateKey.over, output: stored, start: store.start(cell), CellStore.group(cell)) {
                partials.put($0, UnsafeRawBufferPointer(start: nil, count: 0))
            }
        }
    }

    private func shipAll(_ store: inout SessionStore) {
        store.each { cell, _ in
            if cell[CellWord.link] & CellWord.unsent != 0 { ship(cell, StateKey.partial, store) }
        }
    }

    // MARK: Time

    /// Sessions whose time has come: they are shipped, and go when they are closed. True: with `allGo` some of those were in state, where
    /// they still stand.
    func wake(_ store: inout SessionStore, allGo: Bool) -> Bool {
        var stands = false
        while let index = store.due(through: watermark) {
            let cell = store.cells[index]
            // One that changed since is judged by what it is now.
            if cell[CellWord.link] & SessionWord.absorbed != 0 { continue }
            if store.close(cell) > watermark, cell[CellWord.link] & CellWord.dirty != 0 {
                // The loop over those that changed comes to it.
                continue
            }
            if cell[CellWord.link] & CellWord.dirty != 0 { settle(cell, store) }
            let isUnsent = cell[CellWord.link] & CellWord.unsent != 0
            if store.close(cell) <= watermark {
                tellLast(cell, store)
                if allGo {
                    stands = stands || cell[CellWord.link] & SessionWord.stored != 0
                } else {
                    forget(cell, store.start(cell))
                }
                store.remove(index)
            } else {
                if isUnsent, shipment(cell, store) <= watermark { ship(cell, StateKey.partial, store) }
                store.wake(index, at: next(cell, store))
            }
        }
        return stands
    }

    private func shipment(_ cell: CellPointer, _ store: borrowing SessionStore) -> Int64 {
        store.times.shipment(start: store.start(cell), end: store.end(cell))
    }

    private func next(_ cell: CellPointer, _ store: borrowing SessionStore) -> Int64 {
        store.times.next(
            start: store.start(cell), end: store.end(cell), isUnsent: cell[CellWord.link] & CellWord.unsent != 0)
    }

    private var isEarly: Bool {
        switch plan.emit {
        case .every, .everyCommit: true
        case .final, .onTime: false
        }
    }

    private func isShipped(due: Bool) -> Bool {
        switch plan.emit {
        case .every: due
        case .everyCommit: true
        case .final, .onTime: false
        }
    }
}

extension SessionStore {
    /// The first moment after `watermark` at which a session ends or closes, or at which one that ends then would close had it grown
    /// with others.
    func nextEdge(after watermark: Int64) -> Int64? {
        var next: Int64?
        each { cell, _ in
            let edge = end(cell) > watermark ? end(cell) : close(cell)
            if edge > watermark { next = min(next ?? edge, edge) }
        }
        cold.each { session in
            let edge = session.end > watermark ? session.end : session.end &+ closing
            if edge > watermark { next = min(next ?? edge, edge) }
        }
        return next
    }
}

extension OutputState {
    /// Folds rows into their sessions, one by one: which session a row joins hangs on the rows before it. Where groups stand is asked of
    /// memory for some rows ahead.
    mutating func aggregate(
        into store: UnsafeMutablePointer<SessionStore>, _ columns: borrowing Columns, rows: UnsafePointer<Int32>, count: Int,
        scratch: borrowing BatchScratch, accumulate: AccumulateStage, times: UnsafePointer<Int64>, offsets: UnsafePointer<Int64>
    ) {
        let hashes = store.pointee.hashes
        var taken = 0
        for at in 0..<count {
            let ahead = at & (SessionStore.ahead - 1)
            if ahead == 0 { lookAhead(in: store, columns, rows: rows + at, count: min(SessionStore.ahead, count - at)) }
            let row = Int(rows[at])
            if admissions[row] != Admission.taken { continue }
            let bytes = group.write(columns, row)
            let hash = hashes[ahead]
            let time = times[row]
            let watermark = scratch.before[row]
            let cell: CellPointer
            if let one = store.pointee.session(time, watermark: watermark, hash: hash, group: bytes) {
                cell = one
            } else {
                // What was to be folded into sessions that become one must be in them before.
                fold(columns, taken, scratch, accumulate, times, offsets)
                taken = 0
                cell = store.pointee.join(time, watermark: watermark, hash: hash, group: bytes) { [codec] total, later in
                    codec.combine(total, with: later)
                }
            }
            store.pointee.note(cell)
            cell[CellWord.measures + recordCountWord] &+= 1
            scratch.taken[taken] = Int32(truncatingIfNeeded: row)
            scratch.cells[taken] = cell
            taken &+= 1
        }
        fold(columns, taken, scratch, accumulate, times, offsets)
    }

    private mutating func lookAhead(
        in store: UnsafeMutablePointer<SessionStore>, _ columns: borrowing Columns, rows: UnsafePointer<Int32>, count: Int
    ) {
        let hashes = store.pointee.hashes
        for at in 0..<count {
            let row = Int(rows[at])
            if admissions[row] != Admission.taken { continue }
            hashes[at] = groupHash(group.write(columns, row))
            store.pointee.prefetch(hashes[at])
        }
        for at in 0..<count where admissions[Int(rows[at])] == Admission.taken { store.pointee.prefetchLatest(hashes[at]) }
    }
}
