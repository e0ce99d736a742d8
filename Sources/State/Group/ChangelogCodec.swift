public import Model

/// A unit's commit as records of its changelog partition.
extension GroupStore {
    public struct ChangelogSize: Equatable, Sendable {
        public var records = 0
        /// Keys and values.
        public var bytes = 0
        public init() {}
    }

    /// Takes one record; the pointers are valid during the call only.
    public typealias ChangelogSink = (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) throws(Fault) -> Void

    /// Gives `sink` the records of `unit`'s next commit in the order in which they must be written; the head is the last. Called
    /// inside the Kafka transaction, once the commit before was applied. Nothing changes here. Tombstones of ledger entries past
    /// their `keep` are among them. Cost: no allocation a record of state; a look-up in SQLite a range that is deleted.
    @discardableResult
    public func changelog(of unit: UnitCommit, _ sink: ChangelogSink) throws(Fault) -> ChangelogSize {
        let lane = unit.head.lane
        let stored = ready(unit)
        var size = ChangelogSize()
        func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) throws(Fault) {
            if Mutant.tombstonesLeftOut.isOn, value == nil { return }
            if Mutant.revisionForgotten.isOn, key.first == UInt8(ascii: "r") { return }
            size.records += 1
            size.bytes += key.count + (value?.count ?? 0)
            try sink(key, value)
        }
        if stored.topology != topology { try ChangelogCodec.give(.topology, topology, to: put) }
        for range in stored.gone { try tombstones(of: range, lane, put) }
        // As they are before this commit, since that is what it deletes of them.
        let past = try closedPast(unit)
        try changes(unit.changes, lane, put)
        try changes(unit.closed.changes, lane, put)
        for key in past {
            try ChangelogCodec.borrow(key) { key throws(Fault) in try put(key, nil) }
        }
        let entries = try UnitEntryWriter(store: self, unit: unit, nextEntry: stored.nextEntry)
        for key in entries.expired { try ChangelogCodec.give(key, nil, to: put) }
        try entries.each { key, value throws(Fault) in try ChangelogCodec.give(key, value, to: put) }
        for (place, row) in unit.owed.enumerated() where !Mutant.owedForgotten.isOn {
            try ChangelogCodec.give(.owed(UInt32(place)), EntryCodec.encode(row), to: put)
        }
        for place in unit.owed.count..<max(unit.owed.count, stored.owed) {
            try ChangelogCodec.give(.owed(UInt32(place)), nil, to: put)
        }
        try ChangelogCodec.give(.head, headBytes(unit, nextEntry: entries.next), to: put)
        return size
    }

    /// The unit's part of memory, once all that was promised of a commit holds.
    func ready(_ unit: UnitCommit) -> Unit {
        guard let stored = units[unit.head.lane], stored.isReady else {
            preconditionFailure("a unit is restored before it commits")
        }
        precondition(unit.head.sequence == (stored.head?.sequence ?? 0) + 1, "a unit's commits are numbered without gaps")
        return stored
    }

    func headBytes(_ unit: UnitCommit, nextEntry: Int64) -> [UInt8] {
        HeadCodec(outputIDs: outputIDs).encode(HeadCodec.Content(head: unit.head, nextEntry: nextEntry))
    }

    var topology: [UInt8] { UnitTopology(plan).encode() }

    /// The cells of closed windows that go with this commit: a bounded number, the rest goes with later ones.
    func closedPast(_ unit: UnitCommit) throws(Fault) -> [[UInt8]] {
        let state = StateTable(database: database)
        var keys: [[UInt8]] = []
        for past in unit.closed.past {
            keys += try state.firstKeys(
                of: unit.head.lane, from: past.from, to: past.to, limit: StateLimits.closedDeletesPerCommit)
        }
        return keys
    }

    private func changes(_ log: StateLog, _ lane: LaneNumber, _ put: ChangelogSink) throws(Fault) {
        let state = StateTable(database: database)
        var covered = CoveredPuts(log)
        func apply(
            _ change: StateLog.Change, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
        ) throws(Fault) {
            switch change {
            case .put:
                covered.note(key)
                try put(key, value)
            case .delete: try put(key, nil)
            case .deleteRange:
                try state.keys(of: lane, from: key, to: value) { key throws(Fault) in try put(key, nil) }
                for earlier in covered.keys where earlier.isIn(key, value) { try put(earlier, nil) }
            }
        }
        try log.replay(apply)
    }

    private func tombstones(of range: KeyRange, _ lane: LaneNumber, _ put: ChangelogSink) throws(Fault) {
        let from = range.from
        let to = range.to
        try ChangelogCodec.borrow(from) { from throws(Fault) in
            try ChangelogCodec.borrow(to) { to throws(Fault) in
                try StateTable(database: database).keys(of: lane, from: from, to: to) { key throws(Fault) in try put(key, nil) }
            }
        }
    }
}

enum ChangelogCodec {
    /// `nil` is a tombstone.
    static func give(_ key: ChangelogKey, _ value: [UInt8]?, to sink: GroupStore.ChangelogSink) throws(Fault) {
        try borrow(key.bytes()) { key throws(Fault) in
            guard let value else { return try sink(key, nil) }
            try borrow(value) { value throws(Fault) in try sink(key, value) }
        }
    }

    static func borrow(
        _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(Fault) -> Void
    ) throws(Fault) {
        let outcome = bytes.withUnsafeBytes { bytes -> Fault? in
            do throws(Fault) {
                try body(bytes)
                return nil
            } catch {
                return error
            }
        }
        if let outcome { throw outcome }
    }
}

/// The keys that a delta puts and a later range of the same delta may delete: SQLite does not hold them yet. Mostly none, since
/// a delta deletes windows and buckets that are over.
struct CoveredPuts {
    private(set) var keys: [UnsafeRawBufferPointer] = []
    /// The ranges' union: sorted, apart from one another.
    private var ranges: [(from: UnsafeRawBufferPointer, to: UnsafeRawBufferPointer)] = []

    init(_ log: StateLog) {
        var all: [(from: UnsafeRawBufferPointer, to: UnsafeRawBufferPointer)] = []
        log.replay { change, key, value in
            if change == .deleteRange && key.lexicographicallyPrecedes(value) { all.append((key, value)) }
        }
        all.sort { $0.from.lexicographicallyPrecedes($1.from) }
        for range in all {
            if let last = ranges.last, !last.to.lexicographicallyPrecedes(range.from) {
                if last.to.lexicographicallyPrecedes(range.to) { ranges[ranges.count - 1].to = range.to }
            } else {
                ranges.append(range)
            }
        }
    }

    /// Cost: nothing where no range is deleted, else a search among the ranges.
    mutating func note(_ key: UnsafeRawBufferPointer) {
        if ranges.isEmpty { return }
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if key.precedes(ranges[middle].from) { high = middle } else { low = middle + 1 }
        }
        if low > 0, key.precedes(ranges[low - 1].to) { keys.append(key) }
    }
}

extension UnsafeRawBufferPointer {
    /// As unsigned bytes.
    @inline(__always)
    func precedes(_ other: UnsafeRawBufferPointer) -> Bool { lexicographicallyPrecedes(other) }

    func isIn(_ from: UnsafeRawBufferPointer, _ to: UnsafeRawBufferPointer) -> Bool { !precedes(from) && precedes(to) }
}
