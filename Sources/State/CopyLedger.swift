import Model

/// A row of the table `duplicates`.
struct CopyRow: Equatable {
    var at: WallTime
    var partition: PartitionID
    var entry: CopyEntry
}

/// The ledger of duplicates (S9): where each copy is, and where the event is that was kept.
struct CopyLedger {
    let database: Database

    static let table = "duplicates"

    /// As files of the second format have it, or lack it.
    static let text = """
        CREATE TABLE IF NOT EXISTS duplicates(
            sequence INTEGER PRIMARY KEY,
            recorded_at INTEGER NOT NULL,
            topic TEXT NOT NULL,
            partition INTEGER NOT NULL,
            "offset" INTEGER NOT NULL,
            kept_offset INTEGER,
            event_time INTEGER NOT NULL,
            age INTEGER NOT NULL,
            kind TEXT NOT NULL,
            field TEXT,
            identity BLOB NOT NULL);
        CREATE INDEX IF NOT EXISTS duplicates_by_age ON duplicates(recorded_at);
        """

    func write(_ row: CopyRow, sequence: Int64) throws(Fault) {
        let insert = try database.statement("INSERT OR REPLACE INTO duplicates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        insert.bind(1, sequence)
        insert.bind(2, row.at.milliseconds)
        insert.bind(3, row.partition.topic)
        insert.bind(4, row.partition.number)
        insert.bind(5, row.entry.offset)
        insert.bind(6, row.entry.keptOffset)
        insert.bind(7, row.entry.eventTime)
        insert.bind(8, row.entry.age.milliseconds)
        insert.bind(9, row.entry.kind.rawValue)
        insert.bind(10, row.entry.field)
        insert.bind(11, row.entry.identity.bytes)
        insert.bind(12, row.entry.keptSource?.topic)
        insert.bind(13, row.entry.keptSource.map { Int64($0.number) })
        try insert.run()
    }
}

extension CommitWriter {
    /// The entries of a lane, or their objects on the way to a topic; returns what the latter take.
    static func write(
        duplicates lane: SealedLane, _ commit: Commit, _ store: StateStore, _ takeSequence: () -> Int64
    ) throws(Fault) -> Int64 {
        switch store.plan.deduplicate?.duplicates ?? .count {
        case .count: return 0
        case .ledger:
            let ledger = CopyLedger(database: store.database)
            for entry in lane.duplicates {
                try ledger.write(
                    CopyRow(at: commit.at, partition: entry.source ?? lane.partition, entry: entry), sequence: takeSequence())
            }
            return 0
        case .topic(let topic):
            var bytes: Int64 = 0
            let insert = try store.database.statement("INSERT INTO topic_outbox VALUES (?, ?, ?, ?, ?, ?)")
            for entry in lane.duplicates {
                let (key, value) = entry.json(of: lane.partition)
                insert.bind(1, takeSequence())
                insert.bind(2, commit.number)
                insert.bind(3, topic)
                insert.bind(4, CopyLedger.table)
                insert.bind(5, key)
                insert.bind(6, value)
                try insert.run()
                bytes += Int64(key.count + value.count) + StateLimits.outboxOverhead
            }
            return bytes
        }
    }
}

extension EntryCodec {
    static func encode(_ row: CopyRow, of own: PartitionID) -> [UInt8] {
        var writer = RecordWriter(capacity: 64)
        writer.number(row.at.milliseconds)
        writer.number(row.entry.offset)
        writer.number(row.entry.keptOffset)
        writer.number(row.entry.eventTime.milliseconds)
        writer.number(row.entry.age.milliseconds)
        writer.byte(UInt8(CopyEntry.Kind.allCases.firstIndex(of: row.entry.kind) ?? 0))
        writer.byte(row.entry.field == nil ? 0 : 1)
        if let field = row.entry.field { writer.text(field) }
        writer.word(row.entry.identity.high)
        writer.word(row.entry.identity.low)
        // Of a re-keyed unit both lie in partitions of the input.
        if row.partition != own {
            write(row.partition, to: &writer)
            writer.byte(row.entry.keptSource == nil ? 0 : 1)
            if let kept = row.entry.keptSource { write(kept, to: &writer) }
        }
        return writer.bytes
    }

    static func copy(_ bytes: UnsafeRawBufferPointer, of partition: PartitionID) throws(RecordDamage) -> CopyRow {
        var reader = try RecordReader(bytes)
        let at = WallTime(milliseconds: try reader.number())
        let offset = try reader.number()
        let keptOffset = try reader.optionalNumber()
        let eventTime = try reader.time()
        let age = TimeSpan(milliseconds: try reader.number())
        let kind = Int(try reader.byte())
        guard CopyEntry.Kind.allCases.indices.contains(kind) else { throw .damaged }
        let field = try reader.flag() ? try reader.text() : nil
        let identity = Identity(high: try reader.word(), low: try reader.word())
        var entry = CopyEntry(
            offset: offset, eventTime: eventTime, age: age, kind: CopyEntry.Kind.allCases[kind], field: field,
            keptOffset: keptOffset, identity: identity)
        if !reader.isAtEnd {
            entry.source = try self.partition(from: &reader)
            if try reader.flag() { entry.keptSource = try self.partition(from: &reader) }
        }
        try reader.end()
        return CopyRow(at: at, partition: entry.source ?? partition, entry: entry)
    }
}
