public import Model

/// A sketch on its way to and from queries: its stored bytes behind a byte that says what it is (docs/sketches.md).
public enum SketchBlob {
    enum Kind: UInt8 {
        case distinct = 0x64
        case set = 0x65
        case quantile = 0x71
        case top = 0x74
        case largest = 0x6C

        var words: String {
            switch self {
            case .distinct: "approx_distinct"
            case .set: "exact_distinct"
            case .quantile: "quantile"
            case .top: "top"
            case .largest: "largest"
            }
        }
    }

    /// The parts of a blob; the second is empty but of a list of frequent texts.
    private struct Parts {
        var kind: Kind
        var type: ColumnKind
        var bytes: [UInt8]
        var texts: [UInt8]
    }

    /// The sketch of a slot's words, or nil where the measure is none.
    static func of(_ slot: MeasureSlot, _ words: UnsafePointer<UInt64>) -> [UInt8]? {
        let kind: Kind
        switch slot.operation {
        case .distinct: kind = .distinct
        case .distinctSet: kind = .set
        case .quantile: kind = .quantile
        case .frequent: kind = .top
        case .largest, .largestText: kind = .largest
        default: return nil
        }
        let texts = kind == .top ? Array(VariableText.bytes(words[1])) : []
        return blob(Parts(kind: kind, type: slot.kind, bytes: Array(VariableText.bytes(words[0])), texts: texts))
    }

    // MARK: What queries call

    /// How many different values; null where they are more than an exact set's limit, or the argument is null.
    public static func distinct(_ value: SQLValue) throws(SQLFunction.Refusal) -> SQLValue {
        guard let parts = try read(value, "distinct") else { return .null }
        switch parts.kind {
        case .distinct: return .int(parts.bytes.withUnsafeBytes { DistinctSketch.estimate($0) })
        case .set: return parts.bytes.withUnsafeBytes { DistinctSet.count($0) }.map(SQLValue.int) ?? .null
        default: throw wrong(parts.kind, "distinct", "approx_distinct or exact_distinct")
        }
    }

    /// The value of the nearest rank; null of nothing.
    public static func quantile(_ value: SQLValue, _ q: SQLValue) throws(SQLFunction.Refusal) -> SQLValue {
        let share: Double
        switch q {
        case .int(let number): share = Double(number)
        case .double(let number): share = number
        default: throw SQLFunction.Refusal("quantile(sketch, q): q is a number from 0 to 1")
        }
        guard (0...1).contains(share) else { throw SQLFunction.Refusal("quantile(sketch, q): q is a number from 0 to 1") }
        guard let parts = try read(value, "quantile") else { return .null }
        guard parts.kind == .quantile else { throw wrong(parts.kind, "quantile", "quantile") }
        return parts.bytes.withUnsafeBytes { QuantileSketch.quantile(share, of: $0) }.map(SQLValue.double) ?? .null
    }

    /// The most frequent values as JSON, as a row shows them.
    public static func top(_ value: SQLValue, _ k: SQLValue) throws(SQLFunction.Refusal) -> SQLValue {
        guard case .int(let count) = k, (1...Int64(MeasureLimits.listedValues.upperBound)).contains(count) else {
            throw SQLFunction.Refusal("top(sketch, k): k is a whole number from 1 to \(MeasureLimits.listedValues.upperBound)")
        }
        guard let parts = try read(value, "top") else { return .null }
        guard parts.kind == .top else { throw wrong(parts.kind, "top", "top") }
        return parts.bytes.withUnsafeBytes { bytes in
            parts.texts.withUnsafeBytes { texts in
                .text(JSONText.of(.counted(FrequentValues.top(Int(count), of: bytes, texts: texts, kind: parts.type))))
            }
        }
    }

    /// The largest values as JSON, as a row shows them.
    public static func largest(_ value: SQLValue) throws(SQLFunction.Refusal) -> SQLValue {
        guard let parts = try read(value, "largest") else { return .null }
        guard parts.kind == .largest else { throw wrong(parts.kind, "largest", "largest or largest_distinct") }
        return .text(JSONText.of(.list(parts.bytes.withUnsafeBytes { LargestValues.values($0, kind: parts.type) })))
    }

