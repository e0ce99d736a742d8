/// What may stand at a key. From these declarations come parsing, unknown keys, defaults, and what is said about them.
indirect enum Shape: Sendable {
    case text(TextRule)
    /// One of these words, or, where given, something else.
    case words([Word], else: Shape? = nil)
    case flag
    case integer(ClosedRange<Int64>)
    /// Milliseconds, at least and at most.
    case span(ClosedRange<Int64>)
    /// Bytes, at least and at most.
    case size(ClosedRange<Int64>)
    case rate
    case percent
    case instant
    case listen
    /// A scalar whose type another key tells (a field's `default`).
    case untyped
    /// True or false of a record.
    case condition
    /// A value computed from fields.
    case expression
    case measure
    /// One or more, no two the same; `of` says of what in messages.
    case list(Shape, of: String)
    /// Keys that the topology names itself; `of` says what in messages.
    case named(Shape, of: String, rule: TextRule)
    case section(Section)
    /// A short form (a scalar) or a long one (a map).
    case short(Shape, long: Section)

    /// What is expected, in words.
    var words: String {
        switch self {
        case .text(let rule): rule.words
        case .words(let words, let other):
            Spelling.choice(words.filter { $0.notBuilt == nil }.map(\.name)) + (other.map { " or \($0.words)" } ?? "")
        case .flag: "`true` or `false`"
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .span: "a span such as `500ms`, `30s`, `5m`, `24h` or `7d`"
        case .size: "a size such as `64MiB`"
        case .rate: "a rate such as `5000/s`"
        case .percent: "a share such as `99%`"
        case .instant: "an instant such as `2026-01-31T08:00:00Z`"
        case .listen: "an address `host:port`"
        case .untyped: "a single value"
        case .condition: "a condition such as `country = 'DE'`"
        case .expression: "an expression such as `duration_ms / 1000`"
        case .measure: "a measure such as `sum(duration_ms)`"
        case .list(_, let what): "a list of \(what)"
        case .named(_, let what, _): "a map of \(what)"
        case .section(let section): section.words
        case .short(let scalar, let section): "\(scalar.words) or \(section.words)"
        }
    }
}

/// A word of a closed list.
struct Word: Sendable {
    var name: String
    /// Set where the word is part of the language but not built yet: what to do instead.
    var notBuilt: String?
    init(_ name: String, notBuilt: String? = nil) {
        self.name = name
        self.notBuilt = notBuilt
    }
}

/// A map with declared keys.
struct Section: Sendable {
    var keys: [Key]
    /// Exactly one of these must stand.
    var oneOf: [String] = []
    /// The section at its place in a file, for the reference page; what is left out of it may stand in another file.
    var example: String

    init(_ keys: [Key], oneOf: [String] = [], example: String = "") {
        self.keys = keys
        self.oneOf = oneOf
        self.example = example
    }

    var words: String {
        let names = (oneOf.isEmpty ? keys : keys.filter { oneOf.contains($0.name) }).filter { $0.notBuilt == nil }.map(\.name)
        return "a map with " + Spelling.list(names)
    }
}

/// What holds where a key without a default of its own is left out.
enum Absent: Sendable {
    case nothing
    /// No value that could be written says it. The condition tells where it holds.
    case words(String, when: @Sendable (SectionItem) -> Bool = { _ in true })
    /// The plan's reader works a value out, which can be written: `WorkedOut` knows how.
    case workedOut(String)

    var words: String? {
        switch self {
        case .nothing: nil
        case .words(let words, _), .workedOut(let words): words
        }
    }
}

/// The declaration of one key.
struct Key: Sendable {
    var name: String
    var shape: Shape
    /// What the language calls the unit of a bare number; empty where the value carries its own.
    var unit: String
    /// The default as it would be written; nil: there is none. Where the key goes with a sibling, it holds beside that alone.
    var fallback: String?
    var absent: Absent
    var isRequired: Bool
    /// A literal value is refused.
    var isSecret: Bool
    /// The sibling without which this key says nothing.
    var goesWith: String?
    /// Set where the key is part of the language but not built yet: what to do instead.
    var notBuilt: String?
    var doc: String

    init(
        _ name: String, _ shape: Shape, default fallback: String? = nil, absent: Absent = .nothing,
        isRequired: Bool = false, isSecret: Bool = false,
        unit: String = "", with goesWith: String? = nil, notBuilt: String? = nil, _ doc: String
    ) {
        self.name = name
        self.shape = shape
        self.unit = unit
        self.fallback = fallback
        self.absent = absent
        self.isRequired = isRequired
        self.isSecret = isSecret
        self.goesWith = goesWith
        self.notBuilt = notBuilt
        self.doc = doc
    }
}
