public import Model

/// The ledger entries of one unit's commit: which go because they are past their `keep`, which come, and their numbers. The
/// same before and after the Kafka transaction, since it follows from what state.db holds and from the commit alone.
struct UnitEntryWriter {
    private let store: GroupStore
    private let unit: UnitCommit
    private let first: Int64
    /// Tombstones.
    let expired: [ChangelogKey]

    init(store: GroupStore, unit: UnitCommit, nextEntry: Int64) throws(Fault) {
        self.store = store
        self.unit = unit
        first = nextEntry
        expired = try UnitEntryWriter.expired(store, unit)
    }

    private var takesLate: Bool { if case .ledger = store.plan.late { true } else { false } }
    private var takesDeadLetters: Bool { if case .table = store.plan.deadLetters { true } else { false } }

    private var takesCopies: Bool { if case .ledger? = store.plan.deduplicate?.duplicates { true } else { false } }

    private var count: Int {
        (takesCopies ? unit.duplicates.count : 0) + (takesLate ? unit.late.count : 0)
            + (takesDeadLetters ? unit.deadLetters.count : 0) + unit.decisions.count
    }

    /// Entries of earlier commits that were applied again in this one, with their marks.
    private func marked() throws(Fault) -> [(number: Int64, row: LateRow)] {
        var marked: [(number: Int64, row: LateRow)] = []
        for entry in unit.reapplied {
            let number = UnitEntries.number(entry.entry)
            guard !expired.contains(.late(number)), var row = try store.database.lateRow(entry.entry) else { continue }
            row.reapplied = entry.kind
            row.reappliedIn = unit.head.sequence
            marked.append((number, row))
        }
        return marked
    }

    /// The number of the unit's next entry after this commit.
    var next: Int64 { first + Int64(count) }

    func each(_ body: (ChangelogKey, [UInt8]) throws(Fault) -> Void) throws(Fault) {
        let own = unit.head.partition
        for (number, row) in try marked() { try body(.late(number), EntryCodec.encode(row, of: own)) }
        try rows(
            late: { number, row throws(Fault) in try body(.late(number), EntryCodec.encode(row, of: own)) },
            deadLetter: { number, row throws(Fault) in try body(.deadLetter(number), EntryCodec.encode(row)) },
            decision: { number, row throws(Fault) in try body(.decision(number), EntryCodec.encode(row)) },
            copy: { number, row throws(Fault) in try body(.copy(number), EntryCodec.encode(row, of: own)) })
    }

    /// Deletes what is past its time and writes what came.
    func write() throws(Fault) {
        let ledgers = Ledgers(database: store.database, plan: store.plan, at: unit.head.at)
        let lane = unit.head.lane
        for key in expired { try UnitEntryWriter.delete(key, of: lane, store.database) }
        try ledgers.mark(unit.reapplied, in: unit.head.sequence)
        try rows(
            late: { number, row throws(Fault) in try ledgers.write(row, sequence: UnitEntries.sequence(lane, number)) },
            deadLetter: { number, row throws(Fault) in
                try ledgers.write(row, sequence: UnitEntries.sequence(lane, number))
                try ledgers.add(deadLetterBytes: row.bytes)
            }, decision: { number, row throws(Fault) in try ledgers.write(row, sequence: UnitEntries.sequence(lane, number)) },
            copy: { number, row throws(Fault) in
                try CopyLedger(database: store.database).write(row, sequence: UnitEntries.sequence(lane, number))
            })
    }

    private func rows(
        late: (Int64, LateRow) throws(Fault) -> Void, deadLetter: (Int64, DeadLetterRow) throws(Fault) -> Void,
        decision: (Int64, DecisionRow) throws(Fault) -> Void, copy: (Int64, CopyRow) throws(Fault) -> Void
    ) throws(Fault) {
        let head = unit.head
        var number = first
        if takesLate {
            for entry in unit.late {
                try late(number, LateRow(entry, of: entry.source ?? head.partition, at: head.at, plan: store.plan))
                number += 1
            }
        }
        if takesDeadLetters {
            for letter in unit.deadLetters {
                try deadLetter(number, DeadLetterRow(letter, of: head.partition, at: head.at, plan: store.plan))
                number += 1
            }
        }
        if takesCopies {
            for entry in unit.duplicates {
                try copy(number, CopyRow(at: head.at, partition: entry.source ?? head.partition, entry: entry))
                number += 1
            }
        }
        for taken in unit.decisions {
            try decision(number, DecisionRow(at: head.at, commit: head.sequence, decision: taken))
            number += 1
        }
    }

