/// Where copies of an event meet (S7).
public enum DeduplicateScope: String, Equatable, Sendable {
    /// In the partition that they came in.
    case partition
    /// In the re-keyed partition that their identity belongs to, whichever partitions they came in.
    case topic
}

extension Plan {
    /// Records are handed on to the partition of their identity before they are deduplicated.
    public var isRekeyed: Bool { deduplicate?.scope == .topic }

    /// What re-keyed partitions are called in books, metrics and state.
    public var rekeyedTopic: String { "weir.\(name).rekey" }

    /// A new state has as many as there are inputs, as far as that is of use; from then on their number stays (S7): an identity
    /// belongs to one of them for good.
    public func rekeyedPartitions(inputs: Int) -> [PartitionID] { Plan.rekeyedPartitions(of: rekeyedTopic, inputs: inputs) }

    /// As a group has them, in a topic of its own.
    public static func rekeyedPartitions(of topic: String, inputs: Int) -> [PartitionID] {
        (0..<max(1, min(inputs, RekeyLimits.partitions))).map { PartitionID(topic: topic, number: Int32($0)) }
    }

    /// Bytes that one of so many inputs gathers for re-keyed lanes: what is open, and what is sealed while the next is gathered.
    public func gathered(inputs: Int) -> Int {
        let share = state.memory.bytes / RekeyLimits.memoryShare / 2 / Int64(max(inputs, 1))
        return Int(min(max(share, RekeyLimits.gathered.lowerBound), RekeyLimits.gathered.upperBound))
    }
}

public enum RekeyLimits {
    /// Re-keyed partitions of a process. More than the machine has cores make nothing faster.
    public static let partitions = 8
    /// Input lanes that can be told apart in a place.
    public static let sources = 1 << 16
    /// The part of `state.memory` that belongs to records on their way between lanes, as a divisor.
    public static let memoryShare: Int64 = 8
    /// Bytes of records on their way that one input lane gathers before it waits for a commit.
    public static let gathered: ClosedRange<Int64> = (64 << 10)...(8 << 20)
    /// Of a group: the largest record that fits into one of the internal topic.
    public static let largestRecord: Int64 = 8 << 20
}

/// Where a record lies among all inputs, in one number: the input's lane, and the offset. Places of one input are in the order of
/// its offsets.
public enum RecordPlace {
    private static let bits: Int64 = 47

    public static func of(_ lane: LaneNumber, _ offset: Int64) -> Int64 { Int64(lane) << bits | offset }
    public static func lane(_ place: Int64) -> LaneNumber { LaneNumber(place >> bits) }
    public static func offset(_ place: Int64) -> Int64 { place & (1 << bits - 1) }
}

/// Records that one input lane hands on to one re-keyed partition in a commit, in their order: their bytes, and what the input
/// partition knows of them.
///
/// `@unchecked Sendable` is true because: the input's lane fills it until it is sealed; after that the re-keyed lane alone has it.
public final class RekeyedRecords: @unchecked Sendable {
    /// Of the input.
    public let source: PartitionID
    public let lane: LaneNumber
    /// Its place among all inputs, for `first`, `last`.
    public let order: Int64
    private var bytes: UnsafeMutableRawPointer
    private var capacity: Int
    private var used = 0
    private var entries: [Entry] = []

    private struct Entry {
        var start: Int
        var length: Int
        var place: Int64
        var timestamp: Int64
        var before: Int64
        var isWarm: Bool
    }

    /// Decoders read a little past a record's end.
    private static let padding = 64
    /// Of a partition to which anything is handed on at all.
    private static let leastCapacity = 16 << 10

    public init(source: PartitionID, lane: LaneNumber, order: Int64) {
        self.source = source
        self.lane = lane
        self.order = order
        capacity = Self.padding
        bytes = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { bytes.deallocate() }

    public var count: Int { entries.count }
    /// What it takes in memory, about.
    public var memory: Int { used + entries.count * MemoryLayout<Entry>.stride }

    /// `before`: the input's watermark as it stood before the record; `Int64.min`: it had none.
    public func append(
        _ payload: UnsafeRawPointer, length: Int, offset: Int64, timestamp: Int64, before: Int64, isWarm: Bool
    ) {
        if used + length + Self.padding > capacity { grow(to: used + length + Self.padding) }
        (bytes + used).copyMemory(from: payload, byteCount: length)
        entries.append(
            Entry(
                start: used, length: length, place: RecordPlace.of(lane, offset), timestamp: timestamp, before: before,
                isWarm: isWarm))
        used += length
    }

    /// All of them in pieces of at most `limit`, each either warm or not. A batch's offsets are places; it is valid during the call.
    public func forEachBatch<E: Error>(
        limit: Int, _ body: (RecordBatch, _ before: UnsafePointer<Int64>, _ isWarm: Bool) throws(E) -> Void
    ) throws(E) {
        if entries.isEmpty { return }
        (bytes + used).initializeMemory(as: UInt8.self, repeating: 0, count: Self.padding)
        let rows = min(limit, entries.count)
        let payloads = UnsafeMutablePointer<UnsafeRawPointer?>.allocate(capacity: rows)
        let lengths = UnsafeMutablePointer<Int>.allocate(capacity: rows)
        let words = UnsafeMutablePointer<Int64>.allocate(capacity: rows * 3)
        defer {
            payloads.deallocate()
            lengths.deallocate()
            words.deallocate()
        }
        let (places, timestamps, before) = (words, words + rows, words + rows * 2)
        var next = 0
        while next < entries.count {
            let isWarm = entries[next].isWarm
            var count = 0
            while count < rows, next < entries.count, entries[next].isWarm == isWarm {
                let entry = entries[next]
                (payloads + count).initialize(to: UnsafeRawPointer(bytes) + entry.start)
                (lengths + count).initialize(to: entry.length)
                (places + count).initialize(to: entry.place)
                (timestamps + count).initialize(to: entry.timestamp)
                (before + count).initialize(to: entry.before)
                count += 1
                next += 1
            }
            try body(
                RecordBatch(count: count, payloads: payloads, lengths: lengths, offsets: places, timestamps: timestamps), before,
                isWarm)
        }
    }

    /// One by one, in their order. A payload is valid during the call.
    public func eachRecord(
        _ body: (_ payload: UnsafeRawBufferPointer, _ offset: Int64, _ timestamp: Int64, _ before: Int64) -> Void
    ) {
        for entry in entries {
            body(
                UnsafeRawBufferPointer(start: bytes + entry.start, count: entry.length), RecordPlace.offset(entry.place),
                entry.timestamp, entry.before)
        }
    }

    /// They were taken: their memory is of no use any more, whoever still holds what was sealed.
    public func removeAll() {
        entries = []
        used = 0
        bytes.deallocate()
        capacity = Self.padding
        bytes = .allocate(byteCount: capacity, alignment: 16)
    }

    private func grow(to needed: Int) {
        bytes = bytes.grown(&capacity, to: max(needed, Self.leastCapacity), keeping: used, alignment: 16)
    }
}

/// What a re-keyed partition takes from one input in a commit.
public struct RekeyedTurn: Sendable {
    /// The smallest watermark of the other inputs that count, as they stand when this one has its turn; `Int64.min`: one was never heard
    /// from; `Int64.max`: there is no other. With the input's own before each record it gives the re-keyed watermark (S7).
    public var held: Int64
    /// By re-keyed partition.
    public var records: [RekeyedRecords]
    public init(held: Int64, records: [RekeyedRecords]) {
        self.held = held
        self.records = records
    }
}
