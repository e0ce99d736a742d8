import Model

/// One table of results.db: its columns, and the statements made from them.
struct ResultsTable: Equatable {
    var name: String
    /// After `row_key`, in order, with their SQL types.
    var columns: [Column]

    struct Column: Equatable {
        var name: String
        var type: String
        /// Milliseconds since the epoch, shown as RFC 3339 in the view.
        var isTime = false
    }

    /// The columns that `aggregate` needs.
    init(name: String, of aggregate: AggregatePlan, fields: [FieldPlan]) {
        self.name = name
        columns =
            [
                Column(name: "window_start", type: "INTEGER", isTime: true),
                Column(name: "window_end", type: "INTEGER", isTime: true),
            ]
            + aggregate.groupBy.map { ResultsTable.column(fields[$0].name, fields[$0].type) }
            + aggregate.measures.map { measure in
                switch measure.function {
                case .count, .approxDistinct, .exactDistinct: return Column(name: measure.name, type: "INTEGER")
                case .avg, .stddev, .quantile: return Column(name: measure.name, type: "REAL")
                case .top, .largest, .largestDistinct: return Column(name: measure.name, type: "TEXT")
                case .sum, .min, .max, .first, .last:
                    guard let column = measure.column else { return Column(name: measure.name, type: "INTEGER") }
                    return ResultsTable.column(measure.name, fields[column].type)
                }
            } + [
                Column(name: "revision", type: "INTEGER"), Column(name: "final", type: "INTEGER"),
                Column(name: "as_of", type: "INTEGER", isTime: true),
            ]
    }

    private static func column(_ name: String, _ type: FieldType) -> Column {
        switch type {
        case .string, .json, .uuid: Column(name: name, type: "TEXT")
        case .int, .bool: Column(name: name, type: "INTEGER")
        case .double: Column(name: name, type: "REAL")
        case .timestamp: Column(name: name, type: "INTEGER", isTime: true)
        }
    }

    /// The columns that the file's table of this name has; nil: there is none.
    static func stored(_ name: String, in database: Database) throws(Fault) -> [Column]? {
        let query = try database.statement("SELECT name, type FROM pragma_table_info(?) ORDER BY cid")
        query.bind(1, name)
        var columns: [Column] = []
        try query.eachRow { () throws(Fault) in columns.append(Column(name: query.text(0), type: query.text(1))) }
        return columns.isEmpty ? nil : columns
    }

    /// True: a table with `columns` (its `row_key` first) takes this one's rows.
    func fits(_ stored: [Column]) -> Bool {
        stored.map(\.name) == ["row_key"] + columns.map(\.name) && stored.map(\.type) == ["BLOB"] + columns.map(\.type)
    }

    var viewName: String { "\(name)_utc" }

    /// A row per window and group, in the order of the windows' ends.
    var create: String {
        let list = columns.map { "\(ResultsTable.quote($0.name)) \($0.type)" }.joined(separator: ", ")
        return "CREATE TABLE \(ResultsTable.quote(name))(row_key BLOB NOT NULL PRIMARY KEY, \(list)) WITHOUT ROWID"
    }

    var createView: String {
        let list = columns.map { column in
            let name = ResultsTable.quote(column.name)
            return column.isTime ? "strftime('%Y-%m-%dT%H:%M:%fZ', \(name) / 1000.0, 'unixepoch') AS \(name)" : name
        }
        return
            "CREATE VIEW \(ResultsTable.quote(viewName)) AS SELECT \(list.joined(separator: ", ")) FROM \(ResultsTable.quote(name))"
    }

    /// Parameters: `row_key`, then the columns. A row with a lower revision than the stored one changes nothing (S16).
    static func upsert(_ name: String, _ stored: [Column]) -> String {
        let names = stored.map { quote($0.name) }
        let sets = names.dropFirst().map { "\($0) = excluded.\($0)" }.joined(separator: ", ")
        return """
            INSERT INTO \(quote(name)) AS mine(\(names.joined(separator: ", "))) VALUES (\(names.map { _ in "?" }.joined(separator: ", ")))
            ON CONFLICT (row_key) DO UPDATE SET \(sets) WHERE excluded.revision >= mine.revision
            """
    }

    /// Parameters: the lowest key to keep, how many rows at most.
    static func forget(_ name: String) -> String {
        "DELETE FROM \(quote(name)) WHERE row_key IN (SELECT row_key FROM \(quote(name)) WHERE row_key < ? ORDER BY row_key LIMIT ?)"
    }

    static func quote(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