    static func delete(_ key: ChangelogKey, of lane: LaneNumber, _ database: Database) throws(Fault) {
        let table: String
        let number: Int64
        switch key {
        case .late(let entry): (table, number) = ("late", entry)
        case .deadLetter(let entry): (table, number) = ("dead_letters", entry)
        case .decision(let entry): (table, number) = ("decisions", entry)
        case .copy(let entry): (table, number) = (CopyLedger.table, entry)
        default: return
        }
        let delete = try database.statement("DELETE FROM \(table) WHERE sequence = ?")
        delete.bind(1, UnitEntries.sequence(lane, number))
        try delete.run()
    }

    // MARK: What is past its time

    private static func expired(_ store: GroupStore, _ unit: UnitCommit) throws(Fault) -> [ChangelogKey] {
        var keys: [ChangelogKey] = []
        if case .ledger(let keep) = store.plan.late {
            keys += try oldest("late", store, unit, keep: keep).map(ChangelogKey.late)
        }
        if case .table(let keep, _) = store.plan.deadLetters {
            keys += try oldest("dead_letters", store, unit, keep: keep).map(ChangelogKey.deadLetter)
        }
        if case .ledger(let keep)? = store.plan.deduplicate?.duplicates {
            keys += try oldest(CopyLedger.table, store, unit, keep: keep).map(ChangelogKey.copy)
        }
        // Looked for only when some come, so that a quiet commit does not count them.
        if !unit.decisions.isEmpty { keys += try surplusDecisions(store, unit).map(ChangelogKey.decision) }
        return keys
    }

    /// From the unit's first entry on, as long as they are past their time; a bounded number.
    private static func oldest(
        _ table: String, _ store: GroupStore, _ unit: UnitCommit, keep: TimeSpan
    ) throws(Fault) -> [Int64] {
        let (edge, overflow) = unit.head.at.milliseconds.subtractingReportingOverflow(keep.milliseconds)
        guard !overflow else { return [] }
        let query = try store.database.statement(
            "SELECT sequence, recorded_at FROM \(table) WHERE sequence >= ? AND sequence < ? ORDER BY sequence LIMIT ?")
        defer { query.reset() }
        let range = UnitEntries.range(unit.head.lane)
        query.bind(1, range.lowerBound)
        query.bind(2, range.upperBound)
        query.bind(3, Int64(StateLimits.deletesPerCommit))
        var numbers: [Int64] = []
        while try query.next(), query.int(1) < edge { numbers.append(UnitEntries.number(query.int(0))) }
        return numbers
    }

    private static func surplusDecisions(_ store: GroupStore, _ unit: UnitCommit) throws(Fault) -> [Int64] {
        let query = try store.database.statement(
            """
            SELECT sequence FROM decisions WHERE sequence >= ?1 AND kind IN ('idle', 'speaks', 'advanced') AND sequence < (
                SELECT sequence FROM decisions WHERE sequence >= ?1 AND sequence < ?2 ORDER BY sequence DESC LIMIT 1 OFFSET ?3)
            ORDER BY sequence LIMIT ?4
            """)
        let range = UnitEntries.range(unit.head.lane)
        query.bind(1, range.lowerBound)
        query.bind(2, range.upperBound)
        query.bind(3, Int64(StateLimits.unitDecisionsKept))
        query.bind(4, Int64(StateLimits.deletesPerCommit))
        var numbers: [Int64] = []
        try query.eachRow { () throws(Fault) in numbers.append(UnitEntries.number(query.int(0))) }
        return numbers
    }
}

/// The limit of dead letters, asked before a commit's transaction begins.
extension GroupStore {
    /// Refuses a commit that brings dead letters while the table is full: `dead_letters_full`, transient. What is past its `keep`
    /// does not count, since it goes with the commits that follow. Called on the committer's queue before the Kafka transaction.
    public func refuseIfFull(_ commit: [UnitCommit], at: WallTime) throws(Fault) {
        guard case .table(let keep, let limit) = plan.deadLetters, commit.contains(where: { !$0.deadLetters.isEmpty }) else {
            return
        }
        let bytes = try database.number("SELECT dead_letter_bytes FROM head")
        guard bytes >= limit.bytes else { return }
        let old = try database.statement(
            "SELECT total(coalesce(length(payload), 0) + \(StateLimits.deadLetterOverhead)) FROM dead_letters WHERE recorded_at < ?"
        )
        let (edge, overflow) = at.milliseconds.subtractingReportingOverflow(keep.milliseconds)
        old.bind(1, overflow ? Int64.min : edge)
        let left = bytes - (try old.number() ?? 0)
        guard left < limit.bytes else { throw Ledgers(database: database, plan: plan, at: at).full(left, limit) }
    }
}
