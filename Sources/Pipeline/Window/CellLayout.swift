import Model

/// Where one measure keeps its state inside a cell.
struct MeasureSlot {
    enum Operation: UInt8 {
        /// `count()`: word 0 the number of records.
        case countRecords
        /// `count(x)`: word 0 the number of values.
        case countValues
        /// Words 0–1 the sum in 128 bits, word 2 the number of values.
        case sumInt
        /// Word 0 the sum, word 1 the number of values.
        case sumDouble
        case avgInt
        case avgDouble
        /// Word 0 the value, word 1 the number of values.
        case minInt
        case maxInt
        case minDouble
        case maxDouble
        /// Word 0 the text (variable), word 1 the number of values.
        case minText
        case maxText
        /// Word 0 event time, 1 partition, 2 offset, 3 state (0: no record yet, 1: value, 3: null), 4–5 the value.
        case first
        case last
        /// As `first`, with the text in word 4 (variable).
        case firstText
        case lastText
        /// Words: number of values, mean, sum of squared distances from it (Welford; merged as Chan does).
        case stddev
        /// Word 0 a `DistinctSketch` (variable).
        case distinct
        /// Word 0 a `QuantileSketch` (variable), which all quantiles of one column share.
        case quantile
        /// Word 0 a `DistinctSet` (variable).
        case distinctSet
        /// Words 0–1 the table and the texts of `FrequentValues` (both variable).
        case frequent
        /// Word 0 `LargestValues` (variable).
        case largest
        case largestText

        var words: Int {
            switch self {
            case .countRecords, .countValues, .distinct, .quantile, .distinctSet, .largest, .largestText: 1
            case .sumInt, .avgInt, .stddev: 3
            case .frequent, .sumDouble, .avgDouble, .minInt, .maxInt, .minDouble, .maxDouble, .minText, .maxText: 2
            case .first, .last, .firstText, .lastText: 6
            }
        }

        /// The words that hold a text or sketch of variable length.
        var variableWords: [Int] {
            switch self {
            case .minText, .maxText, .distinct, .quantile, .distinctSet, .largest, .largestText: [0]
            case .frequent: [0, 1]
            case .firstText, .lastText: [4]
            default: []
            }
        }
    }

    var operation: Operation
    var kind: ColumnKind
    var column: Int
    /// The first word, counted from the start of the measures.
    var word: Int
    /// The first measure that asks it, whose `where` it follows.
    var measure: Int
    /// What the measure says: how many values it tells or lists.
    var limit: Int
    /// Of `largest`: each value stands once.
    var isOnce: Bool
}

/// Word 0 of the measures counts the records that the cell took: by it a partial that tells nothing new is recognised.
let recordCountWord = 0
/// Word 1 of a session's measures: its end. Other cells have no such word.
let sessionEndWord = 1

/// The shape of an output's cells: their words, and which of them hold texts. The same for cells in memory, in state, and
/// on their way to the merge.
struct CellLayout {
    var slots: [MeasureSlot]
    /// By measure: its slot, and the share it asks of a quantile's.
    var answers: [(slot: Int, share: Double)]
    var words: Int
    /// Words that hold a `VariableText`.
    var variable: [Int]
    let isSession: Bool
    /// Slots that hold sketches, which can be damaged.
    var sketches: [Int] = []
    /// Slots whose values are not always in the order in which they are stored.
    var settling: [Int] = []
    /// Measures that may come to no value that can be told.
    var fallible: [Int] = []

    init(_ plan: AggregatePlan, fields: [FieldPlan]) {
        slots = []
        answers = []
        isSession = plan.window.isSession
        words = (isSession ? sessionEndWord : recordCountWord) + 1
        variable = []
        for (at, measure) in plan.measures.enumerated() {
            let kind = measure.column.map { ColumnKind(fields[$0].type) } ?? .int
            let operation = Self.operation(measure.function, kind, hasColumn: measure.column != nil)
            answers.append((slots.count, measure.share ?? 0))
            if operation == .quantile, let at = plan.measures[..<at].firstIndex(where: { $0.asksTheSameSketch(as: measure) }) {
                answers[answers.count - 1].slot = answers[at].slot
                continue
            }
            slots.append(
                MeasureSlot(
                    operation: operation, kind: kind, column: measure.column ?? -1, word: words, measure: at,
                    limit: measure.limit ?? 1, isOnce: measure.function == .largestDistinct))
            for at in operation.variableWords { variable.append(words + at) }
            if ![.minText, .maxText, .firstText, .lastText].contains(operation), !operation.variableWords.isEmpty {
                sketches.append(slots.count - 1)
            }
            if [.distinctSet, .frequent].contains(operation) { settling.append(slots.count - 1) }
            if [.sumDouble, .avgDouble, .stddev, .distinctSet].contains(operation) { fallible.append(at) }
            words += operation.words
        }
    }

