/// A YAML tree with the place of every key and value. Scalars are text until a declaration types them.
public struct Node: Sendable {
    public enum Content: Sendable {
        case scalar(Scalar)
        case list([Node])
        case map([Entry])
    }

    public struct Entry: Sendable {
        public var key: String
        public var keyPlace: Place
        public var value: Node
    }

    public var content: Content
    public var place: Place

    public var kind: String {
        switch content {
        case .scalar(let scalar): scalar.isEmpty ? "nothing" : "a single value"
        case .list: "a list"
        case .map: "a map"
        }
    }

    /// This node and all below it.
    var count: Int {
        switch content {
        case .scalar: 1
        case .list(let items): items.reduce(1) { $0 + $1.count }
        case .map(let entries): entries.reduce(1) { $0 + $1.value.count }
        }
    }
}

public struct Scalar: Sendable {
    public enum Style: Sendable {
        case plain, single, double, literal, folded
    }

    /// After substitution.
    public var text: String
    /// As the file has it, before substitution: what messages may quote.
    public var written: String
    public var style: Style
    /// Something in it could not be substituted.
    var isBroken = false

    init(_ text: String, style: Style = .plain) {
        self.text = text
        written = text
        self.style = style
    }

    /// `key:` with nothing behind it.
    public var isEmpty: Bool { style == .plain && written.isEmpty }
    /// The whole text is one `${NAME}` or `${file:…}` without a default: a secret may stand here.
    var isReference: Bool {
        guard written.hasPrefix("${"), written.hasSuffix("}") else { return false }
        let inner = written.dropFirst(2).dropLast()
        return !inner.contains("}") && !inner.contains("$") && (inner.hasPrefix("file:") || !inner.contains(":"))
    }
    var isSubstituted: Bool { written != text }
}
