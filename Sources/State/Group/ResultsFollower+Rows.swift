public import Model

/// Which rows came by which partition of the results topic: for those that go with it, and for those that are past their time.
extension ResultsFollower {
    /// Rows of one partition that are past their table's `keep`, as keys of the results topic, but for those whose tombstones are on
    /// their way. Whoever owns the partition's unit writes tombstones for them, so that the topic forgets them too. `isOwn`: by table.
    public func expired(
        _ partition: Int32, watermark: EventTime?, isOwn: (String) -> Bool = { _ in true }
    ) throws(Fault) -> [[UInt8]] {
        guard let watermark, held.contains(partition) else { return [] }
        let sent = buried[partition] ?? []
        let limit = StateLimits.deletesPerCommit
        var keys: [[UInt8]] = []
        for (table, keep) in rows.keeps where isOwn(table) && keys.count < limit {
            let (edge, overflow) = watermark.milliseconds.subtractingReportingOverflow(keep.milliseconds)
            guard !overflow else { continue }
            let query = try database.statement(
                "SELECT row_key FROM weir_rows WHERE partition = ? AND target = ? AND row_key < ? ORDER BY row_key LIMIT ?")
            query.bind(1, partition)
            query.bind(2, table)
            query.bind(3, CanonicalKey.lowest(windowEnd: EventTime(milliseconds: edge)))
            query.bind(4, Int64(limit + sent.count))
            try query.eachRow { () throws(Fault) in
                let key = ResultsRecord.key(table, query.blob(0))
                if keys.count < limit, !sent.contains(key) { keys.append(key) }
            }
        }
        return keys
    }

    /// The tombstones of what `expired` gave are committed: it is not asked for again. The rows stay marked until the log brings the
    /// tombstones, since an earlier revision may still lie before them.
    public func bury(_ partition: Int32, _ keys: [[UInt8]]) { buried[partition, default: []].formUnion(keys) }

    /// Deletes rows of partitions that are not followed any more; a bounded number. True: there are more. Errors: SQLite's.
    public func leave(allBut followed: Set<Int32>) throws(Fault) -> Bool {
        guard let partition = held.subtracting(followed).min() else { return false }
        var left = true
        try database.transaction { () throws(Fault) in
            let query = try database.statement("SELECT target, row_key FROM weir_rows WHERE partition = ? LIMIT ?")
            query.bind(1, partition)
            query.bind(2, Int64(StateLimits.deletesPerCommit))
            var found: [(table: String, key: [UInt8])] = []
            try query.eachRow { () throws(Fault) in found.append((query.text(0), Array(query.blob(1)))) }
            for (table, key) in found {
                var failure: Fault?
                key.withUnsafeBytes { bytes in
                    do throws(Fault) {
                        try rows.delete(table, bytes)
                        try unmark(partition, table, bytes)
                    } catch {
                        failure = error
                    }
                }
                if let failure { throw failure }
            }
            left = found.count == StateLimits.deletesPerCommit
            try forgetPosition(of: partition)
        }
        if !left { noteLeft(partition) }
        return true
    }

    func mark(_ partition: Int32, _ table: String, _ key: UnsafeRawBufferPointer) throws(Fault) {
        let insert = try database.statement("INSERT OR IGNORE INTO weir_rows VALUES (?, ?, ?)")
        insert.bind(1, partition)
        insert.bind(2, table)
        insert.bind(3, borrowed: key)
        try insert.run()
    }

    func unmark(_ partition: Int32, _ table: String, _ key: UnsafeRawBufferPointer) throws(Fault) {
        let delete = try database.statement("DELETE FROM weir_rows WHERE partition = ? AND target = ? AND row_key = ?")
        delete.bind(1, partition)
        delete.bind(2, table)
        delete.bind(3, borrowed: key)
        try delete.run()
    }
}
