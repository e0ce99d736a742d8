import Model

/// Turns a condition into operations. Registers are a stack: a condition's answer lies in the register it was given, and its
/// parts use those above.
struct PredicateCompiler {
    private let fields: [FieldPlan]
    private let constants: Constants
    private(set) var operations: [Operation] = []
    private(set) var registers = 1

    init(_ fields: [FieldPlan], _ constants: Constants) {
        self.fields = fields
        self.constants = constants
    }

    mutating func compile(_ predicate: Predicate, into register: Int) {
        registers = max(registers, register + 1)
        switch predicate {
        case .constant(let value): emit(.constant(Truth.of(value)), register)
        case .isNull(let column, let negated): emit(.isNull(column: column, negated: negated), register)
        case .truth(let column): emit(.truth(column: column), register)
        case .compare(let column, let comparison, let value): emit(compare(column, comparison, value), register)
        case .compareColumns(let a, let comparison, let b): emit(compareColumns(a, comparison, b), register)
        case .isIn(let column, let values, let negated):
            emit(isIn(column, values), register)
            if negated { emit(.not, register) }
        case .not(let inner):
            compile(inner, into: register)
            emit(.not, register)
        case .and(let parts): join(parts, .and, empty: Truth.yes, register)
        case .or(let parts): join(parts, .or, empty: Truth.no, register)
        }
    }

    private mutating func emit(_ code: Operation.Code, _ register: Int) {
        operations.append(Operation(code: code, destination: register))
    }

    private mutating func join(_ parts: [Predicate], _ code: Operation.Code, empty: UInt8, _ register: Int) {
        guard let first = parts.first else { return emit(.constant(empty), register) }
        compile(first, into: register)
        for part in parts.dropFirst() {
            compile(part, into: register + 1)
            emit(code, register)
        }
    }

    private func compare(_ column: Int, _ comparison: Comparison, _ value: Value) -> Operation.Code {
        switch (Comparable(fields[column].type), value) {
        case (_, .null): .constant(Truth.unknown)
        case (.int64, .int(let literal)): .int64(column: column, comparison, literal)
        case (.int64, .time(let literal)): .int64(column: column, comparison, literal.milliseconds)
        case (.int64, .bool(let literal)): .int64(column: column, comparison, literal ? 1 : 0)
        case (.int64, .double(let literal)): ExactBound.ofInts(comparison, literal).operation(column)
        case (.double, .double(let literal)): .double(column: column, comparison, literal)
        case (.double, .int(let literal)): ExactBound.ofDoubles(comparison, literal).operation(column)
        case (.text, .string(let literal)): .text(column: column, comparison, constants.text(literal))
        case (.uuid, .uuid(let high, let low)): .uuid(column: column, comparison, high: high, low: low)
        default: preconditionFailure("the topology's reader gives a literal its column's type")
        }
    }

    private func compareColumns(_ a: Int, _ comparison: Comparison, _ b: Int) -> Operation.Code {
        switch (Comparable(fields[a].type), Comparable(fields[b].type)) {
        case (.int64, .int64): .int64s(a, comparison, b)
        case (.double, .double): .doubles(a, comparison, b)
        case (.int64, .double): .int64AndDouble(a, comparison, b)
        case (.double, .int64): .int64AndDouble(b, comparison.mirrored, a)
        case (.text, .text): .texts(a, comparison, b)
        case (.uuid, .uuid): .uuids(a, comparison, b)
        default: preconditionFailure("the topology's reader compares columns of one kind only")
        }
    }

    private func isIn(_ column: Int, _ values: [Value]) -> Operation.Code {
        let whenAbsent = values.contains(.null) ? Truth.unknown : Truth.no
        switch Comparable(fields[column].type) {
        case .int64:
            let list = values.compactMap(ExactBound.int64).sorted()
            return .int64In(column: column, constants.list(list), whenAbsent: whenAbsent)
        case .double:
            let list = values.compactMap(ExactBound.double).sorted()
            return .doubleIn(column: column, constants.list(list), whenAbsent: whenAbsent)
        case .text:
            let texts = values.compactMap { value -> Constants.Text? in
                guard case .string(let text) = value else { return nil }
                return constants.text(text)
            }
            return .textIn(column: column, constants.list(texts), whenAbsent: whenAbsent)
        case .uuid:
            let list = values.compactMap { value -> UUIDBits? in
                guard case .uuid(let high, let low) = value else { return nil }
                return UUIDBits(high: high, low: low)
            }
            return .uuidIn(column: column, constants.list(list), whenAbsent: whenAbsent)
        }
    }

    /// The kinds of column memory that comparisons know.
    private enum Comparable {
        case int64, double, text, uuid

        init(_ type: FieldType) {
            switch type {
            case .int, .bool, .timestamp: self = .int64
            case .double: self = .double
            case .string, .json: self = .text
            case .uuid: self = .uuid
            }
        }
    }
}

extension Comparison {
    /// What `b ? a` asks where `a ? b` was meant.
    var mirrored: Comparison {
        switch self {
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        case .equal, .notEqual: self
        }
    }
}
