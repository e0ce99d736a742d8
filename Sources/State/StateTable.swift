import Model

/// The table `state`: each unit's keys and values, which this part moves and never reads.
struct StateTable {
    let database: Database

    private static let put = "INSERT OR REPLACE INTO state(lane, key, value) VALUES (?, ?, ?)"
    private static let delete = "DELETE FROM state WHERE lane = ? AND key = ?"
    private static let deleteRange = "DELETE FROM state WHERE lane = ? AND key >= ? AND key < ?"

    func apply(_ log: StateLog, to lane: LaneNumber) throws(Fault) {
        let writer = try writer(of: lane)
        let deleteRange = try database.statement(StateTable.deleteRange)
        deleteRange.bind(1, lane)
        func apply(
            _ change: StateLog.Change, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
        ) throws(Fault) {
            switch change {
            case .put: try writer.put(key, value)
            case .delete: try writer.delete(key)
            case .deleteRange:
                deleteRange.bind(2, borrowed: key)
                deleteRange.bind(3, borrowed: value)
                try deleteRange.run()
            }
        }
        try log.replay(apply)
    }

    /// For many keys of one lane; good until the next `writer(of:)`.
    func writer(of lane: LaneNumber) throws(Fault) -> Writer {
        let writer = Writer(
            putting: try database.statement(StateTable.put), deleting: try database.statement(StateTable.delete))
        writer.putting.bind(1, lane)
        writer.deleting.bind(1, lane)
        return writer
    }

    struct Writer {
        fileprivate let putting: Statement
        fileprivate let deleting: Statement

        func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Fault) {
            putting.bind(2, borrowed: key)
            putting.bind(3, borrowed: value)
            try putting.run()
        }

        func delete(_ key: UnsafeRawBufferPointer) throws(Fault) {
            deleting.bind(2, borrowed: key)
            try deleting.run()
        }
    }

    func delete(_ range: KeyRange, of lane: LaneNumber) throws(Fault) {
        let delete = try database.statement(StateTable.deleteRange)
        delete.bind(1, lane)
        delete.bind(2, range.from)
        delete.bind(3, range.to)
        try delete.run()
    }

    /// Deletes the first keys of `[from, to)`, at most `limit`.
    func deleteSome(of lane: LaneNumber, from: [UInt8], to: [UInt8], limit: Int) throws(Fault) {
        let delete = try database.statement(
            """
            DELETE FROM state WHERE lane = ?1 AND key IN (
                SELECT key FROM state WHERE lane = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4)
            """)
        delete.bind(1, lane)
        delete.bind(2, from)
        delete.bind(3, to)
        delete.bind(4, Int64(limit))
        try delete.run()
    }

    /// The last entry before `key`, or at it where it is `included`.
    func last(of lane: LaneNumber, before key: [UInt8], included: Bool) throws(Fault) -> (key: [UInt8], value: [UInt8])? {
        let query = try database.statement(
            "SELECT key, value FROM state WHERE lane = ? AND key \(included ? "<=" : "<") ? ORDER BY key DESC LIMIT 1")
        query.bind(1, lane)
        query.bind(2, key)
        defer { query.reset() }
        return try query.next() ? (Array(query.blob(0)), Array(query.blob(1))) : nil
    }

    /// In the order of the keys' bytes; the pointers are valid during the call only.
    func each(
        of lane: LaneNumber, _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Fault) -> Void
    ) throws(Fault) {
        let query = try database.statement("SELECT key, value FROM state WHERE lane = ? ORDER BY key")
        query.bind(1, lane)
        try query.eachRow { () throws(Fault) in try body(query.blob(0), query.blob(1)) }
    }

    /// As `each(of:)`, of the keys in `[from, to)`.
    func each(
        of lane: LaneNumber, from: [UInt8], to: [UInt8],
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Fault) -> Void
    ) throws(Fault) {
        let query = try database.statement("SELECT key, value FROM state WHERE lane = ? AND key >= ? AND key < ? ORDER BY key")
        query.bind(1, lane)
        query.bind(2, from)
        query.bind(3, to)
        try query.eachRow { () throws(Fault) in try body(query.blob(0), query.blob(1)) }
    }

    /// The first keys in `[from, to)`, at most `limit`.
    func firstKeys(of lane: LaneNumber, from: [UInt8], to: [UInt8], limit: Int) throws(Fault) -> [[UInt8]] {
        let query = try database.statement(
            "SELECT key FROM state WHERE lane = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?")
        query.bind(1, lane)
        query.bind(2, from)
        query.bind(3, to)
        query.bind(4, Int64(limit))
        var keys: [[UInt8]] = []
        try query.eachRow { () throws(Fault) in keys.append(Array(query.blob(0))) }
        return keys
    }

    /// The keys in `[from, to)`, in order; the pointer is valid during the call only. Nothing may be written meanwhile.
    func keys(
        of lane: LaneNumber, from: UnsafeRawBufferPointer, to: UnsafeRawBufferPointer,
        _ body: (_ key: UnsafeRawBufferPointer) throws(Fault) -> Void
    ) throws(Fault) {
        let query = try database.statement("SELECT key FROM state WHERE lane = ? AND key >= ? AND key < ? ORDER BY key")
        query.bind(1, lane)
        query.bind(2, borrowed: from)
        query.bind(3, borrowed: to)
        try query.eachRow { () throws(Fault) in try body(query.blob(0)) }
    }

    /// Deletes up to `limit` keys; false: none is left.
    func deleteSome(of lane: LaneNumber, limit: Int) throws(Fault) -> Bool {
        let delete = try database.statement(
            "DELETE FROM state WHERE lane = ?1 AND key IN (SELECT key FROM state WHERE lane = ?1 ORDER BY key LIMIT ?2)")
        delete.bind(1, lane)
        delete.bind(2, Int64(limit))
        try delete.run()
        return try database.number("SELECT changes()") > 0
    }
}
