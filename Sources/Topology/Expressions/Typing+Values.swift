import Model

/// An expression's value: a column or a literal. `type` is nil for NULL, which takes any.
struct TypedValue {
    var operand: Computed.Operand
    var type: FieldType?
    var offset: Int
}

/// Expressions that are values. Ints become doubles where they meet doubles (to the nearest); nothing else is converted
/// unless `cast` says so, but texts in quotes that meet timestamps or UUIDs.
extension Typing {
    /// What a derived field is, and its type.
    mutating func definition(_ expression: Expression) -> (computed: Computed, type: FieldType)? {
        guard let value = value(expression) else { return nil }
        guard let type = value.type else { return mismatch(expression, "the field is always NULL", "leave it out") }
        if type == .json {
            return mismatch(expression, "json, the raw text, can't be computed with", "declare a field with a path")
        }
        // One more step over the column, so that two names for the same thing are two columns.
        return (Computed(.coalesce, [value.operand]), type)
    }

    /// nil where a fault was found.
    mutating func value(_ expression: Expression) -> TypedValue? {
        func literal(_ value: Value, _ type: FieldType?) -> TypedValue {
            TypedValue(operand: .literal(value), type: type, offset: expression.offset)
        }
        switch expression.kind {
        case .null: return literal(.null, nil)
        case .bool(let flag): return literal(.bool(flag), .bool)
        case .text(let text): return literal(.string(text), .string)
        case .number(let digits):
            let number = DecimalNumber(digits)
            if number.isWholeText, case .within(let whole, isExact: true) = number.floor { return literal(.int(whole), .int) }
            guard number.nearestDouble.isFinite else {
                return mismatch(expression, "the number is out of a double's range", "write a smaller one")
            }
            return literal(.double(number.nearestDouble), .double)
        case .name, .column:
            return column(expression, "a value").map {
                TypedValue(operand: .column($0), type: fields.plans[$0].type, offset: expression.offset)
            }
        case .not, .and, .or, .compare, .isNull, .isIn, .between:
            guard let predicate = predicate(expression) else { return nil }
            return add(.truth(predicate), [], .bool, expression)
        case .like(let text, let pattern, let escape): return like(text, pattern, escape, expression)
        case .choose(let base, let when, let then, let otherwise): return choose(base, when, then, otherwise, expression)
        case .cast(let inner, let type): return cast(inner, type, expression)
        case .negative(let inner):
            guard let value = number(inner, "-") else { return nil }
            if case .literal(let literal) = value.operand, literal != .null { return negated(literal, inner) }
            return add(.negate, [value], value.type ?? .int, expression)
        case .arithmetic(let left, let sign, let right): return arithmetic(left, sign, right, expression)
        case .call(let name, let arguments): return call(name, arguments, expression)
        }
    }

    mutating func add(
        _ operation: Computed.Operation, _ operands: [TypedValue], _ type: FieldType, _ place: Expression
    ) -> TypedValue? {
        if fields.plans.count >= TopologyLimits.columns {
            return fault(
                .tooLarge, place, "the topology has more than \(TopologyLimits.columns) columns with those of its expressions",
                "use fewer different expressions")
        }
        let column = fields.hidden(Computed(operation, operands.map(\.operand)), type: type)
        return TypedValue(operand: .column(column), type: type, offset: place.offset)
    }

    /// A column that holds the value.
    mutating func materialized(_ value: TypedValue) -> Int? {
        if case .column(let column) = value.operand { return column }
        return fields.hidden(Computed(.coalesce, [value.operand]), type: value.type ?? .int)
    }

    /// A value of one of these kinds; NULL is of all.
    mutating func argument(_ expression: Expression, _ kinds: Set<Kind>, of name: String, _ takes: String) -> TypedValue? {
        guard let value = value(expression) else { return nil }
        guard let type = value.type, !kinds.contains(Self.kind(type)) else { return value }
        return mismatch(expression, "`\(name)` can't take \(type.words)", "it takes \(takes)")
    }