    /// `total` with the values of one more sketch of the same kind; nulls change nothing.
    public static func merge(_ total: SQLValue?, _ value: SQLValue) throws(SQLFunction.Refusal) -> SQLValue {
        guard let next = try read(value, "merge") else { return total ?? .null }
        guard let total, let sum = try read(total, "merge") else { return value }
        guard next.kind == sum.kind, next.type == sum.type else {
            throw SQLFunction.Refusal(
                "merge(sketch): these are sketches of \(sum.kind.words) and \(next.kind.words), or of other types")
        }
        var words: [UInt64] = [0, 0]
        var isMerged = true
        words.withUnsafeMutableBufferPointer { words in
            let target = words.baseAddress!
            for part in [sum, next] where !part.bytes.isEmpty { isMerged = add(part, to: target) && isMerged }
        }
        defer {
            VariableText.free(&words[0])
            VariableText.free(&words[1])
        }
        guard isMerged else { throw SQLFunction.Refusal("merge(sketch): these lists keep differently many values") }
        if sum.kind == .set { DistinctSet.settle(words[0]) }
        if sum.kind == .top { words.withUnsafeBufferPointer { FrequentValues.settle($0.baseAddress!) } }
        return .blob(
            blob(
                Parts(
                    kind: sum.kind, type: sum.type, bytes: Array(VariableText.bytes(words[0])),
                    texts: Array(VariableText.bytes(words[1])))))
    }

    private static func add(_ part: Parts, to words: UnsafeMutablePointer<UInt64>) -> Bool {
        part.bytes.withUnsafeBytes { bytes in
            switch part.kind {
            case .distinct: DistinctSketch.merge(bytes, into: &words[0])
            case .set: DistinctSet.merge(bytes, into: &words[0])
            case .quantile: QuantileSketch.merge(bytes, into: &words[0])
            case .top: part.texts.withUnsafeBytes { FrequentValues.merge(bytes, texts: $0, into: words) }
            case .largest: LargestValues.merge(bytes, into: &words[0])
            }
        }
    }

    // MARK: Bytes

    private static func blob(_ parts: Parts) -> [UInt8] {
        var blob = [parts.kind.rawValue]
        if parts.kind == .top || parts.kind == .largest { blob.append(parts.type.rawValue) }
        if parts.kind == .top {
            for count in [parts.bytes.count, parts.texts.count] {
                withUnsafeBytes(of: UInt32(count).littleEndian) { blob.append(contentsOf: $0) }
            }
        }
        return blob + parts.bytes + parts.texts
    }

    /// nil: null. Whoever calls has the blob from a cell, or made it: it is looked at as if it came from anywhere.
    private static func read(_ value: SQLValue, _ name: String) throws(SQLFunction.Refusal) -> Parts? {
        if value == .null { return nil }
        let damaged = SQLFunction.Refusal("\(name)(sketch): this is no sketch that a measure keeps; see docs/sketches.md")
        guard case .blob(let blob) = value, let first = blob.first, let kind = Kind(rawValue: first) else { throw damaged }
        var parts = Parts(kind: kind, type: .int, bytes: Array(blob.dropFirst()), texts: [])
        if kind == .top || kind == .largest {
            guard blob.count >= 2, let type = ColumnKind(rawValue: blob[1]) else { throw damaged }
            parts.type = type
            parts.bytes.removeFirst()
        }
        if kind == .top {
            guard parts.bytes.count >= 8 else { throw damaged }
            let lengths = parts.bytes.withUnsafeBytes { bytes in
                [0, 4].map { Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self))) }
            }
            guard parts.bytes.count == 8 + lengths[0] + lengths[1] else { throw damaged }
            parts.texts = Array(parts.bytes.suffix(lengths[1]))
            parts.bytes = Array(parts.bytes.dropFirst(8).prefix(lengths[0]))
        }
        guard parts.bytes.isEmpty ? parts.texts.isEmpty : isWhole(parts) else { throw damaged }
        return parts
    }

    private static func isWhole(_ parts: Parts) -> Bool {
        parts.bytes.withUnsafeBytes { bytes in
            switch parts.kind {
            case .distinct: DistinctSketch.isWhole(bytes)
            case .set: DistinctSet.isWhole(bytes)
            case .quantile: QuantileSketch.isWhole(bytes)
            case .top: parts.texts.withUnsafeBytes { FrequentValues.isWhole(bytes, texts: $0) }
            case .largest: LargestValues.isWhole(bytes)
            }
        }
    }

    private static func wrong(_ kind: Kind, _ name: String, _ wanted: String) -> SQLFunction.Refusal {
        SQLFunction.Refusal("\(name)(sketch): it takes what \(wanted) keeps, and this is of \(kind.words)")
    }
}
