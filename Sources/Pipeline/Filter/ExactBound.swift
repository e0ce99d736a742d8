import Model

/// A comparison of numbers of two kinds, rewritten as one of the column's own kind that gives the same answer for every value:
/// `x < 2.5` of an int is `x <= 2`, and no double equals 2^53 + 1.
enum ExactBound: Equatable {
    case int64(Comparison, Int64)
    case double(Comparison, Double)
    /// The answer for every value that is not null.
    case always(Bool)

    /// An int column against a double.
    static func ofInts(_ comparison: Comparison, _ literal: Double) -> ExactBound {
        if let exact = Int64(exactly: literal) { return .int64(comparison, exact) }
        switch comparison {
        case .equal: return .always(false)
        case .notEqual: return .always(true)
        case .less, .lessOrEqual:
            if literal >= 0x1p63 { return .always(true) }
            if literal < -0x1p63 { return .always(false) }
            return .int64(.lessOrEqual, Int64(literal.rounded(.down)))
        case .greater, .greaterOrEqual:
            if literal >= 0x1p63 { return .always(false) }
            if literal < -0x1p63 { return .always(true) }
            return .int64(.greaterOrEqual, Int64(literal.rounded(.up)))
        }
    }

    /// A double column against an int.
    static func ofDoubles(_ comparison: Comparison, _ literal: Int64) -> ExactBound {
        let near = Double(literal)
        switch order(literal, near) {
        case 0: return .double(comparison, near)
        case let side:
            switch comparison {
            case .equal: return .always(false)
            case .notEqual: return .always(true)
            case .less, .lessOrEqual: return .double(.lessOrEqual, side < 0 ? near.nextDown : near)
            case .greater, .greaterOrEqual: return .double(.greaterOrEqual, side < 0 ? near : near.nextUp)
            }
        }
    }

    /// Negative where the int is less, 0 where both are the same number, positive where it is greater.
    @inline(__always) static func order(_ int: Int64, _ double: Double) -> Int {
        if double >= 0x1p63 { return -1 }
        if double < -0x1p63 { return 1 }
        let whole = Int64(double)
        if int != whole { return int < whole ? -1 : 1 }
        let fraction = double - Double(whole)
        return fraction > 0 ? -1 : fraction < 0 ? 1 : 0
    }

    /// The int that equals a literal; nil where no int does.
    static func int64(_ value: Value) -> Int64? {
        switch value {
        case .int(let number): number
        case .time(let time): time.milliseconds
        case .bool(let truth): truth ? 1 : 0
        case .double(let number): Int64(exactly: number)
        default: nil
        }
    }

    /// The double that equals a literal; nil where no double does.
    static func double(_ value: Value) -> Double? {
        switch value {
        case .double(let number): number
        case .int(let number): Double(exactly: number)
        default: nil
        }
    }

    func operation(_ column: Int) -> Operation.Code {
        switch self {
        case .int64(let comparison, let literal): .int64(column: column, comparison, literal)
        case .double(let comparison, let literal): .double(column: column, comparison, literal)
        // Not a constant: null stays unknown.
        case .always(let answer): .always(column: column, Truth.of(answer))
        }
    }
}
