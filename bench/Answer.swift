import CSQLite
import Model

/// The rows that a run left in results.db, held against the truth.
enum Answer {
    /// What is wrong, the first few of it; empty: the answer is right.
    static func problems(in directory: String, figures: Figures, truth: Truth) throws(Fault) -> [String] {
        var problems: [String] = []
        func expect(_ name: String, _ value: Int64) {
            if Int64(figures[name]) != value { problems.append("\(name): \(Int64(figures[name])), not \(value)") }
        }
        expect("read", truth.events)
        expect("aggregated", truth.unique)
        expect("duplicate", truth.duplicates)
        expect("late", truth.late)
        expect("filtered", 0)
        expect("stopped", 0)
        let rows = try rows(of: "\(directory)/results.db")
        if rows.count != truth.cells.count { problems.append("\(rows.count) rows, not \(truth.cells.count)") }
        for (name, right) in truth.cells {
            guard let row = rows[name] else {
                problems.append("\(name): no row")
                continue
            }
            if row.count != right.count || row.max != right.max || abs(row.sum - right.sum) > abs(right.sum) * 1e-9 {
                problems.append("\(name): \(row), not \(right)")
            }
        }
        return problems
    }

    private static func rows(of file: String) throws(Fault) -> [String: Truth.Cell] {
        var database: OpaquePointer?
        defer { sqlite3_close(database) }
        var query: OpaquePointer?
        defer { sqlite3_finalize(query) }
        let sql = """
            SELECT event || '|' || country || '|' || window_start, events, total_ms, slowest_ms
            FROM durations WHERE final = 1 AND window_end = window_start + 60000
            """
        guard sqlite3_open_v2(file, &database, SQLITE_OPEN_READONLY, nil) == SQLITE_OK,
            sqlite3_prepare_v2(database, sql, -1, &query, nil) == SQLITE_OK
        else { throw failure("The results can't be read.", place: file) }
        var rows: [String: Truth.Cell] = [:]
        while sqlite3_step(query) == SQLITE_ROW {
            let name = String(cString: sqlite3_column_text(query, 0))
            rows[name] = Truth.Cell(
                count: sqlite3_column_int64(query, 1), sum: sqlite3_column_double(query, 2), max: sqlite3_column_double(query, 3))
        }
        return rows
    }
}
