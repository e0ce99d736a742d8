public import Model

/// From the changelog back into state.db.
extension GroupStore {
    /// Applies a batch of records of `lane`'s changelog partition as they were read (read_committed, in order), in transactions
    /// of bounded size, each with its position; the last one moves it to `next`, the reader's position behind the batch, which may
    /// be past markers that no record has. Reading a record twice changes nothing. Called while the unit restores, on the
    /// committer's queue. Errors: `changelog_damaged`, `state_newer_format`, and SQLite's; what was applied before stays applied.
    /// Cost: about 1 µs of CPU a record and a copy of its bytes; cells of many pages cost more the smaller the batches are, since each
    /// transaction writes every page that it touches.
    public func applyChangelog(_ lane: LaneNumber, _ records: [ChangelogRecord], next: Int64) throws(Fault) {
        if units[lane] == nil {
            units[lane] = Unit(position: ChangelogPosition(next: 0, last: nil, topicID: nil, appliedAt: clock.wall()))
        }
        units[lane]?.isReady = false
        var from = 0
        repeat {
            var to = from
            var bytes = 0
            while to < records.count, to - from < StateLimits.restoreRecords, bytes < StateLimits.restoreBytes {
                bytes += records[to].key.count + (records[to].value?.count ?? 0)
                to += 1
            }
            let part = records[from..<to]
            try write { units throws(Fault) in
                try beforeStep?(.began)
                guard var unit = units[lane] else { return }
                try apply(part, to: &unit, lane)
                FaultPoint.hit(.insideRestoreTransaction)
                if let last = part.last { unit.position.last = last.fingerprint }
                unit.position.next = to < records.count ? (part.last?.offset ?? next - 1) + 1 : next
                try write(unit, of: lane)
                units[lane] = unit
                try beforeStep?(.unit)
                try writeHead(units)
                try beforeStep?(.head)
            }
            from = to
        } while from < records.count
    }

    private func apply(_ records: ArraySlice<ChangelogRecord>, to unit: inout Unit, _ lane: LaneNumber) throws(Fault) {
        let state = try StateTable(database: database).writer(of: lane)
        var head: ChangelogRecord?
        for record in records {
            let key = try decode(lane, record) { () throws(RecordDamage) in try ChangelogKey(record.key) }
            switch key {
            case .state:
                if let value = record.value { try state.put(record.key, value) } else { try state.delete(record.key) }
            case .head: head = record
            case .topology:
                _ = try decode(lane, record) { () throws(RecordDamage) in try UnitTopology(value(record)) }
                unit.topology = record.value.map(Array.init)
            case .owed(let place):
                unit.owed = max(unit.owed, Int(place) + 1)
                guard record.value != nil else {
                    try deleteOwed(Int(place), of: lane)
                    continue
                }
                let row = try decode(lane, record) { () throws(RecordDamage) in try EntryCodec.owed(value(record)) }
                try writeOwed(row, Int(place), of: lane)
            case .late, .deadLetter, .decision, .copy: try applyEntry(key, record, lane)
            }
            try beforeStep?(.record)
        }
        guard let head else { return }
        var content: HeadCodec.Content?
        content = try decode(lane, head) { () throws(RecordDamage) in
            try HeadCodec(outputIDs: outputIDs).decode(value(head))
        }
        unit.headBytes = head.value.map(Array.init)
        unit.head = content?.head
        unit.nextEntry = content?.nextEntry ?? 1
    }

    private func applyEntry(_ key: ChangelogKey, _ record: ChangelogRecord, _ lane: LaneNumber) throws(Fault) {
        // Deleted first in any case: what an entry took of the dead letters' limit is given back by a trigger.
        try UnitEntryWriter.delete(key, of: lane, database)
        guard record.value != nil else { return }
        let ledgers = Ledgers(database: database, plan: plan, at: clock.wall())
        let partition = layout.partition(of: lane)
        switch key {
        case .late(let number):
            let row = try decode(lane, record) { () throws(RecordDamage) in
                try EntryCodec.late(value(record), of: partition)
            }
            try ledgers.write(row, sequence: UnitEntries.sequence(lane, number))
        case .deadLetter(let number):
            let row = try decode(lane, record) { () throws(RecordDamage) in
                try EntryCodec.deadLetter(value(record), of: partition)
            }
            try ledgers.write(row, sequence: UnitEntries.sequence(lane, number))
            try ledgers.add(deadLetterBytes: row.bytes)
        case .decision(let number):
            let row = try decode(lane, record) { () throws(RecordDamage) in try EntryCodec.decision(value(record)) }
            try ledgers.write(row, sequence: UnitEntries.sequence(lane, number))
        case .copy(let number):
            let row = try decode(lane, record) { () throws(RecordDamage) in
                try EntryCodec.copy(value(record), of: partition)
            }
            try CopyLedger(database: database).write(row, sequence: UnitEntries.sequence(lane, number))
        default: return
        }
    }

