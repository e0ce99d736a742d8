import Model

/// Gives an expression the types of the fields it names: `Expression` to `Predicate`. What is no plain comparison of fields
/// and values becomes computed columns, which are added to `fields`; equal ones once. Literals take the column's type exactly
/// or are refused; comparisons keep SQL's three-valued logic.
struct Typing {
    var fields: FieldTable
    /// Finds a time zone by its name.
    let zone: (String) -> Zone?
    var faults: [ExpressionFault] = []

    init(fields: FieldTable, zone: @escaping (String) -> Zone? = { $0 == "UTC" ? .utc : nil }) {
        self.fields = fields
        self.zone = zone
    }

    /// nil where a fault was found, or a field's own declaration is wrong.
    mutating func predicate(_ expression: Expression) -> Predicate? {
        switch expression.kind {
        case .bool(let value): return .constant(value)
        case .null: return .constant(nil)
        case .not(let inner): return predicate(inner).map { .not($0) }
        case .and: return joined(expression, of: \.conjunction) { .and($0) }
        case .or: return joined(expression, of: \.disjunction) { .or($0) }
        case .compare(let left, let comparison, let right): return compare(left, comparison, right)
        case .isNull(let inner, let negated): return column(inner, "IS NULL").map { .isNull(column: $0, negated: negated) }
        case .isIn(let inner, let values, let negated): return isIn(inner, values, negated)
        case .between(let inner, let low, let high):
            guard let column = column(inner, "BETWEEN") else { return nil }
            let subject = Expression(kind: .column(column), offset: inner.offset)
            let least = compare(subject, .greaterOrEqual, low)
            guard let most = compare(subject, .lessOrEqual, high), let least else { return nil }
            return .and([least, most])
        case .name, .column, .like, .choose, .cast, .arithmetic, .negative, .call:
            guard let column = column(expression, "a condition") else { return nil }
            if fields.plans[column].type == .bool { return .truth(column: column) }
            return mismatch(
                expression, "`\(fields.plans[column].name)` is \(words(column)), not a condition", "compare it with something")
        case .number, .text: return mismatch(expression, "a value stands where a condition should", "compare it with a field")
        }
    }

    /// The column that an expression names, or a fault. `use` says for what, in the message where it names none.
    mutating func column(_ expression: Expression, _ use: String) -> Int? {
        guard case .name(let name, let isQuoted) = expression.kind else {
            if case .column(let column) = expression.kind { return column }
            if expression.isLiteral {
                return mismatch(expression, "a value stands where a field should", "name a field for \(use)")
            }
            return value(expression).flatMap { materialized($0) }
        }
        switch fields.find(name) {
        case .column(let column):
            if fields.plans[column].type == .json, use != "count" {
                return mismatch(
                    expression, "`\(name)` is json, the raw text", "declare the value inside it as a field with a path")
            }
            return column
        case .broken: return nil
        case .unknown where fields.later.contains(name):
            return fault(
                .unknownField, expression, "`\(name)` is computed further down", "declare it above the fields that use it")
        case .unknown(let nearest):
            let next =
                isQuoted
                ? "double quotes stand around names; write texts in single quotes: '\(name)'"
                : nearest.map { "did you mean `\($0)`?" } ?? "declare it under `fields`"
            return fault(.unknownField, expression, "no field is called `\(name)`", next)
        }
    }

    private mutating func joined(
        _ expression: Expression, of sides: (Expression) -> (Expression, Expression)?, _ join: ([Predicate]) -> Predicate
    ) -> Predicate? {
        // A chain leans to the left; it is walked in a loop, so that a long one needs no deep stack.
        var rest = expression
        var parts: [Expression] = []
        while let (left, right) = sides(rest) {
            parts.append(right)
            rest = left
        }
        parts.append(rest)
        var typed: [Predicate] = []
        for part in parts.reversed() { if let predicate = predicate(part) { typed.append(predicate) } }
        return typed.count == parts.count ? join(typed) : nil
    }

    // MARK: - Comparisons

    private mutating func compare(_ left: Expression, _ comparison: Comparison, _ right: Expression) -> Predicate? {
        guard let left = plain(left), let right = plain(right) else { return nil }
        switch (left.isLiteral, right.isLiteral) {
        case (false, true): return column(left, "a comparison").flatMap { compare($0, comparison, right) }
        case (true, false): return column(right, "a comparison").flatMap { compare($0, comparison.flipped, left) }
        case (true, true): return mismatch(left, "two values are compared", "compare a field with a value")
        case (false, false):
            let a = column(left, "a comparison")
            guard let b = column(right, "a comparison"), let a else { return nil }
            return compareColumns(a, comparison, b, at: right)
        }
    }

