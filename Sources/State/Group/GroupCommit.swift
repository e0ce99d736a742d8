public import Model

/// What follows a commit: its own changes, once Kafka has them.
extension GroupStore {
    /// Applies what the Kafka transaction has committed, in one transaction; each unit stands there once. `ends` by unit: the last
    /// record that `changelog(of:)` gave. Called right after the Kafka commit, before the next one is formed. Errors: as SQLite's
    /// files give them; nothing has changed then, and the same call can be made again. A process that gives up instead restores
    /// its units. Cost: about 3 µs a changed cell, no wait for the disk.
    public func apply(_ commit: [UnitCommit], ends: [LaneNumber: ChangelogEnd]) throws(Fault) {
        try write { units throws(Fault) in
            try beforeStep?(.began)
            for unit in commit {
                guard let end = ends[unit.head.lane] else { preconditionFailure("every unit's records were written") }
                units[unit.head.lane] = try apply(unit, end)
                FaultPoint.hit(.insideStateTransaction)
            }
            try writeHead(units)
            try beforeStep?(.head)
        }
    }

    private func apply(_ unit: UnitCommit, _ end: ChangelogEnd) throws(Fault) -> Unit {
        let lane = unit.head.lane
        var stored = ready(unit)
        let state = StateTable(database: database)
        let past = try closedPast(unit)
        for range in stored.gone { try state.delete(range, of: lane) }
        try state.apply(unit.changes, to: lane)
        try state.apply(unit.closed.changes, to: lane)
        let writer = try state.writer(of: lane)
        for key in past { try ChangelogCodec.borrow(key) { key throws(Fault) in try writer.delete(key) } }
        try beforeStep?(.state)
        let entries = try UnitEntryWriter(store: self, unit: unit, nextEntry: stored.nextEntry)
        try entries.write()
        try beforeStep?(.ledgers)
        for (place, row) in unit.owed.enumerated() { try writeOwed(row, place, of: lane) }
        for place in unit.owed.count..<max(unit.owed.count, stored.owed) { try deleteOwed(place, of: lane) }
        try beforeStep?(.owed)
        let head = headBytes(unit, nextEntry: entries.next)
        stored.head = unit.head
        stored.headBytes = head
        stored.nextEntry = entries.next
        stored.owed = unit.owed.count
        stored.gone = []
        stored.topology = topology
        stored.position = ChangelogPosition(
            next: end.offset + 1,
            last: RecordFingerprint(
                offset: end.offset, timestamp: end.timestamp,
                hash: ChangelogKey.headKey.withUnsafeBytes { key in head.withUnsafeBytes { ChangelogRecord.hash(key, $0) } }),
            topicID: stored.position.topicID, appliedAt: clock.wall())
        try write(stored, of: lane)
        try beforeStep?(.unit)
        return stored
    }

    // MARK: Shared with restores

    func writeOwed(_ row: OwedRow, _ place: Int, of lane: LaneNumber) throws(Fault) {
        let insert = try database.statement("INSERT OR REPLACE INTO topic_outbox VALUES (?, 0, ?, ?, ?, ?)")
        insert.bind(1, UnitEntries.sequence(lane, Int64(place)))
        insert.bind(2, row.topic)
        insert.bind(3, row.output)
        insert.bind(4, row.key)
        insert.bind(5, row.value)
        try insert.run()
    }

    func deleteOwed(_ place: Int, of lane: LaneNumber) throws(Fault) {
        let delete = try database.statement("DELETE FROM topic_outbox WHERE sequence = ?")
        delete.bind(1, UnitEntries.sequence(lane, Int64(place)))
        try delete.run()
    }

    /// The unit's row, and what people see of an input partition.
    func write(_ unit: Unit, of lane: LaneNumber) throws(Fault) {
        let insert = try database.statement("INSERT OR REPLACE INTO units VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
        insert.bind(1, lane)
        unit.position.bind(to: insert, from: 2)
        insert.bind(8, unit.headBytes)
        insert.bind(9, unit.topology)
        try insert.run()
        guard let head = unit.head, !layout.isMerge(lane) else { return }
        try BooksTable(database: database, outputIDs: outputIDs).write(RestoredLane(head))
        let idle = try database.statement("UPDATE lanes SET idle = ? WHERE lane = ?")
        idle.bind(1, head.isIdle)
        idle.bind(2, lane)
        try idle.run()
    }

    /// For people: when something was last written here, and the newest combined watermark that is known here.
    func writeHead(_ units: [LaneNumber: Unit]) throws(Fault) {
        let update = try database.statement(
            "UPDATE head SET commit_number = commit_number + 1, committed_at = ?, watermark = ?, next_sequence = 1")
        update.bind(1, clock.wall().milliseconds)
        update.bind(2, units.values.compactMap(\.head?.combined).max())
        try update.run()
    }
}
