import Model

/// The tables `late`, `dead_letters` and `decisions`, and how long they keep what they hold (S2, S6, S13).
struct Ledgers {
    let database: Database
    let plan: Plan
    /// The commit's wall time: what `keep` is measured from.
    let at: WallTime

    func write(_ entry: LateEntry, _ partition: PartitionID, sequence: Int64) throws(Fault) {
        let insert = try database.statement("INSERT INTO late VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        insert.bind(1, sequence)
        insert.bind(2, at.milliseconds)
        insert.bind(3, plan.aggregates[entry.output].name)
        insert.bind(4, partition.topic)
        insert.bind(5, partition.number)
        insert.bind(6, entry.offset)
        insert.bind(7, entry.eventTime)
        insert.bind(8, entry.windowStart)
        insert.bind(9, entry.windowEnd)
        insert.bind(10, entry.watermark)
        insert.bind(11, entry.lateBy.milliseconds)
        insert.bind(12, entry.identity.map(\.bytes))
        try insert.run()
    }

    func write(_ letter: DeadLetter, _ partition: PartitionID, sequence: Int64) throws(Fault) {
        let insert = try database.statement("INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        insert.bind(1, sequence)
        insert.bind(2, at.milliseconds)
        insert.bind(3, letter.reason.word)
        insert.bind(4, letter.field.map { plan.fields[$0].name })
        insert.bind(5, partition.topic)
        insert.bind(6, partition.number)
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
        guard bytes >= limit.bytes else { return }
        throw Fault(
            "dead_letters_full", "The dead letters hold \(bytes) bytes; their limit is \(limit.bytes).",
            place: "\(database.file): dead_letters",
            next:
                "Find why records are rejected, then raise dead_letters.table.limit; input goes on when older ones pass their keep.",
            exit: .disk, isTransient: true)
    }

    func write(_ decision: Decision, commit: Int64, sequence: Int64) throws(Fault) {
        let insert = try database.statement("INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        insert.bind(1, sequence)
        insert.bind(2, commit)
        insert.bind(3, at.milliseconds)
        for position in Int32(5)...8 { insert.bindNull(position) }
        switch decision {
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
        case .ended: insert.bind(4, "ended")
        }
        try insert.run()
    }

    /// In the order they were taken. A kind that this version does not know is not for it to act on.
    static func decisions(_ database: Database) throws(Fault) -> [Decision] {
        let query = try database.statement(
            "SELECT kind, lane, watermark, from_offset, to_offset FROM decisions ORDER BY sequence")
        var decisions: [Decision] = []
        try query.eachRow { () throws(Fault) in
            let lane = LaneNumber(truncatingIfNeeded: query.int(1))
            switch query.text(0) {
            case "idle": decisions.append(.idle(lane: lane))
            case "speaks": decisions.append(.speaks(lane: lane, watermark: query.time(2)))
            case "advanced": decisions.append(.advanced(to: EventTime(milliseconds: query.int(2))))
            case "resumed": decisions.append(.resumed(lane: lane, from: query.int(3), to: query.int(4)))
            case "ended": decisions.append(.ended)
            default: break
            }
        }
        return decisions
    }

    /// Deletes what is past its `keep`, a bounded number of rows of each ledger.
    func forget() throws(Fault) {
        if case .ledger(let keep) = plan.late { try forget("late", keep) }
        if case .table(let keep, _) = plan.deadLetters { try forget("dead_letters", keep) }
        let decisions = try database.statement(
            """
            DELETE FROM decisions WHERE sequence IN (
                SELECT sequence FROM decisions WHERE kind NOT IN ('resumed', 'ended')
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
