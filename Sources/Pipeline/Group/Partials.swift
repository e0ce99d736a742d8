public import Model

/// The partials of lanes on their way to the merge lanes, as the values of records: in each many partials for one partition of the
/// partials topic, lane by lane.
public enum Partials {
    /// Of one lane, which stands in front. It is read and not written any more.
    private static let oneLaneVersion: UInt8 = 1
    /// Of a late event that is applied again: behind the lane stands its entry in the ledger, and what follows is added to what its
    /// windows hold.
    private static let lateVersion: UInt8 = 2
    /// Of many lanes: a mark and a lane stand before what is of that lane.
    private static let version: UInt8 = 3
    /// In the place of a key's length, which can't be so large.
    private static let laneMark = UInt32.max
    /// The lengths before a partial, or a mark with its lane; and the sum behind the last one.
    private static let entryOverhead = 8
    private static let sumLength = 4

    /// A record's value and the partition it belongs to.
    public struct Record: Equatable, Sendable {
        public var partition: Int32
        public var bytes: [UInt8]
    }

    /// Cuts what lanes have sealed into records of at most `limit` bytes, or of one partial; one record for a partition holds what
    /// all of them have for it, so that their number does not grow with that of the lanes. `isMerged` says which stored outputs are
    /// joined in merge lanes; `partition` where a key belongs. In the order of the partitions, and in each of the lanes as they come.
    public static func encode(
        _ sealed: [SealedLane], isMerged: (_ storedOutput: UInt16) -> Bool, partition: (UnsafeRawBufferPointer) -> Int32,
        limit: Int = GroupLimits.partialsBytes
    ) -> [Record] {
        var cut = Cut(after: start(version), limit: limit)
        for lane in sealed { cut.add(lane.partials, of: lane.lane, isMerged, partition) }
        return cut.finish()
    }

    /// What a late event adds to its windows, as `encode(_:isMerged:partition:limit:)`.
    public static func encode(
        late entry: Int64, _ partials: StateLog, of lane: LaneNumber, isMerged: (_ storedOutput: UInt16) -> Bool,
        partition: (UnsafeRawBufferPointer) -> Int32
    ) -> [Record] {
        var head = start(lateVersion)
        head.put(lane)
        head.put(entry)
        var cut = Cut(after: head, limit: GroupLimits.partialsBytes)
        cut.add(partials, of: nil, isMerged, partition)
        return cut.finish()
    }

    private static func start(_ version: UInt8) -> ByteWriter {
        var writer = ByteWriter(capacity: 4_096)
        writer.put(version)
        return writer
    }

    /// Partials on their way into records.
    private struct Cut {
        private struct Open {
            var writer: ByteWriter
            /// Whose the last partial was.
            var lane: LaneNumber?
        }

        private let head: ByteWriter
        private let limit: Int
        private var open: [Int32: Open] = [:]
        private var records: [Record] = []

        init(after head: ByteWriter, limit: Int) {
            self.head = head
            self.limit = limit
        }

        mutating func add(
            _ partials: StateLog, of lane: LaneNumber?, _ isMerged: (_ storedOutput: UInt16) -> Bool,
            _ partition: (UnsafeRawBufferPointer) -> Int32
        ) {
            partials.replay { (_, key, value) in
                guard isMerged(UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt16.self))) else { return }
                put(key, value, for: partition(key), of: lane)
            }
        }

        private mutating func put(
            _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, for partition: Int32, of lane: LaneNumber?
        ) {
            let length = key.count + value.count + 2 * entryOverhead
            if let before = open[partition]?.writer.bytes.count, before + length + sumLength > limit { close(partition) }
            if open[partition] == nil { open[partition] = Open(writer: head) }
            if let lane, open[partition]!.lane != lane {
                open[partition]!.writer.put(laneMark)
                open[partition]!.writer.put(lane)
                open[partition]!.lane = lane
            }
            open[partition]!.writer.put(key, value)
        }

        private mutating func close(_ partition: Int32) {
            if let full = open.removeValue(forKey: partition) {
                records.append(Record(partition: partition, bytes: full.writer.sealed()))
            }
        }

        mutating func finish() -> [Record] {
            for partition in open.keys.sorted() { close(partition) }
            // Stable: records of one partition stay in their order.
            return records.enumerated().sorted { ($0.element.partition, $0.offset) < ($1.element.partition, $1.offset) }.map(
                \.element)
        }
    }

    /// Hands each partial to `body`, which says whether it could read it; `late`: the entry of the ledger that it is of. False: damaged; then it may have seen some of them.
    static func decode(
        _ bytes: UnsafeRawBufferPointer,
        _ body: (_ lane: LaneNumber, _ late: Int64?, _ key: UnsafeRawBufferPointer, _ cell: UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        guard var from = ByteReader(sealed: bytes), let form = from.take(UInt8.self), (oneLaneVersion...version).contains(form)
        else { return false }
        var lane: LaneNumber?
        var late: Int64?
        if form != version {
            lane = from.take(LaneNumber.self)
            if lane == nil { return false }
        }
        if form == lateVersion {
            late = from.take(Int64.self)
            if late == nil { return false }
        }
        while !from.isAtEnd {
            guard let keyLength = from.take(UInt32.self) else { return false }
            if form == version, keyLength == laneMark {
                lane = from.take(LaneNumber.self)
                if lane == nil { return false }
                continue
            }
            guard let lane, let cellLength = from.take(UInt32.self), let key = from.take(count: Int(keyLength)),
                let cell = from.take(count: Int(cellLength)), body(lane, late, key, cell)
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