    mutating func number(_ expression: Expression, _ name: String) -> TypedValue? {
        argument(expression, [.int, .double], of: name, "an int or a double")
    }

    mutating func text(_ expression: Expression, _ name: String) -> TypedValue? {
        argument(expression, [.string], of: name, "a string; write `cast(… AS string)`")
    }

    mutating func double(_ value: TypedValue, _ place: Expression) -> TypedValue? {
        guard value.type == .int else { return value }
        if case .literal(.int(let number)) = value.operand {
            return TypedValue(operand: .literal(.double(Double(number))), type: .double, offset: value.offset)
        }
        return add(.cast, [value], .double, place)
    }

    /// The values as one type, or a fault.
    mutating func unified(_ values: [TypedValue], _ name: String, _ place: Expression) -> (values: [TypedValue], type: FieldType)?
    {
        let types = values.compactMap(\.type)
        guard let first = types.first else { return mismatch(place, "`\(name)` has only NULL", "give it a value") }
        let kinds = Set(types.map(Self.kind))
        if kinds.count == 1 {
            if kinds == [.json] { return mismatch(place, "`\(name)` can't take json", "declare a field with a path") }
            return (values, kinds == [.timestamp] ? .timestamp(.milliseconds) : first)
        }
        if kinds == [.int, .double] {
            var found: [TypedValue] = []
            for value in values {
                guard let value = double(value, place) else { return nil }
                found.append(value)
            }
            return (found, .double)
        }
        let other = kinds.subtracting([.string])
        if kinds.count == 2, other == [.timestamp] || other == [.uuid] {
            let found = values.compactMap { value -> TypedValue? in
                guard value.type == .string else { return value }
                guard case .literal(.string(let text)) = value.operand else { return nil }
                let converted: Value? =
                    other == [.uuid]
                    ? UUIDText.parse(text).map { .uuid(high: $0.high, low: $0.low) }
                    : Instant.parse(text).flatMap {
                        $0.isFiner ? nil : .time(EventTime(milliseconds: $0.milliseconds))
                    }
                return converted.map { TypedValue(operand: .literal($0), type: nil, offset: value.offset) }
            }
            if found.count == values.count { return (found, other == [.uuid] ? .uuid : .timestamp(.milliseconds)) }
        }
        let words = types.map(\.words).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        return mismatch(
            place, "`\(name)` has values of different types: \(words.joined(separator: ", "))", "cast them to one type")
    }

    // MARK: - Operators

    private mutating func arithmetic(
        _ left: Expression, _ sign: String, _ right: Expression, _ place: Expression
    ) -> TypedValue? {
        if sign == "||" {
            let a = text(left, sign)
            guard let b = text(right, sign), let a else { return nil }
            if case (.literal(.string(let x)), .literal(.string(let y))) = (a.operand, b.operand) {
                return TypedValue(operand: .literal(.string(x + y)), type: .string, offset: place.offset)
            }
            return add(.concatenate, [a, b], .string, place)
        }
        let numbers: Set<Kind> = sign == "+" || sign == "-" ? [.int, .double, .timestamp] : [.int, .double]
        let takes = numbers.count == 3 ? "ints, doubles, or a timestamp and milliseconds" : "ints and doubles"
        let a = argument(left, numbers, of: sign, takes)
        guard let b = argument(right, numbers, of: sign, takes), let a else { return nil }
        let operations: [String: Computed.Operation] = [
            "+": .add, "-": .subtract, "*": .multiply, "/": .divide, "%": .remainder,
        ]
        guard let operation = operations[sign] else { return nil }
        switch (a.type.map(Self.kind), b.type.map(Self.kind)) {
        // Milliseconds: SQL's intervals have no place here.
        case (.timestamp, .timestamp) where sign == "-": return add(operation, [a, b], .int, place)
        case (.timestamp, .int), (.timestamp, nil): return add(operation, [a, b], .timestamp(.milliseconds), place)
        case (.int, .timestamp) where sign == "+": return add(operation, [a, b], .timestamp(.milliseconds), place)
        case (.timestamp, _), (_, .timestamp):
            return mismatch(
                place, "`\(sign)` can't take \(a.type?.words ?? "NULL") and \(b.type?.words ?? "NULL")",
                "subtract timestamps, or add whole milliseconds to one")
        case (nil, nil): return add(operation, [a, b], .int, place)
        default: break
        }
        guard let (values, type) = unified([a, b], sign, place) else { return nil }
        if sign == "%", type == .double { return mismatch(place, "`%` takes ints only", "cast both sides to int") }
        return folded(operation, values, type, right: right, place)
    }

