import Model

/// Fills a plan's computed columns, one operation over a whole column after the other.
///
/// One lane owns it and calls it on its own queue. Columns are sized once for `PipelineLimits.batchRows`; only the arena of
/// texts grows, to what the largest batch's texts need. Nothing is allocated per record, except where a double of more than
/// 15 characters is cast to text.
final class ComputeStage {
    /// One operation; operands and result are columns, literals have some of their own.
    struct Step {
        var operation: Computed.Operation
        var operands: [Int]
        var result: Int
        var from: ColumnKind
        var to: ColumnKind
        var conditions: [Condition]
        /// Some row may come to an error, or a condition meet one: only then anyone has to look.
        var canErr: Bool
    }

    struct Condition {
        var program: PredicateProgram
        /// The computed columns that it reads.
        var reads: [Int]
        var asksForNull: Bool
    }

    private struct ErrorFlags {
        var isAny = false
        var isMet = false
        /// By row; set for columns with conditions.
        var met: UnsafeMutablePointer<UInt8>?
    }

    private let nativeCount: Int
    private var steps: [Step] = []
    private var texts: [(column: Int, bytes: [UInt8])] = []
    /// Columns of the record that hold text.
    private var nativeTexts: [Int] = []
    private var owned: [UnsafeMutableRawPointer] = []
    private let states: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>
    private let values: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    /// The native arena's bytes, then those of literals, then what operations wrote.
    private(set) var arena: UnsafeMutablePointer<UInt8>
    private var capacity = 1 << 12
    private var used = 0
    /// Where the texts begin that operations write.
    private var firstWritten = 0
    private var isFull = false
    private var needsArena = false
    /// By column: rows of the batch in which it is an error; and where conditions inside of it met one.
    private let erring: UnsafeMutablePointer<ErrorFlags>
    /// What a step's conditions say of each row, for the longest step.
    private let truths: UnsafeMutablePointer<UnsafePointer<UInt8>>
    /// Whether any expression came to an error in the batch.
    private(set) var sawError = false
    /// Rows of the batch.
    private(set) var count = 0

    /// `needed`: the columns that something reads; the others are null in all rows. nil: all are.
    init(_ fields: [FieldPlan], needed: Set<Int>? = nil) {
        nativeCount = fields.prefix { $0.computed == nil }.count
        var kinds = fields.map { ColumnKind($0.type) }
        func computed(_ column: Int) -> Computed? { needed?.contains(column) ?? true ? fields[column].computed : nil }
        for column in fields.indices {
            for case .literal(let value) in computed(column)?.operands ?? [] { kinds.append(Self.kind(value)) }
        }
        erring = .allocate(capacity: max(kinds.count, 1))
        erring.initialize(repeating: ErrorFlags(), count: kinds.count)
        truths = .allocate(capacity: max(fields.indices.map { computed($0)?.conditions.count ?? 0 }.max() ?? 0, 1))
        states = .allocate(capacity: max(kinds.count, 1))
        values = .allocate(capacity: max(kinds.count, 1))
        arena = .allocate(capacity: capacity)
        states.initialize(repeating: nil, count: kinds.count)
        values.initialize(repeating: nil, count: kinds.count)
        for column in nativeCount..<kinds.count { makeRoom(column) }
        nativeTexts = (0..<nativeCount).filter { kinds[$0] == .string || kinds[$0] == .json }
        var next = fields.count
        var canErr: Set<Int> = []
        for result in fields.indices {
            guard let computed = computed(result) else { continue }
            var operands: [Int] = []
            for operand in computed.operands {
                switch operand {
                case .column(let column): operands.append(column)
                case .literal(let value):
                    setLiteral(next, value)
                    operands.append(next)
                    next += 1
                }
            }
            if !computed.conditions.isEmpty {
                let met = UnsafeMutableRawPointer.allocate(byteCount: PipelineLimits.batchRows, alignment: 64)
                owned.append(met)
                erring[result].met = met.assumingMemoryBound(to: UInt8.self)
            }
            // What reads texts needs them beside those that were written, also where it gives a number.
            needsArena = needsArena || kinds[result] == .string || operands.contains { kinds[$0] == .string }
            let conditions = computed.conditions.map { condition in
                Condition(
                    program: PredicateProgram(condition, fields: fields, capacity: PipelineLimits.batchRows),
                    reads: condition.columns.filter { fields[$0].computed != nil }.sorted(), asksForNull: condition.asksForNull)
            }
            let from = operands.first.map { kinds[$0] } ?? .int
            let errs =
                computed.operation.canErr(from: from, to: kinds[result])
                || operands.contains(where: canErr.contains) || conditions.contains { $0.reads.contains(where: canErr.contains) }
            if errs { canErr.insert(result) }
            steps.append(
                Step(
                    operation: computed.operation, operands: operands, result: result, from: from, to: kinds[result],
                    conditions: conditions, canErr: errs))
        }
        needsArena = needsArena || !texts.isEmpty
    }

