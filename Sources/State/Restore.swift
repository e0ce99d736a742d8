public import Model

/// What was committed of one lane. Where nothing was, `nextOffset` is nil and the books are empty.
public struct RestoredLane: Equatable, Sendable {
    public var lane: LaneNumber
    public var partition: PartitionID
    public var books: Books
    public var watermark: EventTime?
    public var newestEventTime: EventTime?
    public var nextOffset: Int64?
    public var lastRecord: RecordFingerprint?
    public var lastOpenClose: EventTime?
    /// By which a file that was changed is recognised; nil where none was recorded.
    public var fileFingerprint: [UInt8]?
}

extension RestoredLane {
    /// What `lane` leaves when it is committed.
    init(_ lane: SealedLane) {
        self.init(
            lane: lane.lane, partition: lane.partition, books: lane.books, watermark: lane.watermark,
            newestEventTime: lane.newestEventTime, nextOffset: lane.nextOffset, lastRecord: lane.lastRecord,
            lastOpenClose: lane.lastOpenClose)
    }

    init(_ head: UnitHead) {
        self.init(
            lane: head.lane, partition: head.partition, books: head.books, watermark: head.watermark,
            newestEventTime: head.newestEventTime, nextOffset: head.nextOffset, lastRecord: head.lastRecord,
            lastOpenClose: head.largestClose)
    }
}

/// Restoring: called at start, lane by lane, before the first commit.
extension StateStore {
    /// The numbers of `partitions`; one that is new gets the next number, durably.
    public func lanes(for partitions: [PartitionID]) throws(Fault) -> [PartitionID: LaneNumber] {
        var known = try knownLanes()
        let new = partitions.filter { known[$0] == nil }
        guard !new.isEmpty else { return known.filter { partitions.contains($0.key) } }
        try database.transaction { () throws(Fault) in
            let insert = try database.statement("INSERT INTO lanes(lane, topic, partition) VALUES (?, ?, ?)")
            var next = (known.values.max() ?? -1) + 1
            for partition in new where known[partition] == nil {
                insert.bind(1, next)
                insert.bind(2, partition.topic)
                insert.bind(3, partition.number)
                try insert.run()
                known[partition] = next
                next += 1
            }
        }
        let asked = Set(partitions)
        return known.filter { asked.contains($0.key) }
    }

    private func knownLanes() throws(Fault) -> [PartitionID: LaneNumber] {
        let query = try database.statement("SELECT lane, topic, partition FROM lanes")
        var known: [PartitionID: LaneNumber] = [:]
        try query.eachRow { () throws(Fault) in
            let partition = PartitionID(topic: query.text(1), number: Int32(truncatingIfNeeded: query.int(2)))
            known[partition] = LaneNumber(query.int(0))
        }
        return known
    }

    /// Records what a file looked like when it was first read; the caller compares it at later starts.
    public func record(fileFingerprint: [UInt8], of lane: LaneNumber) throws(Fault) {
        let update = try database.statement("UPDATE lanes SET file_fingerprint = ? WHERE lane = ?")
        update.bind(1, fileFingerprint)
        update.bind(2, lane)
        try update.run()
    }

    /// Every lane that ever got a number, in the order of the numbers.
    public func restoredLanes() throws(Fault) -> [RestoredLane] {
        var lanes: [RestoredLane] = []
        let query = try database.statement("SELECT lane, topic, partition, file_fingerprint FROM lanes ORDER BY lane")
        try query.eachRow { () throws(Fault) in
            lanes.append(
                RestoredLane(
                    lane: LaneNumber(query.int(0)),
                    partition: PartitionID(topic: query.text(1), number: Int32(truncatingIfNeeded: query.int(2))),
                    books: Books(outputs: plan.aggregates.count), fileFingerprint: query.optionalBytes(3)))
        }
        let books = BooksTable(database: database, outputIDs: outputIDs)
        for at in lanes.indices { try books.read(into: &lanes[at]) }
        return lanes
    }

    /// The last command with this word; nil: none was ever given.
    public func lastCommand(_ word: String) throws(Fault) -> StoredCommand? { try database.lastCommand(word) }

    /// Calls `body` for each key of `lane` (or of `mergeLane`) in the order of its bytes. The pointers are valid during the call
    /// only. Cost: one pass over the lane's pages, no copy.
    public func forEachState(
        lane: LaneNumber, _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Fault) -> Void
    ) throws(Fault) {
        try StateTable(database: database).each(of: lane, body)
    }

    /// The keys of `lane` in `[from, to)`, as `forEachState`.
    public func forEachState(
        lane: LaneNumber, from: [UInt8], to: [UInt8],
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Fault) -> Void
    ) throws(Fault) {
        try StateTable(database: database).each(of: lane, from: from, to: to, body)
    }

    /// A cell of a closed window, as `ClosedLookup` wants it.
    public func closedEntry(before key: [UInt8], included: Bool) throws(Fault) -> (key: [UInt8], value: [UInt8])? {
        try StateTable(database: database).last(of: closedLane, before: key, included: included)
    }

    /// In the order they were taken (S6). Idle, speaking and advancing ones are kept for the last 100,000.
    public func decisions() throws(Fault) -> [Decision] { try Ledgers.decisions(database) }

    /// By the plan's output index (S25).
    public func progress() throws(Fault) -> [OutputProgress] {
        let query = try database.statement("SELECT id, complete_through, final_through FROM outputs")
        var byID: [Int32: OutputProgress] = [:]
        try query.eachRow { () throws(Fault) in
            byID[Int32(truncatingIfNeeded: query.int(0))] = OutputProgress(
                completeThrough: query.time(1), finalThrough: query.time(2))
        }
        return outputIDs.map { byID[$0] ?? OutputProgress() }
    }
}