    private mutating func compareColumns(_ a: Int, _ comparison: Comparison, _ b: Int, at place: Expression) -> Predicate? {
        guard kind(a) == kind(b) || Set([kind(a), kind(b)]) == [.int, .double] else {
            return mismatch(place, "\(words(a)) and \(words(b)) can't be compared", "compare fields of one type")
        }
        guard isOrdered(a) || comparison.isEquality else { return unordered(a, at: place) }
        return .compareColumns(a, comparison, b)
    }

    private mutating func compare(_ column: Int, _ comparison: Comparison, _ literal: Expression) -> Predicate? {
        if literal.kind == .null {
            faults.append(
                ExpressionFault(
                    code: .neverTrue, severity: .warning, offset: literal.offset, what: "a comparison with NULL is never true",
                    next: "write `IS NULL` or `IS NOT NULL`"))
            return .constant(nil)
        }
        guard isOrdered(column) || comparison.isEquality else { return unordered(column, at: literal) }
        if case .number(let digits) = literal.kind {
            switch kind(column) {
            case .int: return compareInt(column, comparison, DecimalNumber(digits))
            case .double: return compareDouble(column, comparison, DecimalNumber(digits), literal)
            default: break
            }
        }
        return value(literal, for: column).map { .compare(column: column, comparison, $0) }
    }

    /// Whole numbers against any written number, without rounding: `x < 2.5` is `x <= 2`.
    private func compareInt(_ column: Int, _ comparison: Comparison, _ number: DecimalNumber) -> Predicate {
        switch (number.floor, comparison) {
        case (.within(let value, isExact: true), _): return .compare(column: column, comparison, .int(value))
        case (.within(let value, isExact: false), .less), (.within(let value, isExact: false), .lessOrEqual):
            return .compare(column: column, .lessOrEqual, .int(value))
        case (.within(let value, isExact: false), .greater), (.within(let value, isExact: false), .greaterOrEqual):
            return .compare(column: column, .greater, .int(value))
        case (_, .notEqual), (.above, .less), (.above, .lessOrEqual), (.below, .greater), (.below, .greaterOrEqual):
            return knownTrue(column)
        default: return knownFalse(column)
        }
    }

    /// A whole number that no double holds lies between two doubles; a written fraction means the nearest double.
    private mutating func compareDouble(
        _ column: Int, _ comparison: Comparison, _ number: DecimalNumber, _ literal: Expression
    ) -> Predicate? {
        let nearest = number.nearestDouble
        guard nearest.isFinite else { return mismatch(literal, "the number is out of a double's range", "write a smaller one") }
        guard number.isWholeText, let side = number.compare(to: nearest), side != 0 else {
            return .compare(column: column, comparison, .double(nearest == 0 ? 0 : nearest))
        }
        switch comparison {
        case .equal: return knownFalse(column)
        case .notEqual: return knownTrue(column)
        case .less, .lessOrEqual: return .compare(column: column, side > 0 ? .lessOrEqual : .less, .double(nearest))
        case .greater, .greaterOrEqual: return .compare(column: column, side > 0 ? .greater : .greaterOrEqual, .double(nearest))
        }
    }

    /// False, or null where the column is.
    private func knownFalse(_ column: Int) -> Predicate { .and([.isNull(column: column, negated: false), .constant(nil)]) }
    /// True, or null where the column is.
    private func knownTrue(_ column: Int) -> Predicate { .or([.isNull(column: column, negated: true), .constant(nil)]) }

    private mutating func isIn(_ inner: Expression, _ values: [Expression], _ negated: Bool) -> Predicate? {
        guard let column = column(inner, "IN") else { return nil }
        var list: [Value] = []
        var others: [Predicate] = []
        var hasNull = false
        var isGood = true
        for written in values {
            guard let expression = plain(written) else {
                isGood = false
                continue
            }
            guard expression.isLiteral else {
                let subject = Expression(kind: .column(column), offset: inner.offset)
                if let equal = compare(subject, .equal, expression) { others.append(equal) } else { isGood = false }
                continue
            }
            if expression.kind == .null {
                hasNull = true
                continue
            }
            // A number that no value of the column can equal adds nothing to the list.
            switch compare(column, .equal, expression) {
            case .compare(_, _, let value): if !list.contains(where: { Self.isSame($0, value) }) { list.append(value) }
            case nil: isGood = false
            default: break
            }
        }
        guard isGood else { return nil }
        if hasNull { list.append(.null) }
        if !others.isEmpty {
            if !list.isEmpty { others.append(.isIn(column: column, list, negated: false)) }
            return negated ? .not(.or(others)) : .or(others)
        }
        if list.isEmpty { return negated ? knownTrue(column) : knownFalse(column) }
        return .isIn(column: column, list, negated: negated)
    }

