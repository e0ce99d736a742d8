import Model

/// Folds a batch's rows into their cells, one measure at a time: the loops are over rows, the choice of what to do stands
/// outside of them.
struct AccumulateStage {
    /// The lane's partition as an order among all partitions, for `first` and `last`.
    var partitionOrder: Int64

    /// `rows[at]` is folded into `cells[at]`. `admits` is the measure's `where`, one byte a row, or nil. Gives how many records
    /// had a text that is longer than the measure takes: such a value counts as null, and as an error.
    func fold(
        _ slot: MeasureSlot, _ source: borrowing Columns, rows: UnsafePointer<Int32>, cells: UnsafePointer<CellPointer>,
        count: Int,
        times: UnsafePointer<Int64>, offsets: UnsafePointer<Int64>, admits: UnsafePointer<UInt8>?
    ) -> Int {
        let word = CellWord.measures + slot.word
        if slot.operation == .countRecords {
            for at in 0..<count {
                if let admits, admits[Int(rows[at])] != 1 { continue }
                cells[at][word] &+= 1
            }
            return 0
        }
        var long = LongTexts(most: slot.operation.mostTextBytes)
        let state = source.state(slot.column)
        /// Rows without a value are skipped by every measure but `first` and `last`, for which nulls count (S18).
        @inline(__always)
        func each(_ body: (CellPointer, Int) -> Void) {
            for at in 0..<count {
                let row = Int(rows[at])
                if state[row] != ColumnState.ok { continue }
                if let admits, admits[row] != 1 { continue }
                body(cells[at] + word, row)
            }
        }
        switch slot.operation {
        case .countRecords: break
        case .countValues: each { cell, _ in cell[0] &+= 1 }
        case .sumInt, .avgInt:
            let values = source.int64(slot.column)
            each { cell, row in
                let value = values[row]
                let (low, carried) = cell[0].addingReportingOverflow(UInt64(bitPattern: value))
                cell[0] = low
                cell[1] = cell[1] &+ UInt64(bitPattern: value &>> 63) &+ (carried ? 1 : 0)
                cell[2] &+= 1
            }
        case .sumDouble, .avgDouble:
            let values = source.double(slot.column)
            each { cell, row in
                cell[0] = (Double(bitPattern: cell[0]) + values[row]).bitPattern
                cell[1] &+= 1
            }
        case .minInt, .maxInt:
            let values = source.int64(slot.column)
            let wantsLess = slot.operation == .minInt
            each { cell, row in
                let value = values[row]
                let held = Int64(bitPattern: cell[0])
                if cell[1] == 0 || (wantsLess ? value < held : value > held) { cell[0] = UInt64(bitPattern: value) }
                cell[1] &+= 1
            }
        case .minDouble, .maxDouble:
            let values = source.double(slot.column)
            let wantsLess = slot.operation == .minDouble
            each { cell, row in
                let value = values[row]
                let held = Double(bitPattern: cell[0])
                if cell[1] == 0 || (wantsLess ? value < held : value > held) { cell[0] = value.bitPattern }
                cell[1] &+= 1
            }
        case .minText, .maxText:
            let slices = source.slices(slot.column)
            let arena = UnsafeRawPointer(source.arena)
            let wantsLess = slot.operation == .minText
            each { cell, row in
                let text = UnsafeRawBufferPointer(start: arena + Int(slices[row].offset), count: Int(slices[row].length))
                if long.refuse(text.count, row) { return }
                let held = VariableText.bytes(cell[0])
                if cell[1] == 0 || (wantsLess ? precedes(text, held) : precedes(held, text)) {
                    VariableText.set(&cell[0], text.baseAddress, text.count)
                }
                cell[1] &+= 1
            }
        case .stddev:
            if slot.kind == .double {
                let values = source.double(slot.column)
                each { cell, row in Self.welford(cell, values[row]) }
            } else {
                let values = source.int64(slot.column)
                each { cell, row in Self.welford(cell, Double(values[row])) }
            }
        case .distinct:
            for at in 0..<count {
                let row = Int(rows[at])
                if state[row] != ColumnState.ok { continue }
                if let admits, admits[row] != 1 { continue }
                DistinctSketch.add(Self.hash(source, slot.column, slot.kind, row), to: &cells[at][word])
            }
        case .quantile:
            if slot.kind == .double {
                let values = source.double(slot.column)
                each { cell, row in QuantileSketch.add(values[row], to: &cell[0]) }
            } else {
                let values = source.int64(slot.column)
                each { cell, row in QuantileSketch.add(Double(values[row]), to: &cell[0]) }
            }
        case .distinctSet:
            for at in 0..<count {
                let row = Int(rows[at])
                if state[row] != ColumnState.ok { continue }
                if let admits, admits[row] != 1 { continue }
                DistinctSet.add(ValueKey.of(source, slot.column, slot.kind, row), limit: slot.limit, to: &cells[at][word])
            }
        case .frequent:
            let kept = FrequentValues.kept(for: slot.limit)
            if slot.kind == .string || slot.kind == .json {
                let slices = source.slices(slot.column)
                let arena = UnsafeRawPointer(source.arena)
                each { cell, row in
                    let text = UnsafeRawBufferPointer(start: arena + Int(slices[row].offset), count: Int(slices[row].length))
                    if long.refuse(text.count, row) { return }
                    FrequentValues.add(ValueKey.text(text), text: text, kept: kept, to: cell)
                }
            } else {
                for at in 0..<count {
                    let row = Int(rows[at])
                    if state[row] != ColumnState.ok { continue }
                    if let admits, admits[row] != 1 { continue }
                    FrequentValues.add(
                        ValueKey.of(source, slot.column, slot.kind, row), text: nil, kept: kept, to: cells[at] + word)
                }
            }
        case .largest:
            if slot.kind == .double {
                let values = source.double(slot.column)
                each { cell, row in
                    LargestValues.add(LargestValues.ordered(values[row]), keep: slot.limit, once: slot.isOnce, to: &cell[0])
                }
            } else {
                let values = source.int64(slot.column)
                each { cell, row in
                    LargestValues.add(LargestValues.ordered(values[row]), keep: slot.limit, once: slot.isOnce, to: &cell[0])
                }
            }
        case .largestText:
            let slices = source.slices(slot.column)
            let arena = UnsafeRawPointer(source.arena)
            each { cell, row in
                let text = UnsafeRawBufferPointer(start: arena + Int(slices[row].offset), count: Int(slices[row].length))
                if long.refuse(text.count, row) { return }
                LargestValues.add(text, keep: slot.limit, once: slot.isOnce, to: &cell[0])
            }
        case .first, .last, .firstText, .lastText:
            foldEnds(
                slot, source, rows: rows, cells: cells, count: count, times: times, offsets: offsets, admits: admits, long: &long)
        }
        return long.records
    }

