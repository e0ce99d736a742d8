public import Model

/// A command as the table `decisions` keeps it.
public struct StoredCommand: Equatable, Sendable {
    /// The commit that holds it, and when that was.
    public var commit: Int64
    public var at: WallTime
    /// Its line.
    public var asked: String

    /// The last one with this word, read beside the process that writes the directory; nil: none was ever given. Errors:
    /// `inspect_no_state`, and what SQLite's files can give (exit 5).
    public static func last(_ word: String, directory: String) throws(Fault) -> StoredCommand? {
        try StateDirectory.checkHolds(directory)
        let database = try Database("\(directory)/state.db", .read)
        defer { database.close() }
        // The first format had no commands.
        guard try database.number("PRAGMA user_version") > 1 else { return nil }
        return try database.lastCommand(word)
    }
}

extension Database {
    func lastCommand(_ word: String) throws(Fault) -> StoredCommand? {
        let query = try statement(
            """
            SELECT commit_number, recorded_at, asked FROM decisions WHERE kind = ? AND asked IS NOT NULL
            ORDER BY sequence DESC LIMIT 1
            """)
        query.bind(1, word)
        var last: StoredCommand?
        try query.eachRow { () throws(Fault) in
            last = StoredCommand(commit: query.int(0), at: WallTime(milliseconds: query.int(1)), asked: query.text(2))
        }
        return last
    }
}
