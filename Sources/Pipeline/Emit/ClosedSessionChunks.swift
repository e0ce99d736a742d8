import Model

/// Where sessions go that close, in state: entries of a few KiB that nothing reads until a late event is applied again, by the minute in which
/// their sessions end, and within it by slices of the groups' hashes.
///
/// A commit that closes few sessions puts each into the slice of its group's, so that a look-up reads little more than the group's own; one
/// that closes many packs them, into as many slices as fill its entries. So an entry of state a session is the most, and a few for many.
struct ClosedSessionChunks {
    /// A session that was found, and where.
    struct Found {
        var start: Int64
        var end: Int64
        var lane: LaneNumber
        var revision: Int64
        var cell: [UInt8]
        /// The chunk's key, and what stands there.
        fileprivate var chunk: [UInt8]
        fileprivate var value: [UInt8]
        fileprivate var group: GroupKey
    }
    /// Of a session that was added, in the order of a chunk's bytes; behind it there are the group's and the cell's.
    private struct Entry {
        var start: Int64
        var end: Int64
        var revision: Int64
        var lane: LaneNumber
        var group: Int32
        var cell: Int32
        static let length = 36
    }
    private struct Place {
        var hash: UInt64
        /// Where the entry begins.
        var offset: Int
        var length: Int
        var end: Int64
    }

    private let stored: UInt16
    private var places: [Place] = []
    /// Entry after entry.
    private var bytes: [UInt8] = []
    /// Chunks of which sessions were taken since the last emission, as they will be.
    private var rewritten: [[UInt8]: [UInt8]] = [:]

    init(stored: UInt16) { self.stored = stored }

    static func bucket(of end: Int64) -> Int64 {
        floorDivide(end, PipelineLimits.closedSessionBucket) * PipelineLimits.closedSessionBucket
    }

    // MARK: Keeping

    mutating func add(
        start: Int64, end: Int64, lane: LaneNumber, revision: Int64, group: UnsafeRawBufferPointer, cell: UnsafeRawBufferPointer
    ) {
        places.append(
            Place(
                hash: groupHash(group), offset: bytes.count, length: Entry.length + group.count + cell.count, end: end))
        let entry = Entry(
            start: start, end: end, revision: revision, lane: lane, group: Int32(group.count), cell: Int32(cell.count))
        withUnsafeBytes(of: entry) { bytes.append(contentsOf: $0[..<Entry.length]) }
        bytes.append(contentsOf: group)
        bytes.append(contentsOf: cell)
    }

    /// Writes what was added.
    mutating func flush(_ changes: StateLog) {
        if places.isEmpty { return }
        // Sessions close in the order of their ends, so that there are few minutes: one after the other, by hash.
        let minutes = Dictionary(grouping: places.indices) { Self.bucket(of: places[$0].end) }.sorted { $0.key < $1.key }
        let rows = max(PipelineLimits.closedSessionRows, places.count / PipelineLimits.closedSessionsPerRow)
        let each = max(rows / minutes.count, 1)
        let level = UInt8(min(Int.bitWidth - 1 - each.leadingZeroBitCount, Self.deepest))
        var chunk: [UInt8] = []
        chunk.reserveCapacity(PipelineLimits.closedChunkBytes)
        for (bucket, minute) in minutes {
            var first: Place?
            for at in minute.sorted(by: { places[$0].hash < places[$1].hash }) {
                let place = places[at]
                if let before = first,
                    chunk.count + place.length > PipelineLimits.closedChunkBytes
                        || Self.slice(place.hash, level) != Self.slice(before.hash, level)
                {
                    put(chunk, before, bucket, level, changes)
                    chunk.removeAll(keepingCapacity: true)
                    first = nil
                }
                if first == nil { first = place }
                chunk += bytes[place.offset..<(place.offset + place.length)]
            }
            if let first { put(chunk, first, bucket, level, changes) }
            chunk.removeAll(keepingCapacity: true)
        }
        (places, bytes) = ([], [])
    }

    private func put(_ chunk: [UInt8], _ first: Place, _ bucket: Int64, _ level: UInt8, _ changes: StateLog) {
        var key = key(bucket, level, Self.slice(first.hash, level))
        // What makes it the only one of its kind: no two sessions of a group in a lane have the same interval.
        chunk.withUnsafeBytes { chunk in
            key += chunk[..<28]
            withUnsafeBytes(of: first.hash) { key += $0 }
            key.withUnsafeBytes { changes.put($0, chunk) }
        }
    }

