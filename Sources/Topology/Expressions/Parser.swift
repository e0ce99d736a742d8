import Model

/// A Pratt parser of SQL's conditions: words in any letter case, `OR` loosest, then `AND`, `NOT`, comparisons, arithmetic.
struct Parser {
    private let tokens: [Token]
    private var at = 0
    private var depth = 0

    private enum Power {
        static let or = 10
        static let and = 20
        static let not = 30
        static let compare = 40
        static let sum = 50
        static let product = 60
        static let sign = 70
    }

    /// Words that can't be a field's name unless it stands in double quotes.
    private static let reserved: Set<String> = [
        "AND", "OR", "NOT", "IN", "IS", "NULL", "TRUE", "FALSE", "BETWEEN", "LIKE", "CASE", "WHEN", "THEN", "ELSE", "END",
        "WHERE",
        "DISTINCT", "ESCAPE",
    ]

    static func condition(_ text: String) throws(ExpressionFault) -> Expression {
        try whole(text, "join conditions with AND or OR")
    }

    /// What `expr` takes: a value of any type.
    static func value(_ text: String) throws(ExpressionFault) -> Expression {
        try whole(text, "join values with an operator such as `+`")
    }

    private static func whole(_ text: String, _ next: String) throws(ExpressionFault) -> Expression {
        var parser = Parser(tokens: try Lexer.tokens(text))
        let expression = try parser.expression(0)
        try parser.expectEnd(next)
        return expression
    }

    static func measure(_ text: String) throws(ExpressionFault) -> MeasureExpression {
        var parser = Parser(tokens: try Lexer.tokens(text))
        let first = parser.current
        guard case .name(let function) = first.kind else {
            throw parser.unexpected(first, "write a measure such as `count()` or `sum(duration_ms)`")
        }
        parser.at += 1
        guard parser.take("(") else {
            throw ExpressionFault(
                code: .expression, offset: first.offset, what: "`\(function)` is no measure",
                next: "write it with parentheses, such as `count()`")
        }
        if parser.current.kind == .sign("*") {
            throw ExpressionFault(
                code: .expression, offset: parser.current.offset, what: "`*` is no argument",
                next: "write `count()` to count records")
        }
        let arguments = try parser.arguments()
        var admits: Expression?
        if parser.takeWord("WHERE") { admits = try parser.expression(0) }
        try parser.expectEnd()
        return MeasureExpression(function: function.lowercased(), offset: first.offset, arguments: arguments, admits: admits)
    }

    private init(tokens: [Token]) { self.tokens = tokens }

    private var current: Token { tokens[at] }

    private func word(_ token: Token) -> String? {
        guard case .name(let name) = token.kind else { return nil }
        let upper = name.uppercased()
        return Self.reserved.contains(upper) ? upper : nil
    }

    private mutating func take(_ sign: String) -> Bool {
        guard current.kind == .sign(sign) else { return false }
        at += 1
        return true
    }

    private mutating func takeWord(_ wanted: String) -> Bool {
        guard word(current) == wanted else { return false }
        at += 1
        return true
    }

