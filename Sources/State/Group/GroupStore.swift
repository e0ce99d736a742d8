public import Model

/// The state of one process of a group in `state.db`: the group's changelog, materialised (S20). The truth is in Kafka: this
/// file is never ahead of it, and needs no disk to wait for. Opened by the runtime at start; afterwards everything is called
/// from the committer's queue.
///
/// A unit is used in this order: `positions()` and `RestoreVerdict` say where its restore begins; `applyChangelog` until the
/// position is the end; `finishRestore`; `eachEntry` into memory; then, commit by commit, `changelog(of:)` inside the Kafka
/// transaction and `apply` after it.
///
/// `@unchecked Sendable` is true because: one queue at a time calls it, first the start's, then the committer's.
public final class GroupStore: @unchecked Sendable {
    let database: Database
    let plan: Plan
    let clock: any Clock
    let accept: Bool
    /// Which state keys belong to an output.
    let keys: (Int32) -> [KeyRange]
    public let layout: GroupLayout
    /// By the plan's output index: the number that stands for the aggregate in state keys, the same on every instance.
    public let outputIDs: [Int32]
    /// By the plan's output index.
    public let outputs: [StoredOutput]
    /// The plan's outputs that this start added.
    public let added: [StoredOutput]
    /// What the opening found damaged and moved aside (`state_moved_aside`), for people; everything is then restored from the changelog.
    public let notice: Fault?
    /// The process that had the files before did not close them.
    let endedUncleanly: Bool
    /// Units of which what was here could not be read, and was deleted: they come from the changelog.
    public private(set) var unreadable: [LaneNumber] = []
    /// What is here of each unit; one that never was here is not in it.
    var units: [LaneNumber: Unit] = [:]
    /// Tried between the steps of a transaction by tests that crash there.
    var beforeStep: ((GroupStep) throws(Fault) -> Void)?
    public private(set) var lastCommitDuration: TimeSpan?

    struct Unit {
        var position: ChangelogPosition
        var head: UnitHead?
        /// As it was written to the changelog.
        var headBytes: [UInt8]?
        var nextEntry: Int64 = 1
        var topology: [UInt8]?
        var owed = 0
        /// `finishRestore` has said that the unit can be worked with.
        var isReady = false
        /// What an aggregate that is gone has left; deleted with the unit's next commit.
        var gone: [KeyRange] = []
    }

    /// Opens or creates the state of `plan` in a group and checks that it fits. `accept` deletes aggregates that the topology no
    /// longer has; `keys` says which state keys belong to one. After an unclean end the whole file is checked (about 1 s a GiB).
    /// Errors: `state_topology_changed`, `state_output_removed`, `state_of_other_topology`, `state_of_other_group`,
    /// `state_shape_differs`, `state_output_numbers`, `partitions_changed`, `state_newer_format`, `state_not_ours` and what
    /// SQLite's files can give (exit 5), `disk_full` (exit 6).
    public init(
        directory: StateDirectory, plan: Plan, layout: GroupLayout, clock: any Clock, accept: Bool = false,
        keys: @escaping (Int32) -> [KeyRange] = { _ in [] }
    ) throws(Fault) {
        self.plan = plan
        self.layout = layout
        self.clock = clock
        self.accept = accept
        self.keys = keys
        let opened = try GroupOpening(directory: directory, plan: plan, layout: layout, clock: clock, accept: accept).run()
        database = opened.database
        outputs = opened.outputs
        outputIDs = outputs.map(\.id)
        added = opened.added
        notice = opened.notice
        endedUncleanly = opened.endedUncleanly
        try readUnits()
    }

    /// Closes the file and notes that all is well with it, unless damage was met.
    public func close() {
        if !database.metDamage { try? database.execute("DELETE FROM meta WHERE name = 'open'") }
        try? database.tend(quiet: true)
        database.close()
    }

    // MARK: What is here

    /// By unit; none for a unit of which nothing is here: its restore begins at the changelog's start.
    public func positions() -> [LaneNumber: ChangelogPosition] { units.mapValues(\.position) }

