import Model

/// Reads a tree by declarations. Whatever doesn't fit is a problem; the rest is read on, so that one run tells all.
struct DeclarationReader {
    let problems: ProblemList

    func section(_ section: Section, _ node: Node, path: String, isDefault: Bool = false) -> SectionItem? {
        guard case .map(let entries) = node.content else {
            wrongKind(.section(section), node, path)
            return nil
        }
        var result = SectionItem()
        for entry in entries {
            let entryPath = path.key(entry.key)
            guard let key = section.keys.first(where: { $0.name == entry.key }) else {
                // The key that was meant is as good as there: its absence is no second problem.
                if let meant = unknown(entry, in: section, path) { result.broken.insert(meant) }
                continue
            }
            if let instead = key.notBuilt {
                notBuilt("`\(key.name)`", at: entry.keyPlace, entryPath, instead)
                result.broken.insert(key.name)
                continue
            }
            if let item = read(key.shape, entry.value, path: entryPath, keyPlace: entry.keyPlace, isDefault: isDefault) {
                result.items[key.name] = item
            } else {
                result.broken.insert(key.name)
            }
        }
        let present = Set(result.items.keys).union(result.broken)
        for key in section.keys where !present.contains(key.name) {
            if let fallback = key.fallback {
                if let partner = key.goesWith, !present.contains(partner) { continue }
                result.items[key.name] = read(
                    key.shape, Self.fallback(fallback, at: node.place), path: path.key(key.name), keyPlace: node.place,
                    isDefault: true)
            } else if key.isRequired {
                problems.error(
                    .missingKey, at: node.place, path, "the key `\(key.name)` is missing", next: "add it: \(key.shape.words)")
            }
        }
        checkCompany(section, entries, result.broken, node, path)
        return result
    }

    /// Keys that exclude and keys that need one another.
    private func checkCompany(_ section: Section, _ entries: [Node.Entry], _ broken: Set<String>, _ node: Node, _ path: String) {
        let names = broken.union(entries.map(\.key))
        let chosen = entries.filter { section.oneOf.contains($0.key) }
        let offered = section.oneOf.filter { name in section.keys.contains { $0.name == name && $0.notBuilt == nil } }
        if !section.oneOf.isEmpty, names.isDisjoint(with: section.oneOf) {
            problems.error(
                .missingKey, at: node.place, path, "\(Spelling.choice(offered)) is missing",
                next: offered.count == 1 ? "add it" : "add one of them")
        }
        for extra in chosen.dropFirst() {
            problems.error(
                .contradiction, at: extra.keyPlace, path.key(extra.key),
                "`\(extra.key)` and `\(chosen[0].key)` exclude each other",
                next: "keep one of them")
        }
        for entry in entries {
            guard let key = section.keys.first(where: { $0.name == entry.key }), key.notBuilt == nil, let partner = key.goesWith,
                !names.contains(partner)
            else { continue }
            problems.error(
                .contradiction, at: entry.keyPlace, path.key(entry.key), "`\(entry.key)` says nothing without `\(partner)`",
                next: "add `\(partner)` or leave `\(entry.key)` out")
        }
    }

    func read(_ shape: Shape, _ node: Node, path: String, keyPlace: Place, isDefault: Bool) -> Item? {
        func item(_ content: Item.Content?) -> Item? {
            content.map { Item(content: $0, path: path, place: node.place, keyPlace: keyPlace, isDefault: isDefault) }
        }
        switch (shape, node.content) {
        case (.section(let section), .map):
            return item(self.section(section, node, path: path, isDefault: isDefault).map { .section($0) })
        case (.short(_, let long), .map): return item(section(long, node, path: path, isDefault: isDefault).map { .section($0) })
        case (.short(let short, _), .scalar(let scalar)) where !scalar.isEmpty:
            return read(short, node, path: path, keyPlace: keyPlace, isDefault: isDefault)
        case (.named(let shape, let what, let rule), .map(let entries)):
            return item(named(shape, what, rule, entries, node, path))
        case (.list(let shape, let what), .list(let nodes)): return item(list(shape, what, nodes, node, path))
        case (.section, _), (.short, _), (.named, _), (.list, _), (_, .list), (_, .map):
            wrongKind(shape, node, path)
            return nil
        case (_, .scalar(let scalar)):
            // What could not be substituted was told already.
            guard !scalar.isBroken else { return nil }
            guard !scalar.isEmpty else {
                wrongKind(shape, node, path)
                return nil
            }
            var item = item(self.scalar(shape, scalar, node.place, path))
            item?.written = scalar.written
            return item
        }
    }

