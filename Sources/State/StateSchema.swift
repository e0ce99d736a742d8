import Model

/// The tables of state.db. Names and columns are for people too: any SQLite tool can read them while the service runs.
enum StateSchema {
    /// Written into the file's header; a file with a higher one was written by a newer Weir.
    static let format: Int64 = 5
    /// "Weir" in the file's header, so that a stray database is not mistaken for state.
    static let applicationID: Int64 = 0x5765_6972

    /// As of format 1; `additions` bring a new file, as an old one, to the present one.
    static let text = """
        CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE head(
            only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
            commit_number INTEGER NOT NULL,
            committed_at INTEGER,
            watermark INTEGER,
            ended INTEGER NOT NULL,
            next_sequence INTEGER NOT NULL,
            tables_delivered_through INTEGER NOT NULL,
            dead_letter_bytes INTEGER NOT NULL);
        INSERT INTO head VALUES (1, 0, NULL, NULL, 0, 1, 0, 0);
        CREATE TABLE parts(name TEXT PRIMARY KEY, fingerprint TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE outputs(
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE,
            since_commit INTEGER NOT NULL,
            since_at INTEGER NOT NULL,
            since_watermark INTEGER,
            complete_through INTEGER,
            final_through INTEGER);
        CREATE TABLE lanes(
            lane INTEGER PRIMARY KEY,
            topic TEXT NOT NULL,
            partition INTEGER NOT NULL,
            idle INTEGER NOT NULL DEFAULT 0,
            file_fingerprint BLOB,
            UNIQUE (topic, partition));
        CREATE TABLE state(lane INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (lane, key)) WITHOUT ROWID;
        CREATE TABLE books(
            lane INTEGER PRIMARY KEY,
            topic TEXT NOT NULL,
            partition INTEGER NOT NULL,
            read INTEGER NOT NULL,
            aggregated INTEGER NOT NULL,
            filtered INTEGER NOT NULL,
            duplicate INTEGER NOT NULL,
            late INTEGER NOT NULL,
            \(RejectReason.allCases.map { "rejected_\($0.word) INTEGER NOT NULL" }.joined(separator: ", ")),
            redelivered INTEGER NOT NULL,
            unidentified INTEGER NOT NULL,
            partly_late INTEGER NOT NULL,
            duplicate_observed INTEGER NOT NULL,
            watermark INTEGER,
            newest_event_time INTEGER,
            next_offset INTEGER NOT NULL,
            last_open_close INTEGER,
            last_record_offset INTEGER,
            last_record_timestamp INTEGER,
            last_record_hash INTEGER);
        CREATE TABLE late_refusals(lane INTEGER NOT NULL, output_id INTEGER NOT NULL, entries INTEGER NOT NULL,
            PRIMARY KEY (lane, output_id)) WITHOUT ROWID;
        CREATE TABLE late(
            sequence INTEGER PRIMARY KEY,
            recorded_at INTEGER NOT NULL,
            output TEXT NOT NULL,
            topic TEXT NOT NULL,
            partition INTEGER NOT NULL,
            "offset" INTEGER NOT NULL,
            event_time INTEGER NOT NULL,
            window_start INTEGER NOT NULL,
            window_end INTEGER NOT NULL,
            watermark INTEGER NOT NULL,
            late_by INTEGER NOT NULL,
            identity BLOB);
        CREATE INDEX late_by_age ON late(recorded_at);
        CREATE TABLE dead_letters(
            sequence INTEGER PRIMARY KEY,
            recorded_at INTEGER NOT NULL,
            reason TEXT NOT NULL,
            field TEXT,
            topic TEXT NOT NULL,
            partition INTEGER NOT NULL,
            "offset" INTEGER NOT NULL,
            timestamp INTEGER,
            size INTEGER NOT NULL,
            payload BLOB);
        CREATE INDEX dead_letters_by_age ON dead_letters(recorded_at);
        CREATE TRIGGER dead_letter_gone AFTER DELETE ON dead_letters BEGIN
            UPDATE head SET dead_letter_bytes =
                dead_letter_bytes - coalesce(length(old.payload), 0) - \(StateLimits.deadLetterOverhead);
        END;
        CREATE TABLE decisions(
            sequence INTEGER PRIMARY KEY,
            commit_number INTEGER NOT NULL,
            recorded_at INTEGER NOT NULL,
            kind TEXT NOT NULL,
            lane INTEGER,
            watermark INTEGER,
            from_offset INTEGER,
            to_offset INTEGER);
        CREATE TABLE table_outbox(
            sequence INTEGER PRIMARY KEY,
            commit_number INTEGER NOT NULL,
            target TEXT NOT NULL,
            row_key BLOB NOT NULL,
            row BLOB NOT NULL);
        CREATE TABLE topic_outbox(
            sequence INTEGER PRIMARY KEY,
            commit_number INTEGER NOT NULL,
            target TEXT NOT NULL,
            output TEXT NOT NULL,
            key BLOB NOT NULL,
            value BLOB NOT NULL);
        CREATE TABLE dead_letter_outbox(
            sequence INTEGER PRIMARY KEY,
            commit_number INTEGER NOT NULL,
            target TEXT NOT NULL,
            reason TEXT NOT NULL,
            topic TEXT NOT NULL,
            partition INTEGER NOT NULL,
            "offset" INTEGER NOT NULL,
            timestamp INTEGER,
            size INTEGER NOT NULL,
            payload BLOB);
        PRAGMA application_id = \(applicationID);
        PRAGMA user_version = 1;
        """

