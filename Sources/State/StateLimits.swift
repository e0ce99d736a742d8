/// Every bound of this part, with its unit.
public enum StateLimits {
    /// Bytes of a page of a new file. Measured with 15,000 cells and 2 MiB of keys a commit, 200,000 cells in all: 66 ms of CPU with
    /// 4 KiB, 54 with 16, 48 with 32, and half the cost of a checkpoint; above 16 KiB a few changed cells write too much.
    static let pageSize = 16_384
    /// KiB of page cache of a database that is only in memory.
    static let memoryCache = 8_192
    /// KiB of page cache that a connection has, however small its part of `state.memory` (`MemoryShares`).
    static let leastCache: Int64 = 256
    /// The same for a lane that reads what left its memory, and what it has at most.
    static let readerCache: ClosedRange<Int64> = 128...4_096
    /// Milliseconds that a statement waits for another connection's lock.
    static let busyWait: Int32 = 2_000
    /// Pages in the write-ahead log after which the writer moves them into the file: 32 MiB.
    static let checkpointPages = 2_048
    /// Bytes that stay of a write-ahead log that was moved into its file.
    static let walKept = 64 << 20
    /// A write-ahead log this many times longer than `checkpointPages` is held by a reader; worth telling.
    static let walHeldFactor = 4
    /// Bytes of a write-ahead log that a reader holds, above which no input is taken.
    public static let heldLog: Int64 = 1 << 30
    /// Bytes of the system's list of locks that are looked at.
    static let locksBytes = 4 << 20
    /// The share of free pages above which the file is made shorter, and how many pages at a time.
    static let freeShare = 0.25
    static let vacuumPages = 1_000
    /// Rows of one ledger or table that one commit deletes at most, so that none stalls.
    public static let deletesPerCommit = 1_000
    /// Entries of the late ledger that are read at once.
    public static let lateEntries = 1_000
    /// Entries of closed windows past their keep that one commit deletes at most, of one output and kind: about 32 MiB.
    static let closedDeletesPerCommit = 8_000
    /// Rows of an outbox that one commit deletes at most, and pages of rows of tables.
    static let outboxDeletesPerCommit = 50_000
    static let outboxPageDeletesPerCommit = 2_000
    /// Bytes from which on rows that wait for a table are an entry of the outbox: with what stands beside them they fill a page of the file.
    static let outboxPage = 15_360
    /// Idle, speaking and advancing decisions that are kept; resumptions and the end are kept for ever.
    static let decisionsKept = 100_000
    /// The same for one unit of a group, whose steps of time are in the group's log.
    static let unitDecisionsKept = 10_000
    /// Changelog records, and bytes of them, that a restore applies in one transaction at most.
    static let restoreRecords = 50_000
    static let restoreBytes = 16 << 20
    /// Keys of a unit that one transaction deletes at most.
    static let wipedKeys = 20_000
    /// The share of `delete.retention.ms` that is kept as a margin when a copy's age is judged.
    static let retentionMargin: Int64 = 10
    /// Bytes waiting in the outboxes after which a commit asks the runtime to stop taking input.
    public static let outboxBytes: Int64 = 64 << 20
    /// Bytes that a dead letter counts beside its payload.
    static let deadLetterOverhead: Int64 = 200
    /// Bytes that an outbox row counts beside its content.
    static let outboxOverhead: Int64 = 64
}