    /// Texts are equal byte by byte, as records' texts are compared: Swift's `==` takes `é` for `e` with an accent behind it.
    private static func isSame(_ a: Value, _ b: Value) -> Bool {
        guard case .string(let a) = a, case .string(let b) = b else { return a == b }
        return a.utf8.elementsEqual(b.utf8)
    }

    /// A text, a bool or a number as the column's type, or a fault.
    private mutating func value(_ literal: Expression, for column: Int) -> Value? {
        let name = fields.plans[column].name
        let anInstant = "write an instant with its zone: '2026-01-31T08:00:00Z'"
        switch (kind(column), literal.kind) {
        case (.string, .text(let text)): return .string(text)
        case (.bool, .bool(let flag)): return .bool(flag)
        case (.uuid, .text(let text)):
            if let uuid = UUIDText.parse(text) { return .uuid(high: uuid.high, low: uuid.low) }
            return mismatch(literal, "the text is no UUID, as `\(name)` is", "write 32 hex digits with four dashes")
        case (.timestamp, .text(let text)):
            guard let instant = Instant.parse(text) else {
                return mismatch(literal, "the text is no instant, as `\(name)` is", anInstant)
            }
            if instant.isFiner { return mismatch(literal, "the instant is finer than a millisecond", "write whole milliseconds") }
            return .time(EventTime(milliseconds: instant.milliseconds))
        case (.timestamp, .number):
            return mismatch(literal, "`\(name)` is a timestamp and can't be compared with a number", anInstant)
        case (.int, .text), (.double, .text):
            return mismatch(
                literal, "`\(name)` is \(words(column)) and can't be compared with a text", "write the number without quotes")
        case (.string, .number):
            return mismatch(
                literal, "`\(name)` is \(words(column)) and can't be compared with a number", "put the value in single quotes")
        default:
            return mismatch(
                literal, "`\(name)` is \(words(column)) and can't be compared with \(literal.words)", "write a value of its type")
        }
    }

    enum Kind { case string, int, double, bool, uuid, json, timestamp }

    private func kind(_ column: Int) -> Kind { Self.kind(fields.plans[column].type) }

    static func kind(_ type: FieldType) -> Kind {
        switch type {
        case .string: .string
        case .int: .int
        case .double: .double
        case .bool: .bool
        case .uuid: .uuid
        case .json: .json
        case .timestamp: .timestamp
        }
    }

    private func isOrdered(_ column: Int) -> Bool { kind(column) != .bool && kind(column) != .uuid }

    private func words(_ column: Int) -> String { fields.plans[column].type.words }

    // MARK: - Faults

    mutating func fault<T>(_ code: Problem.Code, _ at: Expression, _ what: String, _ next: String) -> T? {
        faults.append(ExpressionFault(code: code, offset: at.offset, what: what, next: next))
        return nil
    }

    mutating func mismatch<T>(_ at: Expression, _ what: String, _ next: String) -> T? {
        fault(.typeMismatch, at, what, next)
    }

    private mutating func unordered(_ column: Int, at place: Expression) -> Predicate? {
        mismatch(place, "\(words(column)) has no order", "compare it with `=`, `!=` or `IN`")
    }
}

extension Expression {
    var words: String {
        switch kind {
        case .number: "a number"
        case .text: "a text"
        default: "TRUE or FALSE"
        }
    }

    fileprivate var conjunction: (Expression, Expression)? { if case .and(let a, let b) = kind { (a, b) } else { nil } }
    fileprivate var disjunction: (Expression, Expression)? { if case .or(let a, let b) = kind { (a, b) } else { nil } }
}

extension Comparison {
    /// The same with its sides changed.
    fileprivate var flipped: Comparison {
        switch self {
        case .equal, .notEqual: self
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        }
    }

    fileprivate var isEquality: Bool { self == .equal || self == .notEqual }
}

extension FieldType {
    /// With its article, for messages.
    var words: String {
        switch self {
        case .string: "a string"
        case .int: "an int"
        case .double: "a double"
        case .bool: "a bool"
        case .uuid: "a uuid"
        case .json: "json"
        case .timestamp: "a timestamp"
        }
    }

    /// As the key `type` writes it.
    var word: String {
        switch self {
        case .string: "string"
        case .int: "int"
        case .double: "double"
        case .bool: "bool"
        case .uuid: "uuid"
        case .json: "json"
        case .timestamp: "timestamp"
        }
    }
}