    /// What the last commit left of the unit; nil: nothing was committed, or it is not here. Whole once `finishRestore` has passed.
    public func head(of lane: LaneNumber) -> UnitHead? { units[lane]?.head }

    /// Each key of the unit in the order of its bytes, as `LaneCore.restore` and `MergeCore.restore` take them (cells, keys,
    /// partials, emitted), but the cells of closed windows, which `without` names. The pointers are valid during the call only. Called after `finishRestore`. Cost: one pass over the
    /// unit's pages, no copy.
    public func eachEntry(
        of lane: LaneNumber, without range: KeyRange? = nil,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Fault) -> Void
    ) throws(Fault) {
        precondition(units[lane]?.isReady == true, "a unit is restored before its memory is built")
        let gone = units[lane]?.gone ?? []
        func each(
            _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
        ) throws(Fault) { if !gone.contains(where: { $0.contains(key) }) { try body(key, value) } }
        let state = StateTable(database: database)
        guard let range else { return try state.each(of: lane, each) }
        try state.each(of: lane, from: [0], to: range.from, each)
        try state.each(of: lane, from: range.to, to: [0xFF], each)
    }

    /// A cell of a closed window of the unit, as `ClosedLookup` wants it: as the last commit left it.
    public func closedEntry(
        of lane: LaneNumber, before key: [UInt8], included: Bool
    ) throws(Fault) -> (key: [UInt8], value: [UInt8])? {
        try StateTable(database: database).last(of: lane, before: key, included: included)
    }

    /// Rows that the unit's last commit left owed, in their order: sent again after a restore (S21).
    public func owed(of lane: LaneNumber) throws(Fault) -> [OwedRow] {
        let range = UnitEntries.range(lane)
        let query = try database.statement(
            "SELECT target, output, key, value FROM topic_outbox WHERE sequence >= ? AND sequence < ? ORDER BY sequence")
        query.bind(1, range.lowerBound)
        query.bind(2, range.upperBound)
        var rows: [OwedRow] = []
        try query.eachRow { () throws(Fault) in
            rows.append(
                OwedRow(topic: query.text(0), output: query.text(1), key: Array(query.blob(2)), value: Array(query.blob(3))))
        }
        return rows
    }

    /// In the order they were taken, unit by unit.
    public func decisions() throws(Fault) -> [Decision] { try Ledgers.decisions(database) }

    /// Refuses to go on where the bounded input of the units that are here is over (S6): `input_ended`, exit 5. Called once what
    /// was owed has been sent.
    public func checkNotEnded() throws(Fault) {
        if units.values.contains(where: { $0.head?.isEnded == true }) { throw StateHead.inputEnded(database.file) }
    }

    // MARK: Housekeeping

    /// As `StateStore.tend`; called after each `apply` and between batches of a restore.
    public func tend(quiet: Bool) throws(Fault) { try database.tend(quiet: quiet) }

    /// Sizes for metrics and status.
    public func measurements() throws(Fault) -> StateMeasurements {
        try StateMeasurements(database, outboxBytes: 0, lastCommitDuration: lastCommitDuration)
    }

    /// All of `body` or nothing, timed; `units` follow when it is done.
    func write(_ body: (inout [LaneNumber: Unit]) throws(Fault) -> Void) throws(Fault) {
        let began = clock.monotonic()
        var after = units
        do {
            try database.transaction { () throws(Fault) in try body(&after) }
        } catch {
            // What the log takes on the disk may be just what is missing.
            if error.code == "disk_full" { _ = try? database.checkpoint(truncate: true) }
            throw error
        }
        units = after
        lastCommitDuration = clock.monotonic() - began
    }

    private func readUnits() throws(Fault) {
        let query = try database.statement(
            "SELECT lane, position, applied_at, topic_id, last_offset, last_timestamp, last_hash, head, topology FROM units")
        var broken: [LaneNumber] = []
        try query.eachRow { () throws(Fault) in
            let lane = LaneNumber(truncatingIfNeeded: query.int(0))
            if query.int(1) < 0 {
                broken.append(lane)
                return
            }
            var unit = Unit(position: ChangelogPosition(query, from: 1))
            do throws(Fault) {
                if !query.isNull(7) { try unit.take(head: query.blob(7), outputIDs: outputIDs, place: "\(database.file): units") }
            } catch {
                guard error.code == "changelog_damaged" else { throw error }
                unreadable.append(lane)
                broken.append(lane)
                return
            }
            unit.topology = query.optionalBytes(8)
            units[lane] = unit
        }
        for lane in units.keys {
            let range = UnitEntries.range(lane)
            let count = try database.statement("SELECT count(*) FROM topic_outbox WHERE sequence >= ? AND sequence < ?")
            count.bind(1, range.lowerBound)
            count.bind(2, range.upperBound)
            units[lane]?.owed = Int(try count.number() ?? 0)
        }
        for lane in broken { try wipe(lane) }
    }
}

