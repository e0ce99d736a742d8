public import Model

/// The partials of one lane on their way to the merge lanes, as the values of records: many partials of one lane for one
/// partition of the partials topic in each.
public enum Partials {
    private static let version: UInt8 = 1
    /// Version and lane.
    private static let headLength = 5
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
        var open: [Int32: ByteWriter] = [:]
        var records: [Record] = []
        sealed.partials.replay { (_, key, value) in
            guard isMerged(UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt16.self))) else { return }
            let partition = partition(key)
            let length = key.count + value.count + entryOverhead
            if let writer = open[partition], writer.bytes.count + length + sumLength > limit {
                records.append(Record(partition: partition, bytes: writer.sealed()))
                open[partition] = nil
            }
            open[partition, default: start(sealed.lane)].put(key, value)
        }
        for (partition, writer) in open { records.append(Record(partition: partition, bytes: writer.sealed())) }
        // Stable: records of one partition stay in their order.
        return records.enumerated().sorted { ($0.element.partition, $0.offset) < ($1.element.partition, $1.offset) }.map(
            \.element)
    }

    private static func start(_ lane: LaneNumber) -> ByteWriter {
        var writer = ByteWriter(capacity: 4_096)
        writer.put(version)
        writer.put(lane)
        return writer
    }

    /// Hands each partial to `body`, which says whether it could read it. False: damaged; then it may have seen some of them.
    static func decode(
        _ bytes: UnsafeRawBufferPointer,
        _ body: (_ lane: LaneNumber, _ key: UnsafeRawBufferPointer, _ cell: UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        guard var from = ByteReader(sealed: bytes), from.take(UInt8.self) == version, let lane = from.take(LaneNumber.self)
        else { return false }
        while !from.isAtEnd {
            guard let keyLength = from.take(UInt32.self), let cellLength = from.take(UInt32.self),
                let key = from.take(count: Int(keyLength)), let cell = from.take(count: Int(cellLength)), body(lane, key, cell)
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