    deinit {
        for block in owned { block.deallocate() }
        erring.deallocate()
        truths.deallocate()
        states.deallocate()
        values.deallocate()
        arena.deallocate()
    }

    private func makeRoom(_ column: Int) {
        let rows = PipelineLimits.batchRows
        let state = UnsafeMutableRawPointer.allocate(byteCount: rows, alignment: 64)
        let value = UnsafeMutableRawPointer.allocate(byteCount: rows * 16, alignment: 64)
        state.initializeMemory(as: UInt8.self, repeating: FieldState.null.rawValue, count: rows)
        value.initializeMemory(as: UInt64.self, repeating: 0, count: rows * 2)
        owned += [state, value]
        states[column] = state.assumingMemoryBound(to: UInt8.self)
        values[column] = value
    }

    private static func kind(_ value: Value) -> ColumnKind {
        switch value {
        case .null, .int, .wide, .list, .counted: .int
        case .bool: .bool
        case .double: .double
        case .string: .string
        case .uuid: .uuid
        case .time: .time
        }
    }

    /// A literal is a column that is the same in every row and batch; only texts are written again, as the arena is.
    private func setLiteral(_ column: Int, _ value: Value) {
        let rows = PipelineLimits.batchRows
        if value != .null { state(column).update(repeating: FieldState.ok.rawValue, count: rows) }
        switch value {
        case .null: break
        case .int(let number): ints(column).update(repeating: number, count: rows)
        case .bool(let truth): ints(column).update(repeating: truth ? 1 : 0, count: rows)
        case .time(let time): ints(column).update(repeating: time.milliseconds, count: rows)
        case .double(let number): doubles(column).update(repeating: number, count: rows)
        case .uuid(let high, let low): uuids(column).update(repeating: UUIDBits(high: high, low: low), count: rows)
        case .string(let text): texts.append((column, Array(text.utf8)))
        case .wide, .list, .counted: preconditionFailure("no expression writes what only measures give")
        }
    }

    /// The columns of `native` and the computed ones, valid until the next call or the decoder's. At most
    /// `PipelineLimits.batchRows` rows. Where the texts of all rows take too much room, the first half of them is taken, and so
    /// on: whether a record's text is an error must depend on that record alone (S17).
    func run(_ native: Columns) -> Columns {
        count = native.count
        while true {
            fill(native)
            if !isFull || count == 1 { return columns(native) }
            count = (count + 1) / 2
        }
    }

    private func fill(_ native: Columns) {
        for column in 0..<nativeCount {
            let (state, values) = native.shared(column)
            states[column] = state
            self.values[column] = values
        }
        if needsArena { fillArena(native) }
        sawError = false
        for step in steps {
            for at in step.conditions.indices {
                truths[at] = step.conditions[at].program.evaluate(columns(native), count: count)
            }
            perform(step, truths)
            if step.canErr { noteErrors(step) }
            if isFull && count > 1 { return }
        }
    }

    private func noteErrors(_ step: Step) {
        let out = state(step.result)
        var seen: UInt8 = 0
        for row in 0..<count { seen |= out[row] == FieldState.error.rawValue ? 1 : 0 }
        erring[step.result].isAny = seen != 0
        erring[step.result].isMet = false
        if seen != 0 { sawError = true }
        guard let met = erring[step.result].met,
            step.conditions.contains(where: { $0.reads.contains { erring[$0].isAny } })
        else { return }
        for row in 0..<count {
            met[row] = 0
            for at in step.conditions.indices {
                let truth = truths[at][row]
                if truth == Truth.unknown || step.conditions[at].asksForNull {
                    for column in step.conditions[at].reads where isError(column, row) { met[row] = 1 }
                }
                // The conditions behind it are not asked.
                if truth == Truth.yes { break }
            }
            if met[row] != 0 { erring[step.result].isMet = true }
        }
    }

