/// What is wrong in an expression; `offset` counts Unicode scalars from the expression's beginning.
struct ExpressionFault: Error, Equatable {
    var code: Problem.Code
    var severity: Problem.Severity = .error
    var offset: Int
    var what: String
    var next: String
}

/// A word or sign of an expression.
struct Token: Equatable {
    enum Kind: Equatable {
        /// Plain names and SQL's words; the parser tells them apart.
        case name(String)
        /// `"name"`: never a word of SQL.
        case quotedName(String)
        case number(String)
        case text(String)
        case sign(String)
        case end
    }

    var kind: Kind
    var offset: Int
}

/// Cuts a text into tokens.
struct Lexer {
    private let scalars: [Unicode.Scalar]
    private var at = 0

    static func tokens(_ text: String) throws(ExpressionFault) -> [Token] {
        var lexer = Lexer(scalars: Array(text.unicodeScalars))
        guard lexer.scalars.count <= TopologyLimits.expressionLength else {
            throw ExpressionFault(
                code: .tooLarge, offset: 0, what: "the expression is too long",
                next: "keep it under \(TopologyLimits.expressionLength) characters")
        }
        var tokens: [Token] = []
        repeat { tokens.append(try lexer.token()) } while tokens.last?.kind != .end
        return tokens
    }

    private init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

    private func peek(_ distance: Int = 0) -> Unicode.Scalar? { at + distance < scalars.count ? scalars[at + distance] : nil }

    private mutating func token() throws(ExpressionFault) -> Token {
        while let scalar = peek(), " \n\t\r".unicodeScalars.contains(scalar) { at += 1 }
        let start = at
        guard let first = peek() else { return Token(kind: .end, offset: start) }
        if Self.isLetter(first) {
            while let scalar = peek(), Self.isLetter(scalar) || Self.isDigit(scalar) { at += 1 }
            return Token(kind: .name(Self.string(scalars[start..<at])), offset: start)
        }
        if Self.isDigit(first) || (first == "." && peek(1).map(Self.isDigit) == true) {
            return Token(kind: .number(try number(start)), offset: start)
        }
        if first == "'" { return Token(kind: .text(try quoted("'", "text", start)), offset: start) }
        if first == "\"" { return Token(kind: .quotedName(try quoted("\"", "name", start)), offset: start) }
        if let second = peek(1) {
            let pair = Self.string([first, second])
            if let advice = ["==": "write `=`", "&&": "write `AND`"][pair] { throw stray(pair, start, advice) }
            if ["!=", "<>", "<=", ">=", "||"].contains(pair) {
                at += 2
                return Token(kind: .sign(pair), offset: start)
            }
        }
        guard "=<>+-*/%(),".unicodeScalars.contains(first) else {
            let advice = first == "`" ? "names stand bare or in double quotes" : first == "!" ? "write `NOT`" : "leave it out"
            throw stray(String(Character(first)), start, advice)
        }
        at += 1
        return Token(kind: .sign(String(Character(first))), offset: start)
    }

    private func stray(_ sign: String, _ offset: Int, _ next: String) -> ExpressionFault {
        ExpressionFault(code: .expression, offset: offset, what: "`\(sign)` is no sign of an expression", next: next)
    }

    private mutating func skipDigits() { while let scalar = peek(), Self.isDigit(scalar) { at += 1 } }

    private mutating func number(_ start: Int) throws(ExpressionFault) -> String {
        skipDigits()
        if peek() == "." {
            at += 1
            skipDigits()
        }
        if let e = peek(), e == "e" || e == "E" {
            let signed = peek(1) == "+" || peek(1) == "-"
            if let digit = peek(signed ? 2 : 1), Self.isDigit(digit) {
                at += signed ? 2 : 1
                skipDigits()
            }
        }
        if let scalar = peek(), Self.isLetter(scalar) || scalar == "." {
            throw ExpressionFault(
                code: .expression, offset: at, what: "`\(scalar)` stands inside a number",
                next: "put a space before names, and text in single quotes")
        }
        return Self.string(scalars[start..<at])
    }

    /// A doubled quote inside stands for one.
    private mutating func quoted(_ quote: Unicode.Scalar, _ what: String, _ start: Int) throws(ExpressionFault) -> String {
        at += 1
        var found: [Unicode.Scalar] = []
        while let scalar = peek() {
            at += 1
            if scalar == quote {
                guard peek() == quote else { return Self.string(found) }
                at += 1
            }
            found.append(scalar)
        }
        throw ExpressionFault(
            code: .expression, offset: start, what: "a \(what) begins here and never ends", next: "close it with \(quote)")
    }

    private static func isLetter(_ s: Unicode.Scalar) -> Bool { ("a"..."z").contains(s) || ("A"..."Z").contains(s) || s == "_" }
    private static func isDigit(_ s: Unicode.Scalar) -> Bool { ("0"..."9").contains(s) }

    private static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }
}
