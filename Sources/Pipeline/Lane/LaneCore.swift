public import Model

/// What a lane is made of.
public struct LaneConfiguration: Sendable {
    public var plan: Plan
    public var lane: LaneNumber
    public var partition: PartitionID
    /// The partition's place among all of them, for `first`, `last` and the order in which partials are merged.
    public var partitionOrder: Int64
    /// By output: its number in stored keys.
    public var storedOutputs: [UInt16]
    /// Event times `[from, until)` in which windows must lie wholly, for a replay (S17); nil: all windows exist.
    public var bounds: Range<Int64>?
    /// Records with an earlier event time only remember keys and move the watermark, for a replay of a log without times (S17).
    public var warmBefore: EventTime?
    /// Which part of the way from a record to its windows this lane goes.
    public var role = LaneRole.whole
    public init(
        plan: Plan, lane: LaneNumber, partition: PartitionID, partitionOrder: Int64, storedOutputs: [UInt16],
        bounds: Range<Int64>? = nil, warmBefore: EventTime? = nil
    ) {
        self.plan = plan
        self.lane = lane
        self.partition = partition
        self.partitionOrder = partitionOrder
        self.storedOutputs = storedOutputs
        self.bounds = bounds
        self.warmBefore = warmBefore
    }
}

/// With `deduplicate: {scope: topic}` a record's way is cut in two (S7).
public enum LaneRole: Equatable, Sendable {
    case whole
    /// Up to the filter; what is left goes on to one of so many re-keyed partitions. `limit`: bytes that it gathers before a seal.
    case source(targets: Int, limit: Int)
    /// From deduplication on, of what inputs handed on. `sources`: who is meant by the places that it remembers.
    case rekeyed(sources: [LaneNumber: PartitionID])
    /// The same, of what a partition of the group's re-keyed topic carries. `inputs`: by lane. `end`: as `GroupLayout.end(of:)`.
    case rekeyedByLog(inputs: [PartitionID], end: Int32)

    /// Of a re-keyed lane: who is meant by the places that it remembers.
    var sources: [LaneNumber: PartitionID]? {
        switch self {
        case .rekeyed(let sources): sources
        case .rekeyedByLog(let inputs, _): Dictionary(uniqueKeysWithValues: inputs.enumerated().map { (LaneNumber($0), $1) })
        case .whole, .source: nil
        }
    }
}

/// The pure lane: records in, a sealed delta out. It reads no clock, knows no network and no disk. Not thread-safe: its
/// lane's queue is the only caller.
public final class LaneCore {
    var state: LaneState
    private var logCapacity = 4_096

    public init(_ configuration: LaneConfiguration) throws(Fault) { state = try LaneState(configuration) }

    // MARK: Restore, before the first batch

    /// Books, watermark and position as they were committed.
    public func restore(
        books: Books, watermark: EventTime?, newestEventTime: EventTime?, nextOffset: Int64, lastRecord: RecordFingerprint?
    ) {
        state.books = books
        let missing = state.outputCount - books.lateRefusals.count
        if missing > 0 { state.books.lateRefusals += Array(repeating: 0, count: missing) }
        state.watermark = watermark?.milliseconds ?? noWatermark
        state.newest = newestEventTime?.milliseconds ?? .min
        state.nextOffset = nextOffset
        state.inputTimes?.clock.reach(nextOffset)
        state.lastRecord = lastRecord
    }

    /// `SealedLane.largestClose` as it was committed; only a group keeps it.
    public func restore(largestClose: EventTime?) { state.largestClose = largestClose?.milliseconds }

    /// One entry of the lane's committed state; the watermark must have been restored before. False: not an entry of this
    /// plan, the state is damaged.
    public func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Bool { state.restore(key, value) }

    // MARK: Work

    /// Runs all stages over a batch of any size. A warm batch only remembers keys and moves the watermark (S17).
    public func process(_ batch: RecordBatch, warm: Bool = false) throws(Fault) {
        if let times = state.inputTimes { return try receive(batch, times) }
        var done = 0
        while done < batch.count {
            let rows = min(batch.count - done, PipelineLimits.batchRows)
            let taken = state.process(
                RecordBatch(
                    count: rows, payloads: batch.payloads + done, lengths: batch.lengths + done, offsets: batch.offsets + done,
                    timestamps: batch.timestamps + done), warm: warm)
            if taken == 0 {
                throw Self.noMemory("\(state.partition)@\(state.nextOffset)")
            }
            if let fault = state.cold.fault { throw fault }
            done += taken
        }
    }

    static func noMemory(_ place: String) -> Fault {
        Fault(
            "memory_exhausted", "There is no memory to decode the next record.", place: place,
            next: "Give the process more memory, or lower source.max_record.", exit: .state)
    }

    /// An idle lane that speaks again starts from the combined watermark (S6).
    public func raise(to watermark: EventTime) { state.watermark = max(state.watermark, watermark.milliseconds) }