    private mutating func expression(_ power: Int) throws(ExpressionFault) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= TopologyLimits.expressionDepth else { throw tooDeep(current) }
        var left = try prefix()
        var steps = 0
        while let next = try infix(left, power) {
            left = next
            steps += 1
            guard steps <= TopologyLimits.expressionParts else { throw tooDeep(current) }
        }
        return left
    }

    private func tooDeep(_ token: Token) -> ExpressionFault {
        ExpressionFault(
            code: .tooDeep, offset: token.offset, what: "the expression has too many parts inside one another",
            next: "use fewer parentheses, and `IN (…)` for long lists")
    }

    private mutating func prefix() throws(ExpressionFault) -> Expression {
        let token = current
        if token.kind != .end { at += 1 }
        func found(_ kind: Expression.Kind) -> Expression { Expression(kind: kind, offset: token.offset) }
        switch token.kind {
        case .number(let digits): return found(.number(digits))
        case .text(let text): return found(.text(text))
        case .quotedName(let name): return found(.name(name, isQuoted: true))
        case .name(let name):
            switch word(token) {
            case "TRUE": return found(.bool(true))
            case "FALSE": return found(.bool(false))
            case "NULL": return found(.null)
            case "NOT": return found(.not(try expression(Power.not)))
            case "CASE": return try choice(token)
            case nil:
                if take("(") { return try call(name.lowercased(), token) }
                return found(.name(name, isQuoted: false))
            default: throw unexpected(token, "a field or a value should stand here")
            }
        case .sign("("):
            let inner = try expression(0)
            guard take(")") else { throw unexpected(current, "close the parenthesis") }
            return inner
        case .sign("-"):
            let operand = try expression(Power.sign)
            if case .number(let digits) = operand.kind, !digits.hasPrefix("-") { return found(.number("-" + digits)) }
            return found(.negative(operand))
        default: throw unexpected(token, "a field or a value should stand here")
        }
    }

    /// What goes on behind `left`, or nil where a looser operator or the end comes.
    private mutating func infix(_ left: Expression, _ power: Int) throws(ExpressionFault) -> Expression? {
        let token = current
        func found(_ kind: Expression.Kind) -> Expression { Expression(kind: kind, offset: left.offset) }
        if case .sign(let sign) = token.kind {
            if let comparison = Self.comparison(sign) {
                guard power < Power.compare else { return nil }
                at += 1
                let right = try expression(Power.compare)
                if case .sign(let again) = current.kind, Self.comparison(again) != nil {
                    throw unexpected(current, "join comparisons with AND")
                }
                return found(.compare(left, comparison, right))
            }
            let powers = [
                "+": Power.sum, "-": Power.sum, "||": Power.sum, "*": Power.product, "/": Power.product, "%": Power.product,
            ]
            guard let own = powers[sign], power < own else { return nil }
            at += 1
            return found(.arithmetic(left, sign, try expression(own)))
        }
        switch word(token) {
        case "OR" where power < Power.or:
            at += 1
            return found(.or(left, try expression(Power.or)))
        case "AND" where power < Power.and:
            at += 1
            return found(.and(left, try expression(Power.and)))
        case "IS" where power < Power.compare:
            at += 1
            let negated = takeWord("NOT")
            guard takeWord("NULL") else { throw unexpected(current, "write `IS NULL` or `IS NOT NULL`") }
            return found(.isNull(left, negated: negated))
        case "IN" where power < Power.compare:
            at += 1
            return found(.isIn(left, try list(), negated: false))
        case "NOT" where power < Power.compare:
            at += 1
            if takeWord("LIKE") { return found(.not(try like(left))) }
            if takeWord("BETWEEN") { return found(.not(try between(left))) }
            guard takeWord("IN") else {
                throw unexpected(current, "write `NOT IN (…)`, `NOT LIKE`, `NOT BETWEEN`, or `AND NOT …`")
            }
            return found(.isIn(left, try list(), negated: true))
        case "LIKE" where power < Power.compare:
            at += 1
            return try like(left)
        case "BETWEEN" where power < Power.compare:
            at += 1
            return try between(left)
        default: return nil
        }
    }

    private static func comparison(_ sign: String) -> Comparison? { Comparison(rawValue: sign == "<>" ? "!=" : sign) }

    private mutating func list() throws(ExpressionFault) -> [Expression] {
        guard take("(") else { throw unexpected(current, "write the values in parentheses") }
        let offset = current.offset
        let values = try arguments()
        guard !values.isEmpty else {
            throw ExpressionFault(code: .expression, offset: offset, what: "the list is empty", next: "write values into it")
        }
        return values
    }

    /// Behind the opening parenthesis; takes the closing one.
    private mutating func arguments() throws(ExpressionFault) -> [Expression] {
        if take(")") { return [] }
        var values = [try expression(0)]
        while take(",") { values.append(try expression(0)) }
        guard take(")") else { throw unexpected(current, "close the parenthesis") }
        return values
    }

    private func expectEnd(_ next: String = "join conditions with AND or OR") throws(ExpressionFault) {
        if current.kind != .end { throw unexpected(current, next) }
    }

    private func unexpected(_ token: Token, _ next: String) -> ExpressionFault {
        let what =
            switch token.kind {
            case .end: "the expression ends too early"
            case .name(let name): "`\(name)` is not expected here"
            case .quotedName(let name): "`\"\(name)\"` is not expected here"
            case .number(let digits): "`\(digits)` is not expected here"
            case .text: "a text is not expected here"
            case .sign(let sign): "`\(sign)` is not expected here"
            }
        return ExpressionFault(code: .expression, offset: token.offset, what: what, next: next)
    }

    // MARK: - SQL's longer forms

    private mutating func like(_ left: Expression) throws(ExpressionFault) -> Expression {
        let pattern = try expression(Power.compare)
        let escape = takeWord("ESCAPE") ? try expression(Power.compare) : nil
        return Expression(kind: .like(left, pattern, escape: escape), offset: left.offset)
    }

    private mutating func between(_ left: Expression) throws(ExpressionFault) -> Expression {
        let low = try expression(Power.compare)
        guard takeWord("AND") else { throw unexpected(current, "write `x BETWEEN a AND b`") }
        let high = try expression(Power.compare)
        return Expression(kind: .between(left, low, high), offset: left.offset)
    }

    /// Behind CASE.
    private mutating func choice(_ token: Token) throws(ExpressionFault) -> Expression {
        let base = word(current) == "WHEN" ? nil : try expression(0)
        var conditions: [Expression] = []
        var values: [Expression] = []
        while takeWord("WHEN") {
            conditions.append(try expression(0))
            guard takeWord("THEN") else { throw unexpected(current, "write `WHEN condition THEN value`") }
            values.append(try expression(0))
        }
        guard !values.isEmpty else { throw unexpected(current, "write `CASE WHEN condition THEN value … END`") }
        let otherwise = takeWord("ELSE") ? try expression(0) : nil
        guard takeWord("END") else { throw unexpected(current, "close CASE with END") }
        return Expression(kind: .choose(base: base, when: conditions, then: values, otherwise: otherwise), offset: token.offset)
    }

    /// Behind a function's opening parenthesis. `cast(x AS T)` and `extract(unit FROM t)` have words inside.
    private mutating func call(_ name: String, _ token: Token) throws(ExpressionFault) -> Expression {
        func found(_ kind: Expression.Kind) -> Expression { Expression(kind: kind, offset: token.offset) }
        if name == "cast" {
            let value = try expression(0)
            guard takeName("AS") || take(",") else { throw unexpected(current, "write `cast(x AS int)`") }
            guard case .name(let type) = current.kind else { throw unexpected(current, "name a type, such as `int`") }
            at += 1
            guard take(")") else { throw unexpected(current, "close the parenthesis") }
            return found(.cast(value, type.lowercased()))
        }
        if name == "extract", case .name(let unit) = current.kind {
            let place = current.offset
            at += 1
            guard takeName("FROM") || take(",") else { throw unexpected(current, "write `extract(hour FROM t)`") }
            return found(.call(name, [Expression(kind: .text(unit), offset: place)] + (try arguments())))
        }
        return found(.call(name, try arguments()))
    }

    /// A word that only means something in one place, and may be a field's name elsewhere.
    private mutating func takeName(_ wanted: String) -> Bool {
        guard case .name(let name) = current.kind, name.uppercased() == wanted else { return false }
        at += 1
        return true
    }
}
