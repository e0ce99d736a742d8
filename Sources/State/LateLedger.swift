public import Model

/// Which entries of the late ledger.
public struct LateSelection: Equatable, Sendable {
    /// By their numbers; empty: whatever else is named.
    public var entries: [Int64]
    /// The aggregate's name.
    public var output: String?
    public var partition: PartitionID?
    /// Of the commit that brought them.
    public var since: WallTime?
    /// Those that were applied again too.
    public var includesReapplied: Bool
    /// Equal events of different partitions are one, as with `scope: topic`.
    public var isAcrossPartitions = false
    /// Numbers above this one.
    public var after: Int64
    public var limit: Int
    public init(
        entries: [Int64] = [], output: String? = nil, partition: PartitionID? = nil, since: WallTime? = nil,
        includesReapplied: Bool = false, after: Int64 = 0, limit: Int = StateLimits.lateEntries
    ) {
        self.entries = entries
        self.output = output
        self.partition = partition
        self.since = since
        self.includesReapplied = includesReapplied
        self.after = after
        self.limit = limit
    }
}

/// An entry of the late ledger, with everything that it tells (S13).
public struct LateLedgerEntry: Equatable, Sendable {
    /// Its number: grows, never reused.
    public var number: Int64
    public var at: WallTime
    /// The aggregate's name.
    public var output: String
    public var partition: PartitionID
    public var offset: Int64
    public var eventTime: EventTime
    public var windowStart: EventTime
    public var windowEnd: EventTime
    public var watermark: EventTime
    public var lateBy: TimeSpan
    /// The dedup identity's 16 bytes; nil where there is none.
    public var identity: [UInt8]?
    /// nil: it was not applied again.
    public var reapplied: ReappliedEntry.Kind?
    /// The commit that did.
    public var reappliedIn: Int64?
    /// An earlier one of the same output, partition and identity was applied again.
    public var hasCounted: Bool
}

/// Which unit of a group has the entry.
extension LateLedgerEntry {
    public static func unit(of number: Int64) -> LaneNumber { UnitEntries.lane(number) }
}

/// The late ledger of a state directory, read beside the process that writes it. For one thread at a time.
public final class LateLedger {
    private let database: Database

    /// Errors: `inspect_no_state`, `state_newer_format`, and what SQLite's files can give (exit 5).
    public init(directory: String) throws(Fault) {
        try StateDirectory.checkHolds(directory)
        database = try Database("\(directory)/state.db", .read)
        let format = try database.number("PRAGMA user_version")
        guard format == StateSchema.format else {
            throw format > StateSchema.format
                ? Fault(
                    "state_newer_format", "The state was written by a newer Weir (format \(format)).", place: directory,
                    next: "Use that version.", exit: .state)
                : Fault(
                    "late_older_state", "The state was written by an older Weir, which can't apply late events again.",
                    place: directory, next: "Start the service once with this version.", exit: .state)
        }
    }

    /// In the order of their numbers.
    public func entries(_ selection: LateSelection) throws(Fault) -> [LateLedgerEntry] { try database.late(selection) }

    /// What a file looked like when it was first read; nil: nothing was kept.
    public func fileFingerprint(of partition: PartitionID) throws(Fault) -> [UInt8]? {
        let query = try database.statement("SELECT file_fingerprint FROM lanes WHERE topic = ? AND partition = ?")
        query.bind(1, partition.topic)
        query.bind(2, partition.number)
        defer { query.reset() }
        return try query.next() ? query.optionalBytes(0) : nil
    }

    public func close() { database.close() }
}

extension StateStore {
    /// As `LateLedger.entries`, for who has the store.
    public func late(_ selection: LateSelection) throws(Fault) -> [LateLedgerEntry] { try database.late(selection) }

