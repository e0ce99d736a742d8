/// Every bound of the pipeline, with its unit.
public enum PipelineLimits {
    /// Rows that one pass of the stages works on; larger batches are cut.
    public static let batchRows = 4_096
    /// Key bytes of one chunk of remembered identities in state.
    public static let chunkBytes = 3_968
    /// A chunk below this is still open: the next commit adds to it instead of starting another, so that a slow stream does
    /// not leave a row a commit behind.
    public static let openChunkBytes = 2 << 10
    /// Expiry buckets that can be alive at once; `check` refuses topologies that need more (S7).
    public static let liveBuckets = 60_000
    /// Bytes of cells of a closed window in one entry of state, if one cell is not larger: what SQLite keeps without a page of its own.
    static let closedChunkBytes = 3_968
    /// Closed sessions lie in state by their ends, so many milliseconds together.
    static let closedSessionBucket: Int64 = 60_000
    /// Entries of state that a commit's closed sessions may take in any case, so that each is found with few others.
    static let closedSessionRows = 256
    /// Where there are many, so many share an entry at the least, as far as they end in the same minutes.
    static let closedSessionsPerRow = 16
    /// Bytes of cells of an open window in one page of state, and how many they are at most; a cell that takes more than the next one has
    /// an entry of its own.
    static let cellPageBytes = 3_968
    static let mostPagedCells = 64
    static let pagedCellBytes = 512
    /// So many new cells of a window make a page.
    static let leastPagedCells = 8
    /// Where fewer than one in so many cells of a page have changed, they leave it.
    static let pageShare = 3
    /// Cells that leave their pages with one seal where memory is short.
    static let cellsLeavingPages = 32_768
    /// From so many changed cells on they are handed out in the order of their keys, so that the store touches each of its pages once.
    static let sortedCells = 16_384
    /// Payload bytes kept of a rejected record.
    public static let deadLetterBytes = 64 << 10
    /// A delta past this size asks to be sealed early.
    public static let deltaBytes = 32 << 20
    /// The same where memory is short, at the least.
    static let leastDeltaBytes = 256 << 10
    /// Bytes of text that expressions can write of one record, all together; what is beyond is an error value. A batch that
    /// needs more is taken in parts.
    public static let textBytes = 16 << 20
    /// Room for texts that a lane keeps when a batch needs less.
    static let retainedTextBytes = 1 << 20
    /// Steps per byte of a text that LIKE takes to find a part of a pattern; a text that needs more is an error value.
    static let likeSteps = 64
    /// Event times that can be reckoned with: years 0000 to 9999, in milliseconds.
    public static let eventTimes: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999
    /// Starts of windows that one can reckon with, in milliseconds: no window is larger than all event times.
    public static let windowStarts: ClosedRange<Int64> = -400_000_000_000_000...400_000_000_000_000
}

/// The watermark before anything was seen.
@usableFromInline let noWatermark = Int64.min
