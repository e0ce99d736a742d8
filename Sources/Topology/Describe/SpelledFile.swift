internal import Model

/// A read topology as one file again, with every default in it, marked. It reads back to the same plan. Values stand as they were
/// written, `${…}` included, so that no secret and nothing of the environment appears.
enum SpelledFile {
    /// YAML. Where no value could be written for what a missing key means, a comment says it.
    static func text(_ root: SectionItem) -> String { lines(root, Language.topology, "").joined(separator: "\n") + "\n" }

    private static func lines(_ item: SectionItem, _ section: Section, _ margin: String) -> [String] {
        section.keys.flatMap { key in
            if let there = item[key.name] { return lines(key.name, there, key.shape, margin) }
            return absent(key, item).map { ["\(margin)# \(key.name): \($0)  # default"] } ?? []
        }
    }

    /// What it means that the key isn't there, where that is more than nothing.
    private static func absent(_ key: Key, _ item: SectionItem) -> String? {
        if let note = item.notes[key.name] { return note }
        guard key.isOffered, case .words(let words, let holds) = key.absent, holds(item) else { return nil }
        return words
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
            // Comments alone would be no map.
            return inner.items.isEmpty ? [] : lines(inner, section, margin)
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
        return quoted(text)
    }

    private static func quoted(_ text: String) -> String {
        var json = JSONText()
        json.string(text)
        return json.text
    }

    // MARK: - For machines

    /// The same as one JSON object, which reads back too: JSON is YAML.
    static func json(_ root: SectionItem) -> String {
        var json = JSONText()
        object(root, Language.topology, &json)
        return json.text
    }

    /// Paths of what the file doesn't say itself, in its order, each with its value or with what its absence means.
    static func defaults(_ root: SectionItem) -> [(path: String, value: String)] { defaults(root, Language.topology, "") }

    private static func defaults(_ item: SectionItem, _ section: Section, _ path: String) -> [(path: String, value: String)] {
        section.keys.flatMap { key -> [(path: String, value: String)] in
            let path = path.key(key.name)
            if let there = item[key.name] { return defaults(there, key.shape, path) }
            return absent(key, item).map { [(path, $0)] } ?? []
        }
    }

    private static func defaults(_ item: Item, _ shape: Shape, _ path: String) -> [(path: String, value: String)] {
        switch (item.content, shape) {
        case (.section(let inner), .section(let section)), (.section(let inner), .short(_, let section)):
            if inner.items.isEmpty, item.isDefault { return [(path, "{}")] }
            return inner.items.isEmpty ? [] : defaults(inner, section, path)
        case (.named(let entries), .named(let shape, _, _)):
            return entries.flatMap { defaults($0.item, shape, path.key($0.name)) }
        case (.list(let items), .list(let shape, _)):
            return items.enumerated().flatMap { defaults($1, shape, "\(path)[\($0)]") }
        default: return item.isDefault ? [(path, item.written)] : []
        }
    }

    private static func object(_ item: SectionItem, _ section: Section, _ json: inout JSONText) {
        json.beginObject()
        for key in section.keys {
            guard let there = item[key.name] else { continue }
            json.key(key.name)
            write(there, key.shape, &json)
        }
        json.endObject()
    }

    private static func write(_ item: Item, _ shape: Shape, _ json: inout JSONText) {
        switch (item.content, shape) {
        case (.section(let inner), .section(let section)), (.section(let inner), .short(_, let section)):
            object(inner, section, &json)
        case (.named(let entries), .named(let shape, _, _)):
            json.beginObject()
            for entry in entries {
                json.key(entry.name)
                write(entry.item, shape, &json)
            }
            json.endObject()
        case (.list(let items), .list(let shape, _)):
            json.beginArray()
            for item in items { write(item, shape, &json) }
            json.endArray()
        case (.flag(let flag), _) where item.written == "\(flag)": json.bool(flag)
        case (.integer(let integer), _) where item.written == "\(integer)": json.int(integer)
        default: json.string(item.written)
        }
    }
}