    private static func operation(_ function: MeasurePlan.Function, _ kind: ColumnKind, hasColumn: Bool) -> MeasureSlot.Operation
    {
        let isText = kind == .string || kind == .json
        switch function {
        case .count: return hasColumn ? .countValues : .countRecords
        case .sum: return kind == .double ? .sumDouble : .sumInt
        case .avg: return kind == .double ? .avgDouble : .avgInt
        case .min: return isText ? .minText : kind == .double ? .minDouble : .minInt
        case .max: return isText ? .maxText : kind == .double ? .maxDouble : .maxInt
        case .first: return isText ? .firstText : .first
        case .last: return isText ? .lastText : .last
        case .stddev: return .stddev
        case .approxDistinct: return .distinct
        case .quantile: return .quantile
        case .exactDistinct: return .distinctSet
        case .top: return .frequent
        case .largest, .largestDistinct: return isText ? .largestText : .largest
        }
    }
}

extension MeasurePlan {
    fileprivate func asksTheSameSketch(as other: MeasurePlan) -> Bool {
        function == other.function && column == other.column && admits == other.admits
    }
}

/// A text or sketch of a cell, in memory of its own: the word is its address, 0 for none. The memory grows, never shrinks, and goes
/// with the cell.
enum VariableText {
    /// Capacity (4 bytes), length (4 bytes), bytes.
    private static let header = 8

    static func bytes(_ word: UInt64) -> UnsafeRawBufferPointer {
        guard let start = UnsafeRawPointer(bitPattern: UInt(word)) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: start + header, count: Int(start.load(fromByteOffset: 4, as: UInt32.self)))
    }

    static func set(_ word: inout UInt64, _ source: UnsafeRawPointer?, _ length: Int) {
        var start = UnsafeMutableRawPointer(bitPattern: UInt(word))
        if start == nil || start!.load(as: UInt32.self) < length {
            start?.deallocate()
            let capacity = max(24, length)
            let fresh = UnsafeMutableRawPointer.allocate(byteCount: header + capacity, alignment: 8)
            fresh.storeBytes(of: UInt32(capacity), as: UInt32.self)
            word = UInt64(UInt(bitPattern: fresh))
            start = fresh
        }
        start!.storeBytes(of: UInt32(length), toByteOffset: 4, as: UInt32.self)
        if let source, length > 0 { (start! + header).copyMemory(from: source, byteCount: length) }
    }

    static func mutableBytes(_ word: UInt64) -> UnsafeMutableRawBufferPointer {
        guard let start = UnsafeMutableRawPointer(bitPattern: UInt(word)) else {
            return UnsafeMutableRawBufferPointer(start: nil, count: 0)
        }
        return UnsafeMutableRawBufferPointer(
            start: start + header, count: Int(start.load(fromByteOffset: 4, as: UInt32.self)))
    }

    /// Changes the length and keeps what fits of the bytes; new ones hold anything. `room`: the capacity to take if the
    /// present one is too small.
    static func resize(_ word: inout UInt64, to length: Int, room: Int) -> UnsafeMutableRawBufferPointer {
        let start = UnsafeMutableRawPointer(bitPattern: UInt(word))
        if start == nil || start!.load(as: UInt32.self) < length {
            let capacity = max(24, length, room)
            let fresh = UnsafeMutableRawPointer.allocate(byteCount: header + capacity, alignment: 8)
            fresh.storeBytes(of: UInt32(capacity), as: UInt32.self)
            if let start {
                let kept = min(length, Int(start.load(fromByteOffset: 4, as: UInt32.self)))
                (fresh + header).copyMemory(from: start + header, byteCount: kept)
                start.deallocate()
            }
            word = UInt64(UInt(bitPattern: fresh))
        }
        UnsafeMutableRawPointer(bitPattern: UInt(word))!.storeBytes(of: UInt32(length), toByteOffset: 4, as: UInt32.self)
        return mutableBytes(word)
    }

    /// Bytes of memory behind a word.
    static func allocated(_ word: UInt64) -> Int {
        UnsafeRawPointer(bitPattern: UInt(word)).map { header + Int($0.load(as: UInt32.self)) } ?? 0
    }

    static func free(_ word: inout UInt64) {
        UnsafeMutableRawPointer(bitPattern: UInt(word))?.deallocate()
        word = 0
    }
}
