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
        var parser = Parser(tokens: try Lexer.tokens(text))
        let expression = try parser.expression(0)
        try parser.expectEnd()
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
            case "CASE": throw notBuilt("CASE", token)
            case nil:
                if take("(") { return found(.call(name.lowercased(), try arguments())) }
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
            if let word = word(current), word == "LIKE" || word == "BETWEEN" { throw notBuilt(word, current) }
            guard takeWord("IN") else { throw unexpected(current, "write `NOT IN (…)`, or `AND NOT …`") }
            return found(.isIn(left, try list(), negated: true))
        case "LIKE" where power < Power.compare: throw notBuilt("LIKE", token)
        case "BETWEEN" where power < Power.compare: throw notBuilt("BETWEEN", token)
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

    private func expectEnd() throws(ExpressionFault) {
        if current.kind != .end { throw unexpected(current, "join conditions with AND or OR") }
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

    private func notBuilt(_ word: String, _ token: Token) -> ExpressionFault {
        let instead =
            switch word {
            case "BETWEEN": "write `x >= a AND x <= b`"
            case "LIKE": "compare with `=` or `IN (…)`"
            default: "write it with comparisons, AND, OR and NOT"
            }
        return ExpressionFault(
            code: .notBuilt, offset: token.offset, what: "`\(word)` is part of the language but not built yet", next: instead)
    }
}
