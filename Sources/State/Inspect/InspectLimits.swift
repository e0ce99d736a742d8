public import Model

/// Every bound of a query over state, with its unit.
public enum InspectLimits {
    /// A reader's view of the files is given up after so long: while it lasts, the service's write-ahead log can't be cut.
    public static let snapshot = TimeSpan.seconds(5)
    /// Bytes of all values of one answer.
    public static let answerBytes = 32 << 20
    /// Bytes of one text or blob.
    static let valueBytes: Int32 = 16 << 20
    /// KiB of pages that SQLite keeps of a file, or of what a query sorts, before it goes to temporary files.
    static let cache = 16_384
    /// Instructions of SQLite's machine between two looks at the clock.
    static let instructions: Int32 = 10_000
    /// Bytes of a query.
    static let queryBytes: Int32 = 1 << 20
    /// Milliseconds that a statement waits for a file that is being opened or made.
    static let busyWait: Int32 = 1_000
}
