import Model
internal import Topology

/// Which truths a condition can have of the records that come to it. What is left out can't be reached by any record. What is
/// named can be, as far as comparisons with literals tell: that `a > b` and `b > a` exclude one another is not seen.
///
/// Each choice of which of the record's fields are missing is looked at by itself: it says of every column whether it has a
/// value, of one that chooses between literals which, and so of every condition what it can be.
struct Reachable: Equatable {
    var isTrue: Bool
    var isFalse: Bool
    var isNull: Bool

    init(isTrue: Bool, isFalse: Bool, isNull: Bool) {
        self.isTrue = isTrue
        self.isFalse = isFalse
        self.isNull = isNull
    }

    /// `outer`: what every record that comes here fulfils, such as the filter.
    init(_ condition: Predicate, within outer: [Predicate], of plan: Plan) {
        let missing = Self.fields(of: outer + [condition], plan).filter(plan.canBeMissing)
        // More are not told one by one: whatever the condition could say is asked for.
        guard missing.count <= RehearsalCaseLimits.missingFields else {
            (isTrue, isFalse, isNull) = (true, true, true)
            return
        }
        var found: Truths = []
        for choice in 0..<(1 << missing.count) {
            let absent = Set(missing.enumerated().filter { choice >> $0.offset & 1 == 1 }.map(\.element))
            let states = plan.states(without: absent)
            guard outer.allSatisfy({ $0.truths(states).contains(.yes) }) else { continue }
            let given = outer + missing.map { .isNull(column: $0, negated: !absent.contains($0)) }
            for truth in Truths.all where condition.truths(states).contains(truth) && !found.contains(truth) {
                let more: [Predicate] = truth == .yes ? [condition] : truth == .no ? [.not(condition)] : []
                var judge = Satisfiable { states[$0].kinds == .value }
                if judge.canBeTrue(given + more) { found.insert(truth) }
            }
        }
        (isTrue, isFalse, isNull) = (found.contains(.yes), found.contains(.no), found.contains(.null))
    }

    /// Those of the record that the conditions read, through whatever is computed of them.
    private static func fields(of conditions: [Predicate], _ plan: Plan) -> [Int] {
        var read: Set<Int> = conditions.reduce(into: []) { $0.formUnion($1.columns) }
        for column in plan.fields.indices.reversed() where read.contains(column) {
            read.formUnion(plan.fields[column].computed?.columns ?? [])
        }
        return read.filter { plan.fields[$0].computed == nil }.sorted()
    }
}

/// What a column can hold.
private struct Holding {
    struct Kinds: OptionSet {
        let rawValue: UInt8
        static let value = Kinds(rawValue: 1)
        static let null = Kinds(rawValue: 2)
        /// Of an expression: conditions and measures meet it as a null.
        static let error = Kinds(rawValue: 4)
    }
    var kinds: Kinds
    /// The only values there can be; nil: any.
    var literals: [Value]?

    static let value = Holding(kinds: .value)
    static let null = Holding(kinds: .null, literals: [])
    var canLack: Bool { !kinds.isDisjoint(with: [.null, .error]) }

    mutating func formUnion(_ other: Holding) {
        kinds.formUnion(other.kinds)
        literals = literals.flatMap { mine in other.literals.map { mine + $0 } }
    }
}

private struct Truths: OptionSet {
    let rawValue: UInt8
    static let yes = Truths(rawValue: 1)
    static let no = Truths(rawValue: 2)
    static let null = Truths(rawValue: 4)
    static let all: [Truths] = [.yes, .no, .null]
}

extension Plan {
    /// A record that gets as far as the filter can have no value here, be it that a sum overflows. In doubt it can.
    func canBeNull(column: Int) -> Bool {
        guard let computed = fields[column].computed else { return canBeMissing(column) }
        let nullable = computed.operands.filter { operand in
            switch operand {
            case .column(let column): canBeNull(column: column)
            case .literal(let value): value == .null
            }
        }
        switch computed.operation {
        case .choose, .concatenate, .lower, .upper, .length, .trim, .replace, .like, .least, .greatest: return !nullable.isEmpty
        case .truth(let condition):
            // What is computed may overflow, which the truths below do not count.
            let computed = condition.columns.filter { fields[$0].computed != nil }
            return computed.contains(where: canBeNull) || Reachable(condition, within: [], of: self).isNull
        case .coalesce:
            // An error is the result, whatever stands behind it.
            let canFail = nullable.contains { if case .column(let column) = $0 { fields[column].computed != nil } else { false } }
            return canFail || nullable.count == computed.operands.count
        default: return true
        }
    }

    /// Of a field of the record: one that gets as far as the filter can lack it.
    fileprivate func canBeMissing(_ column: Int) -> Bool {
        if case .field(column) = eventTime.source { return false }
        return !fields[column].required && fields[column].fallback == nil
    }

