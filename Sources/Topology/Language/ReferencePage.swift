/// `docs/topology.md`: every key of the language, made from the declarations that parse it, behind an introduction.
enum ReferencePage {
    static var text: String {
        var page = introduction
        var waiting: [(path: String, section: Section)] = [("", Language.topology)]
        while !waiting.isEmpty {
            let (path, section) = waiting.removeFirst()
            page += "\n## \(path.isEmpty ? "The file" : "`\(path)`")\n\n"
            page += rules(section)
            var inner: [(path: String, section: Section)] = []
            page += "| key | value | default | meaning |\n|---|---|---|---|\n"
            for key in section.keys where key.isOffered {
                let below = path.isEmpty ? key.name : "\(path).\(key.name)"
                let fallback = key.isRequired ? "**required**" : key.fallback.map { "`\($0)`" } ?? key.absent.words ?? "–"
                page += "| `\(key.name)` | \(cell(value(key))) | \(cell(fallback)) | \(cell(key.doc)) |\n"
                inner += sections(key.shape, below)
            }
            waiting = inner + waiting
            if !section.example.isEmpty { page += "\n```yaml\n\(section.example)\n```\n" }
            let missing = section.keys.filter { !$0.isOffered }
            if !missing.isEmpty { page += "\nNot built yet: " + missing.map { "`\($0.name)`" }.joined(separator: ", ") + ".\n" }
        }
        return page
    }

    private static let introduction = """
        # The topology file

        One YAML file says everything about a stream's processing. This page is written by `weir schema --markdown` from the
        declarations that read the file; `weir check FILE` tells all that is wrong with one. What the keys mean for results is
        in [semantics.md](semantics.md).

        - **Units stand with the number.** A span is one whole number and one unit: `500ms`, `30s`, `5m`, `24h`, `7d`. A size is
          one in `B`, `KiB`, `MiB`, `GiB` or `TiB`. An instant is RFC 3339 with its zone, in whole milliseconds.
        - **`${NAME}`**, `${NAME:-default}` and `${file:PATH}` may stand in every value. Where this page says *secret*, only
          `${NAME}` or `${file:PATH}` may: a password in the file itself is refused.
        - **Overlays.** `--with FILE` lays a second file over the first. It may set every key of this page: maps are joined key by
          key; a value or a list takes the place of the one below as a whole. Where exactly one of several keys stands, such as
          `topics`, `files` and `generator`, the overlay's takes the place of the other, and what goes with that one alone
          (`group`, `start`) goes too. No other key can be taken away. Variables are put in, and literal secrets refused, in each
          file by itself. `weir test` takes no overlay: it looks at neither `kafka`, `state` nor `http`.
        - An unknown key is an error with the nearest known name. Anchors and aliases are allowed, keys that stand twice and
          merge keys (`<<`) are not.
        - The least that a topology needs: `name`, `source`, `fields`, `event_time`, `aggregates`.

        **In an editor.** Write `weir schema --out topology.schema.json` and let the first line of a topology say where it is:

        ```yaml
        # yaml-language-server: $schema=topology.schema.json
        ```

        Editors with the YAML language server then complete and explain keys and mark what doesn't fit. An overlay needs no such
        line: it lacks keys that a whole topology must have. The schema refuses nothing that `weir check` takes (but an unquoted
        `null` as a text); bounds, names that must refer to something, and expressions are looked at by `weir check` alone.

        """

    /// What excludes and what needs one another, in words.
    private static func rules(_ section: Section) -> String {
        var lines: [String] = []
        let built = Set(section.keys.filter(\.isOffered).map(\.name))
        let choice = section.oneOf.filter(built.contains)
        if choice.count > 1 { lines.append("Exactly \(Spelling.choice(choice)).") }
        if choice.count == 1 { lines.append("`\(choice[0])` must stand.") }
        for key in section.keys where key.isOffered {
            if let partner = key.goesWith { lines.append("`\(key.name)` only with `\(partner)`.") }
        }
        return lines.isEmpty ? "" : lines.joined(separator: " ") + "\n\n"
    }

    private static func value(_ key: Key) -> String {
        if key.isSecret { return "a secret: `${NAME}` or `${file:PATH}`" }
        return words(key.shape) + (key.unit.isEmpty ? "" : ", in \(key.unit)")
    }

    private static func words(_ shape: Shape) -> String {
        switch shape {
        case .words(let words, let other):
            let built = words.filter { $0.notBuilt == nil }.map { "`\($0.name)`" }
            let missing = words.filter { $0.notBuilt != nil }.map { "`\($0.name)`" }
            let offered = built + (other.map { [self.words($0)] } ?? [])
            let text = offered.joined(separator: ", ")
            if missing.isEmpty { return text }
            return (text.isEmpty ? "" : text + "; ") + "not built yet: " + missing.joined(separator: ", ")
        case .span(let range): return "a span, \(CanonicalText.span(range.lowerBound)) to \(CanonicalText.span(range.upperBound))"
        case .size(let range): return "a size, \(CanonicalText.size(range.lowerBound)) to \(CanonicalText.size(range.upperBound))"
        case .section: return "a map, below"
        case .short(let scalar, let long):
            return long.keys.contains(where: \.isOffered) ? "\(words(scalar)), or a map, below" : words(scalar)
        case .named(let item, let what, let rule):
            let isMap = if case .section = item { true } else { false }
            return "a map of \(what): \(rule.words), with \(isMap ? "a map, below" : words(item))"
        case .list(let item, let what):
            switch item {
            case .section: return "a list of \(what), below"
            case .words: return "a list of \(words(item))"
            default: return "a list of \(what)"
            }
        default: return shape.words
        }
    }

    /// The maps below a key, each with its path.
    private static func sections(_ shape: Shape, _ path: String) -> [(path: String, section: Section)] {
        switch shape {
        case .section(let section): [(path, section)]
        case .short(_, let section): section.keys.contains(where: \.isOffered) ? [(path, section)] : []
        case .named(let item, _, _): sections(item, "\(path).NAME")
        case .list(let item, _): sections(item, "\(path)[]")
        default: []
        }
    }

    private static func cell(_ text: String) -> String { text.replacing("|", with: "\\|") }
}