    /// What must have a value.
    private func value(_ record: ChangelogRecord) throws(RecordDamage) -> UnsafeRawBufferPointer {
        guard let value = record.value else { throw .damaged }
        return value
    }

    private func decode<T>(
        _ lane: LaneNumber, _ record: ChangelogRecord, _ body: () throws(RecordDamage) -> T
    ) throws(Fault) -> T {
        do throws(RecordDamage) {
            return try body()
        } catch {
            throw error.fault(at: "\(layout.changelog(of: lane))@\(record.offset)")
        }
    }

    // MARK: Before and after

    /// The position is the changelog's end: checks that what is here is a unit of this topology, and lets it be worked with. Called
    /// also where nothing had to be read, or nothing was ever written. `next`: the position, where it is past what was applied last.
    /// `topicID`: the changelog topic's own, where it is known.
    /// Errors: `state_topology_changed`, `state_output_removed`, `state_of_other_topology`, `partitions_changed`,
    /// `changelog_damaged`.
    public func finishRestore(of lane: LaneNumber, next: Int64? = nil, topicID: String? = nil) throws(Fault) {
        let place = "\(layout.changelog(of: lane))"
        var unit = units[lane] ?? Unit(position: ChangelogPosition(next: 0, last: nil, topicID: nil, appliedAt: clock.wall()))
        unit.gone = try judge(unit, lane, place)
        unit.position.next = next ?? unit.position.next
        unit.position.topicID = topicID ?? unit.position.topicID
        unit.position.appliedAt = clock.wall()
        let range = UnitEntries.range(lane)
        let owed = try database.statement("SELECT count(*) FROM topic_outbox WHERE sequence >= ? AND sequence < ?")
        owed.bind(1, range.lowerBound)
        owed.bind(2, range.upperBound)
        unit.owed = Int(try owed.number() ?? 0)
        unit.isReady = true
        try write { units throws(Fault) in
            try write(unit, of: lane)
            units[lane] = unit
        }
    }

    /// The keys of aggregates that the topology no longer has.
    private func judge(_ unit: Unit, _ lane: LaneNumber, _ place: String) throws(Fault) -> [KeyRange] {
        guard let head = unit.head else { return [] }
        guard head.lane == lane, head.partition == layout.partition(of: lane) else {
            throw GroupOpening.partitionsChanged(place, was: 0, now: layout.units)
        }
        guard let bytes = unit.topology else { throw RecordDamage.damaged.fault(at: place) }
        if bytes == topology { return [] }
        let stored: UnitTopology
        do throws(RecordDamage) {
            stored = try UnitTopology.read(bytes)
        } catch {
            throw error.fault(at: place)
        }
        guard stored.name == plan.name else {
            throw Fault(
                "state_of_other_topology", "The changelog belongs to the topology \(stored.name), not to \(plan.name).",
                place: place, next: "Give each topology a source.group of its own.", exit: .state)
        }
        let verdict = try TopologyChange.judge(
            parts: stored.parts, outputs: stored.outputs, plan: plan, accept: accept, path: place)
        return verdict.removed.flatMap { keys(StateStart.groupNumber(of: $0)) }
    }

    /// Deletes all that is here of a unit, in transactions of bounded size; an end in between is finished by the next start. Called
    /// where `RestoreVerdict` says so, and for nothing else.
    public func wipe(_ lane: LaneNumber) throws(Fault) {
        units[lane] = nil
        let range = UnitEntries.range(lane)
        try database.transaction { () throws(Fault) in
            let mark = try database.statement("INSERT OR REPLACE INTO units(lane, position, applied_at) VALUES (?, -1, 0)")
            mark.bind(1, lane)
            try mark.run()
            try beforeStep?(.wiped)
        }
        let state = StateTable(database: database)
        while try database.transaction({ () throws(Fault) in
            try beforeStep?(.wiped)
            return try state.deleteSome(of: lane, limit: StateLimits.wipedKeys)
        }) {}
        try database.transaction { () throws(Fault) in
            for table in ["late", "dead_letters", "decisions", CopyLedger.table, "topic_outbox"] {
                let delete = try database.statement("DELETE FROM \(table) WHERE sequence >= ? AND sequence < ?")
                delete.bind(1, range.lowerBound)
                delete.bind(2, range.upperBound)
                try delete.run()
            }
            for table in ["books", "late_refusals", "units"] {
                let delete = try database.statement("DELETE FROM \(table) WHERE lane = ?")
                delete.bind(1, lane)
                try delete.run()
            }
            try beforeStep?(.wiped)
        }
    }
}