    /// Equal values have equal hashes: −0 is 0, texts are their bytes.
    @inline(__always)
    private static func hash(_ source: borrowing Columns, _ column: Int, _ kind: ColumnKind, _ row: Int) -> UInt64 {
        switch kind {
        case .string, .json:
            let slice = source.slices(column)[row]
            return Hash64.of(UnsafeRawBufferPointer(start: source.arena + Int(slice.offset), count: Int(slice.length)))
        case .uuid:
            return withUnsafeBytes(of: source.uuid(column)[row]) { Hash64.of($0) }
        case .double:
            let value = source.double(column)[row]
            return withUnsafeBytes(of: (value == 0 ? 0 : value).bitPattern.littleEndian) { Hash64.of($0) }
        case .int, .bool, .time:
            return withUnsafeBytes(of: source.int64(column)[row].littleEndian) { Hash64.of($0) }
        }
    }

    /// One step of Welford's running variance: it does not lose small differences of large values.
    @inline(__always)
    private static func welford(_ cell: CellPointer, _ value: Double) {
        cell[0] &+= 1
        let mean = Double(bitPattern: cell[1])
        let step = value - mean
        let moved = mean + step / Double(cell[0])
        cell[1] = moved.bitPattern
        cell[2] = (Double(bitPattern: cell[2]) + step * (value - moved)).bitPattern
    }

    /// `first` and `last` go by event time, then partition, then offset (S18).
    private func foldEnds(
        _ slot: MeasureSlot, _ source: borrowing Columns, rows: UnsafePointer<Int32>, cells: UnsafePointer<CellPointer>,
        count: Int,
        times: UnsafePointer<Int64>, offsets: UnsafePointer<Int64>, admits: UnsafePointer<UInt8>?, long: inout LongTexts
    ) {
        let word = CellWord.measures + slot.word
        let state = source.state(slot.column)
        let wantsFirst = slot.operation == .first || slot.operation == .firstText
        for at in 0..<count {
            let row = Int(rows[at])
            if let admits, admits[row] != 1 { continue }
            let cell = cells[at] + word
            var isValue = state[row] == ColumnState.ok
            // Counted for each record that has one, whether it is the first or not: what a cell held before depends on nothing else.
            if isValue, slot.kind == .string || slot.kind == .json,
                long.refuse(Int(source.slices(slot.column)[row].length), row)
            {
                isValue = false
            }
            let time = times[row]
            let offset = offsets[row]
            if cell[3] != 0 {
                let heldTime = Int64(bitPattern: cell[0])
                let heldOffset = Int64(bitPattern: cell[2])
                let isBefore = time != heldTime ? time < heldTime : offset < heldOffset
                if isBefore != wantsFirst { continue }
            }
            cell[0] = UInt64(bitPattern: time)
            cell[1] = UInt64(bitPattern: partitionOrder)
            cell[2] = UInt64(bitPattern: offset)
            guard isValue else {
                cell[3] = 2
                continue
            }
            cell[3] = 1
            switch slot.kind {
            case .string, .json:
                let slice = source.slices(slot.column)[row]
                VariableText.set(&cell[4], UnsafeRawPointer(source.arena + Int(slice.offset)), Int(slice.length))
            case .uuid:
                cell[4] = source.uuid(slot.column)[row].high
                cell[5] = source.uuid(slot.column)[row].low
            case .double: cell[4] = source.double(slot.column)[row].bitPattern
            case .int, .bool, .time: cell[4] = UInt64(bitPattern: source.int64(slot.column)[row])
            }
        }
    }
}

/// Counts the records whose text is longer than a measure takes; one that falls into several windows counts once.
struct LongTexts {
    let most: Int
    private(set) var records = 0
    private var last = -1

    init(most: Int) { self.most = most }

    @inline(__always)
    mutating func refuse(_ length: Int, _ row: Int) -> Bool {
        if length <= most { return false }
        if row != last { records &+= 1 }
        last = row
        return true
    }
}

extension MeasureSlot.Operation {
    /// Bytes of the longest text that it takes.
    var mostTextBytes: Int {
        switch self {
        case .frequent, .largestText: MeasureLimits.listedTextBytes
        default: MeasureLimits.textBytes
        }
    }
}

/// Texts are ordered as their UTF-8 bytes.
func precedes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    let shared = min(a.count, b.count)
    for at in 0..<shared where a[at] != b[at] { return a[at] < b[at] }
    return a.count < b.count
}