    private mutating func like(
        _ subject: Expression, _ pattern: Expression, _ escape: Expression?, _ place: Expression
    ) -> TypedValue? {
        let a = text(subject, "LIKE")
        guard let b = text(pattern, "LIKE"), let a else { return nil }
        var sign: UInt32?
        if let escape {
            guard case .text(let text) = escape.kind, let scalar = text.unicodeScalars.first, text.unicodeScalars.count == 1,
                scalar.isASCII, !"%_".unicodeScalars.contains(scalar)
            else {
                return mismatch(escape, "ESCAPE takes one ASCII character in quotes, not `%` or `_`", "write `ESCAPE '!'`")
            }
            sign = scalar.value
        }
        return add(.like(escape: sign), [a, b], .bool, place)
    }

    mutating func choose(
        _ base: Expression?, _ when: [Expression], _ then: [Expression], _ otherwise: Expression?, _ place: Expression
    ) -> TypedValue? {
        var subject: Expression?
        if let base {
            guard let column = column(base, "CASE") else { return nil }
            subject = Expression(kind: .column(column), offset: base.offset)
        }
        var conditions: [Predicate] = []
        var values: [TypedValue] = []
        for (when, then) in zip(when, then) {
            let condition = subject.map { Expression(kind: .compare($0, .equal, when), offset: when.offset) } ?? when
            if let predicate = predicate(condition) { conditions.append(predicate) }
            if let value = value(then) { values.append(value) }
        }
        guard let last = value(otherwise ?? Expression(kind: .null, offset: place.offset)), conditions.count == when.count,
            values.count == then.count, let (unified, type) = unified(values + [last], "CASE", place)
        else { return nil }
        return add(.choose(conditions), unified, type, place)
    }

    private mutating func cast(_ inner: Expression, _ word: String, _ place: Expression) -> TypedValue? {
        let types: [String: FieldType] = [
            "string": .string, "int": .int, "double": .double, "bool": .bool, "uuid": .uuid,
            "timestamp": .timestamp(.milliseconds),
        ]
        guard let type = types[word] else {
            let nearest = Spelling.nearest(to: word, among: types.keys.sorted())
            return fault(
                .expression, place, "`\(word)` is no type to cast to",
                nearest.map { "did you mean `\($0)`?" } ?? "use \(Spelling.list(types.keys.sorted()))")
        }
        guard let value = value(inner) else { return nil }
        guard let from = value.type else { return add(.coalesce, [value], type, place) }
        switch (Self.kind(from), Self.kind(type)) {
        case (let a, let b) where a == b: return value
        case (.int, .double): return double(value, place)
        case (.double, .int), (.bool, .int), (.timestamp, .int), (.int, .timestamp), (.string, _), (_, .string):
            if Self.kind(from) == .json { break }
            if case .literal(let literal) = value.operand { return folded(literal, to: type, inner) }
            return add(.cast, [value], type, place)
        default: break
        }
        return mismatch(place, "\(from.words) can't be cast to \(word)", "there is no cast between these types")
    }
}
