import Glibc
import Model

/// The states of a result, as bytes.
enum Known {
    static let ok = FieldState.ok.rawValue
    static let null = FieldState.null.rawValue
    static let error = FieldState.error.rawValue

    @inline(__always) static func of(_ a: UInt8) -> UInt8 { a == ok ? ok : a == error ? error : null }
    @inline(__always) static func of(_ a: UInt8, _ b: UInt8) -> UInt8 {
        a == ok && b == ok ? ok : a == error || b == error ? error : null
    }
}

extension ComputeStage {
    /// `conditions`: what the step's conditions say of each row.
    func perform(_ step: Step, _ conditions: UnsafePointer<UnsafePointer<UInt8>>) {
        switch step.operation {
        case .add, .subtract, .multiply, .divide, .remainder, .least, .greatest:
            switch step.to {
            case .double: doubleArithmetic(step)
            case .string: extremeText(step)
            default: intArithmetic(step)
            }
        case .negate, .abs, .round, .floor, .ceil, .roundPlaces: sign(step)
        case .coalesce: coalesce(step)
        case .choose: choose(step, conditions)
        case .truth:
            let truth = conditions[0]
            let out = state(step.result)
            let values = ints(step.result)
            for row in 0..<count {
                values[row] = truth[row] == Truth.yes ? 1 : 0
                out[row] = truth[row] == Truth.unknown ? Known.null : Known.ok
            }
        case .cast: cast(step)
        case .dateTrunc(let part, let zone):
            unary(step) { time in CivilTime.truncate(time, part, zone) }
        case .datePart(let part, let zone):
            unary(step) { time in CivilTime.part(time, part, zone) }
        case .concatenate, .lower, .upper, .length, .substr, .trim, .replace, .like: text(step)
        }
    }

    /// Int to int; nil is an error.
    @inline(__always) func unary(_ step: Step, _ operation: (Int64) -> Int64?) {
        let from = ints(step.operands[0])
        let state = state(step.operands[0])
        let to = ints(step.result)
        let out = self.state(step.result)
        for row in 0..<count {
            out[row] = Known.of(state[row])
            guard state[row] == Known.ok else { continue }
            if let value = operation(from[row]) { to[row] = value } else { out[row] = Known.error }
        }
    }

    /// Values of rows that are not there are computed too, whatever they are: the operations trap on none.
    @inline(__always) private func both<T>(
        _ step: Step, _ a: UnsafeMutablePointer<T>, _ b: UnsafeMutablePointer<T>, _ to: UnsafeMutablePointer<T>,
        _ operation: (T, T) -> (T, Bool)
    ) {
        let first = state(step.operands[0])
        let second = state(step.operands[1])
        let out = state(step.result)
        for row in 0..<count {
            let (value, isError) = operation(a[row], b[row])
            let found = Known.of(first[row], second[row])
            to[row] = value
            out[row] = found == Known.ok && isError ? Known.error : found
        }
    }

    private func intArithmetic(_ step: Step) {
        let a = ints(step.operands[0])
        let b = ints(step.operands[1])
        let to = ints(step.result)
        switch step.operation {
        case .add:
            both(step, a, b, to) { x, y in
                let sum = x &+ y
                return (sum, (x ^ sum) & (y ^ sum) < 0)
            }
        case .subtract:
            both(step, a, b, to) { x, y in
                let rest = x &- y
                return (rest, (x ^ y) & (x ^ rest) < 0)
            }
        case .multiply:
            both(step, a, b, to) { x, y in
                let (product, isOver) = x.multipliedReportingOverflow(by: y)
                return (product, isOver)
            }
        case .divide:
            both(step, a, b, to) { x, y in
                let (quotient, isOver) = x.dividedReportingOverflow(by: y)
                return (quotient, isOver)
            }
        case .remainder:
            // The smallest number by -1 leaves nothing, though its quotient overflows.
            both(step, a, b, to) { x, y in y == 0 ? (0, true) : y == -1 ? (0, false) : (x % y, false) }
        case .least: both(step, a, b, to) { x, y in (min(x, y), false) }
        case .greatest: both(step, a, b, to) { x, y in (max(x, y), false) }
        default: preconditionFailure("an operation of two ints")
        }
    }

    private func doubleArithmetic(_ step: Step) {
        let a = doubles(step.operands[0])
        let b = doubles(step.operands[1])
        let to = doubles(step.result)
        // Adding zero makes a negative zero positive: the two would be different groups.
        @inline(__always) func told(_ value: Double) -> (Double, Bool) { (value + 0, !value.isFinite) }
        switch step.operation {
        case .add: both(step, a, b, to) { told($0 + $1) }
        case .subtract: both(step, a, b, to) { told($0 - $1) }
        case .multiply: both(step, a, b, to) { told($0 * $1) }
        case .divide: both(step, a, b, to) { told($0 / $1) }
        case .least: both(step, a, b, to) { x, y in (x < y ? x : y, false) }
        case .greatest: both(step, a, b, to) { x, y in (x > y ? x : y, false) }
        default: preconditionFailure("an operation of two doubles")
        }
    }

    private func sign(_ step: Step) {
        if step.to == .int {
            let isAbs = step.operation == .abs
            return unary(step) { x in isAbs && x >= 0 ? x : x == .min ? nil : 0 &- x }
        }
        let from = doubles(step.operands[0])
        let state = state(step.operands[0])
        let to = doubles(step.result)
        let out = self.state(step.result)
        @inline(__always) func each(_ operation: (Double) -> Double) {
            for row in 0..<count {
                let value = operation(from[row]) + 0
                to[row] = value
                let found = Known.of(state[row])
                out[row] = found == Known.ok && !value.isFinite ? Known.error : found
            }
        }
        switch step.operation {
        case .negate: each { -$0 }
        case .abs: each { Swift.abs($0) }
        case .floor: each { $0.rounded(.down) }
        case .ceil: each { $0.rounded(.up) }
        case .roundPlaces(let places):
            let factor = pow(10, Double(places))
            // From 2^52 on the product has no fraction: the double has no more places than wanted, and stays as it is.
            each {
                let scaled = $0 * factor
                return Swift.abs(scaled) < 0x1p52 ? scaled.rounded() / factor : $0
            }
        default: each { $0.rounded() }
        }
    }

    // MARK: - Choosing

    private func take(_ step: Step, _ operand: Int, _ wants: (Int) -> Bool) {
        let state = state(operand)
        let out = self.state(step.result)
        if step.to == .uuid {
            let from = uuids(operand)
            let to = uuids(step.result)
            for row in 0..<count where wants(row) {
                to[row] = from[row]
                out[row] = Known.of(state[row])
            }
        } else {
            // All other values have eight bytes.
            let from = ints(operand)
            let to = ints(step.result)
            for row in 0..<count where wants(row) {
                to[row] = from[row]
                out[row] = Known.of(state[row])
            }
        }
    }

    /// From the last to the first, so that the first that has a say stays.
    private func coalesce(_ step: Step) {
        for (at, operand) in step.operands.enumerated().reversed() {
            let state = state(operand)
            let isLast = at == step.operands.count - 1
            take(step, operand) { isLast || state[$0] == Known.ok || state[$0] == Known.error }
        }
    }

    private func choose(_ step: Step, _ conditions: UnsafePointer<UnsafePointer<UInt8>>) {
        take(step, step.operands[step.conditions.count]) { _ in true }
        for at in step.conditions.indices.reversed() {
            let truth = conditions[at]
            take(step, step.operands[at]) { truth[$0] == Truth.yes }
        }
    }
}
