internal import Model

/// A read topology as one YAML file again, with every declared default in it, marked. It reads back to the same plan. Values
/// stand as they were written, `${…}` included, so that no secret and nothing of the environment appears.
enum SpelledFile {
    static func text(_ root: SectionItem) -> String { lines(root, Language.topology, "").joined(separator: "\n") + "\n" }

    private static func lines(_ item: SectionItem, _ section: Section, _ margin: String) -> [String] {
        section.keys.flatMap { key in item[key.name].map { lines(key.name, $0, key.shape, margin) } ?? [] }
    }

    private static func lines(_ name: String, _ item: Item, _ shape: Shape, _ margin: String) -> [String] {
        let mark = item.isDefault ? "  # default" : ""
        let below = value(item, shape, margin + "  ")
        if below.count == 1, let only = below.first, !isBlock(item) { return ["\(margin)\(name): \(only)\(mark)"] }
        return below.isEmpty ? ["\(margin)\(name): {}\(mark)"] : ["\(margin)\(name):"] + below
    }

    private static func isBlock(_ item: Item) -> Bool {
        switch item.content {
        case .section, .named, .list: true
        default: false
        }
    }

    /// One scalar, or the lines of a map or list with their margin.
    private static func value(_ item: Item, _ shape: Shape, _ margin: String) -> [String] {
        switch (item.content, shape) {
        case (.section(let inner), .section(let section)), (.section(let inner), .short(_, let section)):
            return lines(inner, section, margin)
        case (.named(let entries), .named(let shape, _, _)):
            return entries.flatMap { lines($0.name, $0.item, shape, margin) }
        case (.list(let items), .list(let shape, _)):
            return items.flatMap { item -> [String] in
                let inner = value(item, shape, margin + "  ")
                guard isBlock(item) else { return inner.map { "\(margin)- \($0)" } }
                guard let first = inner.first else { return ["\(margin)- {}"] }
                return ["\(margin)- \(first.dropFirst(margin.count + 2))"] + inner.dropFirst()
            }
        default: return [scalar(item.written)]
        }
    }

    /// In quotes unless it is plain beyond doubt.
    private static func scalar(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x5f || $0 == 0x2e
                || $0 == 0x2d || $0 == 0x2f || $0 == 0x25
        }
        if isPlain, text != "null", let first = text.utf8.first, first != 0x2d, first != 0x25 { return text }
        var json = JSONText()
        json.string(text)
        return json.text
    }
}
