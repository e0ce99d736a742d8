import Model

/// What one emission goes by.
struct MergeMoment {
    /// `Int64.max`: the input is over.
    var watermark: Int64
    /// The watermark each lane has closed by, for outputs that close by their own partition; nil: the input is over.
    var laneWatermarks: [LaneNumber: Int64]?
    var asOf: EventTime?
}

/// One output in the merge: its windows, sessions, or what it rolls up. Called once for each partial and each commit, never for
/// a record.
protocol MergedOutput: AnyObject {
    var index: Int { get }
    var plan: AggregatePlan { get }
    var stored: UInt16 { get }
    var progress: OutputProgress { get set }
    var lastEmittedEnd: Int64 { get }

    /// A partial; `cell` is empty where it is withdrawn. `isLast`: the last word on a session.
    func receive(
        start: Int64, group: UnsafeRawBufferPointer, lane: LaneNumber, order: Int64, cell: UnsafeRawBufferPointer, isLast: Bool)
    /// What its closed windows held.
    var closed: any KeptClosed { get }
    /// The measures of late events that are applied again, as a cell of their window, and group. Error: `state_damaged`.
    func reapply(
        start: Int64, group: UnsafeRawBufferPointer, delta: UnsafeRawBufferPointer, _ lookup: ClosedLookup) throws(Fault)
    /// The bytes are a cell of this output.
    func isWhole(_ cell: UnsafeRawBufferPointer) -> Bool
    /// The partial belongs to a window that closed by `watermark`.
    func isClosed(start: Int64, cell: UnsafeRawBufferPointer, by watermark: Int64) -> Bool
    /// An entry of committed state; `key` begins with its tag. False: damaged.
    func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, order: (LaneNumber) -> Int64) -> Bool
    /// Emits the rows that are due, stores what must outlive the process, and forgets what is closed.
    func emit(into rows: inout [Row], changes: StateLog, _ moment: MergeMoment)

    /// The end of the last window that ends at or before `time`.
    func lastEnd(at time: Int64) -> Int64
    var lastOpenClose: Int64? { get }
    func nextEdge(after watermark: Int64) -> Int64?
    var memory: Int { get }
}

/// Words to fold cells in, and the rows that come of them.
final class RowFold {
    let codec: CellCodec
    let total: UnsafeMutablePointer<UInt64>
    private let part: UnsafeMutablePointer<UInt64>
    private var isEmpty = true

    init(_ layout: CellLayout) {
        codec = CellCodec(layout: layout)
        total = .allocate(capacity: layout.words)
        part = .allocate(capacity: layout.words)
        total.initialize(repeating: 0, count: layout.words)
        part.initialize(repeating: 0, count: layout.words)
    }

    deinit {
        clear(total)
        clear(part)
        total.deallocate()
        part.deallocate()
    }

    func isWhole(_ cell: UnsafeRawBufferPointer) -> Bool {
        clear(part)
        return codec.decode(cell, into: part)
    }

    func begin() {
        clear(total)
        isEmpty = true
    }

    /// Adds a cell to those before it, which are of earlier partitions or earlier windows.
    func add(_ cell: UnsafeRawBufferPointer) {
        if isEmpty {
            _ = codec.decode(cell, into: total)
        } else {
            clear(part)
            _ = codec.decode(cell, into: part)
            total[recordCountWord] &+= part[recordCountWord]
            if codec.layout.isSession, part[sessionEndWord] > total[sessionEndWord] {
                total[sessionEndWord] = part[sessionEndWord]
            }
            codec.combine(total, with: part)
        }
        isEmpty = false
    }

    func values() -> [Value] {
        codec.settle(total)
        return codec.values(total)
    }

    func errors() -> [Int] { codec.errors(total) }

    func bytes() -> [UInt8] {
        codec.settle(total)
        return [UInt8](unsafeUninitializedCapacity: codec.encodedLength(total)) { buffer, count in
            count = codec.encodedLength(total)
            codec.encode(total, into: UnsafeMutableRawPointer(buffer.baseAddress!))
        }
    }

    private func clear(_ measures: UnsafeMutablePointer<UInt64>) {
        for word in codec.layout.variable { VariableText.free(&measures[word]) }
        for word in 0..<codec.layout.words { measures[word] = 0 }
    }
}

extension MergedOutput {
    /// A roll-up is told by its source.
    func reapply(
        start: Int64, group: UnsafeRawBufferPointer, delta: UnsafeRawBufferPointer, _ lookup: ClosedLookup
    ) throws(Fault) {}

    var isEarly: Bool {
        switch plan.emit {
        case .every, .everyCommit: true
        case .final, .onTime: false
        }
    }
}
