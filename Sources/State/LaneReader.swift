public import Model

/// Reads one lane's committed state beside the connection that writes it: read-only, and opened when it is first asked. A lane's queue
/// is its only caller. What it hands out is valid until the next call. Errors: what the disk gives; `state_damaged` where the file is.
public final class LaneReader {
    private let file: String
    private let lane: LaneNumber
    /// KiB.
    private let cache: Int64
    private var database: Database?
    private var asking: Statement?
    private var scanning: Statement?

    /// `pages`: bytes of the file's pages that may stay in memory.
    public init(directory: StateDirectory, lane: LaneNumber, pages: Int64 = 0) {
        file = directory.stateFile
        self.lane = lane
        cache = min(max(pages >> 10, StateLimits.readerCache.lowerBound), StateLimits.readerCache.upperBound)
    }

    /// The reads up to `end` are of the last commit there is now.
    public func begin() throws(Fault) { try open().statement("BEGIN").run() }

    public func end() {
        // A statement that stands on a row would keep its view of the file beyond the transaction.
        asking?.reset()
        scanning?.reset()
        scanning = nil
        // Nothing was written: what can't be ended has ended.
        try? database?.statement("COMMIT").run()
    }

    /// nil: there is no such key.
    public func value(of key: UnsafeRawBufferPointer) throws(Fault) -> UnsafeRawBufferPointer? {
        let query = try open().statement("SELECT value FROM state WHERE lane = ? AND key = ?")
        asking = query
        query.reset()
        query.bind(1, lane)
        query.bind(2, borrowed: key)
        return try query.next() ? query.blob(0) : nil
    }

    /// The last entry before `key`, or at it where it is `included`; nil: there is none.
    public func last(before key: [UInt8], included: Bool) throws(Fault) -> (key: [UInt8], value: [UInt8])? {
        try StateTable(database: try open()).last(of: lane, before: key, included: included)
    }

    /// Begins to go through the keys in `[from, to)`.
    public func scan(from: UnsafeRawBufferPointer, to: UnsafeRawBufferPointer) throws(Fault) {
        let query = try open().statement("SELECT key, value FROM state WHERE lane = ? AND key >= ? AND key < ? ORDER BY key")
        query.reset()
        query.bind(1, lane)
        query.bind(2, Array(from))
        query.bind(3, Array(to))
        scanning = query
    }

    /// The next of them in the order of their bytes; nil: that was all.
    public func next() throws(Fault) -> (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? {
        guard let query = scanning else { return nil }
        if try query.next() { return (query.blob(0), query.blob(1)) }
        scanning = nil
        query.reset()
        return nil
    }

    private func open() throws(Fault) -> Database {
        if let database { return database }
        let opened = try Database(file, .read)
        try opened.execute("PRAGMA cache_size = -\(cache)")
        database = opened
        return opened
    }
}