    /// Entries that were applied again, by lane and output: beside the books.
    public func reapplied() throws(Fault) -> [LaneNumber: [Int64]] {
        let query = try database.statement("SELECT lane, output_id, entries FROM reapplied")
        var counts: [LaneNumber: [Int64]] = [:]
        try query.eachRow { () throws(Fault) in
            guard let output = outputIDs.firstIndex(of: Int32(truncatingIfNeeded: query.int(1))) else { return }
            counts[LaneNumber(query.int(0)), default: Array(repeating: 0, count: outputIDs.count)][output] = query.int(2)
        }
        return counts
    }
}

extension Database {
    /// The entry of this number; nil: there is none.
    func lateRow(_ sequence: Int64) throws(Fault) -> LateRow? {
        try late("sequence = ?1", 1, false) { $0.bind(1, sequence) }.first.map { entry in
            LateRow(
                at: entry.at, output: entry.output, partition: entry.partition, offset: entry.offset, eventTime: entry.eventTime,
                windowStart: entry.windowStart, windowEnd: entry.windowEnd, watermark: entry.watermark, lateBy: entry.lateBy,
                identity: entry.identity, reapplied: entry.reapplied, reappliedIn: entry.reappliedIn)
        }
    }

    fileprivate func late(_ selection: LateSelection) throws(Fault) -> [LateLedgerEntry] {
        if !selection.entries.isEmpty {
            var found: [LateLedgerEntry] = []
            for number in Set(selection.entries).sorted() where found.count < selection.limit && number > selection.after {
                found += try late("sequence = ?1", 1, selection.isAcrossPartitions) { $0.bind(1, number) }
            }
            return found
        }
        return try late(
            """
            sequence > ?1 AND (?2 IS NULL OR output = ?2) AND (?3 IS NULL OR topic = ?3 AND partition = ?4)
                AND (?5 IS NULL OR recorded_at >= ?5) AND (?6 OR reapplied_as IS NULL)
            """, selection.limit, selection.isAcrossPartitions
        ) { query in
            query.bind(1, selection.after)
            query.bind(2, selection.output)
            query.bind(3, selection.partition?.topic)
            query.bind(4, selection.partition.map { Int64($0.number) })
            query.bind(5, selection.since?.milliseconds)
            query.bind(6, selection.includesReapplied)
        }
    }

    private func late(
        _ condition: String, _ limit: Int, _ isAcross: Bool, _ bind: (Statement) -> Void
    ) throws(Fault) -> [LateLedgerEntry] {
        let query = try statement(
            """
            SELECT sequence, recorded_at, output, topic, partition, "offset", event_time, window_start, window_end, watermark,
                late_by, identity, reapplied_as, reapplied_in,
                identity IS NOT NULL AND EXISTS (SELECT 1 FROM late AS other WHERE other.identity = late.identity
                    AND other.reapplied_as IS NOT NULL AND other.output = late.output
                    AND (?8 OR other.topic = late.topic AND other.partition = late.partition))
            FROM late WHERE \(condition) ORDER BY sequence LIMIT ?7
            """)
        bind(query)
        query.bind(7, Int64(max(limit, 0)))
        query.bind(8, isAcross)
        func time(_ column: Int32) -> EventTime { EventTime(milliseconds: query.int(column)) }
        var found: [LateLedgerEntry] = []
        try query.eachRow { () throws(Fault) in
            found.append(
                LateLedgerEntry(
                    number: query.int(0), at: WallTime(milliseconds: query.int(1)), output: query.text(2),
                    partition: PartitionID(topic: query.text(3), number: Int32(truncatingIfNeeded: query.int(4))),
                    offset: query.int(5), eventTime: time(6), windowStart: time(7), windowEnd: time(8), watermark: time(9),
                    lateBy: .milliseconds(query.int(10)), identity: query.optionalBytes(11),
                    reapplied: query.isNull(12) ? nil : ReappliedEntry.Kind(rawValue: query.text(12)),
                    reappliedIn: query.optionalInt(13), hasCounted: query.int(14) != 0))
        }
        return found
    }
}
