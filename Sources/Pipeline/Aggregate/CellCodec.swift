import Model

/// The one encoding of a cell's measures: in state, on the way to the merge, and in its memory. The fixed words in order
/// (a text's word holds its length), then the texts.
struct CellCodec {
    let layout: CellLayout

    func encodedLength(_ measures: UnsafePointer<UInt64>) -> Int {
        var length = layout.words * 8
        for word in layout.variable { length += VariableText.bytes(measures[word]).count }
        return length
    }

    func encode(_ measures: UnsafePointer<UInt64>, into target: UnsafeMutableRawPointer) {
        target.copyMemory(from: measures, byteCount: layout.words * 8)
        var at = layout.words * 8
        for word in layout.variable {
            let text = VariableText.bytes(measures[word])
            target.storeBytes(of: UInt64(text.count), toByteOffset: word * 8, as: UInt64.self)
            if let source = text.baseAddress, text.count > 0 { (target + at).copyMemory(from: source, byteCount: text.count) }
            at += text.count
        }
    }

    /// Fills zeroed measures from an encoding. False if the bytes are not one of this layout.
    func decode(_ bytes: UnsafeRawBufferPointer, into measures: UnsafeMutablePointer<UInt64>) -> Bool {
        guard bytes.count >= layout.words * 8 else { return false }
        for word in 0..<layout.words { measures[word] = bytes.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self) }
        var at = layout.words * 8
        for word in layout.variable {
            let length = Int(truncatingIfNeeded: measures[word])
            measures[word] = 0
            guard length >= 0, at + length <= bytes.count else { return false }
            if length > 0 { VariableText.set(&measures[word], bytes.baseAddress! + at, length) }
            at += length
        }
        return at == bytes.count && layout.sketches.allSatisfy { isWhole(layout.slots[$0], measures) }
    }

    /// The sketch that a slot holds can be read.
    private func isWhole(_ slot: MeasureSlot, _ measures: UnsafePointer<UInt64>) -> Bool {
        let words = measures + slot.word
        let bytes = VariableText.bytes(words[0])
        switch slot.operation {
        case .distinct: return words[0] == 0 || DistinctSketch.isWhole(bytes)
        case .quantile: return words[0] == 0 || QuantileSketch.isWhole(bytes)
        case .distinctSet: return words[0] == 0 || DistinctSet.isWhole(bytes)
        case .frequent: return words[0] == 0 ? words[1] == 0 : FrequentValues.isWhole(bytes, texts: VariableText.bytes(words[1]))
        case .largest, .largestText: return words[0] == 0 || LargestValues.isWhole(bytes)
        default: return true
        }
    }

    /// Brings what a slot holds into the order in which it is stored: before it is encoded, and before it is merged into another.
    /// Cost: nothing where no value is new.
    func settle(_ measures: UnsafePointer<UInt64>) {
        if layout.settling.isEmpty { return }
        for at in layout.settling {
            let slot = layout.slots[at]
            if slot.operation == .frequent {
                FrequentValues.settle(measures + slot.word)
            } else {
                DistinctSet.settle(measures[slot.word])
            }
        }
    }

    /// Adds a later partition's measures to those of earlier ones (S14, S17: sums of doubles fold in partition order).
    func combine(_ total: UnsafeMutablePointer<UInt64>, with other: UnsafePointer<UInt64>) {
        settle(other)
        for slot in layout.slots { combine(slot, total + slot.word, other + slot.word) }
    }

    private func combine(_ slot: MeasureSlot, _ a: UnsafeMutablePointer<UInt64>, _ b: UnsafePointer<UInt64>) {
        switch slot.operation {
        case .countRecords, .countValues: a[0] &+= b[0]
        case .sumInt, .avgInt:
            let (low, carried) = a[0].addingReportingOverflow(b[0])
            a[0] = low
            a[1] = a[1] &+ b[1] &+ (carried ? 1 : 0)
            a[2] &+= b[2]
        case .sumDouble, .avgDouble:
            // A partition without values must not turn −0.0 into 0.0.
            if b[1] == 0 { return }
            a[0] = a[1] == 0 ? b[0] : (Double(bitPattern: a[0]) + Double(bitPattern: b[0])).bitPattern
            a[1] &+= b[1]
        case .minInt, .maxInt:
            if b[1] == 0 { return }
            let mine = Int64(bitPattern: a[0])
            let theirs = Int64(bitPattern: b[0])
            if a[1] == 0 || (slot.operation == .minInt ? theirs < mine : theirs > mine) { a[0] = b[0] }
            a[1] &+= b[1]
        case .minDouble, .maxDouble:
            if b[1] == 0 { return }
            let mine = Double(bitPattern: a[0])
            let theirs = Double(bitPattern: b[0])
            if a[1] == 0 || (slot.operation == .minDouble ? theirs < mine : theirs > mine) { a[0] = b[0] }
            a[1] &+= b[1]
        case .minText, .maxText:
            if b[1] == 0 { return }
            let mine = VariableText.bytes(a[0])
            let theirs = VariableText.bytes(b[0])
            if a[1] == 0 || (slot.operation == .minText ? precedes(theirs, mine) : precedes(mine, theirs)) {
                VariableText.set(&a[0], theirs.baseAddress, theirs.count)
            }
            a[1] &+= b[1]
        case .first, .last, .firstText, .lastText:
            if b[3] == 0 { return }
            let wantsFirst = slot.operation == .first || slot.operation == .firstText
            let mine = (Int64(bitPattern: a[0]), Int64(bitPattern: a[1]), Int64(bitPattern: a[2]))
            let theirs = (Int64(bitPattern: b[0]), Int64(bitPattern: b[1]), Int64(bitPattern: b[2]))
            guard a[3] == 0 || (theirs < mine) == wantsFirst else { return }
            for word in 0..<4 { a[word] = b[word] }
            if slot.operation == .firstText || slot.operation == .lastText {
                let text = VariableText.bytes(b[4])
                VariableText.set(&a[4], text.baseAddress, text.count)
            } else {
                a[4] = b[4]
                a[5] = b[5]
            }
        case .distinct: if b[0] != 0 { _ = DistinctSketch.merge(VariableText.bytes(b[0]), into: &a[0]) }
        case .quantile: if b[0] != 0 { _ = QuantileSketch.merge(VariableText.bytes(b[0]), into: &a[0]) }
        case .distinctSet: if b[0] != 0 { _ = DistinctSet.merge(VariableText.bytes(b[0]), into: &a[0]) }
        case .frequent:
            if b[0] != 0 { _ = FrequentValues.merge(VariableText.bytes(b[0]), texts: VariableText.bytes(b[1]), into: a) }
        case .largest, .largestText: if b[0] != 0 { _ = LargestValues.merge(VariableText.bytes(b[0]), into: &a[0]) }
        case .stddev:
            if b[0] == 0 { return }
            if a[0] == 0 {
                for word in 0..<3 { a[word] = b[word] }
                return
            }
            let n = Double(a[0])
            let m = Double(b[0])
            let step = Double(bitPattern: b[1]) - Double(bitPattern: a[1])
            a[1] = (Double(bitPattern: a[1]) + step * m / (n + m)).bitPattern
            a[2] = (Double(bitPattern: a[2]) + Double(bitPattern: b[2]) + step * step * n * m / (n + m)).bitPattern
            a[0] &+= b[0]
        }
    }

    /// What a row shows: `sum`, `min`, `max`, `avg` of nothing are null (S2), as is `stddev` of fewer than two (S18).
    func values(_ measures: UnsafePointer<UInt64>) -> [Value] {
        layout.answers.map { answer in
            let slot = layout.slots[answer.slot]
            let words = measures + slot.word
            switch slot.operation {
            case .countRecords, .countValues: return .int(Int64(bitPattern: words[0]))
            case .sumInt:
                if words[2] == 0 { return .null }
                let sum = Self.wide(words)
                return Int64(exactly: sum).map(Value.int) ?? .wide(sum)
            case .avgInt: return words[2] == 0 ? .null : .double(Double(Self.wide(words)) / Double(words[2]))
            case .sumDouble: return words[1] == 0 ? .null : Self.finite(Double(bitPattern: words[0]))
            case .avgDouble: return words[1] == 0 ? .null : Self.finite(Double(bitPattern: words[0]) / Double(words[1]))
            case .minInt, .maxInt: return words[1] == 0 ? .null : Self.value(slot.kind, words[0], 0)
            case .minDouble, .maxDouble: return words[1] == 0 ? .null : .double(Double(bitPattern: words[0]))
            case .minText, .maxText:
                return words[1] == 0 ? .null : .string(String(decoding: VariableText.bytes(words[0]), as: UTF8.self))
            case .first, .last: return words[3] != 1 ? .null : Self.value(slot.kind, words[4], words[5])
            case .firstText, .lastText:
                return words[3] != 1 ? .null : .string(String(decoding: VariableText.bytes(words[4]), as: UTF8.self))
            case .distinct: return .int(DistinctSketch.estimate(VariableText.bytes(words[0])))
            case .quantile:
                return QuantileSketch.quantile(answer.share, of: VariableText.bytes(words[0])).map(Value.double) ?? .null
            case .distinctSet: return DistinctSet.count(VariableText.bytes(words[0])).map(Value.int) ?? .null
            case .frequent:
                return .counted(
                    FrequentValues.top(
                        slot.limit, of: VariableText.bytes(words[0]), texts: VariableText.bytes(words[1]), kind: slot.kind))
            case .largest, .largestText: return .list(LargestValues.values(VariableText.bytes(words[0]), kind: slot.kind))
            case .stddev:
                return words[0] < 2 ? .null : Self.finite((Double(bitPattern: words[2]) / Double(words[0] - 1)).squareRoot())
            }
        }
    }

    /// The measures whose value can't be told: a sum of doubles that left their range, more different values than their limit.
    /// They stand in the row as null, as they would with no value at all.
    func errors(_ measures: UnsafePointer<UInt64>) -> [Int] {
        layout.fallible.filter { at in
            let slot = layout.slots[layout.answers[at].slot]
            let words = measures + slot.word
            switch slot.operation {
            case .sumDouble, .avgDouble: return words[1] > 0 && !Double(bitPattern: words[0]).isFinite
            case .stddev: return words[0] > 1 && !Double(bitPattern: words[2]).isFinite
            case .distinctSet: return DistinctSet.count(VariableText.bytes(words[0])) == nil
            default: return false
            }
        }
    }

    private static func wide(_ words: UnsafePointer<UInt64>) -> Int128 {
        Int128(Int64(bitPattern: words[1])) << 64 | Int128(words[0])
    }

    /// Sums of large doubles can leave their range; a row never shows infinity or NaN.
    private static func finite(_ value: Double) -> Value { value.isFinite ? .double(value) : .null }

    private static func value(_ kind: ColumnKind, _ a: UInt64, _ b: UInt64) -> Value {
        switch kind {
        case .int: .int(Int64(bitPattern: a))
        case .bool: .bool(a != 0)
        case .time: .time(EventTime(milliseconds: Int64(bitPattern: a)))
        case .double: .double(Double(bitPattern: a))
        case .uuid: .uuid(high: a, low: b)
        case .string, .json: .null
        }
    }
}