    private func named(_ shape: Shape, _ what: String, _ rule: TextRule, _ entries: [Node.Entry], _ node: Node, _ path: String)
        -> Item.Content?
    {
        if entries.isEmpty { problems.error(.missingKey, at: node.place, path, "no \(what) are declared", next: "add one") }
        let limit =
            what == "fields" ? TopologyLimits.fields : what == "measures" ? TopologyLimits.measures : TopologyLimits.aggregates
        if entries.count > limit {
            problems.error(.tooLarge, at: node.place, path, "there are \(entries.count) \(what)", next: "use at most \(limit)")
        }
        var result: [(name: String, item: Item)] = []
        for entry in entries {
            if !rule.accepts(entry.key) {
                problems.error(
                    .badValue, at: entry.keyPlace, path.key(entry.key), "`\(entry.key)` is not a name for \(what)",
                    next: "use \(rule.words)")
            }
            if let item = read(shape, entry.value, path: path.key(entry.key), keyPlace: entry.keyPlace, isDefault: false) {
                result.append((entry.key, item))
            } else {
                // A placeholder, so that the name is known where others refer to it.
                let nothing = Item(
                    content: .list([]), path: path.key(entry.key), place: entry.value.place, keyPlace: entry.keyPlace,
                    isDefault: false)
                result.append((entry.key, nothing))
            }
        }
        return .named(result)
    }

    private func list(_ shape: Shape, _ what: String, _ nodes: [Node], _ node: Node, _ path: String) -> Item.Content? {
        if nodes.isEmpty {
            problems.error(.wrongKind, at: node.place, path, "the list is empty", next: "write \(what) into it or leave it out")
        }
        var seen: Set<String> = []
        var items: [Item] = []
        for (index, node) in nodes.enumerated() {
            let itemPath = "\(path)[\(index)]"
            guard let item = read(shape, node, path: itemPath, keyPlace: node.place, isDefault: false) else { continue }
            if let text = item.text, !seen.insert(text).inserted {
                problems.error(
                    .contradiction, at: node.place, itemPath, "`\(text)` stands twice in the list", next: "name it once")
                continue
            }
            items.append(item)
        }
        return .list(items)
    }

