import Model

/// Sessions that come back from committed state, and those that go there.
extension SessionStore {
    /// A session as it was committed, with what the merge was `told` of it. False: damaged.
    mutating func restore(
        _ codec: CellCodec, start: Int64, group: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, _ told: UInt64
    ) -> Bool {
        guard let end = end(start: start, value) else { return false }
        let cell = restore(start: start, end: end, group: group)
        guard codec.decode(value, into: cell + CellWord.measures) else { return false }
        cells.noteVariable(cell)
        cell[CellWord.link] |= told | SessionWord.stored
        set(cell, SessionWord.sealedStart, start)
        set(cell, SessionWord.sealedEnd, end)
        wake(index(cell), at: times.next(start: start, end: end, isUnsent: told & CellWord.unsent != 0))
        return true
    }

    /// The same where there is no room for it. False: it has to be there all the same, or is damaged.
    mutating func restoreCold(start: Int64, group: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, wasTold: Bool) -> Bool {
        guard let end = end(start: start, value),
            cold.insert(groupHash(group), start: start, end: end, isUnsent: true, isSent: wasTold)
        else { return false }
        largestEnd = max(largestEnd, end)
        return true
    }

    /// Of a session in committed state.
    private func end(start: Int64, _ value: UnsafeRawBufferPointer) -> Int64? {
        guard value.count >= cells.layout.words * 8 else { return nil }
        let end = value.loadUnaligned(fromByteOffset: sessionEndWord * 8, as: Int64.self)
        guard PipelineLimits.windowStarts.contains(start), PipelineLimits.windowStarts.contains(end), start < end else {
            return nil
        }
        return end
    }

    // MARK: Away

    /// Lets the sessions go for which `leaves` holds; tables are as long then as what is left asks for.
    mutating func release(where leaves: (inout SessionStore, CellPointer) -> Bool) {
        for index in 0..<UInt32(cells.places) {
            let cell = cells[index]
            if cell[CellWord.link] & SessionWord.live != 0, leaves(&self, cell) { remove(index) }
        }
        fitTable()
        cold.fit()
        // What was to be done of those that are gone is forgotten with them.
        timers = TimerHeap()
        for index in 0..<UInt32(cells.places) {
            let cell = cells[index]
            guard cell[CellWord.link] & SessionWord.live != 0, timer(cell) < .max else { continue }
            timers.push(timer(cell), index)
        }
    }

    /// One of the group's sessions in memory stands in committed state under this start.
    func holds(sealedAt start: Int64, hash: UInt64, group: UnsafeRawBufferPointer) -> Bool {
        var next = latest(hash, group)
        while next != 0 {
            let cell = cells[next - 1]
            if cell[CellWord.link] & SessionWord.stored != 0, sealedStart(cell) == start { return true }
            next = earlier(cell)
        }
        return false
    }

    /// A session that left memory, as it was. False: what was read is none.
    mutating func bring(
        back entry: ColdSessions.Entry, _ codec: CellCodec, group: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer,
        _ access: ColdAccess
    ) -> Bool {
        let told = (entry.isUnsent ? CellWord.unsent : 0) | (entry.isSent ? CellWord.sent : 0)
        return restore(codec, start: entry.start, group: group, value: value, told | CellWord.stamp(access.seals))
    }

    /// Notes what is to be known of a session that leaves memory. False: it has to stay.
    mutating func cool(_ cell: CellPointer) -> Bool {
        let link = cell[CellWord.link]
        return cold.insert(
            cell[CellWord.hash], start: start(cell), end: end(cell), isUnsent: link & CellWord.unsent != 0,
            isSent: link & CellWord.sent != 0)
    }
}
