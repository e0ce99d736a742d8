import Model

/// Rows on their way into the tables of results.db, inside a transaction of the caller's.
final class ResultsRows {
    private let database: Database
    /// By table name, as results.db has it.
    private var targets: [String: Target] = [:]
    let keeps: [(table: String, keep: TimeSpan)]

    private struct Target {
        var values: Int
        var upsert: String
        var delete: String
    }

    init(database: Database, plan: Plan) {
        self.database = database
        keeps = plan.aggregates.flatMap { aggregate in
            aggregate.targets.compactMap { target in
                if case .table(let name, .some(let keep)) = target { (name, keep) } else { nil }
            }
        }
    }

    enum Taken: Equatable {
        case taken
        /// results.db has no table of this name.
        case noTable
        /// The bytes are not a row of this table.
        case unreadable
    }

    /// `row` is what `RowBytes` wrote. A row with a lower revision than the stored one changes nothing (S16).
    func put(_ table: String, _ key: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer) throws(Fault) -> Taken {
        guard let writer = try writer(of: table) else { return .noTable }
        return try writer.put(key, row) ? .taken : .unreadable
    }

    func delete(_ table: String, _ key: UnsafeRawBufferPointer) throws(Fault) {
        try writer(of: table)?.delete(key)
    }

    /// For many rows of one table; nil: results.db has none of this name. Not to be kept: its statements are the database's.
    func writer(of table: String) throws(Fault) -> Writer? {
        guard let target = try target(table) else { return nil }
        return Writer(
            upsert: try database.statement(target.upsert), deleting: try database.statement(target.delete),
            values: target.values)
    }

    struct Writer {
        fileprivate let upsert: Statement
        fileprivate let deleting: Statement
        fileprivate let values: Int

        /// False: the bytes are not a row of this table, which is as it was.
        func put(_ key: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer) throws(Fault) -> Bool {
            upsert.bind(1, borrowed: key)
            let bound = RowBytes.each(row) { at, item in
                // More than there are places would be refused one by one; the count tells.
                let place = Int32(truncatingIfNeeded: at + 2)
                switch item {
                case .value(let value): upsert.bind(place, value)
                case .text(let text): upsert.bind(place, borrowedText: text)
                }
            }
            guard bound == values else { return false }
            try upsert.run()
            return true
        }

        func delete(_ key: UnsafeRawBufferPointer) throws(Fault) {
            deleting.bind(1, borrowed: key)
            try deleting.run()
        }
    }

    /// From the file's table, not from the plan: rows of an aggregate that was removed meanwhile still find their place.
    private func target(_ table: String) throws(Fault) -> Target? {
        if let known = targets[table] { return known }
        guard let stored = try ResultsTable.stored(table, in: database) else { return nil }
        let target = Target(
            values: stored.count - 1, upsert: ResultsTable.upsert(table, stored),
            delete: "DELETE FROM \(ResultsTable.quote(table)) WHERE row_key = ?")
        targets[table] = target
        return target
    }

    /// Deletes rows whose window ended longer ago than the table's `keep`, by the combined watermark; a bounded number.
    func forget(_ watermark: EventTime?) throws(Fault) {
        guard let watermark else { return }
        for (table, keep) in keeps {
            let (edge, overflow) = watermark.milliseconds.subtractingReportingOverflow(keep.milliseconds)
            guard !overflow else { continue }
            let delete = try database.statement(ResultsTable.forget(table))
            delete.bind(1, CanonicalKey.lowest(windowEnd: EventTime(milliseconds: edge)))
            delete.bind(2, Int64(StateLimits.deletesPerCommit))
            try delete.run()
        }
    }
}
