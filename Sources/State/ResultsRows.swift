import Model

/// Rows on their way into the tables of results.db, inside a transaction of the caller's.
final class ResultsRows {
    private let database: Database
    /// By table name: how many values a row has, and the statement that takes it.
    private var targets: [String: Target] = [:]
    let keeps: [(table: String, keep: TimeSpan)]

    private struct Target {
        var values: Int
        var upsert: String
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
        guard let target = try target(table) else { return .noTable }
        guard let values = RowBytes.decode(row), values.count == target.values else { return .unreadable }
        let upsert = try database.statement(target.upsert)
        upsert.bind(1, borrowed: key)
        for (at, value) in values.enumerated() { upsert.bind(Int32(at + 2), value) }
        try upsert.run()
        return .taken
    }

    func delete(_ table: String, _ key: UnsafeRawBufferPointer) throws(Fault) {
        guard try target(table) != nil else { return }
        let delete = try database.statement("DELETE FROM \(ResultsTable.quote(table)) WHERE row_key = ?")
        delete.bind(1, borrowed: key)
        try delete.run()
    }

    /// From the file's table, not from the plan: rows of an aggregate that was removed meanwhile still find their place.
    private func target(_ table: String) throws(Fault) -> Target? {
        if let known = targets[table] { return known }
        guard let stored = try ResultsTable.stored(table, in: database) else { return nil }
        let target = Target(values: stored.count - 1, upsert: ResultsTable.upsert(table, stored))
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
