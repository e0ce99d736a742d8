public import Model

/// Reads the stored cells of one aggregate for queries: an entry of a lane's state as the columns of a table.
public final class LiveCells {
    public struct Column: Equatable, Sendable {
        public var name: String
        /// Holds a sketch, which functions read.
        public var isSketch: Bool
    }

    public let columns: [Column]
    /// The keys of cells that have an entry of their own, and of pages of cells, `[from, to)`.
    public let keys: (from: [UInt8], to: [UInt8])
    public let pages: (from: [UInt8], to: [UInt8])
    private let plan: AggregatePlan
    private let grid: WindowGrid
    private let codec: CellCodec
    private let measures: UnsafeMutablePointer<UInt64>
    /// The entry that was read last: its columns are asked for one by one.
    private var last: (key: [UInt8], value: [UInt8], columns: [SQLValue])?
    /// The page that was taken apart last.
    private var lastPage: (value: [UInt8], cells: [(group: Range<Int>, cell: Range<Int>)])?

    public init(_ plan: AggregatePlan, fields: [FieldPlan], stored: UInt16) {
        self.plan = plan
        grid = WindowGrid(plan)
        let layout = CellLayout(plan, fields: fields)
        codec = CellCodec(layout: layout)
        measures = .allocate(capacity: layout.words)
        measures.initialize(repeating: 0, count: layout.words)
        keys = StateKey.range(StateKey.cell, ofOutput: stored)
        pages = StateKey.range(StateKey.page, ofOutput: stored)
        columns =
            ["window_start", "window_end"].map { Column(name: $0, isSketch: false) }
            + plan.groupBy.map { Column(name: fields[$0].name, isSketch: false) }
            + [Column(name: "records", isSketch: false)]
            + plan.measures.indices.map {
                let operation = layout.slots[layout.answers[$0].slot].operation
                return Column(name: plan.measures[$0].name, isSketch: Self.sketches.contains(operation))
            }
    }

    private static let sketches: [MeasureSlot.Operation] = [
        .distinct, .quantile, .distinctSet, .frequent, .largest, .largestText,
    ]

    deinit {
        clear()
        measures.deallocate()
    }

    /// One column of one entry; null where the bytes are no cell of this aggregate.
    public func value(_ column: Int, key: [UInt8], value: [UInt8]) -> SQLValue {
        if last?.key != key || last?.value != value { last = (key, value, read(key, value)) }
        guard let columns = last?.columns, columns.indices.contains(column) else { return .null }
        return columns[column]
    }

    // MARK: Pages

    /// How many cells a page holds; none where the bytes are no page of this aggregate.
    public func cells(inPage value: [UInt8]) -> Int { page(value).count }

    /// A page's cell as the key of the entry that it would have of its own, which counts where there is one; nil: there is no such cell.
    public func key(_ at: Int, inPage key: [UInt8], _ value: [UInt8]) -> [UInt8]? {
        let cells = page(value)
        guard cells.indices.contains(at), key.count >= StateKey.windowPrefix else { return nil }
        return [StateKey.cell] + key[1..<StateKey.windowPrefix] + value[cells[at].group]
    }

    /// The same cell as the value of that entry.
    public func value(_ at: Int, inPage value: [UInt8]) -> [UInt8]? {
        let cells = page(value)
        return cells.indices.contains(at) ? Array(value[cells[at].cell]) : nil
    }

    private func page(_ value: [UInt8]) -> [(group: Range<Int>, cell: Range<Int>)] {
        if let lastPage, lastPage.value == value { return lastPage.cells }
        var cells: [(group: Range<Int>, cell: Range<Int>)] = []
        var at = 0
        let isWhole = value.withUnsafeBytes { bytes in
            CellPages.decode(bytes, words: codec.layout.words) { group, cell in
                let from = at + 2
                at = from + group.count + cell.count
                cells.append((from..<(from + group.count), (from + group.count)..<at))
                return true
            }
        }
        if !isWhole { cells = [] }
        lastPage = (value, cells)
        return cells
    }

    private func read(_ key: [UInt8], _ value: [UInt8]) -> [SQLValue] {
        clear()
        guard key.count >= StateKey.windowPrefix, value.withUnsafeBytes({ codec.decode($0, into: measures) }) else { return [] }
        let (slot, group) = key.withUnsafeBytes {
            (
                StateKey.number($0, at: 3),
                GroupBytes.values(UnsafeRawBufferPointer(rebasing: $0[StateKey.windowPrefix...])).map(Self.sql)
            )
        }
        guard group.count == plan.groupBy.count else { return [] }
        let told = codec.values(measures)
        let own = plan.measures.indices.map { at -> SQLValue in
            let kept = codec.layout.slots[codec.layout.answers[at].slot]
            return SketchBlob.of(kept, measures + kept.word).map(SQLValue.blob) ?? Self.sql(told[at])
        }
        // A session's key holds its start, its cell the end; of all other windows the slot says both.
        let isSession = codec.layout.isSession
        let start = isSession ? slot : grid.start(of: slot)
        let end = isSession ? Int64(bitPattern: measures[sessionEndWord]) : grid.end(of: slot)
        return [.int(start), .int(end)] + group + [.int(Int64(bitPattern: measures[recordCountWord]))] + own
    }

    private func clear() {
        for word in codec.layout.variable { VariableText.free(&measures[word]) }
        for word in 0..<codec.layout.words { measures[word] = 0 }
    }

    /// As the tables of results show values.
    private static func sql(_ value: Value) -> SQLValue {
        switch value {
        case .null: .null
        case .bool(let flag): .int(flag ? 1 : 0)
        case .int(let number): .int(number)
        case .wide(let number): Int64(exactly: number).map(SQLValue.int) ?? .double(Double(number))
        case .double(let number): .double(number)
        case .string(let text): .text(text)
        case .uuid(let high, let low): .text(UUIDText.text(high: high, low: low))
        case .time(let time): .int(time.milliseconds)
        case .list, .counted: .text(JSONText.of(value))
        }
    }
}
