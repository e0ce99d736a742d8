/// A value as the generator builds it: how each reader writes it, with `$0`, `$1` … where its parts stand.
struct Formula {
    enum Kind: Sendable { case int, double, string, bool, time }
    /// The operation's name; a field's or a literal's is empty.
    var operation: String
    var kind: Kind
    var weir: String
    var sqlite: String
    var parts: [Formula] = []

    init(_ operation: String, _ kind: Kind, _ weir: String, sqlite: String? = nil, _ parts: [Formula] = []) {
        self.operation = operation
        self.kind = kind
        self.weir = weir
        self.sqlite = sqlite ?? weir
        self.parts = parts
    }

    /// Parts in parentheses: the two do not bind `||` alike.
    func text(_ reader: Reader) -> String {
        var text = ""
        var rest = (reader == .weir ? weir : sqlite)[...]
        while let character = rest.popFirst() {
            guard character == "$", let digit = rest.first?.wholeNumberValue, digit < parts.count else {
                text.append(character)
                continue
            }
            rest.removeFirst()
            let part = parts[digit].text(reader)
            text += parts[digit].operation.isEmpty ? part : "(\(part))"
        }
        return text
    }
}

/// What an expression gives in one row. Truth values are 0 and 1, instants milliseconds.
enum Outcome: Equatable {
    case null, error
    case int(Int64)
    case double(Double)
    case text([UInt8])

    /// As docs/expressions.md writes it.
    var word: String {
        switch self {
        case .null: "null"
        case .error: "error"
        case .int(let number): "\(number)"
        case .double(let number): "\(number)"
        case .text(let bytes): "'\(String(decoding: bytes, as: UTF8.self))'"
        }
    }

    /// The innermost formula in which two lists of outcomes differ in a row, though those of its parts do not.
    static func cause(
        of formula: Formula, in row: Int, _ ours: (Formula) throws -> [Outcome], _ theirs: (Formula) throws -> [Outcome]
    ) throws -> Formula? {
        guard try ours(formula)[row] != theirs(formula)[row] else { return nil }
        for part in formula.parts {
            if let found = try cause(of: part, in: row, ours, theirs) { return found }
        }
        return formula
    }
}

/// Where values are known to differ from SQLite's; each has its entry in docs/expressions.md.
enum ListedValue: String, CaseIterable {
    case divisionByZero = "division-by-zero"
    case overflow
    case infinity
    case lossyCasts = "lossy-casts"
    case doubleTexts = "double-texts"
    case positions
    case roundedPlaces = "rounded-places"
    case zeroBytes = "zero-bytes"

    /// The class of a difference of `formula`, whose parts do not differ and are `parts`; nil is a defect.
    static func of(_ formula: Formula, parts: [Outcome], ours: Outcome, theirs: Outcome) -> ListedValue? {
        if parts.contains(where: { if case .text(let bytes) = $0 { bytes.contains(0) } else { false } }) { return .zeroBytes }
        switch (formula.operation, ours, theirs) {
        case ("/", .error, .null), ("%", .error, .null):
            return parts[1] == .int(0) || parts[1] == .double(0) ? .divisionByZero : nil
        case ("+", .error, .double(let other)), ("-", .error, .double(let other)), ("*", .error, .double(let other)),
            ("/", .error, .double(let other)), ("negate", .error, .double(let other)):
            return formula.kind != .double ? .overflow : other.isFinite ? nil : .infinity
        case ("abs", .error, .null): return parts[0] == .int(.min) ? .overflow : nil
        case ("cast-int", .error, .int), ("cast-double", .error, .double), ("cast-bool", .error, .null): return .lossyCasts
        // SQLite reads more texts as dates, and gives null for the others.
        case ("cast-time", .error, _): return .lossyCasts
        case ("cast-text", .text, .text): return .doubleTexts
        case ("substr", _, _):
            let beyond = parts.dropFirst().enumerated().contains { at, part in
                guard case .int(let number) = part else { return false }
                return number < (at == 0 ? 1 : 0) || number > Int64(Int32.max)
            }
            return beyond ? .positions : nil
        case ("round-places", .double(let a), .double(let b)):
            return abs(a - b) <= max(0.01, abs(a) * 1e-15) ? .roundedPlaces : nil
        default: return nil
        }
    }
}
