/// The JSON Schema (draft 2020-12) of the topology language, made from the declarations that parse it, so that an editor
/// completes and explains keys. It is looser than `weir check`, never stricter: names that must refer to something,
/// bounds of spans and sizes, and expressions are looked at there. Only an unquoted `null`, a text to `weir check`, is refused
/// as a text: a key that was left empty would look the same. What isn't built yet is left out.
enum Schema {
    static var text: String {
        var members: [(String, SchemaTree)] = [
            ("$schema", .text("https://json-schema.org/draft/2020-12/schema")),
            ("title", .text("Weir topology")),
            ("description", .text("One file says everything about a stream's processing.")),
        ]
        members += section(Language.topology)
        members.append(("$defs", .object([("reference", reference)])))
        return SchemaTree.object(members).pretty() + "\n"
    }

    /// A text with something in it that is only known when the file is read.
    private static let reference = SchemaTree.object([
        ("description", .text("`${NAME}`, `${NAME:-default}` or `${file:PATH}`: from the environment or a file.")),
        ("type", .text("string")), ("pattern", .text(#"\$\{"#)),
    ])

    private static func section(_ section: Section) -> [(String, SchemaTree)] {
        let keys = section.keys.filter(\.isOffered)
        let names = Set(keys.map(\.name))
        var members: [(String, SchemaTree)] = [
            ("type", .text("object")),
            ("properties", .object(keys.map { ($0.name, .object(key($0))) })),
            ("additionalProperties", .flag(false)),
        ]
        let required = keys.filter { $0.isRequired && $0.fallback == nil }.map(\.name)
        if !required.isEmpty { members.append(("required", .texts(required))) }
        let choice = section.oneOf.filter(names.contains)
        if !choice.isEmpty {
            members.append(("oneOf", .list(choice.map { .object([("required", .texts([$0]))]) })))
        }
        let company = keys.compactMap { key in key.goesWith.map { (key.name, SchemaTree.texts([$0])) } }
        if !company.isEmpty { members.append(("dependentRequired", .object(company))) }
        return members
    }

    private static func key(_ key: Key) -> [(String, SchemaTree)] {
        var doc = key.doc
        if !key.unit.isEmpty { doc += " Unit: \(key.unit)." }
        if let absent = key.absent.words { doc += " Left out: \(absent)." }
        var members: [(String, SchemaTree)] = [("description", .text(doc))]
        members +=
            key.isSecret ? [("type", .text("string")), ("pattern", .text(#"^\$\{(file:[^}$]+|[^}$:]+)\}$"#))] : shape(key.shape)
        if let fallback = key.fallback { members.append(("default", value(fallback, of: key.shape))) }
        return members
    }

    private static func value(_ text: String, of shape: Shape) -> SchemaTree {
        if text.hasPrefix("{") {
            let inner = text.dropFirst().dropLast()
            return .object(inner.firstIndex(of: ":").map { [(String(inner[..<$0]), .object([]))] } ?? [])
        }
        switch shape {
        case .flag: return .flag(text == "true")
        case .integer: return Scalars.integer(text).map { .integer($0) } ?? .text(text)
        default: return .text(text)
        }
    }

    private static func shape(_ shape: Shape) -> [(String, SchemaTree)] {
        switch shape {
        case .text(let rule): scalar(pattern: rule.pattern)
        case .words(let words, let other):
            choice(
                [[("enum", .list(words.filter { $0.notBuilt == nil }.flatMap(spellings)))]]
                    + (other.map { [self.shape($0)] } ?? [])
                    + (other == nil ? [[("$ref", .text("#/$defs/reference"))]] : []))
        case .flag: choice([[("type", .text("boolean"))], string("true|false")])
        case .integer(let range):
            choice([
                [
                    ("type", .text("integer")), ("minimum", .integer(range.lowerBound)), ("maximum", .integer(range.upperBound)),
                ], string("-?[0-9]+"),
            ])
        case .span: string("\(whole)(ms|s|m|h|d)")
        case .size: string("\(whole)(B|KiB|MiB|GiB|TiB)")
        case .rate: string(#"\#(whole)(\.[0-9]+)?/s"#)
        case .percent: string(#"\#(whole)(\.[0-9]+)?%"#)
        case .instant:
            string(
                #"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"#)
        case .listen: string(#"(\[[0-9A-Za-z:.%]+\]|[A-Za-z0-9._-]+):\#(whole)"#)
        case .untyped: [("type", .texts(["string", "number", "boolean", "null"]))]
        case .condition, .expression, .measure: scalar(pattern: nil)
        case .list(let item, _):
            [("type", .text("array")), ("items", .object(self.shape(item))), ("minItems", .integer(1))]
        case .named(let item, _, let rule):
            [
                ("type", .text("object")), ("additionalProperties", .object(self.shape(item))), ("minProperties", .integer(1)),
            ] + (rule.pattern.map { [("propertyNames", .object([("pattern", .text("^(?:\($0))$"))]))] } ?? [])
        case .section(let section): self.section(section)
        case .short(let scalar, let long):
            long.keys.contains(where: \.isOffered) ? choice([self.shape(scalar), self.section(long)]) : self.shape(scalar)
        }
    }

    private static let whole = "(0|[1-9][0-9]*)"

    /// YAML gives `true` as a truth value and `1` as a number where they are not quoted; both are texts in the language.
    private static func spellings(_ word: Word) -> [SchemaTree] {
        word.name == "true" || word.name == "false" ? [.flag(word.name == "true"), .text(word.name)] : [.text(word.name)]
    }

    private static func choice(_ branches: [[(String, SchemaTree)]]) -> [(String, SchemaTree)] {
        [("anyOf", .list(branches.map { .object($0) }))]
    }

    private static func string(_ pattern: String) -> [(String, SchemaTree)] {
        [("type", .text("string")), ("pattern", .text(#"^(?:\#(pattern))$|\$\{"#))]
    }

    private static func scalar(pattern: String?) -> [(String, SchemaTree)] {
        let types = ("type", SchemaTree.texts(["string", "number", "boolean"]))
        guard let pattern else { return [types, ("minLength", .integer(1))] }
        return [types, ("pattern", .text(#"^(?:\#(pattern))$|\$\{"#))]
    }
}

extension Key {
    /// It can stand in a file today.
    var isOffered: Bool {
        if case .words(let words, nil) = shape, words.allSatisfy({ $0.notBuilt != nil }) { return false }
        return notBuilt == nil
    }
}

extension TextRule {
    /// A regular expression for the whole text, at most as strict as `accepts`; nil: anything that isn't empty.
    var pattern: String? {
        switch self {
        case .any, .reference, .path: nil
        case .name: "[A-Za-z0-9_][A-Za-z0-9._-]{0,\(TopologyLimits.nameLength - 1)}"
        case .identifier: "[a-z_][a-z0-9_]{0,\(TopologyLimits.nameLength - 1)}"
        case .topic: "[A-Za-z0-9._-]{1,\(TopologyLimits.topicLength)}"
        case .bootstrap: "[^, ]+:[0-9]+(,[^, ]+:[0-9]+)*"
        case .zone: "[A-Za-z0-9._/+-]{1,64}"
        case .fieldPath: #"[^.]+(\.[^.]+){0,\#(TopologyLimits.pathKeys - 1)}"#
        case .hours: " *[A-Za-z,-]+ +[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2} +[A-Za-z0-9._/+-]+ *"
        }
    }
}

extension Topology {
    /// The JSON Schema (draft 2020-12) of a topology file: `docs/topology.schema.json`.
    public static var schema: String { Schema.text }
    /// The reference of all keys in Markdown: `docs/topology.md`.
    public static var reference: String { ReferencePage.text }
}
