public import Model

/// The partials of one lane on their way to the merge lanes, as the values of records: many partials of one lane for one
/// partition of the partials topic in each.
public enum Partials {
    private static let version: UInt8 = 1
    /// Of a late event that is applied again: behind the lane stands its entry in the ledger, and what follows is added to what its
    /// windows hold.
    private static let lateVersion: UInt8 = 2
    /// The lengths before a partial, and the sum behind the last one.
    private static let entryOverhead = 8
    private static let sumLength = 4

    /// A record's value and the partition it belongs to.
    public struct Record: Equatable, Sendable {
        public var partition: Int32
        public var bytes: [UInt8]
    }

    /// Cuts what a lane has sealed into records of at most `limit` bytes, or of one partial. `isMerged` says which stored
    /// outputs are joined in merge lanes; `partition` where a key belongs. In the order of the partitions.
    public static func encode(
        _ sealed: SealedLane, isMerged: (_ storedOutput: UInt16) -> Bool, partition: (UnsafeRawBufferPointer) -> Int32,
        limit: Int = GroupLimits.partialsBytes
    ) -> [Record] {
        cut(sealed.partials, after: start(version, sealed.lane), isMerged, partition, limit)
    }

    /// What a late event adds to its windows, as `encode(_:isMerged:partition:limit:)`.
    public static func encode(
        late entry: Int64, _ partials: StateLog, of lane: LaneNumber, isMerged: (_ storedOutput: UInt16) -> Bool,
        partition: (UnsafeRawBufferPointer) -> Int32
    ) -> [Record] {
        var head = start(lateVersion, lane)
        head.put(entry)
        return cut(partials, after: head, isMerged, partition, GroupLimits.partialsBytes)
    }

    private static func cut(
        _ partials: StateLog, after head: ByteWriter, _ isMerged: (_ storedOutput: UInt16) -> Bool,
        _ partition: (UnsafeRawBufferPointer) -> Int32, _ limit: Int
    ) -> [Record] {
        var open: [Int32: ByteWriter] = [:]
        var records: [Record] = []
        partials.replay { (_, key, value) in
            guard isMerged(UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt16.self))) else { return }
            let partition = partition(key)
            let length = key.count + value.count + entryOverhead
            if let writer = open[partition], writer.bytes.count + length + sumLength > limit {
                records.append(Record(partition: partition, bytes: writer.sealed()))
                open[partition] = nil
            }
            open[partition, default: head].put(key, value)
        }
        for (partition, writer) in open { records.append(Record(partition: partition, bytes: writer.sealed())) }
        // Stable: records of one partition stay in their order.
        return records.enumerated().sorted { ($0.element.partition, $0.offset) < ($1.element.partition, $1.offset) }.map(
            \.element)
    }

    private static func start(_ version: UInt8, _ lane: LaneNumber) -> ByteWriter {
        var writer = ByteWriter(capacity: 4_096)
        writer.put(version)
        writer.put(lane)
        return writer
    }

    /// Hands each partial to `body`, which says whether it could read it; `late`: the entry of the ledger that it is of. False: damaged; then it may have seen some of them.
    static func decode(
        _ bytes: UnsafeRawBufferPointer,
        _ body: (_ lane: LaneNumber, _ late: Int64?, _ key: UnsafeRawBufferPointer, _ cell: UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        guard var from = ByteReader(sealed: bytes), let form = from.take(UInt8.self), form == version || form == lateVersion,
            let lane = from.take(LaneNumber.self)
        else { return false }
        var late: Int64?
        if form == lateVersion {
            late = from.take(Int64.self)
            if late == nil { return false }
        }
        while !from.isAtEnd {
            guard let keyLength = from.take(UInt32.self), let cellLength = from.take(UInt32.self),
                let key = from.take(count: Int(keyLength)), let cell = from.take(count: Int(cellLength)),
                body(lane, late, key, cell)
            else { return false }
        }
        return true
    }
}

extension ByteWriter {
    fileprivate mutating func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        put(UInt32(key.count))
        put(UInt32(value.count))
        put(key)
        put(value)
    }
}