    /// Of a computed column, in the batch that was run last.
    @inline(__always) func isError(_ column: Int, _ row: Int) -> Bool {
        erring[column].isAny && states[column].unsafelyUnwrapped[row] == FieldState.error.rawValue
    }
    /// A condition inside the column's expression took an error for a null.
    @inline(__always) func isMet(_ column: Int, _ row: Int) -> Bool {
        erring[column].isMet && erring[column].met.unsafelyUnwrapped[row] != 0
    }
    func hasErrors(_ column: Int) -> Bool { erring[column].isAny || erring[column].isMet }

    private func columns(_ native: Columns) -> Columns {
        Columns(
            native, count: count, arena: needsArena ? UnsafePointer(arena) : native.arena, states: UnsafePointer(states),
            values: UnsafePointer(values))
    }

    private func fillArena(_ native: Columns) {
        var end = 0
        for column in nativeTexts {
            let state = state(column)
            let slices = slices(column)
            for row in 0..<count where state[row] == FieldState.ok.rawValue {
                end = max(end, Int(slices[row].offset) + Int(slices[row].length))
            }
        }
        if capacity > PipelineLimits.retainedTextBytes, max(end, used) < capacity / 4 {
            capacity = max(end, PipelineLimits.retainedTextBytes)
            arena.deallocate()
            arena = .allocate(capacity: capacity)
        }
        used = 0
        isFull = false
        makeArena(end)
        arena.update(from: native.arena, count: end)
        used = end
        for (column, bytes) in texts {
            makeArena(bytes.count)
            let slice = Slice(offset: UInt32(truncatingIfNeeded: used), length: UInt32(truncatingIfNeeded: bytes.count))
            bytes.withUnsafeBufferPointer {
                if let start = $0.baseAddress { (arena + used).update(from: start, count: $0.count) }
            }
            used += bytes.count
            slices(column).update(repeating: slice, count: count)
        }
        firstWritten = used
    }

    /// Room for so many bytes more, and for what readers may touch behind them.
    private func makeArena(_ bytes: Int) {
        let needed = used + bytes + 16
        guard needed > capacity else { return }
        capacity = max(capacity * 2, needed)
        let bigger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        bigger.update(from: arena, count: used)
        arena.deallocate()
        arena = bigger
    }

    /// Where the next text of up to `bytes` goes, or nil where there is no room for it. Moves the arena: look pointers into it
    /// up afterwards.
    func reserve(_ bytes: Int) -> UnsafeMutablePointer<UInt8>? {
        guard used - firstWritten + bytes <= PipelineLimits.textBytes else {
            isFull = true
            return nil
        }
        makeArena(bytes)
        return arena + used
    }

    /// The text that was written where `reserve` said.
    func keep(_ bytes: Int) -> Slice {
        let slice = Slice(offset: UInt32(truncatingIfNeeded: used), length: UInt32(truncatingIfNeeded: bytes))
        used += bytes
        return slice
    }

    @inline(__always) func state(_ column: Int) -> UnsafeMutablePointer<UInt8> { states[column].unsafelyUnwrapped }
    @inline(__always) func ints(_ column: Int) -> UnsafeMutablePointer<Int64> { typed(column) }
    @inline(__always) func doubles(_ column: Int) -> UnsafeMutablePointer<Double> { typed(column) }
    @inline(__always) func slices(_ column: Int) -> UnsafeMutablePointer<Slice> { typed(column) }
    @inline(__always) func uuids(_ column: Int) -> UnsafeMutablePointer<UUIDBits> { typed(column) }
    @inline(__always) private func typed<T>(_ column: Int) -> UnsafeMutablePointer<T> {
        values[column].unsafelyUnwrapped.assumingMemoryBound(to: T.self)
    }
}

extension Computed.Operation {
    /// Whether it can come to an error of operands that are none.
    fileprivate func canErr(from: ColumnKind, to: ColumnKind) -> Bool {
        switch self {
        case .add, .subtract, .multiply, .divide, .remainder, .negate, .abs, .substr, .dateTrunc, .datePart: true
        // Where there is no room for their text, and where LIKE takes too long.
        case .concatenate, .lower, .upper, .replace, .like: true
        case .cast: to == .string || from == .string || from == .double
        case .round, .floor, .ceil, .roundPlaces, .least, .greatest, .length, .trim, .coalesce, .choose, .truth: false
        }
    }
}
