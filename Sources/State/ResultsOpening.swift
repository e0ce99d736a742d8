import Model

/// What is checked before results.db is written: that it belongs to this state, and that its tables fit.
struct ResultsOpening {
    let database: Database
    let instance: String
    /// In a group the tables follow a topic, with a position for each of its partitions (S20); else commits of state.db.
    var isFollower = false

    /// Makes what is missing; returns the last applied commit, which a group's file has not.
    func prepare() throws(Fault) -> Int64 {
        let application = try database.number("PRAGMA application_id")
        let tables = try database.number("SELECT count(*) FROM sqlite_schema")
        if application != StateSchema.applicationID {
            guard application == 0 && tables == 0 else {
                throw Fault(
                    "state_not_ours", "The file is a database, but not one that Weir made.", place: database.file,
                    next: "Set state.directory to a directory of its own.", exit: .state)
            }
            try create()
        }
        let version = try database.number("PRAGMA user_version")
        guard version <= StateSchema.format else {
            throw Fault(
                "state_newer_format", "The results were written by a newer Weir (format \(version)).", place: database.file,
                next: "Run the newer version, or give this one a state directory of its own.", exit: .state)
        }
        let applied = try checkOwner()
        try mark()
        return applied
    }

    private func create() throws(Fault) {
        try database.transaction { () throws(Fault) in
            try database.execute(
                """
                CREATE TABLE weir_applied(only_row INTEGER PRIMARY KEY CHECK (only_row = 1), instance TEXT NOT NULL,
                    commit_number INTEGER NOT NULL);
                CREATE TABLE weir_tables(name TEXT PRIMARY KEY, output TEXT NOT NULL, output_id INTEGER NOT NULL) WITHOUT ROWID;
                \(isFollower ? ResultsOpening.positions : "")
                PRAGMA application_id = \(StateSchema.applicationID);
                PRAGMA user_version = \(StateSchema.format);
                """)
            let insert = try database.statement("INSERT INTO weir_applied VALUES (1, ?, 0)")
            insert.bind(1, instance)
            try insert.run()
        }
    }

    private static let positions = """
        CREATE TABLE weir_positions(partition INTEGER PRIMARY KEY, position INTEGER NOT NULL, applied_at INTEGER NOT NULL,
            topic_id TEXT, last_offset INTEGER, last_timestamp INTEGER, last_hash INTEGER);
        \(marks)
        """

    /// Which partition of the topic a row came by.
    private static let marks =
        "CREATE TABLE weir_rows(partition INTEGER, target TEXT, row_key BLOB, PRIMARY KEY (partition, target, row_key)) WITHOUT ROWID;"

    /// A file from before rows had marks: they get them by being read again.
    private func mark() throws(Fault) {
        guard isFollower, try database.number("SELECT count(*) FROM sqlite_schema WHERE name = 'weir_rows'") == 0 else { return }
        try database.transaction { () throws(Fault) in try database.execute("\(Self.marks) DELETE FROM weir_positions;") }
    }

    private func checkOwner() throws(Fault) -> Int64 {
        let follows = try database.number("SELECT count(*) FROM sqlite_schema WHERE name = 'weir_positions'") > 0
        guard follows == isFollower else { throw StateStart.shapeDiffers(isGroup: follows, database.file) }
        let query = try database.statement("SELECT instance, commit_number FROM weir_applied")
        var owner = ""
        var applied: Int64 = 0
        try query.eachRow { () throws(Fault) in
            owner = query.text(0)
            applied = query.int(1)
        }
        guard owner == instance else {
            throw Fault(
                "results_of_other_state", "results.db belongs to another state directory (instance \(owner)).",
                place: database.file,
                next: "Put the right file back, or move this one away if the state is new.", exit: .state)
        }
        return applied
    }

    /// That the outbox can lead on from the last applied commit.
    func check(_ applied: Int64, against store: StateStore) throws(Fault) {
        guard applied <= store.head.number else {
            throw Fault(
                "results_ahead", "results.db is at commit \(applied), state.db only at \(store.head.number).",
                place: database.file,
                next: "Restore both files from the same backup; if the state is new on purpose, move results.db away.",
                exit: .state)
        }
        guard applied >= store.outbox.tablesThrough else {
            throw Fault(
                "results_behind",
                "results.db is at commit \(applied); state.db keeps rows only after commit \(store.outbox.tablesThrough).",
                place: database.file, next: "Restore both files from the same backup.", exit: .state)
        }
    }

    /// Makes the plan's tables, or checks those that are there, in one transaction. `outputs` by the plan's output index.
    func claim(_ plan: Plan, _ outputs: [StoredOutput]) throws(Fault) {
        try database.transaction { () throws(Fault) in
            for (output, aggregate) in plan.aggregates.enumerated() {
                for case .table(let name, _) in aggregate.targets {
                    try claim(ResultsTable(name: name, of: aggregate, fields: plan.fields), for: outputs[output])
                }
            }
        }
    }

    /// Makes `table` for `output`, or checks that the one that is there fits and is its own.
    private func claim(_ table: ResultsTable, for output: StoredOutput) throws(Fault) {
        let name = table.name.lowercased()
        guard !name.isEmpty, !name.hasPrefix("weir_"), !name.hasPrefix("sqlite_"), !name.contains("\0") else {
            throw Fault(
                "results_table_name", "A table can't be called `\(table.name)`: Weir and SQLite keep such names for themselves.",
                place: database.file, next: "Give the table another name.", exit: .topology)
        }
        let owner = try database.statement("SELECT output_id FROM weir_tables WHERE name = ?")
        owner.bind(1, table.name)
        let ownedBy = try owner.number()
        if let stored = try ResultsTable.stored(table.name, in: database) {
            guard table.fits(stored) else {
                throw Fault(
                    "results_table_differs",
                    "results.db has a table \(table.name) with other columns (\(stored.map(\.name).joined(separator: ", "))).",
                    place: database.file, next: "Rename or drop the old table, or give the new one another name.", exit: .state)
            }
            guard ownedBy == Int64(output.id) else {
                throw Fault(
                    "results_table_taken", "The table \(table.name) holds rows of another or an earlier aggregate.",
                    place: database.file, next: "Rename or drop the old table, or give the new one another name.", exit: .state)
            }
            return
        }
        let record = try database.statement("INSERT OR REPLACE INTO weir_tables VALUES (?, ?, ?)")
        record.bind(1, table.name)
        record.bind(2, output.name)
        record.bind(3, output.id)
        try record.run()
        try database.execute("DROP VIEW IF EXISTS \(ResultsTable.quote(table.viewName))")
        try database.execute("\(table.create); \(table.createView)")
    }
}
