import Model

/// A row of the table `late`.
struct LateRow: Equatable {
    var at: WallTime
    /// The aggregate's name.
    var output: String
    var partition: PartitionID
    var offset: Int64
    var eventTime: EventTime
    var windowStart: EventTime
    var windowEnd: EventTime
    var watermark: EventTime
    var lateBy: TimeSpan
    var identity: [UInt8]?
    /// What became of it when it was applied again, and in which commit; nil: it was not.
    var reapplied: ReappliedEntry.Kind?
    var reappliedIn: Int64?
}

extension LateRow {
    init(_ entry: LateEntry, of partition: PartitionID, at: WallTime, plan: Plan) {
        self.init(
            at: at, output: plan.aggregates[entry.output].name, partition: partition, offset: entry.offset,
            eventTime: entry.eventTime, windowStart: entry.windowStart, windowEnd: entry.windowEnd, watermark: entry.watermark,
            lateBy: entry.lateBy, identity: entry.identity.map(\.bytes))
    }
}

/// A row of the table `dead_letters`.
struct DeadLetterRow: Equatable {
    var at: WallTime
    var reason: RejectReason
    /// The field's name.
    var field: String?
    var partition: PartitionID
    var offset: Int64
    var timestamp: Int64?
    var size: Int64
    var payload: [UInt8]?

    /// What it counts towards the table's limit.
    var bytes: Int64 { Int64(payload?.count ?? 0) + StateLimits.deadLetterOverhead }
}

extension DeadLetterRow {
    init(_ letter: DeadLetter, of partition: PartitionID, at: WallTime, plan: Plan) {
        self.init(
            at: at, reason: letter.reason, field: letter.field.map { plan.fields[$0].name }, partition: partition,
            offset: letter.offset, timestamp: letter.timestamp, size: letter.size, payload: letter.payload)
    }
}

/// A row of the table `decisions`.
struct DecisionRow: Equatable {
    var at: WallTime
    var commit: Int64
    var decision: Decision
}

/// The tables `late`, `dead_letters` and `decisions`, and how long they keep what they hold (S2, S6, S13).
struct Ledgers {
    let database: Database
    let plan: Plan
    /// The commit's wall time: what `keep` is measured from.
    let at: WallTime

    func write(_ entry: LateEntry, _ partition: PartitionID, sequence: Int64) throws(Fault) {
        try write(LateRow(entry, of: partition, at: at, plan: plan), sequence: sequence)
    }

