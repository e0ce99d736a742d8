import CSQLite
import Glibc
public import Model

/// Queries over the files of a state directory, beside whatever service writes them: read-only, one snapshot for each, bounded in
/// time and memory. Opened without the directory's lock; it never writes a byte, and keeps no snapshot between queries.
/// Not for sharing between threads.
public final class Inspection {
    /// What one query gave, and as of when.
    public struct Answer: Equatable, Sendable {
        public var columns: [String]
        public var rows: [[SQLValue]]
        public var moment: Moment
    }

    /// What is shown: what was committed. What came since is in the service's memory.
    public struct Moment: Equatable, Sendable {
        /// The last commit; nil of a group's instance, whose units have commits of their own.
        public var commit: Int64?
        /// When it was made; of a group's instance when the unit that was written longest ago was. nil: none yet.
        public var committedAt: WallTime?
        /// The combined watermark then; nil: none yet, or it is in the group's topic.
        public var watermark: EventTime?
        /// The last commit whose rows are in results.db; nil: there is no such file, or it is a group's.
        public var results: Int64?
    }

    private let file: String
    private let results: String
    private let clock: any Clock
    private var handle: OpaquePointer?
    /// What SQLite's callbacks refer to; lives as long as the connection.
    private var boxes: [AnyObject] = []
    private let guardian: QueryGuardian
    private var hasResults = false

