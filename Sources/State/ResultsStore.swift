public import Model

/// The tables for people in `results.db`. Rows come out of the outbox of state.db and are applied together with the number
/// of their commit, so that each is there once whatever crashed when (S19). Called from the committer's queue.
///
/// `@unchecked Sendable` is true because: one queue at a time calls it, first the start's, then the committer's.
public final class ResultsStore: @unchecked Sendable {
    private let database: Database
    private let store: StateStore
    private let rows: ResultsRows
    /// Rows of commits up to this one are durable here.
    public private(set) var applied: Int64
    private var lastSequence: Int64 = 0

    /// Opens or creates results.db and its tables, and applies what a crash left in the outbox.
    /// Errors: `results_table_differs`, `results_table_taken`, `results_table_name`, `results_behind`, `results_ahead`,
    /// `results_of_other_state` and what SQLite's files can give (exit 5), `disk_full` (exit 6).
    public init(directory: StateDirectory, store: StateStore) throws(Fault) {
        self.store = store
        let database = try Database(directory.resultsFile, directory.writing(pages: store.plan.memoryShares.resultsPages))
        self.database = database
        let opening = ResultsOpening(database: database, instance: directory.instance)
        applied = try opening.prepare()
        rows = ResultsRows(database: database, plan: store.plan)
        try opening.check(applied, against: store)
        try opening.claim(store.plan, store.outputs)
        store.tablesDelivered(through: applied)
        try catchUp()
    }

    public func close() {
        try? tend(quiet: true)
        database.close()
    }

    /// Applies every row of the store's outbox that is not here yet, in one transaction; called after each commit. Returns how many.
    /// Errors as at `init`; after one nothing has changed, and the rows stay in the outbox for the next call. Cost: about 5 µs
    /// a row and one fsync; nothing where no row waits.
    @discardableResult
    public func catchUp() throws(Fault) -> Int {
        let through = store.head.number
        guard through > applied, try store.hasTableRows(after: lastSequence, commit: applied) else { return 0 }
        var last = lastSequence
        var count = 0
        try database.transaction { () throws(Fault) in
            try store.forEachTableRow(after: last, commit: applied) { (sequence, table, key, row) throws(Fault) in
                count += try apply(table, key, row)
                last = sequence
            }
            try rows.forget(store.head.time.watermark)
            let update = try database.statement("UPDATE weir_applied SET commit_number = ?")
            update.bind(1, through)
            try update.run()
        }
        lastSequence = last
        applied = through
        store.tablesDelivered(through: through)
        return count
    }

    /// As `StateStore.tend`.
    public func tend(quiet: Bool) throws(Fault) {
        try database.tend(quiet: quiet)
    }

    // MARK: Rows

    /// True: the table holds these rows, one a window and group, and nothing else. Each column is compared as it is stored.
    /// `comparingAsOf` false: `as_of` aside, which depends on when commits came.
    public func holds(exactly rows: [Row], in table: String, comparingAsOf: Bool = true) throws(Fault) -> Bool {
        guard let columns = try ResultsTable.stored(table, in: database) else { return rows.isEmpty }
        let name = ResultsTable.quote(table)
        let count = try database.statement("SELECT count(*) FROM \(name)")
        var stored: Int64 = 0
        try count.eachRow { () throws(Fault) in stored = count.int(0) }
        guard stored == rows.count else { return false }
        // The last column is `as_of`.
        let compared = comparingAsOf ? columns : Array(columns.dropLast())
        let conditions = compared.map { "\(ResultsTable.quote($0.name)) IS ?" }.joined(separator: " AND ")
        let query = try database.statement("SELECT 1 FROM \(name) WHERE \(conditions)")
        for row in rows {
            let values = RowBytes.columns(row)
            guard values.count == columns.count - 1 else { return false }
            query.bind(1, CanonicalKey.bytes(windowStart: row.windowStart, windowEnd: row.windowEnd, group: row.group))
            for (at, value) in values.prefix(compared.count - 1).enumerated() { query.bind(Int32(at + 2), value) }
            var isThere = false
            try query.eachRow { () throws(Fault) in isThere = true }
            if !isThere { return false }
        }
        return true
    }

    /// An entry of the outbox: a page of rows, or a single one with its key. Returns how many.
    private func apply(_ table: String, _ key: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer) throws(Fault) -> Int {
        let writer = try rows.writer(of: table)
        if !key.isEmpty {
            try apply(table, writer, key, row)
            return 1
        }
        var page = TablePages.Reader(row)
        var count = 0
        while let (key, row) = page.next() {
            try apply(table, writer, key, row)
            count += 1
        }
        if page.isDamaged { throw unreadable(table) }
        return count
    }

    private func apply(
        _ table: String, _ writer: ResultsRows.Writer?, _ key: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer
    ) throws(Fault) {
        if row.isEmpty {
            try writer?.delete(key)
            return
        }
        guard let writer else {
            throw Fault(
                "results_table_missing", "Rows wait for the table \(table), which results.db does not have.",
                place: database.file, next: "Restore state.db and results.db from the same backup.", exit: .state)
        }
        guard try writer.put(key, row) else { throw unreadable(table) }
    }

    private func unreadable(_ table: String) -> Fault {
        Fault(
            "state_corrupt", "A row for the table \(table) can't be read.", place: "state.db: table_outbox",
            next: "Restore the state directory from a backup.", exit: .state)
    }
}

extension Statement {
    /// Times are integer milliseconds, booleans 0 and 1, UUIDs lower-case text, lists JSON. A sum that 64 bits can't hold becomes a double:
    /// SQLite has no wider number; the exact one is in the row that Kafka carries.
    func bind(_ at: Int32, _ value: Value) {
        switch value {
        case .null: bindNull(at)
        case .bool(let flag): bind(at, flag)
        case .int(let n): bind(at, n)
        case .wide(let n):
            if let narrow = Int64(exactly: n) { bind(at, narrow) } else { bind(at, Double(n)) }
        case .double(let number): bind(at, number)
        case .string(let text): bind(at, text)
        case .uuid(let high, let low): bind(at, UUIDText.text(high: high, low: low))
        case .time(let time): bind(at, time.milliseconds)
        case .list, .counted: bind(at, JSONText.of(value))
        }
    }
}

/// The table outbox as results.db reads it.
extension StateStore {
    func hasTableRows(after sequence: Int64, commit: Int64) throws(Fault) -> Bool {
        let query = try database.statement("SELECT 1 FROM table_outbox WHERE sequence > ? AND commit_number > ? LIMIT 1")
        query.bind(1, sequence)
        query.bind(2, commit)
        return try query.number() != nil
    }

    func forEachTableRow(
        after sequence: Int64, commit: Int64,
        _ body: (_ sequence: Int64, _ table: String, _ key: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer) throws(Fault)
            -> Void
    ) throws(Fault) {
        let query = try database.statement(
            "SELECT sequence, target, row_key, row FROM table_outbox WHERE sequence > ? AND commit_number > ? ORDER BY sequence")
        query.bind(1, sequence)
        query.bind(2, commit)
        try query.eachRow { () throws(Fault) in try body(query.int(0), query.text(1), query.blob(2), query.blob(3)) }
    }

    func tablesDelivered(through commit: Int64) {
        guard commit > outbox.tablesThrough else { return }
        outbox.tablesThrough = commit
        outbox.hasDelivered = true
    }
}