extension GroupStore.Unit {
    mutating func take(head bytes: UnsafeRawBufferPointer, outputIDs: [Int32], place: String) throws(Fault) {
        do throws(RecordDamage) {
            let content = try HeadCodec(outputIDs: outputIDs).decode(bytes)
            head = content.head
            headBytes = Array(bytes)
            nextEntry = content.nextEntry
        } catch {
            throw error.fault(at: place)
        }
    }
}

extension KeyRange {
    func contains(_ key: UnsafeRawBufferPointer) -> Bool {
        !key.lexicographicallyPrecedes(from) && key.lexicographicallyPrecedes(to)
    }
}

/// Where a unit stands in its changelog partition, and how that place is known again.
public struct ChangelogPosition: Equatable, Sendable {
    /// The next offset to read.
    public var next: Int64
    /// The last record that was applied; nil: none was.
    public var last: RecordFingerprint?
    /// The topic's own id, where the client could tell it.
    public var topicID: String?
    /// By the machine's clock: of what the changelog then held or got later, nothing can have left it unseen before its
    /// `delete.retention.ms` is over.
    public var appliedAt: WallTime
    public init(next: Int64, last: RecordFingerprint?, topicID: String?, appliedAt: WallTime) {
        self.next = next
        self.last = last
        self.topicID = topicID
        self.appliedAt = appliedAt
    }
}

/// As six columns: position, applied_at, topic_id, last_offset, last_timestamp, last_hash.
extension ChangelogPosition {
    init(_ query: Statement, from column: Int32) {
        let last = query.optionalInt(column + 3).map {
            RecordFingerprint(offset: $0, timestamp: query.int(column + 4), hash: UInt64(bitPattern: query.int(column + 5)))
        }
        self.init(
            next: query.int(column), last: last, topicID: query.isNull(column + 2) ? nil : query.text(column + 2),
            appliedAt: WallTime(milliseconds: query.int(column + 1)))
    }

    func bind(to statement: Statement, from at: Int32) {
        statement.bind(at, next)
        statement.bind(at + 1, appliedAt.milliseconds)
        statement.bind(at + 2, topicID)
        statement.bind(at + 3, last?.offset)
        statement.bind(at + 4, last?.timestamp)
        statement.bind(at + 5, last.map { Int64(bitPattern: $0.hash) })
    }
}

/// Where the last record of a unit's commit was written, as its delivery report told.
public struct ChangelogEnd: Equatable, Sendable {
    public var offset: Int64
    /// Milliseconds; `RecordBatch.noTimestamp` where it is not known.
    public var timestamp: Int64
    public init(offset: Int64, timestamp: Int64 = RecordBatch.noTimestamp) {
        self.offset = offset
        self.timestamp = timestamp
    }
}

/// The steps of one transaction, in order; some come once a unit, or once a record.
enum GroupStep: CaseIterable {
    case began, state, ledgers, owed, unit, record, wiped, head
}
