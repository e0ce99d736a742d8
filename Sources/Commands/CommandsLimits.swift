/// Every bound of the command line, with its unit.
enum CommandsLimits {
    /// Characters of a typed word that a message repeats.
    static let shownWord = 40
    /// Events per second of the generator.
    static let rate = 10_000_000.0
    /// Columns of help, and of a terminal that does not tell its width.
    static let columns = 80
    /// Lines of `weir --help`.
    static let helpLines = 24
    /// Milliseconds between two looks at a running service.
    static let tick: Int32 = 200
    /// Seconds between two progress lines where there is no terminal.
    static let progressSeconds: Int64 = 10
    /// Milliseconds over which a shown rate is taken.
    static let rateMilliseconds: Int64 = 3_000
    /// Rows that the demo tells at once where there is no terminal.
    static let rowsAtOnce = 10
    /// Rows per output of the demo's table.
    static let rowsPerOutput = 8
    /// Milliseconds that a record may wait for room in the producer's queue, and a flush for the brokers.
    static let sendMilliseconds: Int64 = 60_000
    /// Milliseconds for questions to the brokers.
    static let queryMilliseconds: Int64 = 15_000
    /// Milliseconds for the records of a topic's sample.
    static let sampleMilliseconds: Int64 = 60_000
    /// Milliseconds between two looks of `status --watch`.
    static let watch: Int32 = 2_000
    /// Partitions of the generated workload.
    static let partitions: Int64 = 1_024
    /// Event time of the first generated event: 2026-01-01T00:00:00Z.
    static let workloadStart: Int64 = 1_767_225_600_000
    /// Groups and partitions that an estimate can assume.
    static let assumed: Int64 = 1_000_000_000
    /// Events that are generated or measured where no number is named.
    static let events: Int64 = 2_000_000
    /// Bytes of a blob that a table on a terminal shows.
    static let shownBlob = 24
    /// Folders inside one another in which test files are looked for.
    static let folders = 32
    /// Late entries that a list shows unless told otherwise, and numbers of them in a line.
    static let lateListed = 100
    static let lateShown = 20
}
