internal import Model

/// A JSON document that is written once, for people and editors: keys stay in the order given.
indirect enum SchemaTree {
    case text(String)
    case integer(Int64)
    case flag(Bool)
    case list([SchemaTree])
    case object([(String, SchemaTree)])

    static func texts(_ texts: [String]) -> SchemaTree { .list(texts.map { .text($0) }) }

    /// Two spaces a level; a list of plain values stands on one line.
    func pretty(_ margin: String = "") -> String {
        let inner = margin + "  "
        switch self {
        case .text(let text): return Self.quoted(text)
        case .integer(let integer): return String(integer)
        case .flag(let flag): return flag ? "true" : "false"
        case .list(let items):
            if items.allSatisfy(\.isPlain) { return "[" + items.map { $0.pretty() }.joined(separator: ", ") + "]" }
            return "[\n" + items.map { inner + $0.pretty(inner) }.joined(separator: ",\n") + "\n\(margin)]"
        case .object(let members):
            if members.isEmpty { return "{}" }
            let lines = members.map { "\(inner)\(Self.quoted($0.0)): \($0.1.pretty(inner))" }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(margin)}"
        }
    }

    private var isPlain: Bool {
        switch self {
        case .list, .object: false
        default: true
        }
    }

    private static func quoted(_ text: String) -> String {
        var json = JSONText()
        json.string(text)
        return json.text
    }
}
