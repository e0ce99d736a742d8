public import Model

/// The state of one topology in `state.db`: the truth of the embedded commit (S22). Opened by the runtime at start;
/// afterwards everything is called from the committer's queue.
///
/// `@unchecked Sendable` is true because: one queue at a time calls it, first the start's, then the committer's.
public final class StateStore: @unchecked Sendable {
    let database: Database
    let plan: Plan
    private let clock: any Clock
    /// By the plan's output index: the number that stands for the aggregate in state keys, which its index does not, since
    /// that can change between runs.
    public let outputIDs: [Int32]
    /// By the plan's output index.
    public let outputs: [StoredOutput]
    /// The plan's outputs that this start added: they begin empty.
    public let added: [StoredOutput]
    /// What the last commit left; before the first one its number is 0.
    public internal(set) var head: StateHead
    var outbox: OutboxLevel
    /// Tried between the steps of a commit by tests that crash there.
    var beforeStep: ((CommitStep) throws(Fault) -> Void)?
    public private(set) var lastCommitDuration: TimeSpan?

    /// Opens or creates the state of `plan` and checks that it fits. `accept` deletes aggregates that the topology no longer
    /// has; `keys` says which state keys (of every lane) belong to one.
    /// Errors: `state_topology_changed`, `state_output_removed`, `state_of_other_topology`, `state_newer_format`,
    /// `state_not_ours`, `state_not_a_database`, `state_corrupt` and what SQLite's files can give (exit 5), `disk_full` (exit 6).
    public init(
        directory: StateDirectory, plan: Plan, clock: any Clock, accept: Bool = false, keys: (Int32) -> [KeyRange] = { _ in [] }
    ) throws(Fault) {
        self.plan = plan
        self.clock = clock
        database = try Database(directory.stateFile, directory.writing(pages: plan.memoryShares.statePages))
        try StateSchema.prepare(database)
        let start = StateStart(database: database, plan: plan, instance: directory.instance, at: clock.wall(), accept: accept)
        (outputs, added) = try start.run(keys: keys)
        outputIDs = outputs.map(\.id)
        head = try StateHead.read(database)
        outbox = try OutboxLevel.read(database)
    }

    /// Closes the files. Deletes what was delivered since the last commit first, as far as that works.
    public func close() {
        try? tend(quiet: true)
        database.close()
    }

    /// Refuses to go on where a bounded input is over (S6): `input_ended`, exit 5. Asked once what an earlier run left in the
    /// outboxes has arrived.
    public func checkNotEnded() throws(Fault) {
        if head.time.ended { throw StateHead.inputEnded(database.file) }
    }

    // MARK: The commit

    /// Makes `commit` durable, all of it or nothing (S19). After an error nothing has changed, and the same commit can be
    /// tried again when the cause is gone: `disk_full` and `dead_letters_full` are transient. Cost: about 3 µs a changed
    /// cell and one fsync.
    @discardableResult
    public func commit(_ commit: Commit) throws(Fault) -> CommitReceipt {
        precondition(commit.number == head.number + 1, "commits are numbered without gaps")
        let began = clock.monotonic()
        let (head, outbox): (StateHead, OutboxLevel)
        do {
            (head, outbox) = try database.transaction { () throws(Fault) in
                var writer = CommitWriter(store: self, commit: commit)
                return try writer.write()
            }
        } catch {
            // What the log takes on the disk may be just what is missing.
            if error.code == "disk_full" { _ = try? database.checkpoint(truncate: true) }
            // What the refused transaction had deleted stands there again: it goes by itself, or a full ledger would stay full.
            if error.code == "dead_letters_full" {
                let ledgers = Ledgers(database: database, plan: plan, at: commit.at)
                _ = try? database.transaction { () throws(Fault) in try ledgers.forget() }
            }
            throw error
        }
        self.head = head
        self.outbox = outbox
        let duration = clock.monotonic() - began
        lastCommitDuration = duration
        return CommitReceipt(duration: duration, outboxBytes: outbox.bytes, holdInput: outbox.bytes > StateLimits.outboxBytes)
    }

    // MARK: Housekeeping

    /// Moves the write-ahead log into the file when it is long, gives free pages back, deletes what was delivered. Called after each commit;
    /// `quiet`: nothing else waits, so the log may be cut to nothing. Never waits for readers. Errors: as `commit`; nothing is
    /// lost by one.
    public func tend(quiet: Bool) throws(Fault) {
        if quiet && outbox.hasDelivered {
            outbox = try database.transaction { () throws(Fault) in
                try OutboxWriter(database: database).deleteDelivered(outbox)
            }
        }
        try database.tend(quiet: quiet)
    }

    /// Sizes for metrics and status. Cost: five small PRAGMAs.
    public func measurements() throws(Fault) -> StateMeasurements {
        try StateMeasurements(database, outboxBytes: outbox.bytes, lastCommitDuration: lastCommitDuration)
    }
}

/// What the runtime learns from a commit.
public struct CommitReceipt: Equatable, Sendable {
    public var duration: TimeSpan
    /// Rows and dead letters that wait to be sent or put into tables.
    public var outboxBytes: Int64
    /// True: too much waits; take no input until a later receipt says otherwise.
    public var holdInput: Bool
}

public struct StateMeasurements: Equatable, Sendable {
    public var pageSize: Int64
    public var pages: Int64
    public var freePages: Int64
    public var walBytes: Int64
    /// A reader keeps the write-ahead log from being cut: it grows with traffic until that reader is done.
    public var walIsHeld: Bool
    public var deadLetterBytes: Int64
    public var outboxBytes: Int64
    public var lastCommitDuration: TimeSpan?
    /// Bytes in use in the file.
    public var stateBytes: Int64 { (pages - freePages) * pageSize }

    init(_ database: Database, outboxBytes: Int64, lastCommitDuration: TimeSpan?) throws(Fault) {
        pageSize = try database.number("PRAGMA page_size")
        pages = try database.number("PRAGMA page_count")
        freePages = try database.number("PRAGMA freelist_count")
        walBytes = database.walBytes
        walIsHeld = walBytes > Int64(StateLimits.checkpointPages * StateLimits.walHeldFactor) * pageSize
        deadLetterBytes = try database.number("SELECT dead_letter_bytes FROM head")
        self.outboxBytes = outboxBytes
        self.lastCommitDuration = lastCommitDuration
    }
}

/// The steps of one commit's transaction, in order.
enum CommitStep: CaseIterable {
    case began, state, books, ledgers, rows, head
}
