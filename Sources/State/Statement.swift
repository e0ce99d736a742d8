import CSQLite
import Model

/// One prepared statement, finalised once. Bindings stay over `reset`. Not for sharing between queues.
final class Statement {
    private let handle: OpaquePointer
    private let file: String
    /// The connection's: statements end before it.
    private let damage: UnsafeMutablePointer<Bool>

    /// The statement belongs to this object from now on.
    init(owning handle: OpaquePointer, file: String, damage: UnsafeMutablePointer<Bool>) {
        self.handle = handle
        self.damage = damage
        self.file = file
    }

    deinit { sqlite3_finalize(handle) }

    // MARK: Values in; positions count from 1.

    func bind(_ at: Int32, _ number: Int64) { sqlite3_bind_int64(handle, at, number) }
    func bind(_ at: Int32, _ number: Int32) { sqlite3_bind_int64(handle, at, Int64(number)) }
    func bind(_ at: Int32, _ flag: Bool) { sqlite3_bind_int64(handle, at, flag ? 1 : 0) }
    func bind(_ at: Int32, _ number: Double) { sqlite3_bind_double(handle, at, number) }
    func bindNull(_ at: Int32) { sqlite3_bind_null(handle, at) }
    func bind(_ at: Int32, _ number: Int64?) {
        if let number { bind(at, number) } else { bindNull(at) }
    }
    func bind(_ at: Int32, _ time: EventTime?) { bind(at, time?.milliseconds) }

    func bind(_ at: Int32, _ text: String) {
        var text = text
        _ = text.withUTF8 {
            // An empty string can come without an address, which SQLite would take for NULL.
            $0.isEmpty
                ? sqlite3_bind_text(handle, at, "", 0, weir_sqlite_transient())
                : sqlite3_bind_text64(
                    handle, at, UnsafeRawPointer($0.baseAddress!).assumingMemoryBound(to: CChar.self), UInt64($0.count),
                    weir_sqlite_transient(), UInt8(SQLITE_UTF8))
        }
    }

    func bind(_ at: Int32, _ text: String?) {
        if let text { bind(at, text) } else { bindNull(at) }
    }

    func bind(_ at: Int32, _ bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes {
            $0.isEmpty
                ? sqlite3_bind_zeroblob(handle, at, 0)
                : sqlite3_bind_blob64(handle, at, $0.baseAddress, UInt64($0.count), weir_sqlite_transient())
        }
    }

    func bind(_ at: Int32, _ bytes: [UInt8]?) {
        if let bytes { bind(at, bytes) } else { bindNull(at) }
    }

    /// Without a copy: the bytes must stay where they are until the statement has run.
    func bind(_ at: Int32, borrowed bytes: UnsafeRawBufferPointer) {
        if bytes.isEmpty {
            sqlite3_bind_zeroblob(handle, at, 0)
        } else {
            sqlite3_bind_blob64(handle, at, bytes.baseAddress, UInt64(bytes.count), nil)
        }
    }

    /// As above, of a text in UTF-8.
    func bind(_ at: Int32, borrowedText text: UnsafeRawBufferPointer) {
        if let start = text.baseAddress, !text.isEmpty {
            sqlite3_bind_text64(
                handle, at, start.assumingMemoryBound(to: CChar.self), UInt64(text.count), nil, UInt8(SQLITE_UTF8))
        } else {
            bind(at, "")
        }
    }

    // MARK: Running

    /// Runs to the end, whatever rows come, and is ready for the next run.
    func run() throws(Fault) {
        while try next() {}
        reset()
    }

    /// True: a row stands in the columns. After an error the statement is reset.
    func next() throws(Fault) -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE { return false }
        let fault = Database.fault(sqlite3_db_handle(handle), file: file, damage: damage)
        reset()
        throw fault
    }

    func reset() { sqlite3_reset(handle) }

    /// Calls `body` for each row, then resets, also when `body` throws.
    func eachRow(_ body: () throws(Fault) -> Void) throws(Fault) {
        defer { reset() }
        while try next() { try body() }
    }

    /// The first column of the first row as a number; nil where there is no row, or null in it.
    func number() throws(Fault) -> Int64? {
        defer { reset() }
        return try next() ? optionalInt(0) : nil
    }

    // MARK: Values out; columns count from 0.

    var columns: Int32 { sqlite3_column_count(handle) }
    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
    func int(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    func optionalInt(_ column: Int32) -> Int64? { isNull(column) ? nil : int(column) }
    func time(_ column: Int32) -> EventTime? { optionalInt(column).map(EventTime.init(milliseconds:)) }
    func double(_ column: Int32) -> Double { sqlite3_column_double(handle, column) }

    func text(_ column: Int32) -> String { String(decoding: blob(column), as: UTF8.self) }

    /// Valid until the next step or reset.
    func blob(_ column: Int32) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_blob(handle, column)
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column)))
    }

    func optionalBytes(_ column: Int32) -> [UInt8]? { isNull(column) ? nil : Array(blob(column)) }
}