    private func scalar(_ shape: Shape, _ scalar: Scalar, _ place: Place, _ path: String) -> Item.Content? {
        let text = scalar.text
        func bad(_ next: String? = nil) -> Item.Content? {
            problems.error(
                .badValue, at: place, path, "\(Self.shown(scalar)) does not fit", next: next ?? "write \(shape.words)")
            return nil
        }
        func outside(_ least: String, _ most: String) -> Item.Content? {
            problems.error(
                .badValue, at: place, path, "\(Self.shown(scalar)) is out of bounds",
                next: "write something from \(least) to \(most)")
            return nil
        }
        switch shape {
        case .text(let rule): return rule.accepts(text) ? .text(text) : bad()
        case .words(let words, let other):
            if let word = words.first(where: { $0.name == text }) {
                if let instead = word.notBuilt {
                    notBuilt("`\(text)`", at: place, path, instead)
                    return nil
                }
                return .word(text)
            }
            if let nearest = Spelling.nearest(to: text, among: words.map(\.name)) { return bad("did you mean `\(nearest)`?") }
            if let other { return self.scalar(other, scalar, place, path) }
            return bad()
        case .flag:
            if text == "true" || text == "false" { return .flag(text == "true") }
            return bad()
        case .integer(let range):
            guard let number = Scalars.integer(text) else { return bad() }
            return range.contains(number) ? .integer(number) : outside("\(range.lowerBound)", "\(range.upperBound)")
        case .span(let range):
            guard let span = Scalars.span(text) else { return bad(Self.spanAdvice(text)) }
            if range.contains(span.milliseconds) { return .span(span) }
            return outside(CanonicalText.span(range.lowerBound), CanonicalText.span(range.upperBound))
        case .size(let range):
            guard let size = Scalars.size(text) else { return bad("write a whole number with B, KiB, MiB, GiB or TiB") }
            if range.contains(size.bytes) { return .size(size) }
            return outside(CanonicalText.size(range.lowerBound), CanonicalText.size(range.upperBound))
        case .rate: return Scalars.rate(text).map { .number($0) } ?? bad()
        case .percent: return Scalars.percent(text).map { .number($0) } ?? bad()
        case .instant:
            guard let instant = Instant.parse(text) else {
                return bad("write RFC 3339 with its zone, such as `2026-01-31T08:00:00Z`")
            }
            return instant.isFiner ? bad("instants are whole milliseconds") : .instant(instant.milliseconds)
        case .listen: return Scalars.listen(text).map { .listen(host: $0.host, port: $0.port) } ?? bad()
        case .untyped, .condition, .expression, .measure: return .scalar(scalar)
        case .list, .named, .section, .short: return nil
        }
    }

    /// Gives the key that was probably meant.
    private func unknown(_ entry: Node.Entry, in section: Section, _ path: String) -> String? {
        let names = section.keys.map(\.name)
        let next: String
        let nearest = Spelling.nearest(to: entry.key, among: names)
        if let nearest {
            next = "did you mean `\(nearest)`?"
        } else if entry.key == "<<" {
            next = "merge keys are not part of the language; write the keys out or use an alias for the whole map"
        } else {
            next = "known here: " + Spelling.list(section.keys.filter { $0.notBuilt == nil }.map(\.name))
        }
        problems.error(.unknownKey, at: entry.keyPlace, path.key(entry.key), "unknown key `\(entry.key)`", next: next)
        return nearest
    }

    private func wrongKind(_ shape: Shape, _ node: Node, _ path: String) {
        problems.error(.wrongKind, at: node.place, path, "\(node.kind) stands here", next: "write \(shape.words)")
    }

    private func notBuilt(_ what: String, at place: Place, _ path: String, _ instead: String) {
        problems.error(.notBuilt, at: place, path, "\(what) is part of the language but not built yet", next: instead)
    }

    /// A value as messages may quote it: what came from outside stays out.
    static func shown(_ scalar: Scalar) -> String {
        let text = scalar.written
        return text.count <= 60 ? "`\(text)`" : "`\(text.prefix(57))…`"
    }

    private static func spanAdvice(_ text: String) -> String {
        let units = "ms, s, m, h or d"
        if Scalars.integer(text) != nil { return "add the unit: \(units)" }
        if text.contains(".") || text.contains(",") { return "write a whole number in a smaller unit, such as `90m` for 1.5h" }
        if text.count(where: { $0.isLetter }) > 1, text.last?.isLetter == true, text.first?.isNumber == true,
            !text.hasSuffix("ms"),
            text.drop(while: { $0.isNumber }).contains(where: { $0.isNumber })
        {
            return "write one number with one unit, such as `90m` for 1h30m"
        }
        return "write one whole number with one unit: \(units)"
    }

    /// A default as a tree: a scalar, `{}`, or one key with an empty map.
    private static func fallback(_ text: String, at place: Place) -> Node {
        guard text.hasPrefix("{") else { return Node(content: .scalar(Scalar(text)), place: place) }
        let inner = text.dropFirst().dropLast()
        guard let colon = inner.firstIndex(of: ":") else { return Node(content: .map([]), place: place) }
        let entry = Node.Entry(key: String(inner[..<colon]), keyPlace: place, value: Node(content: .map([]), place: place))
        return Node(content: .map([entry]), place: place)
    }
}
