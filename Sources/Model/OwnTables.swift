/// The tables that Weir keeps for itself, by database.
public enum OwnTables {
    /// In state.db.
    public static let state = [
        "meta", "head", "parts", "outputs", "lanes", "state", "books", "late_refusals", "late", "dead_letters", "duplicates",
        "decisions", "table_outbox", "topic_outbox", "dead_letter_outbox", "late_outbox", "reapplied",
    ]
    /// In state.db of an instance of a group, beside these.
    public static let group = ["units"]
    /// In results.db, beside the tables of outputs.
    public static let results = ["weir_applied", "weir_tables"]
    /// In results.db of an instance of a group, beside these.
    public static let groupResults = ["weir_positions", "weir_rows"]
}