    func write(_ entry: LateRow, sequence: Int64) throws(Fault) {
        let insert = try database.statement("INSERT OR REPLACE INTO late VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        insert.bind(1, sequence)
        insert.bind(2, entry.at.milliseconds)
        insert.bind(3, entry.output)
        insert.bind(4, entry.partition.topic)
        insert.bind(5, entry.partition.number)
        insert.bind(6, entry.offset)
        insert.bind(7, entry.eventTime)
        insert.bind(8, entry.windowStart)
        insert.bind(9, entry.windowEnd)
        insert.bind(10, entry.watermark)
        insert.bind(11, entry.lateBy.milliseconds)
        insert.bind(12, entry.identity)
        insert.bind(13, entry.reapplied?.rawValue)
        insert.bind(14, entry.reappliedIn)
        try insert.run()
    }

    func write(_ letter: DeadLetter, _ partition: PartitionID, sequence: Int64) throws(Fault) {
        try write(DeadLetterRow(letter, of: partition, at: at, plan: plan), sequence: sequence)
    }

    func write(_ letter: DeadLetterRow, sequence: Int64) throws(Fault) {
        let insert = try database.statement("INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        insert.bind(1, sequence)
        insert.bind(2, letter.at.milliseconds)
        insert.bind(3, letter.reason.word)
        insert.bind(4, letter.field)
        insert.bind(5, letter.partition.topic)
        insert.bind(6, letter.partition.number)
        insert.bind(7, letter.offset)
        insert.bind(8, letter.timestamp)
        insert.bind(9, letter.size)
        insert.bind(10, letter.payload)
        try insert.run()
    }

    func add(deadLetterBytes bytes: Int64) throws(Fault) {
        let update = try database.statement("UPDATE head SET dead_letter_bytes = dead_letter_bytes + ?")
        update.bind(1, bytes)
        try update.run()
    }

    /// Full is judged before the commit's own letters, so that one commit larger than the limit can't block for ever.
    func refuseIfFull(_ limit: ByteCount) throws(Fault) {
        let bytes = try database.number("SELECT dead_letter_bytes FROM head")
        guard bytes < limit.bytes else { throw full(bytes, limit) }
    }

    func full(_ bytes: Int64, _ limit: ByteCount) -> Fault {
        Fault(
            "dead_letters_full", "The dead letters hold \(bytes) bytes; their limit is \(limit.bytes).",
            place: "\(database.file): dead_letters",
            next:
                "Find why records are rejected, then raise dead_letters.table.limit; input goes on when older ones pass their keep.",
            exit: .disk, isTransient: true)
    }

    func write(_ decision: Decision, commit: Int64, sequence: Int64) throws(Fault) {
        try write(DecisionRow(at: at, commit: commit, decision: decision), sequence: sequence)
    }

    func write(_ row: DecisionRow, sequence: Int64) throws(Fault) {
        let insert = try database.statement("INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        insert.bind(1, sequence)
        insert.bind(2, row.commit)
        insert.bind(3, row.at.milliseconds)
        for position in Int32(5)...10 { insert.bindNull(position) }
        switch row.decision {
        case .idle(let lane):
            insert.bind(4, "idle")
            insert.bind(5, lane)
        case .speaks(let lane, let watermark):
            insert.bind(4, "speaks")
            insert.bind(5, lane)
            insert.bind(6, watermark)
        case .advanced(let watermark):
            insert.bind(4, "advanced")
            insert.bind(6, watermark)
        case .resumed(let lane, let from, let to):
            insert.bind(4, "resumed")
            insert.bind(5, lane)
            insert.bind(7, from)
            insert.bind(8, to)
        case .commanded(let word, let asked, let result):
            insert.bind(4, word)
            insert.bind(9, asked)
            insert.bind(10, result)
        case .ended: insert.bind(4, "ended")
        }
        try insert.run()
    }

    /// Entries of the late ledger that were applied again, and how many of each output, beside the books.
    func mark(_ reapplied: [ReappliedEntry], in commit: Int64, outputIDs: [Int32]) throws(Fault) {
        try mark(reapplied, in: commit)
        let count = try database.statement(
            """
            INSERT INTO reapplied VALUES (?, ?, 1) ON CONFLICT (lane, output_id) DO UPDATE SET entries = entries + 1
            """)
        for entry in reapplied where entry.kind == .counted {
            count.bind(1, entry.lane)
            count.bind(2, outputIDs[entry.output])
            try count.run()
        }
    }

    func mark(_ reapplied: [ReappliedEntry], in commit: Int64) throws(Fault) {
        let update = try database.statement(
            "UPDATE late SET reapplied_as = ?, reapplied_in = ? WHERE sequence = ? AND reapplied_as IS NULL")
        for entry in reapplied {
            update.bind(1, entry.kind.rawValue)
            update.bind(2, commit)
            update.bind(3, entry.entry)
            try update.run()
        }
    }

    /// In the order they were taken. A kind that this version does not know is not for it to act on.
    static func decisions(_ database: Database) throws(Fault) -> [Decision] {
        let query = try database.statement(
            "SELECT kind, lane, watermark, from_offset, to_offset, asked, result FROM decisions ORDER BY sequence")
        var decisions: [Decision] = []
        try query.eachRow { () throws(Fault) in
            let lane = LaneNumber(truncatingIfNeeded: query.int(1))
            switch query.text(0) {
            case "idle": decisions.append(.idle(lane: lane))
            case "speaks": decisions.append(.speaks(lane: lane, watermark: query.time(2)))
            case "advanced": decisions.append(.advanced(to: EventTime(milliseconds: query.int(2))))
            case "resumed": decisions.append(.resumed(lane: lane, from: query.int(3), to: query.int(4)))
            case "ended": decisions.append(.ended)
            case let word where !query.isNull(5):
                decisions.append(.commanded(word: word, asked: query.text(5), result: query.text(6)))
            default: break
            }
        }
        return decisions
    }

    /// Deletes what is past its `keep`, a bounded number of rows of each ledger.
    func forget() throws(Fault) {
        if case .ledger(let keep) = plan.late { try forget("late", keep) }
        if case .table(let keep, _) = plan.deadLetters { try forget("dead_letters", keep) }
        if case .ledger(let keep)? = plan.deduplicate?.duplicates { try forget(CopyLedger.table, keep) }
        let decisions = try database.statement(
            """
            DELETE FROM decisions WHERE sequence IN (
                SELECT sequence FROM decisions WHERE kind IN ('idle', 'speaks', 'advanced')
                    AND sequence < (SELECT sequence FROM decisions ORDER BY sequence DESC LIMIT 1 OFFSET ?1)
                ORDER BY sequence LIMIT ?2)
            """)
        decisions.bind(1, Int64(StateLimits.decisionsKept))
        decisions.bind(2, Int64(StateLimits.deletesPerCommit))
        try decisions.run()
    }

    private func forget(_ table: String, _ keep: TimeSpan) throws(Fault) {
        let delete = try database.statement(
            """
            DELETE FROM \(table) WHERE sequence IN (
                SELECT sequence FROM \(table) WHERE recorded_at < ? ORDER BY recorded_at LIMIT ?)
            """)
        let (edge, overflow) = at.milliseconds.subtractingReportingOverflow(keep.milliseconds)
        guard !overflow else { return }
        delete.bind(1, edge)
        delete.bind(2, Int64(StateLimits.deletesPerCommit))
        try delete.run()
    }
}

extension Identity {
    /// Most significant byte first: a UUID's bytes in the order of its text.
    var bytes: [UInt8] {
        withUnsafeBytes(of: high.bigEndian, Array.init) + withUnsafeBytes(of: low.bigEndian, Array.init)
    }
}
