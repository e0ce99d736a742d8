public import Model

/// The tables for people in `results.db` of a group's process: the results topic's rows of the partitions that it follows, each with the
/// position behind it in the same transaction, so that each is there once whatever crashed when. The truth is the topic: rows that came
/// by a partition go when it is no longer followed, and come again with it.
/// Opened by the runtime at start; afterwards called from one queue.
///
/// `@unchecked Sendable` is true because: one queue at a time calls it, first the start's, then the follower's.
public final class ResultsFollower: @unchecked Sendable {
    let database: Database
    private let topic: String
    let rows: ResultsRows
    /// Partitions that something here came by.
    private(set) var held: Set<Int32> = []
    private let clock: any Clock
    /// Keys whose tombstones are committed and were not read yet, by partition; a second one would be one too many.
    var buried: [Int32: Set<[UInt8]>] = [:]
    private var places: [Int32: ChangelogPosition] = [:]
    /// What the opening found damaged and moved aside (`state_moved_aside`); the tables are then read from the topic's start.
    public let notice: Fault?
    /// Tried between the steps of a transaction by tests that crash there.
    var beforeStep: (() throws(Fault) -> Void)?

    /// Opens or creates results.db and the tables of the store's plan.
    /// Errors: `results_table_differs`, `results_table_taken`, `results_table_name`, `results_of_other_state`, `state_shape_differs`
    /// and what SQLite's files can give (exit 5), `disk_full` (exit 6).
    public init(directory: StateDirectory, store: GroupStore) throws(Fault) {
        topic = store.layout.topics.results
        clock = store.clock
        (database, notice) = try DamagedFile.opening(directory.resultsFile, clock: store.clock) { () throws(Fault) in
            let database = try Database(
                directory.resultsFile, directory.writing(pages: store.plan.memoryShares.resultsPages, sync: .normal))
            if store.endedUncleanly { try DamagedFile.check(database) }
            let opening = ResultsOpening(database: database, instance: directory.instance, isFollower: true)
            _ = try opening.prepare()
            try opening.claim(store.plan, store.outputs)
            return database
        }
        rows = ResultsRows(database: database, plan: store.plan)
        let query = try database.statement(
            "SELECT partition, position, applied_at, topic_id, last_offset, last_timestamp, last_hash FROM weir_positions")
        try query.eachRow { () throws(Fault) in
            places[Int32(truncatingIfNeeded: query.int(0))] = ChangelogPosition(query, from: 1)
        }
        held = Set(places.keys)
        let marks = try database.statement("SELECT DISTINCT partition FROM weir_rows")
        try marks.eachRow { () throws(Fault) in held.insert(Int32(truncatingIfNeeded: marks.int(0))) }
    }

    public func close() {
        try? database.tend(quiet: true)
        database.close()
    }

    /// By partition of the results topic: where to go on. None: from its start. `RestoreVerdict` judges them as it does a unit's.
    public func positions() -> [Int32: ChangelogPosition] { places }

    /// Applies a batch as it was read (read_committed, in order) in one transaction, and deletes rows past their table's `keep` by
    /// the combined watermark. `next`: the reader's position behind the batch. `topicID`: the topic's own, where it is known.
    /// Rows of tables that the topology never had here are left out. Marks of rows past their `keep` stay until a tombstone comes. Reading a record twice changes nothing. Errors:
    /// `changelog_damaged`, `state_newer_format`, and SQLite's; after one nothing has changed. Cost: about 5 µs a row.
    public func apply(
        _ partition: Int32, _ records: [ChangelogRecord], next: Int64, watermark: EventTime?, topicID: String? = nil
    ) throws(Fault) {
        let place = ChangelogPosition(
            next: next, last: records.last?.fingerprint ?? places[partition]?.last,
            topicID: topicID ?? places[partition]?.topicID, appliedAt: clock.wall())
        try database.transaction { () throws(Fault) in
            for record in records {
                try apply(record, partition)
                try beforeStep?()
            }
            try rows.forget(watermark)
            try beforeStep?()
            let insert = try database.statement("INSERT OR REPLACE INTO weir_positions VALUES (?, ?, ?, ?, ?, ?, ?)")
            insert.bind(1, partition)
            place.bind(to: insert, from: 2)
            try insert.run()
            try beforeStep?()
        }
        places[partition] = place
        held.insert(partition)
    }

    /// Reads the partition from its start again: where its position can't be trusted. Its rows stay; later revisions replace them.
    public func forgetPosition(of partition: Int32) throws(Fault) {
        let delete = try database.statement("DELETE FROM weir_positions WHERE partition = ?")
        delete.bind(1, partition)
        try delete.run()
        places[partition] = nil
        buried[partition] = nil
    }

    /// As `StateStore.tend`.
    public func tend(quiet: Bool) throws(Fault) { try database.tend(quiet: quiet) }

    private func apply(_ record: ChangelogRecord, _ partition: Int32) throws(Fault) {
        let table: String
        let key: UnsafeRawBufferPointer
        var row: UnsafeRawBufferPointer?
        do throws(RecordDamage) {
            (table, key) = try ResultsRecord.decode(key: record.key)
            if let value = record.value { row = try ResultsRecord.decode(value: value) }
        } catch {
            throw error.fault(at: place(record, partition))
        }
        guard let row else {
            if buried[partition] != nil { buried[partition]?.remove(Array(record.key)) }
            try rows.delete(table, key)
            return try unmark(partition, table, key)
        }
        switch try rows.put(table, key, row) {
        case .taken: try mark(partition, table, key)
        case .noTable: break
        case .unreadable: throw RecordDamage.damaged.fault(at: place(record, partition))
        }
    }

    func noteLeft(_ partition: Int32) { held.remove(partition) }

    func named(
        _ key: UnsafeRawBufferPointer, _ partition: Int32
    ) throws(Fault) -> (table: String, rowKey: UnsafeRawBufferPointer) {
        do throws(RecordDamage) {
            return try ResultsRecord.decode(key: key)
        } catch {
            throw error.fault(at: "\(topic)/\(partition)")
        }
    }

    private func place(_ record: ChangelogRecord, _ partition: Int32) -> String { "\(topic)/\(partition)@\(record.offset)" }
}