    /// What each format added to the one before it.
    private static let additions: [Int64: String] = [
        // Which late entries were applied again, what operators ordered, and late records on their way to a topic.
        2: """
        ALTER TABLE late ADD COLUMN reapplied_as TEXT;
        ALTER TABLE late ADD COLUMN reapplied_in INTEGER;
        CREATE INDEX late_reapplied ON late(identity) WHERE reapplied_as IS NOT NULL;
        CREATE TABLE reapplied(lane INTEGER NOT NULL, output_id INTEGER NOT NULL, entries INTEGER NOT NULL,
            PRIMARY KEY (lane, output_id)) WITHOUT ROWID;
        ALTER TABLE decisions ADD COLUMN asked TEXT;
        ALTER TABLE decisions ADD COLUMN result TEXT;
        CREATE TABLE late_outbox(
            sequence INTEGER PRIMARY KEY,
            commit_number INTEGER NOT NULL,
            target TEXT NOT NULL,
            output TEXT NOT NULL,
            topic TEXT NOT NULL,
            partition INTEGER NOT NULL,
            "offset" INTEGER NOT NULL,
            timestamp INTEGER,
            size INTEGER NOT NULL,
            event_time INTEGER NOT NULL,
            window_start INTEGER NOT NULL,
            window_end INTEGER NOT NULL,
            watermark INTEGER NOT NULL,
            late_by INTEGER NOT NULL,
            payload BLOB);
        """,
        // What inputs hand on, and where the kept event of a copy from another partition lies.
        3: """
        ALTER TABLE books ADD COLUMN rekeyed INTEGER NOT NULL DEFAULT 0;
        \(CopyLedger.text)
        ALTER TABLE duplicates ADD COLUMN kept_topic TEXT;
        ALTER TABLE duplicates ADD COLUMN kept_partition INTEGER;
        """,
        // An entry of table_outbox without a key is a page of rows, which an older program would take for one row.
        4: "",
        // So is an entry of state that holds a page of cells.
        5: "",
    ]

    /// What a group's file has beside: where each unit stands in its changelog partition, and its head as it was written there.
    /// A position of -1: the unit's rows are being deleted.
    static let units = """
        CREATE TABLE units(
            lane INTEGER PRIMARY KEY,
            position INTEGER NOT NULL,
            applied_at INTEGER NOT NULL,
            topic_id TEXT,
            last_offset INTEGER,
            last_timestamp INTEGER,
            last_hash INTEGER,
            head BLOB,
            topology BLOB)
        """

    /// Makes the tables of a new file, or refuses one that is not ours or too new.
    static func prepare(_ database: Database) throws(Fault) {
        let application = try database.number("PRAGMA application_id")
        var version = try database.number("PRAGMA user_version")
        if application == applicationID {
            guard version <= format else {
                throw Fault(
                    "state_newer_format", "The state was written by a newer Weir (format \(version); this one knows \(format)).",
                    place: database.file, next: "Run the newer version, or give this one a state directory of its own.",
                    exit: .state)
            }
            if version == format { return }
        } else {
            let tables = try database.number("SELECT count(*) FROM sqlite_schema")
            guard application == 0 && tables == 0 else {
                throw Fault(
                    "state_not_ours", "The file is a database, but not one that Weir made.", place: database.file,
                    next: "Set state.directory to a directory of its own.", exit: .state)
            }
            version = 0
        }
        try database.transaction { () throws(Fault) in
            if version == 0 { try database.execute(text) }
            for addition in max(version, 1) + 1...format { try database.execute(additions[addition] ?? "") }
            try database.execute("PRAGMA user_version = \(format)")
        }
    }
}
