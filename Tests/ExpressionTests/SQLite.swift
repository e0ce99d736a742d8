import CSQLite
import Model
import Testing

/// The rows in a table of SQLite's, whose columns have no type: a value stays what it was bound as. Bools are 0 and 1, UUIDs
/// their lower-case text, instants milliseconds, since SQLite has none of the three.
final class SQLite {
    private var database: OpaquePointer?
    private let count: Int

    init(_ rows: [Row]) throws {
        count = rows.count
        #expect(sqlite3_open(":memory:", &database) == SQLITE_OK)
        try run("PRAGMA case_sensitive_like = ON")
        let names = Fields.plans.map(\.name)
        try run("CREATE TABLE r (n INTEGER PRIMARY KEY, \(names.joined(separator: ", ")))")
        var insert: OpaquePointer?
        let marks = Array(repeating: "?", count: names.count + 1).joined(separator: ", ")
        try prepare("INSERT INTO r VALUES (\(marks))", &insert)
        defer { sqlite3_finalize(insert) }
        for (number, row) in rows.enumerated() {
            sqlite3_reset(insert)
            sqlite3_bind_int64(insert, 1, Int64(number))
            for (column, cell) in row.cells.enumerated() { bind(insert, Int32(column + 2), cell) }
            #expect(sqlite3_step(insert) == SQLITE_DONE)
        }
    }

    deinit { sqlite3_close(database) }

    /// What the condition is in each row; throws where SQLite does not take the text.
    func answers(_ text: String) throws -> [Bool?] {
        try select(text) { statement in
            sqlite3_column_type(statement, 0) == SQLITE_NULL ? nil : sqlite3_column_int64(statement, 0) != 0
        }
    }

    /// What `read` makes of the expression's value in each row.
    func select<T>(_ text: String, _ read: (OpaquePointer?) -> T) throws -> [T] {
        var select: OpaquePointer?
        try prepare("SELECT (\(text)) FROM r ORDER BY n", &select)
        defer { sqlite3_finalize(select) }
        var found: [T] = []
        while sqlite3_step(select) == SQLITE_ROW { found.append(read(select)) }
        #expect(found.count == count, "\(text)")
        return found
    }

    private func run(_ text: String) throws {
        guard sqlite3_exec(database, text, nil, nil, nil) == SQLITE_OK else { throw Refused(what: "\(text): \(message)") }
    }

    private func prepare(_ text: String, _ statement: inout OpaquePointer?) throws {
        guard sqlite3_prepare_v2(database, text, -1, &statement, nil) == SQLITE_OK else {
            throw Refused(what: "SQLite: \(text): \(message)")
        }
    }

    private var message: String { String(cString: sqlite3_errmsg(database)) }

    private func bind(_ statement: OpaquePointer?, _ place: Int32, _ value: Value) {
        switch value {
        case .null, .wide, .list, .counted: sqlite3_bind_null(statement, place)
        case .bool(let truth): sqlite3_bind_int64(statement, place, truth ? 1 : 0)
        case .int(let number): sqlite3_bind_int64(statement, place, number)
        case .double(let number): sqlite3_bind_double(statement, place, number)
        case .string(let text): bind(statement, place, text)
        case .uuid(let high, let low): bind(statement, place, uuidText(high, low))
        case .time(let time): sqlite3_bind_int64(statement, place, time.milliseconds)
        }
    }

    private func bind(_ statement: OpaquePointer?, _ place: Int32, _ text: String) {
        // SQLITE_TRANSIENT: SQLite keeps a copy.
        let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        sqlite3_bind_text(statement, place, text, Int32(text.utf8.count), copied)
    }
}

/// A text that one of the two does not take.
struct Refused: Error, CustomStringConvertible {
    var what: String
    var description: String { what }
}
