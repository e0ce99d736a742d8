import CSQLite
import Glibc
import Model

/// One connection to one SQLite file. The connection that writes is the only one that ever writes or checkpoints its file:
/// SQLite before 3.51.3 can damage a file in whose write-ahead log two connections write or checkpoint at the same moment.
/// Not for sharing between queues.
final class Database {
    enum Access {
        /// Creates the file if it is not there. `cache` in KiB.
        case write(pageSize: Int, cache: Int, sync: Sync = .full)
        case read
        /// A database in this process's memory under a name that begins with a slash. It lasts while one connection is open,
        /// so it outlives a store that a rehearsal drops. `cache` in KiB.
        case memory(pageSize: Int, cache: Int)
    }

    /// When a commit waits for the disk.
    enum Sync: Int {
        /// Only checkpoints do: a power failure may take the last commits, never a part of one. For what can be made again.
        case normal = 1
        /// Every commit does.
        case full = 2
    }

    /// SQLite counts its memory behind a lock that every allocation takes, unless told not to before its first use.
    private static let isPrepared = weir_sqlite_skip_memory_statistics() == SQLITE_OK

    let file: String
    private var handle: OpaquePointer?
    private var statements: [String: Statement] = [:]
    /// Frames in the write-ahead log after the last commit of this connection; SQLite's hook writes it.
    private let frames: UnsafeMutablePointer<Int32>
    /// Set by this connection's statements too.
    private let damage: UnsafeMutablePointer<Bool>
    /// How many frames make the next checkpoint worth its fsync.
    private var checkpointAt = StateLimits.checkpointPages

    /// Opens, sets what this connection needs, and reads every setting back: one that SQLite ignored is a fault.
    init(_ file: String, _ access: Access) throws(Fault) {
        _ = Self.isPrepared
        self.file = file
        frames = .allocate(capacity: 1)
        frames.initialize(to: 0)
        damage = .allocate(capacity: 1)
        damage.initialize(to: false)
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        switch access {
        case .write, .memory: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        case .read: flags |= SQLITE_OPEN_READONLY
        }
        var fileSystem: String?
        if case .memory = access { fileSystem = "memdb" }
        let code = sqlite3_open_v2(file, &handle, flags, fileSystem)
        guard code == SQLITE_OK else {
            let fault = handle.map { Database.fault($0, file: file) }
            sqlite3_close_v2(handle)
            handle = nil
            throw fault ?? SQLiteFault.make(extended: code, system: 0, words: "no connection", file: file)
        }
        sqlite3_busy_timeout(handle, StateLimits.busyWait)
        switch access {
        case .write(let pageSize, let cache, let sync): try prepareToWrite(pageSize: pageSize, cache: cache, sync: sync)
        case .read: try set("query_only", "1", reads: "1")
        case .memory(let pageSize, let cache): try prepareInMemory(pageSize: pageSize, cache: cache)
        }
    }

    deinit {
        close()
        frames.deallocate()
        damage.deallocate()
    }

    /// Closes the connection; the last one to close moves the write-ahead log into the file. Harmless when repeated.
    func close() {
        statements = [:]
        sqlite3_close_v2(handle)
        handle = nil
    }

    private func prepareToWrite(pageSize: Int, cache: Int, sync: Sync) throws(Fault) {
        // These two count only before the first page is written.
        try execute("PRAGMA page_size = \(pageSize); PRAGMA auto_vacuum = INCREMENTAL")
        try set("journal_mode", "WAL", reads: "wal")
        try set("synchronous", "\(sync.rawValue)", reads: "\(sync.rawValue)")
        try set("wal_autocheckpoint", "0", reads: "0")
        try set("journal_size_limit", "\(StateLimits.walKept)", reads: "\(StateLimits.walKept)")
        try set("temp_store", "MEMORY", reads: "2")
        try set("cache_size", "-\(cache)", reads: "-\(cache)")
        try set("mmap_size", "0", reads: "0")
        try set("trusted_schema", "0", reads: "0")
        try expect("auto_vacuum", reads: "2")
        sqlite3_wal_hook(
            handle,
            { context, _, _, frames in
                context?.assumingMemoryBound(to: Int32.self).pointee = frames
                return SQLITE_OK
            }, frames)
    }

    /// Memory knows no write-ahead log and nothing to wait for; all else is as in a file.
    private func prepareInMemory(pageSize: Int, cache: Int) throws(Fault) {
        try execute("PRAGMA page_size = \(pageSize); PRAGMA auto_vacuum = INCREMENTAL")
        try set("journal_mode", "MEMORY", reads: "memory")
        try set("synchronous", "OFF", reads: "0")
        try set("temp_store", "MEMORY", reads: "2")
        try set("cache_size", "-\(cache)", reads: "-\(cache)")
        try set("trusted_schema", "0", reads: "0")
    }

