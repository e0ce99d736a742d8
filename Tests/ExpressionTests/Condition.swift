/// A condition as the generator builds it: it prints itself for Weir and for SQLite, and knows what is smaller than it.
indirect enum Condition: Equatable, Sendable {
    case constant(String)
    case truth(String)
    case compare(Term, String, Term)
    case isNull(String, negated: Bool)
    case isIn(String, [Term], negated: Bool)
    case not(Condition)
    case and(Condition, Condition)
    case or(Condition, Condition)
}

/// A side of a comparison. The texts differ only where SQLite has no such type.
struct Term: Equatable, Sendable {
    enum Kind: Sendable { case field, number, text, uuid, instant, word }
    var kind: Kind
    var weir: String
    var sqlite: String

    init(_ kind: Kind, _ text: String, sqlite: String? = nil) {
        self.kind = kind
        weir = text
        self.sqlite = sqlite ?? text
    }
}

enum Reader { case weir, sqlite }

extension Condition {
    /// With the fewest parentheses that keep the meaning, so that precedence is compared too.
    func text(_ reader: Reader) -> String {
        func side(_ term: Term) -> String { reader == .weir ? term.weir : term.sqlite }
        func within(_ inner: Condition, _ least: Int) -> String {
            inner.power < least ? "(\(inner.text(reader)))" : inner.text(reader)
        }
        switch self {
        case .constant(let word): return word
        case .truth(let field): return field
        case .compare(let left, let sign, let right): return "\(side(left)) \(sign) \(side(right))"
        case .isNull(let field, let negated): return "\(field) IS \(negated ? "NOT " : "")NULL"
        case .isIn(let field, let terms, let negated):
            return "\(field) \(negated ? "NOT " : "")IN (\(terms.map(side).joined(separator: ", ")))"
        case .not(let inner): return "NOT \(within(inner, 2))"
        // Both readers lean to the left.
        case .and(let a, let b): return "\(within(a, 1)) AND \(within(b, 2))"
        case .or(let a, let b): return "\(within(a, 0)) OR \(within(b, 1))"
        }
    }

    private var power: Int {
        switch self {
        case .or: 0
        case .and: 1
        case .not: 2
        default: 3
        }
    }

    /// Conditions with less in them, the smallest first.
    var smaller: [Condition] {
        switch self {
        case .constant, .truth, .compare, .isNull: return []
        case .isIn(let field, let terms, let negated):
            guard terms.count > 1 else { return [] }
            return terms.indices.map { index in
                var rest = terms
                rest.remove(at: index)
                return .isIn(field, rest, negated: negated)
            }
        case .not(let inner): return [inner] + inner.smaller.map { .not($0) }
        case .and(let a, let b):
            return [a, b] + a.smaller.map { .and($0, b) } + b.smaller.map { .and(a, $0) }
        case .or(let a, let b):
            return [a, b] + a.smaller.map { .or($0, b) } + b.smaller.map { .or(a, $0) }
        }
    }

    /// Walks to a smallest condition of which `fails` is still true.
    func shrunk(_ fails: (Condition) throws -> Bool) rethrows -> Condition {
        var least = self
        while let next = try least.smaller.first(where: fails) { least = next }
        return least
    }
}
