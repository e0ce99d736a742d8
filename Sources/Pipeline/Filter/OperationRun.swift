import Glibc
import Model

/// One batch on its way through a program's operations. The closures below are for the optimiser: all are inlined into the
/// loops.
struct OperationRun {
    let columns: Columns
    let count: Int

    typealias Register = UnsafeMutablePointer<UInt8>

    func perform(_ code: Operation.Code, _ out: Register, above: Register) {
        switch code {
        case .constant(let truth): out.update(repeating: truth, count: count)
        case .and: for row in 0..<count { out[row] = Truth.and(out[row], above[row]) }
        case .or: for row in 0..<count { out[row] = Truth.or(out[row], above[row]) }
        case .not: for row in 0..<count { out[row] = Truth.not(out[row]) }
        case .always(let column, let truth): each(column, out) { _ in truth }
        case .isNull(let column, let negated):
            let state = columns.state(column)
            for row in 0..<count { out[row] = Truth.of((state[row] != FieldState.ok.rawValue) != negated) }
        case .truth(let column):
            let values = columns.int64(column)
            each(column, out) { Truth.of(values[$0] != 0) }
        default: compare(code, out)
        }
    }

    private func compare(_ code: Operation.Code, _ out: Register) {
        switch code {
        case .int64(let column, let comparison, let literal):
            let values = columns.int64(column)
            ordered(comparison, column, column, out, { values[$0] }, { _ in literal })
        case .double(let column, let comparison, let literal):
            let values = columns.double(column)
            ordered(comparison, column, column, out, { values[$0] }, { _ in literal })
        case .text(let column, let comparison, let literal): text(column, comparison, literal, out)
        case .uuid(let column, let comparison, let high, let low):
            let values = columns.uuid(column)
            let literal = UInt128(high) << 64 | UInt128(low)
            ordered(comparison, column, column, out, { values[$0].number }, { _ in literal })
        case .int64s(let a, let comparison, let b):
            let left = columns.int64(a)
            let right = columns.int64(b)
            ordered(comparison, a, b, out, { left[$0] }, { right[$0] })
        case .doubles(let a, let comparison, let b):
            let left = columns.double(a)
            let right = columns.double(b)
            ordered(comparison, a, b, out, { left[$0] }, { right[$0] })
        case .int64AndDouble(let a, let comparison, let b):
            let left = columns.int64(a)
            let right = columns.double(b)
            ordered(comparison, a, b, out, { ExactBound.order(left[$0], right[$0]) }, { _ in 0 })
        case .texts(let a, let comparison, let b):
            let left = columns.slices(a)
            let right = columns.slices(b)
            ordered(comparison, a, b, out, { order(text(left[$0]), text(right[$0])) }, { _ in 0 })
        case .uuids(let a, let comparison, let b):
            let left = columns.uuid(a)
            let right = columns.uuid(b)
            ordered(comparison, a, b, out, { left[$0].number }, { right[$0].number })
        default: isIn(code, out)
        }
    }

    private func isIn(_ code: Operation.Code, _ out: Register) {
        switch code {
        case .int64In(let column, let list, let whenAbsent):
            let values = columns.int64(column)
            let items = list.start.assumingMemoryBound(to: Int64.self)
            each(column, out) { holds(items, list.count, values[$0]) ? Truth.yes : whenAbsent }
        case .doubleIn(let column, let list, let whenAbsent):
            let values = columns.double(column)
            let items = list.start.assumingMemoryBound(to: Double.self)
            each(column, out) { holds(items, list.count, values[$0]) ? Truth.yes : whenAbsent }
        case .textIn(let column, let list, let whenAbsent):
            let values = columns.slices(column)
            let items = UnsafeBufferPointer(start: list.start.assumingMemoryBound(to: Constants.Text.self), count: list.count)
            each(column, out) { row in
                let value = text(values[row])
                return items.contains { same($0, value) } ? Truth.yes : whenAbsent
            }
        case .uuidIn(let column, let list, let whenAbsent):
            let values = columns.uuid(column)
            let items = UnsafeBufferPointer(start: list.start.assumingMemoryBound(to: UUIDBits.self), count: list.count)
            each(column, out) { row in items.contains(values[row]) ? Truth.yes : whenAbsent }
        default: preconditionFailure("every operation is performed")
        }
    }

    private func text(_ column: Int, _ comparison: Comparison, _ literal: Constants.Text, _ out: Register) {
        let values = columns.slices(column)
        switch comparison {
        case .equal: each(column, out) { Truth.of(same(text(values[$0]), literal)) }
        case .notEqual: each(column, out) { Truth.of(!same(text(values[$0]), literal)) }
        default: ordered(comparison, column, column, out, { order(text(values[$0]), literal) }, { _ in 0 })
        }
    }

    @inline(__always) private func text(_ slice: Slice) -> Constants.Text {
        Constants.Text(start: columns.arena + Int(slice.offset), count: Int(slice.length))
    }

    @inline(__always) private func each(_ column: Int, _ out: Register, _ answer: (Int) -> UInt8) {
        let state = columns.state(column)
        for row in 0..<count { out[row] = state[row] == FieldState.ok.rawValue ? answer(row) : Truth.unknown }
    }

    @inline(__always) private func ordered<T: Comparable>(
        _ comparison: Comparison, _ a: Int, _ b: Int, _ out: Register, _ left: (Int) -> T, _ right: (Int) -> T
    ) {
        switch comparison {
        case .equal: both(a, b, out) { left($0) == right($0) }
        case .notEqual: both(a, b, out) { left($0) != right($0) }
        case .less: both(a, b, out) { left($0) < right($0) }
        case .lessOrEqual: both(a, b, out) { left($0) <= right($0) }
        case .greater: both(a, b, out) { left($0) > right($0) }
        case .greaterOrEqual: both(a, b, out) { left($0) >= right($0) }
        }
    }

    @inline(__always) private func both(_ a: Int, _ b: Int, _ out: Register, _ answer: (Int) -> Bool) {
        let first = columns.state(a)
        let second = columns.state(b)
        for row in 0..<count {
            let isThere = first[row] == FieldState.ok.rawValue && second[row] == FieldState.ok.rawValue
            out[row] = isThere ? Truth.of(answer(row)) : Truth.unknown
        }
    }
}

extension UUIDBits {
    /// As text would order it.
    @inline(__always) fileprivate var number: UInt128 { UInt128(high) << 64 | UInt128(low) }
}

@inline(__always) private func same(_ a: Constants.Text, _ b: Constants.Text) -> Bool {
    a.count == b.count && memcmp(a.start, b.start, a.count) == 0
}

/// By bytes, which for UTF-8 is by code points.
@inline(__always) private func order(_ a: Constants.Text, _ b: Constants.Text) -> Int {
    let common = Int(memcmp(a.start, b.start, min(a.count, b.count)))
    return common != 0 ? common : a.count - b.count
}

@inline(__always) private func holds<T: Comparable>(_ sorted: UnsafePointer<T>, _ count: Int, _ value: T) -> Bool {
    var low = 0
    var high = count
    while low < high {
        let middle = (low + high) / 2
        if sorted[middle] < value { low = middle + 1 } else { high = middle }
    }
    return low < count && sorted[low] == value
}
