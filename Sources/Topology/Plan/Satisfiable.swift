public import Model

/// Whether a condition can be true of any record, judged by its comparisons with literals alone.
///
/// `canBeTrue` answers false only where it is sure: comparisons between columns, and the cases of an OR against one another,
/// are taken as possible. Cost: the alternatives of an OR are tried one by one, at most `budget` of them.
public struct Satisfiable {
    /// Columns that are never null: required, or with a default.
    let neverNull: (Int) -> Bool
    private var budget = 2_000

    public init(neverNull: @escaping (Int) -> Bool) { self.neverNull = neverNull }

    /// All of `conditions` at once.
    public mutating func canBeTrue(_ conditions: [Predicate]) -> Bool {
        explore(conditions.map { Self.pushed($0, negated: false) }, [:])
    }

    /// It can be false, which is what a filter is for. Unknown (a null field) is neither.
    public mutating func canBeFalse(_ condition: Predicate) -> Bool { explore([Self.pushed(condition, negated: true)], [:]) }

    /// NOT is taken down to the comparisons, where it is exact in three-valued logic: what is unknown stays so.
    private static func pushed(_ predicate: Predicate, negated: Bool) -> Predicate {
        switch predicate {
        case .not(let inner): pushed(inner, negated: !negated)
        case .and(let parts):
            negated ? .or(parts.map { pushed($0, negated: true) }) : .and(parts.map { pushed($0, negated: false) })
        case .or(let parts):
            negated ? .and(parts.map { pushed($0, negated: true) }) : .or(parts.map { pushed($0, negated: false) })
        case .compare(let column, let comparison, let value):
            .compare(column: column, negated ? comparison.opposite : comparison, value)
        case .compareColumns(let a, let comparison, let b): .compareColumns(a, negated ? comparison.opposite : comparison, b)
        case .isIn(let column, let values, let isNegated): .isIn(column: column, values, negated: isNegated != negated)
        case .isNull(let column, let isNegated): .isNull(column: column, negated: isNegated != negated)
        case .truth(let column): .compare(column: column, .equal, .bool(!negated))
        case .constant(let value): .constant(value.map { $0 != negated })
        }
    }

    private mutating func explore(_ parts: [Predicate], _ known: [Int: Possibilities]) -> Bool {
        var known = known
        var choices: [[Predicate]] = []
        var rest = parts
        while let part = rest.popLast() {
            switch part {
            case .and(let inner): rest += inner
            case .or(let inner): choices.append(inner)
            case .constant(let value): if value != true { return false }
            case .compareColumns(let a, _, let b):
                guard known[a, default: Possibilities()].value(), known[b, default: Possibilities()].value() else { return false }
            case .compare(let column, let comparison, let value):
                guard known[column, default: Possibilities()].take(comparison, value) else { return false }
            case .isIn(let column, let values, negated: false):
                guard known[column, default: Possibilities()].take(oneOf: values) else { return false }
            case .isIn(let column, let values, negated: true):
                // `NOT IN` with a NULL in its list is never true.
                for value in values {
                    guard known[column, default: Possibilities()].take(.notEqual, value) else { return false }
                }
            case .isNull(let column, negated: false):
                guard !neverNull(column), known[column, default: Possibilities()].null() else { return false }
            case .isNull(let column, negated: true):
                guard known[column, default: Possibilities()].value() else { return false }
            case .truth, .not: break
            }
        }
        guard let first = choices.popLast() else { return true }
        for choice in first {
            guard budget > 0 else { return true }
            budget -= 1
            if explore([choice] + choices.map { .or($0) }, known) { return true }
        }
        return false
    }
}

/// What a column can still be.
private struct Possibilities {
    private var low: (value: Value, isOpen: Bool)?
    private var high: (value: Value, isOpen: Bool)?
    private var allowed: [Value]?
    private var refused: [Value] = []
    private var isNull = false
    private var isValue = false

    mutating func null() -> Bool {
        isNull = true
        return !isValue
    }

    mutating func value() -> Bool {
        isValue = true
        return !isNull
    }

    mutating func take(oneOf values: [Value]) -> Bool {
        allowed = (allowed ?? values).filter { value in value != .null && values.contains(value) }
        return value() && isPossible
    }

    mutating func take(_ comparison: Comparison, _ literal: Value) -> Bool {
        guard literal != .null else { return false }
        switch comparison {
        case .equal: return take(oneOf: [literal])
        case .notEqual: refused.append(literal)
        case .less: lower(literal, isOpen: true)
        case .lessOrEqual: lower(literal, isOpen: false)
        case .greater: raise(literal, isOpen: true)
        case .greaterOrEqual: raise(literal, isOpen: false)
        }
        return value() && isPossible
    }

    private mutating func raise(_ value: Value, isOpen: Bool) {
        if let low, let order = order(value, low.value), order < 0 || order == 0 && !isOpen { return }
        low = (value, isOpen)
    }

    private mutating func lower(_ value: Value, isOpen: Bool) {
        if let high, let order = order(value, high.value), order > 0 || order == 0 && !isOpen { return }
        high = (value, isOpen)
    }

    private var isPossible: Bool {
        if let allowed { return allowed.contains { isInside($0) && !refused.contains($0) } }
        if refused.contains(.bool(true)), refused.contains(.bool(false)) { return false }
        guard let low, let high, let order = order(low.value, high.value) else { return true }
        if order > 0 { return false }
        if order == 0 { return !low.isOpen && !high.isOpen && !refused.contains(low.value) }
        // No whole number lies between 5 and 6.
        if case .int(let a) = low.value, case .int(let b) = high.value, low.isOpen, high.isOpen { return b &- a != 1 }
        return true
    }

    private func isInside(_ value: Value) -> Bool {
        if let low, let order = order(value, low.value), order < 0 || order == 0 && low.isOpen { return false }
        if let high, let order = order(value, high.value), order > 0 || order == 0 && high.isOpen { return false }
        return true
    }

    /// -1, 0 or 1; nil where the two are of different types or have no order that is known here.
    private func order(_ a: Value, _ b: Value) -> Int? {
        switch (a, b) {
        case (.int(let a), .int(let b)): a < b ? -1 : a > b ? 1 : 0
        case (.double(let a), .double(let b)): a < b ? -1 : a > b ? 1 : a == b ? 0 : nil
        case (.time(let a), .time(let b)): a < b ? -1 : b < a ? 1 : 0
        case (.string(let a), .string(let b)):
            a.utf8.elementsEqual(b.utf8) ? 0 : a.utf8.lexicographicallyPrecedes(b.utf8) ? -1 : 1
        default: nil
        }
    }
}

extension Comparison {
    fileprivate var opposite: Comparison {
        switch self {
        case .equal: .notEqual
        case .notEqual: .equal
        case .less: .greaterOrEqual
        case .lessOrEqual: .greater
        case .greater: .lessOrEqual
        case .greaterOrEqual: .less
        }
    }
}
