import Model

/// The table `books`: a row per input partition with its counts, its watermark and where it goes on (S1).
struct BooksTable {
    let database: Database
    let outputIDs: [Int32]

    private static let columns =
        ["lane", "topic", "partition", "read", "aggregated", "filtered", "duplicate", "late"]
        + RejectReason.allCases.map { "rejected_\($0.word)" } + [
            "redelivered", "unidentified", "partly_late", "duplicate_observed", "watermark", "newest_event_time", "next_offset",
            "last_open_close", "last_record_offset", "last_record_timestamp", "last_record_hash", "rekeyed",
        ]
    private static let insert =
        "INSERT OR REPLACE INTO books(\(columns.joined(separator: ", "))) VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))"
    private static let select = "SELECT \(columns.joined(separator: ", ")) FROM books WHERE lane = ?"

    /// `lane` has been committed: its `nextOffset` is there.
    func write(_ lane: RestoredLane) throws(Fault) {
        let insert = try database.statement(BooksTable.insert)
        var at: Int32 = 0
        func next() -> Int32 {
            at += 1
            return at
        }
        let books = lane.books
        insert.bind(next(), lane.lane)
        insert.bind(next(), lane.partition.topic)
        insert.bind(next(), lane.partition.number)
        for count in [books.read, books.aggregated, books.filtered, books.duplicate, books.late] { insert.bind(next(), count) }
        for reason in RejectReason.allCases { insert.bind(next(), books.rejectedByReason[Int(reason.rawValue)]) }
        for count in [books.redelivered, books.unidentified, books.partlyLate, books.duplicateObserved] {
            insert.bind(next(), count)
        }
        insert.bind(next(), lane.watermark)
        insert.bind(next(), lane.newestEventTime)
        insert.bind(next(), lane.nextOffset)
        insert.bind(next(), lane.lastOpenClose)
        insert.bind(next(), lane.lastRecord?.offset)
        insert.bind(next(), lane.lastRecord?.timestamp)
        insert.bind(next(), lane.lastRecord.map { Int64(bitPattern: $0.hash) })
        insert.bind(next(), books.rekeyed)
        try insert.run()
        let refusals = try database.statement("INSERT OR REPLACE INTO late_refusals VALUES (?, ?, ?)")
        for (output, entries) in books.lateRefusals.enumerated() where entries > 0 {
            refusals.bind(1, lane.lane)
            refusals.bind(2, outputIDs[output])
            refusals.bind(3, entries)
            try refusals.run()
        }
    }

    /// Fills what was committed for `lane`; leaves it as it is where nothing was.
    func read(into lane: inout RestoredLane) throws(Fault) {
        let query = try database.statement(BooksTable.select)
        query.bind(1, lane.lane)
        defer { query.reset() }
        guard try query.next() else { return }
        var at: Int32 = 2
        func next() -> Int32 {
            at += 1
            return at
        }
        lane.books.read = query.int(next())
        lane.books.aggregated = query.int(next())
        lane.books.filtered = query.int(next())
        lane.books.duplicate = query.int(next())
        lane.books.late = query.int(next())
        for reason in RejectReason.allCases { lane.books.rejectedByReason[Int(reason.rawValue)] = query.int(next()) }
        lane.books.redelivered = query.int(next())
        lane.books.unidentified = query.int(next())
        lane.books.partlyLate = query.int(next())
        lane.books.duplicateObserved = query.int(next())
        lane.watermark = query.time(next())
        lane.newestEventTime = query.time(next())
        lane.nextOffset = query.int(next())
        lane.lastOpenClose = query.time(next())
        let offset = query.optionalInt(next())
        let timestamp = query.int(next())
        let hash = UInt64(bitPattern: query.int(next()))
        lane.books.rekeyed = query.int(next())
        lane.lastRecord = offset.map { RecordFingerprint(offset: $0, timestamp: timestamp, hash: hash) }
        let refusals = try database.statement("SELECT output_id, entries FROM late_refusals WHERE lane = ?")
        refusals.bind(1, lane.lane)
        try refusals.eachRow { () throws(Fault) in
            if let output = outputIDs.firstIndex(of: Int32(truncatingIfNeeded: refusals.int(0))) {
                lane.books.lateRefusals[output] = refusals.int(1)
            }
        }
    }
}
