import Model

/// What is known when the topology is read is computed then, as a lane would: an error of it is one of the topology.
extension Typing {
    /// A value, where the expression is made of literals only; a fault where it would always be an error. Anything else is
    /// given back as it is.
    mutating func plain(_ expression: Expression) -> Expression? {
        guard !expression.isLiteral, expression.isConstant else { return expression }
        guard let value = value(expression) else { return nil }
        guard case .literal(let literal) = value.operand else { return expression }
        let kind: Expression.Kind? =
            switch literal {
            case .null: .null
            case .bool(let truth): .bool(truth)
            case .int(let number): .number(String(number))
            case .double(let number): .number(number.description)
            case .string(let text): .text(text)
            case .uuid, .time, .wide, .list, .counted: nil
            }
        return kind.map { Expression(kind: $0, offset: expression.offset) } ?? expression
    }

    /// `a operation b` over values of one type.
    mutating func folded(
        _ operation: Computed.Operation, _ values: [TypedValue], _ type: FieldType, right: Expression, _ place: Expression
    ) -> TypedValue? {
        let isDivision = operation == .divide || operation == .remainder
        if isDivision, values[1].operand == .literal(.int(0)) || values[1].operand == .literal(.double(0)) {
            return fault(.constantError, right, "this divides by zero", "divide by something else")
        }
        let found: Value?
        switch (values[0].operand, values[1].operand) {
        case (.literal(.int(let a)), .literal(.int(let b))): found = Self.whole(operation, a, b).map { .int($0) }
        case (.literal(.double(let a)), .literal(.double(let b))): found = Self.finite(operation, a, b).map { .double($0) }
        default: return add(operation, values, type, place)
        }
        guard let found else { return beyond(type, place) }
        return TypedValue(operand: .literal(found), type: type, offset: place.offset)
    }

    mutating func negated(_ literal: Value, _ place: Expression) -> TypedValue? {
        switch literal {
        case .int(.min): beyond(.int, place)
        case .int(let number): TypedValue(operand: .literal(.int(-number)), type: .int, offset: place.offset)
        case .double(let number): TypedValue(operand: .literal(.double(0 - number)), type: .double, offset: place.offset)
        default: nil
        }
    }

    private mutating func beyond(_ type: FieldType, _ place: Expression) -> TypedValue? {
        fault(
            .constantError, place, "the result is beyond the range of \(type.words)",
            type == .int ? "write smaller numbers, or one of them as a double, such as `1.0`" : "write smaller numbers")
    }

    private static func whole(_ operation: Computed.Operation, _ a: Int64, _ b: Int64) -> Int64? {
        let (value, isOver) =
            switch operation {
            case .add: a.addingReportingOverflow(b)
            case .subtract: a.subtractingReportingOverflow(b)
            case .multiply: a.multipliedReportingOverflow(by: b)
            case .divide: a.dividedReportingOverflow(by: b)
            // The smallest number by -1 leaves nothing, though its quotient overflows.
            default: b == -1 ? (0, false) : a.remainderReportingOverflow(dividingBy: b)
            }
        return isOver ? nil : value
    }

    private static func finite(_ operation: Computed.Operation, _ a: Double, _ b: Double) -> Double? {
        let value =
            switch operation {
            case .add: a + b
            case .subtract: a - b
            case .multiply: a * b
            default: a / b
            }
        // Adding zero makes a negative zero positive.
        return value.isFinite ? value + 0 : nil
    }

    /// A literal as another type, with nothing lost.
    mutating func folded(_ literal: Value, to type: FieldType, _ place: Expression) -> TypedValue? {
        guard let value = Self.cast(literal, to: type) else {
            let example =
                switch type {
                case .timestamp: "write an instant with its zone, no finer than a millisecond: '2026-01-31T08:00:00Z'"
                case .uuid: "write 32 hex digits with four dashes"
                case .bool: "write 'true' or 'false'"
                default: "write a value that \(type.words) holds"
                }
            return fault(.constantError, place, "the value can't be cast to \(type.word)", example)
        }
        return TypedValue(operand: .literal(value), type: type, offset: place.offset)
    }

    private static func cast(_ literal: Value, to type: FieldType) -> Value? {
        switch (literal, type) {
        case (.double(let number), .int): Int64(exactly: number).map { .int($0) }
        case (.bool(let truth), .int): .int(truth ? 1 : 0)
        case (.time(let time), .int): .int(time.milliseconds)
        case (.int(let number), .timestamp): .time(EventTime(milliseconds: number))
        case (.string(let text), .int): DecimalText.integer(text).map { .int($0) }
        case (.string(let text), .double): DecimalText.double(text).map { .double($0 + 0) }
        case (.string(let text), .bool):
            text.utf8.elementsEqual("true".utf8) ? .bool(true) : text.utf8.elementsEqual("false".utf8) ? .bool(false) : nil
        case (.string(let text), .uuid): UUIDText.parse(text).map { .uuid(high: $0.high, low: $0.low) }
        case (.string(let text), .timestamp):
            Instant.parse(text).flatMap { $0.isFiner ? nil : .time(EventTime(milliseconds: $0.milliseconds)) }
        case (.int(let number), .string): .string(String(number))
        case (.double(let number), .string): .string(number.description)
        case (.bool(let truth), .string): .string(truth ? "true" : "false")
        case (.time(let time), .string):
            Instant.written.contains(time.milliseconds) ? .string(Instant.text(time.milliseconds)) : nil
        case (.uuid(let high, let low), .string): .string(UUIDText.text(high: high, low: low))
        default: nil
        }
    }
}

extension Expression {
    /// Made of literals, arithmetic and casts only.
    fileprivate var isConstant: Bool {
        switch kind {
        case .number, .text, .bool, .null: true
        case .negative(let inner), .cast(let inner, _): inner.isConstant
        case .arithmetic(let left, _, let right): right.isConstant && left.isConstant
        default: false
        }
    }
}
