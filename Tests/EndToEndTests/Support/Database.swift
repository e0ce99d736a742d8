import CSQLite
import Model

/// What any SQLite tool sees in a state directory. Cells as SQL writes them: `5`, `2.5`, `'text'`, `x'00ff'`, `NULL`.
func sql(_ file: String, _ query: String) throws -> [[String]] {
    var handle: OpaquePointer?
    defer { sqlite3_close(handle) }
    guard sqlite3_open_v2(file, &handle, SQLITE_OPEN_READONLY, nil) == SQLITE_OK else { throw NotRead(file, handle) }
    sqlite3_busy_timeout(handle, 5_000)
    var statement: OpaquePointer?
    guard sqlite3_prepare_v2(handle, query, -1, &statement, nil) == SQLITE_OK else { throw NotRead(file, handle) }
    defer { sqlite3_finalize(statement) }
    var rows: [[String]] = []
    while true {
        switch sqlite3_step(statement) {
        case SQLITE_ROW: rows.append((0..<sqlite3_column_count(statement)).map { cell(statement, $0) })
        case SQLITE_DONE: return rows
        default: throw NotRead(file, handle)
        }
    }
}

/// Changes a file behind the product's back.
func change(_ file: String, _ statements: String) throws {
    var handle: OpaquePointer?
    defer { sqlite3_close(handle) }
    guard sqlite3_open_v2(file, &handle, SQLITE_OPEN_READWRITE, nil) == SQLITE_OK,
        sqlite3_exec(handle, statements, nil, nil, nil) == SQLITE_OK
    else { throw NotRead(file, handle) }
}

private func cell(_ statement: OpaquePointer?, _ column: Int32) -> String {
    switch sqlite3_column_type(statement, column) {
    case SQLITE_INTEGER: return "\(sqlite3_column_int64(statement, column))"
    case SQLITE_FLOAT: return "\(sqlite3_column_double(statement, column))"
    case SQLITE_NULL: return "NULL"
    default:
        let count = Int(sqlite3_column_bytes(statement, column))
        let bytes = UnsafeRawBufferPointer(start: sqlite3_column_blob(statement, column), count: count)
        if sqlite3_column_type(statement, column) == SQLITE_TEXT { return "'\(String(decoding: bytes, as: UTF8.self))'" }
        return "x'" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "'"
    }
}

struct NotRead: Error, CustomStringConvertible {
    var description: String
    init(_ file: String, _ handle: OpaquePointer?) {
        description = "\(file): \(sqlite3_errmsg(handle).map { String(cString: $0) } ?? "?")"
    }
}