    /// By column.
    fileprivate func states(without missing: Set<Int>) -> [Holding] {
        var states: [Holding] = []
        for (column, field) in fields.enumerated() {
            if let computed = field.computed {
                states.append(self.states(of: computed, as: field.type, states))
            } else {
                states.append(missing.contains(column) ? .null : .value)
            }
        }
        return states
    }

    /// Through its operands, or because it fails on ordinary values; that a sum overflows is no branch of its own.
    private func states(of computed: Computed, as type: FieldType, _ states: [Holding]) -> Holding {
        let operands = computed.operands.map { operand -> Holding in
            switch operand {
            case .column(let column): states[column]
            case .literal(let value): value == .null ? .null : Holding(kinds: .value, literals: [value])
            }
        }
        var result = Self.combined(operands)
        switch computed.operation {
        case .truth(let condition):
            let truths = condition.truths(states)
            result.kinds = truths.isDisjoint(with: [.yes, .no]) ? [] : .value
            if truths.contains(.null) { result.kinds.insert(.null) }
        case .coalesce:
            var found = Holding(kinds: [], literals: [])
            for operand in operands {
                found.formUnion(Holding(kinds: operand.kinds.subtracting(.null), literals: operand.literals))
                if !operand.kinds.contains(.null) { return found }
            }
            found.formUnion(.null)
            return found
        case .choose(let conditions):
            var found = Holding(kinds: [], literals: [])
            for (condition, operand) in zip(conditions, operands) {
                let truths = condition.truths(states)
                if truths.contains(.yes) { found.formUnion(operand) }
                if truths == .yes { return found }
            }
            found.formUnion(operands.last ?? .null)
            return found
        case .divide, .remainder:
            if case .literal(let divisor) = computed.operands.last, divisor != .int(0), divisor != .double(0) { break }
            result.kinds.insert(.error)
        case .cast:
            guard case .column(let column) = computed.operands.first else { break }
            let fails = fields[column].type == .string || fields[column].type == .double
            if fails, type != .string { result.kinds.insert(.error) }
        default: break
        }
        return result
    }

    /// Of an operation that has a value where all operands have one.
    private static func combined(_ operands: [Holding]) -> Holding {
        var found = Holding(kinds: operands.reduce([]) { $0.union($1.kinds.subtracting(.value)) })
        if operands.allSatisfy({ $0.kinds.contains(.value) }) { found.kinds.insert(.value) }
        return found
    }
}

extension Predicate {
    fileprivate func truths(_ states: [Holding]) -> Truths {
        func of(_ columns: [Int], _ ofValues: Truths) -> Truths {
            var truths: Truths = columns.allSatisfy { states[$0].kinds.contains(.value) } ? ofValues : []
            if columns.contains(where: { states[$0].canLack }) { truths.insert(.null) }
            return truths
        }
        /// Whether the column equals one of `values`.
        func equals(_ column: Int, _ values: [Value]) -> Truths {
            guard let literals = states[column].literals else { return [.yes, .no] }
            return literals.reduce([]) { $0.union(values.contains($1) ? .yes : .no) }
        }
        switch self {
        case .constant(let truth): return truth.map { $0 ? .yes : .no } ?? .null
        case .truth(let column): return of([column], [.yes, .no])
        case .compare(_, _, .null): return .null
        case .compare(let column, .equal, let literal): return of([column], equals(column, [literal]))
        case .compare(let column, .notEqual, let literal): return of([column], equals(column, [literal]).opposite)
        case .compare(let column, _, _): return of([column], [.yes, .no])
        case .compareColumns(let a, _, let b): return of([a, b], [.yes, .no])
        case .isIn(let column, let values, let negated):
            var truths = values.allSatisfy { $0 == .null } ? Truths.no : equals(column, values)
            // A NULL in the list leaves open what none of the others decides.
            if values.contains(.null), truths.remove(.no) != nil { truths.insert(.null) }
            return of([column], negated ? truths.opposite : truths)
        case .isNull(let column, let negated):
            var truths: Truths = []
            if states[column].kinds.contains(.value) { truths.insert(negated ? .yes : .no) }
            if states[column].canLack { truths.insert(negated ? .no : .yes) }
            return truths
        case .not(let inner): return inner.truths(states).opposite
        case .and(let parts): return parts.reduce(Truths.yes) { $0.joined($1.truths(states)) }
        case .or(let parts): return parts.reduce(Truths.yes) { $0.joined($1.truths(states).opposite) }.opposite
        }
    }
}

extension Truths {
    fileprivate var opposite: Truths {
        var found = intersection(.null)
        if contains(.yes) { found.insert(.no) }
        if contains(.no) { found.insert(.yes) }
        return found
    }

    /// What an AND of the two can be.
    fileprivate func joined(_ other: Truths) -> Truths {
        var found: Truths = []
        for a in Self.all where contains(a) {
            for b in Self.all where other.contains(b) { found.insert(a == .no || b == .no ? .no : a == .null ? a : b) }
        }
        return found
    }
}