    /// There are two to the power of the level slices.
    private static let deepest = 8
    private static func slice(_ hash: UInt64, _ level: UInt8) -> UInt8 {
        level == 0 ? 0 : UInt8(truncatingIfNeeded: hash >> (64 - UInt64(level)))
    }

    private func key(_ bucket: Int64, _ level: UInt8, _ slice: UInt8) -> [UInt8] {
        StateKey.windowKey(StateKey.closedChunk, output: stored, start: bucket) + [level, slice]
    }

    // MARK: Finding

    /// The group's sessions that end after `time`, in any order. Cost: for each minute since then that has sessions some look-ups of
    /// state, and the entries of the group's slice. Errors: what `lookup` throws, `state_damaged`.
    func find(_ group: GroupKey, endingAfter time: Int64, _ lookup: ClosedLookup) throws(Fault) -> [Found] {
        var found: [Found] = []
        let hash = group.bytes.withUnsafeBytes(groupHash)
        let oldest = Self.bucket(of: time)
        let prefix = StateKey.windowPrefix
        let output = StateKey.range(StateKey.closedChunk, ofOutput: stored)
        var before = output.to
        while let entry = try lookup(before, false), !entry.key.lexicographicallyPrecedes(output.from) {
            guard entry.key.count >= prefix + 2 else { throw ClosedCells.damaged }
            let bucket = entry.key.withUnsafeBytes { StateKey.number($0, at: 3) }
            if bucket < oldest { break }
            let (level, slice) = (entry.key[prefix], entry.key[prefix + 1])
            guard Int(level) <= Self.deepest else { throw ClosedCells.damaged }
            let own = Self.slice(hash, level)
            if slice == own {
                try read(rewritten[entry.key] ?? entry.value, entry.key, group, after: time, into: &found)
                before = entry.key
            } else if slice < own {
                before = key(bucket, level, 0)
            } else {
                // Up to the last one of the group's own slice.
                before = key(bucket, level, own + 1)
            }
        }
        return found
    }

    private func read(
        _ chunk: [UInt8], _ key: [UInt8], _ group: GroupKey, after time: Int64, into found: inout [Found]
    ) throws(Fault) {
        try Self.each(chunk) { entry, own, cell, _ in
            guard entry.end > time, own.elementsEqual(group.bytes) else { return }
            found.append(
                Found(
                    start: entry.start, end: entry.end, lane: entry.lane, revision: entry.revision, cell: Array(cell), chunk: key,
                    value: chunk,
                    group: group))
        }
    }

    private static func each(
        _ chunk: [UInt8],
        _ body: (_ entry: Entry, _ group: ArraySlice<UInt8>, _ cell: ArraySlice<UInt8>, _ place: Range<Int>) -> Void
    ) throws(Fault) {
        var at = 0
        while at < chunk.count {
            guard at + Entry.length <= chunk.count else { throw ClosedCells.damaged }
            let entry = chunk.withUnsafeBytes { chunk in
                func number<T: FixedWidthInteger>(_ offset: Int, _: T.Type) -> T {
                    chunk.loadUnaligned(fromByteOffset: at + offset, as: T.self)
                }
                return Entry(
                    start: number(0, Int64.self), end: number(8, Int64.self), revision: number(16, Int64.self),
                    lane: number(24, Int32.self), group: number(28, Int32.self), cell: number(32, Int32.self))
            }
            let group = at + Entry.length
            guard entry.group >= 0, entry.cell >= 0, group + Int(entry.group) + Int(entry.cell) <= chunk.count else {
                throw ClosedCells.damaged
            }
            let cell = group + Int(entry.group)
            let next = cell + Int(entry.cell)
            body(entry, chunk[group..<cell], chunk[cell..<next], at..<next)
            at = next
        }
    }

    // MARK: Taking

    /// Takes a session out of its chunk; `rewrite` writes that.
    mutating func remove(_ session: Found) throws(Fault) {
        var rest: [UInt8] = []
        let chunk = rewritten[session.chunk] ?? session.value
        try Self.each(chunk) { entry, group, _, place in
            let isTaken =
                entry.start == session.start && entry.end == session.end && entry.lane == session.lane
                && group.elementsEqual(session.group.bytes)
            if !isTaken { rest += chunk[place] }
        }
        rewritten[session.chunk] = rest
    }

    mutating func rewrite(_ changes: StateLog) {
        for (key, chunk) in rewritten {
            key.withUnsafeBytes { key in
                if chunk.isEmpty { changes.delete(key) } else { chunk.withUnsafeBytes { changes.put(key, $0) } }
            }
        }
        rewritten = [:]
    }
}