    /// What an operator ordered of copies (S9) holds from the next record on, unless the lane has heeded a later order. For a lane that
    /// has taken nothing since its last seal: one that runs gets it with the seal's request.
    public func heed(_ order: ObserveOrder) { state.dedup?.pointee.heed(order, from: state.nextOffset) }

    /// The number of the last order that was heeded; 0: none was.
    public var heeded: Int64 { state.dedup?.pointee.orderNumber ?? 0 }

    /// Goes on at `offset`, where an operator chose to.
    public func jump(to offset: Int64) {
        state.nextOffset = offset
        state.inputTimes?.clock.reach(offset)
        state.lastRecord = nil
    }

    /// Everything since the last seal. What it returns shares nothing with the lane.
    public func seal(_ request: SealRequest) -> SealedLane {
        let sealed = state.seal(request, logCapacity: logCapacity)
        logCapacity = max(4_096, min(sealed.changes.byteCount * 5 / 4, PipelineLimits.deltaBytes))
        return sealed
    }

    // MARK: What it tells

    public var watermark: EventTime? { state.watermark == noWatermark ? nil : EventTime(milliseconds: state.watermark) }
    public var nextOffset: Int64 { state.nextOffset }
    public var books: Books { state.books }
    /// Records that passed the stage event time, since the lane was made: a silence ends when this grows (S6).
    public var spoken: Int { state.spoken }
    /// The record timestamp of the oldest record that is not sealed yet.
    public var oldestTimestamp: WallTime? { state.oldestTimestamp.map(WallTime.init(milliseconds:)) }
    /// The delta has grown so large that it should be sealed now.
    public var wantsSeal: Bool { state.deltaBytes > state.cold.deltaLimit || state.handingOn?.isFull ?? false }
    /// The first moment after `watermark` at which a window with data ends or closes; nil: there is none.
    public func nextEdge(after watermark: EventTime) -> EventTime? {
        var next: Int64?
        for index in 0..<state.outputCount {
            guard let edge = state.outputs[index].nextEdge(after: watermark.milliseconds) else { continue }
            next = min(next ?? edge, edge)
        }
        return next.map(EventTime.init(milliseconds:))
    }
    public var memory: Int { state.memory }
    /// Identities that are remembered; what they take in memory; and from when the oldest is, to its bucket.
    public var keys: Int { state.dedup?.pointee.keys ?? 0 }
    /// Cells in memory.
    public var cells: Int { (0..<state.outputCount).reduce(0) { $0 + state.outputs[$1].windows.cells.live } }
    public var keyMemory: Int { state.dedup?.pointee.bytes ?? 0 }
    public var figures: LaneFigures { state.figures }
    public var oldestKey: EventTime? { (state.dedup?.pointee.oldest ?? nil).map(EventTime.init(milliseconds:)) }
}

extension LaneState {
    mutating func restore(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        switch key.first {
        case StateKey.cell:
            guard key.count >= StateKey.windowPrefix else { return false }
            let stored = UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt16.self))
            for index in 0..<outputCount where outputs[index].stored == stored {
                restored += 1
                if restored & 255 == 0 { isFull = usedBytes > room }
                if isFull {
                    let group = UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix...])
                    let start = StateKey.number(key, at: 3)
                    // What a page has brought into memory is put right there.
                    let isKnown =
                        (outputs + index).pointee.windows.known(start: start, hash: groupHash(group), group: group) != nil
                    if !isKnown, (outputs + index).pointee.restoreCold(start: start, group: group, value: value) {
                        return true
                    }
                }
                return (outputs + index).pointee.restore(
                    start: StateKey.number(key, at: 3), group: UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix...]),
                    value: value)
            }
            return false
        case StateKey.page:
            guard key.count == StateKey.windowPrefix + 4 else { return false }
            let stored = UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt16.self))
            for index in 0..<outputCount where outputs[index].stored == stored {
                isFull = isFull || usedBytes > room
                return (outputs + index).pointee.restore(
                    page: value, start: StateKey.number(key, at: 3), number: UInt32(bitPattern: StateKey.lane(key)))
            }
            return false
        case StateKey.chunk, StateKey.sample, StateKey.copies, StateKey.order:
            // What was counted and ordered of copies stays in state where nothing is deduplicated any more, and is not looked at.
            guard let dedup else { return key.first == StateKey.copies || key.first == StateKey.order }
            let isSorted = key.count == StateKey.chunkLength && key[0] == StateKey.chunk && ColdKeys.isSorted(key)
            if isSorted, dedup.pointee.cold == nil { dedup.pointee.cold = ColdKeys(cold, form: dedup.pointee.form) }
            return dedup.pointee.restore(key, value, watermark: watermark)
        case StateKey.clocks: return clocks.restore(key, value)
        case StateKey.inputTimes: return inputTimes?.restore(value) ?? false
        default: return false
        }
    }
}
