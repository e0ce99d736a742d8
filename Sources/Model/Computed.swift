/// How a computed column comes from other columns: one operation over operands, in SQL's sense. A null operand makes the result null,
/// an error makes it an error, except where a case says otherwise. An *error* is what can't be told truly: a number that
/// overflows, a cast that would lose something, a division by zero. It is never a wrapped number, NaN or infinity; predicates
/// and measures meet it as a null.
public struct Computed: Hashable, Sendable {
    public enum Operand: Hashable, Sendable {
        /// An earlier column of the plan.
        case column(Int)
        /// Of the type that the operation asks for. `.null` is null in every row.
        case literal(Value)
    }

    public enum Operation: Hashable, Sendable {
        /// Of two ints or two doubles; int division cuts toward zero, the remainder (ints only) has the dividend's sign.
        case add, subtract, multiply, divide, remainder
        case negate, abs
        /// Of doubles; halves go away from zero.
        case round, floor, ceil
        /// To this many decimal places, 0 to 15.
        case roundPlaces(Int)
        /// The smaller or larger of the operands; null if any is null.
        case least, greatest
        case concatenate
        /// ASCII letters only; all others stay as they are.
        case lower, upper
        /// In Unicode scalars.
        case length
        /// Text, start (1 is the first scalar) and, where given, length; a negative length is an error.
        case substr
        /// Takes spaces (U+0020) away at both ends.
        case trim
        /// Text, what, by what; nothing is replaced where `what` is empty.
        case replace
        /// Text and pattern; `%` stands for any text, `_` for one scalar. Letter case counts.
        case like(escape: UInt32?)
        /// The first operand that is not null; an error before it is the result.
        case coalesce
        /// From the operand's type to the column's. Only what loses nothing succeeds; int to double rounds to the nearest.
        case cast
        case dateTrunc(DatePart, Zone)
        case datePart(DatePart, Zone)
        /// The operand of the first condition that is true, else the last operand (there is one more than conditions). Only
        /// the chosen one counts: an error in another is none.
        case choose([Predicate])
        /// A condition as a value.
        case truth(Predicate)
    }

    public var operation: Operation
    public var operands: [Operand]

    public init(_ operation: Operation, _ operands: [Operand]) {
        self.operation = operation
        self.operands = operands
    }
}

extension Computed {
    /// The columns it reads.
    public var columns: Set<Int> {
        var found: Set<Int> = []
        for case .column(let column) in operands { found.insert(column) }
        for condition in conditions { found.formUnion(condition.columns) }
        return found
    }

    public var conditions: [Predicate] {
        switch operation {
        case .choose(let conditions): conditions
        case .truth(let condition): [condition]
        default: []
        }
    }
}

/// A part of a calendar date or of a time of day. Weeks begin on Monday.
public enum DatePart: String, Hashable, Sendable, CaseIterable {
    case millisecond, second, minute, hour, day, week, month, quarter, year
}