    private func set(_ name: String, _ value: String, reads: String) throws(Fault) {
        try execute("PRAGMA \(name) = \(value)")
        try expect(name, reads: reads)
    }

    private func expect(_ name: String, reads: String) throws(Fault) {
        let query = try prepare("PRAGMA \(name)")
        let found = try query.next() ? query.text(0) : "nothing"
        guard found == reads else {
            throw Fault(
                "state_setting", "SQLite did not take the setting \(name): it reads \(found), not \(reads).", place: file,
                next: "Move the file away if it is not Weir's; else report this.", exit: .state)
        }
    }

    // MARK: Statements

    /// Runs statements that give no rows worth reading.
    func execute(_ sql: String) throws(Fault) {
        guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw fault }
    }

    /// Prepared once and kept: the same text gives the same statement.
    func statement(_ sql: String) throws(Fault) -> Statement {
        if let known = statements[sql] { return known }
        let new = try prepare(sql)
        statements[sql] = new
        return new
    }

    private func prepare(_ sql: String) throws(Fault) -> Statement {
        var prepared: OpaquePointer?
        guard sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil) == SQLITE_OK, let prepared
        else { throw fault }
        return Statement(owning: prepared, file: file, damage: damage)
    }

    /// A PRAGMA or query that gives one number.
    func number(_ sql: String) throws(Fault) -> Int64 { try statement(sql).number() ?? 0 }

    /// All of `body` or nothing. On any error the transaction is gone and can be tried again.
    func transaction<T>(_ body: () throws(Fault) -> T) throws(Fault) -> T {
        try execute("BEGIN IMMEDIATE")
        do {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // Some errors have rolled back already.
            if sqlite3_get_autocommit(handle) == 0 { try? execute("ROLLBACK") }
            throw error
        }
    }

    // MARK: Housekeeping

    /// Shortens the file and moves the write-ahead log into it where either is due; with `quiet` in any case, and the log is
    /// cut to nothing. Never waits for readers.
    func tend(quiet: Bool) throws(Fault) {
        guard quiet || isCheckpointDue else { return }
        try shorten()
        try checkpoint(truncate: quiet)
    }

    /// True: the write-ahead log has grown enough to be moved into the file.
    var isCheckpointDue: Bool {
        // A log that began anew forgets what a reader once made us wait for.
        if frames.pointee < checkpointAt - StateLimits.checkpointPages { checkpointAt = StateLimits.checkpointPages }
        return frames.pointee >= checkpointAt
    }

    /// The length of the write-ahead log's file, which is more than what is in use of it.
    var walBytes: Int64 {
        var about = stat()
        return stat("\(file)-wal", &about) == 0 ? Int64(about.st_size) : 0
    }

    struct Checkpoint: Equatable {
        /// Frames in the log, and how many of them are in the file.
        var frames: Int
        var moved: Int
    }

    /// Moves the write-ahead log into the file as far as readers allow, without waiting for them. With `truncate` the log
    /// is cut to nothing if no reader needs it.
    @discardableResult
    func checkpoint(truncate: Bool) throws(Fault) -> Checkpoint {
        sqlite3_busy_timeout(handle, 0)
        defer { sqlite3_busy_timeout(handle, StateLimits.busyWait) }
        var frames: Int32 = 0
        var moved: Int32 = 0
        let mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE
        let code = sqlite3_wal_checkpoint_v2(handle, nil, mode, &frames, &moved)
        guard code == SQLITE_OK || code & 0xff == SQLITE_BUSY else { throw fault }
        checkpointAt = StateLimits.checkpointPages + (moved < frames ? Int(frames) : 0)
        return Checkpoint(frames: Int(frames), moved: Int(moved))
    }

    /// Gives free pages back to the file system, a bounded number at a time, where too many are free.
    func shorten() throws(Fault) {
        let pages = try number("PRAGMA page_count")
        let free = try number("PRAGMA freelist_count")
        guard Double(free) > Double(pages) * StateLimits.freeShare else { return }
        try execute("PRAGMA incremental_vacuum(\(StateLimits.vacuumPages))")
    }

    /// True: a page of the file was found damaged by this connection.
    var metDamage: Bool { damage.pointee }

    private var fault: Fault { Database.fault(handle, file: file, damage: damage) }

    /// `damage`: set where the error says that the file is damaged.
    static func fault(_ handle: OpaquePointer?, file: String, damage: UnsafeMutablePointer<Bool>? = nil) -> Fault {
        guard let handle else {
            return Fault("state_closed", "The file was closed before.", place: file, next: "Report this.", exit: .state)
        }
        if sqlite3_errcode(handle) & 0xff == SQLITE_CORRUPT { damage?.pointee = true }
        return SQLiteFault.make(
            extended: sqlite3_extended_errcode(handle), system: sqlite3_system_errno(handle),
            words: String(cString: sqlite3_errmsg(handle)), file: file)
    }
}