    /// Opens the files in `directory`. Errors: `inspect_no_state`, `inspect_unreadable`, `state_not_ours`, `state_newer_format`
    /// (exit 5).
    public init(directory: String, clock: any Clock) throws(Fault) {
        file = "\(directory)/state.db"
        results = "\(directory)/results.db"
        self.clock = clock
        guardian = QueryGuardian(clock: clock)
        try StateDirectory.checkHolds(directory)
        let flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        guard sqlite3_open_v2(file, &handle, flags, nil) == SQLITE_OK else { throw unreadable(file) }
        sqlite3_busy_timeout(handle, InspectLimits.busyWait)
        // What does not fit goes to temporary files.
        sqlite3_exec(handle, "PRAGMA cache_size = -\(InspectLimits.cache); PRAGMA temp_store = FILE", nil, nil, nil)
        sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, InspectLimits.valueBytes)
        sqlite3_limit(handle, SQLITE_LIMIT_SQL_LENGTH, InspectLimits.queryBytes)
        try checkFormat()
        if access(results, F_OK) == 0 {
            try attach()
            hasResults = true
        }
    }

    deinit { sqlite3_close_v2(handle) }

    // MARK: What queries can name, before the first one

    public func add(_ function: SQLFunction) throws(Fault) {
        let box = FunctionBox(function)
        boxes.append(box)
        let code = sqlite3_create_function_v2(
            handle, function.name, Int32(function.arguments), SQLITE_UTF8 | SQLITE_DIRECTONLY | SQLITE_DETERMINISTIC,
            Unmanaged.passUnretained(box).toOpaque(), callFunction, nil, nil, nil)
        guard code == SQLITE_OK else { throw unreadable(file) }
    }

    /// A function that views may call.
    public func add(inner function: SQLFunction) throws(Fault) {
        let box = FunctionBox(function)
        boxes.append(box)
        let code = sqlite3_create_function_v2(
            handle, function.name, Int32(function.arguments), SQLITE_UTF8, Unmanaged.passUnretained(box).toOpaque(), callFunction,
            nil, nil, nil)
        guard code == SQLITE_OK else { throw unreadable(file) }
    }

    public func add(_ aggregate: SQLAggregate) throws(Fault) {
        let box = AggregateBox(aggregate)
        boxes.append(box)
        let code = sqlite3_create_function_v2(
            handle, aggregate.name, 1, SQLITE_UTF8, Unmanaged.passUnretained(box).toOpaque(), nil, stepAggregate, endAggregate,
            nil)
        guard code == SQLITE_OK else { throw unreadable(file) }
    }

    /// A view of this connection alone.
    public func add(view name: String, as query: String) throws(Fault) {
        guard sqlite3_exec(handle, "CREATE TEMP VIEW \(ResultsTable.quote(name)) AS \(query)", nil, nil, nil) == SQLITE_OK else {
            throw unreadable(file)
        }
    }

    // MARK: Queries

    /// Runs one query in one snapshot and gives all of its rows. Errors: `inspect_sql`, `inspect_not_a_query` (exit 2),
    /// `inspect_too_long`, `inspect_too_large` (exit 1), and what the files can give (exit 5).
    public func run(_ query: String) throws(Fault) -> Answer {
        guardian.deadline = clock.monotonic() + InspectLimits.snapshot
        guardian.refused = nil
        sqlite3_progress_handler(handle, InspectLimits.instructions, checkTime, Unmanaged.passUnretained(guardian).toOpaque())
        defer { sqlite3_progress_handler(handle, 0, nil, nil) }
        guard sqlite3_exec(handle, "BEGIN", nil, nil, nil) == SQLITE_OK else { throw unreadable(file) }
        defer { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
        let moment = try moment()
        sqlite3_set_authorizer(handle, authorize, Unmanaged.passUnretained(guardian).toOpaque())
        defer { sqlite3_set_authorizer(handle, nil, nil) }
        let statement = try prepare(query)
        defer { sqlite3_finalize(statement) }
        let columns = (0..<sqlite3_column_count(statement)).map { String(cString: sqlite3_column_name(statement, $0)) }
        var rows: [[SQLValue]] = []
        var bytes = 0
        while true {
            let code = sqlite3_step(statement)
            if code == SQLITE_DONE { break }
            guard code == SQLITE_ROW else { throw failure(query) }
            var row: [SQLValue] = []
            row.reserveCapacity(columns.count)
            for column in 0..<Int32(columns.count) {
                row.append(sqlValue(sqlite3_column_value(statement, column)))
                bytes += 16 + Int(sqlite3_column_bytes(statement, column))
            }
            rows.append(row)
            bytes += 32
            if bytes > InspectLimits.answerBytes { throw tooLarge }
            if guardian.clock.monotonic() > guardian.deadline { throw tooLong }
        }
        return Answer(columns: columns, rows: rows, moment: moment)
    }

    /// Of the tables and views of `schema` (`main`, `results`, `temp`), each with its columns.
    public func tables(_ schema: String) throws(Fault) -> [(name: String, columns: [String])] {
        if schema == "results", !hasResults { return [] }
        let names = try run(
            "SELECT name FROM \(schema).sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
        )
        var tables: [(name: String, columns: [String])] = []
        for row in names.rows {
            guard case .text(let name)? = row.first else { continue }
            let quoted = name.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
            let columns = try run("SELECT name FROM pragma_table_info('\(quoted)', '\(schema)')")
            tables.append((name, columns.rows.compactMap { if case .text(let text)? = $0.first { text } else { nil } }))
        }
        return tables
    }

    // MARK: How it was made

    /// By aggregate's name: the number under which its state is kept, and the canonical text of what it was.
    public func outputs() throws(Fault) -> [String: (number: Int32, fingerprint: String)] {
        let answer = try run(
            "SELECT outputs.name, id, fingerprint FROM outputs JOIN parts ON parts.name = 'aggregate ' || outputs.name")
        var found: [String: (number: Int32, fingerprint: String)] = [:]
        for row in answer.rows {
            if case .text(let name) = row[0], case .int(let number) = row[1], case .text(let text) = row[2] {
                found[name] = (Int32(truncatingIfNeeded: number), text)
            }
        }
        return found
    }

    /// The topology's name that the state belongs to.
    public func topology() throws(Fault) -> String? {
        guard case .text(let name)? = try run("SELECT value FROM meta WHERE name = 'topology'").rows.first?.first else {
            return nil
        }
        return name
    }

    private func checkFormat() throws(Fault) {
        let application = try number("PRAGMA application_id")
        let version = try number("PRAGMA user_version")
        guard application == StateSchema.applicationID else {
            throw Fault(
                "state_not_ours", "The file is a database, but not one that Weir made.", place: file,
                next: "Name the directory that `weir run` uses with --state.", exit: .state)
        }
        guard version <= StateSchema.format else {
            throw Fault(
                "state_newer_format",
                "The state was written by a newer Weir (format \(version); this one knows \(StateSchema.format)).", place: file,
                next: "Inspect it with the version that writes it.", exit: .state)
        }
    }

    private func attach() throws(Fault) {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(handle, "ATTACH ? AS results", -1, &statement, nil) == SQLITE_OK else {
            throw unreadable(results)
        }
        defer { sqlite3_finalize(statement) }
        sqlite3_bind_text(statement, 1, results, -1, weir_sqlite_transient())
        guard sqlite3_step(statement) == SQLITE_DONE else { throw unreadable(results) }
    }

    private func moment() throws(Fault) -> Moment {
        let isGroup = try number("SELECT count(*) FROM sqlite_schema WHERE name = 'units'") > 0
        var moment = Moment()
        if isGroup {
            moment.committedAt = try optional("SELECT min(applied_at) FROM units WHERE position >= 0").map(WallTime.init)
        } else {
            moment.commit = try number("SELECT commit_number FROM head")
            moment.committedAt = try optional("SELECT committed_at FROM head").map(WallTime.init)
            moment.watermark = try optional("SELECT watermark FROM head").map(EventTime.init)
            if hasResults, try number("SELECT count(*) FROM results.sqlite_schema WHERE name = 'weir_applied'") > 0 {
                moment.results = try optional("SELECT commit_number FROM results.weir_applied")
            }
        }
        return moment
    }

    private func number(_ query: String) throws(Fault) -> Int64 { try optional(query) ?? 0 }

    private func optional(_ query: String) throws(Fault) -> Int64? {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(handle, query, -1, &statement, nil) == SQLITE_OK else { throw unreadable(file) }
        defer { sqlite3_finalize(statement) }
        let code = sqlite3_step(statement)
        if code == SQLITE_DONE { return nil }
        guard code == SQLITE_ROW else { throw unreadable(file) }
        return sqlite3_column_type(statement, 0) == SQLITE_NULL ? nil : sqlite3_column_int64(statement, 0)
    }

    private func prepare(_ query: String) throws(Fault) -> OpaquePointer {
        var statement: OpaquePointer?
        var isMore = false
        let code = query.withCString { text in
            var tail: UnsafePointer<CChar>?
            let code = sqlite3_prepare_v2(handle, text, -1, &statement, &tail)
            if code == SQLITE_OK, let tail {
                var next: OpaquePointer?
                // Spaces and remarks behind the query are none.
                isMore = sqlite3_prepare_v2(handle, tail, -1, &next, nil) != SQLITE_OK || next != nil
                sqlite3_finalize(next)
            }
            return code
        }
        guard code == SQLITE_OK else { throw failure(query) }
        guard let statement else {
            throw Fault("inspect_sql", "There is no query.", next: "Write one, such as `SELECT * FROM books`.", exit: .usage)
        }
        if isMore {
            sqlite3_finalize(statement)
            throw Fault(
                "inspect_sql", "Something stands behind the query.", next: "Write one query at a time.", exit: .usage)
        }
        guard sqlite3_stmt_readonly(statement) != 0, sqlite3_column_count(statement) > 0 else {
            sqlite3_finalize(statement)
            throw notAQuery
        }
        return statement
    }

    // MARK: Faults

    private func failure(_ query: String) -> Fault {
        let words = String(cString: sqlite3_errmsg(handle))
        if guardian.refused != nil { return notAQuery }
        switch sqlite3_errcode(handle) & 0xff {
        case SQLITE_INTERRUPT: return tooLong
        case SQLITE_NOMEM, SQLITE_TOOBIG: return tooLarge
        case SQLITE_READONLY: return notAQuery
        case SQLITE_ERROR, SQLITE_MISMATCH, SQLITE_RANGE, SQLITE_CONSTRAINT:
            let at = Int(sqlite3_error_offset(handle))
            let place = at >= 0 ? "query, byte \(at + 1)" : "query"
            return Fault(
                "inspect_sql", "\(words).", place: place,
                next: "`weir inspect FILE` without a query lists the tables, their columns and the functions.", exit: .usage)
        default: return unreadable(file)
        }
    }

    private func unreadable(_ file: String) -> Fault {
        let words = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "no memory"
        return Fault(
            "inspect_unreadable", "The file can't be read: \(words).", place: file,
            next:
                "See that this user may read the directory and its files; while no service runs, SQLite has to make `\(file)-shm` there.",
            exit: .state)
    }

    private var notAQuery: Fault {
        Fault(
            "inspect_not_a_query", "This would do something else than read.", place: "query",
            next: "Write a SELECT; state is changed by `weir run` alone.", exit: .usage)
    }

    private var tooLong: Fault {
        Fault(
            "inspect_too_long",
            "The query took longer than \(InspectLimits.snapshot.milliseconds / 1_000) s, and its view of the files was given up: the service's log grows while it lasts.",
            place: "query", next: "Ask for less, by WHERE or LIMIT, or copy the files and query the copy.", exit: .answerIsNo)
    }

    private var tooLarge: Fault {
        Fault(
            "inspect_too_large", "The answer or a part of it needs more than \(InspectLimits.answerBytes >> 20) MiB.",
            place: "query",
            next: "Ask for less, by WHERE, LIMIT or fewer columns.", exit: .answerIsNo)
    }
}
