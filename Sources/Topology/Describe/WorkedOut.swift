internal import Model

/// The values that the plan's reader works out where a key is left out, as if they had been written: `Absent.workedOut`.
struct WorkedOut {
    let plan: Plan

    func added(to root: SectionItem) -> SectionItem {
        var root = root
        // As it was written: what comes from the environment is not for the page.
        let name = root["name"]
        Self.change(&root, "source") { section in
            guard case .kafka(_, let group, _) = plan.source.kind else { return }
            Self.add("group", .text(group), name?.written ?? group, to: &section)
        }
        Self.change(&root, "deduplicate") { section in
            guard section["bucket"] == nil, let bucket = plan.deduplicate?.bucket else { return }
            // In another environment `within` may be another, and the bucket with it.
            if section["within"]?.written.contains("${") ?? false {
                section.notes["bucket"] = "within/16, at least 1s"
                return
            }
            Self.add("bucket", .span(bucket), CanonicalText.span(bucket.milliseconds), to: &section)
        }
        Self.changeEach(&root, "fields") { name, section in
            guard let field = plan.fields.first(where: { $0.name == name }) else { return }
            if section["expr"] == nil { return Self.add("path", .text(name), name, to: &section) }
            Self.add("type", .word(field.type.word), field.type.word, to: &section)
            if field.isPersonal { Self.add("class", .word("personal"), "personal", to: &section) }
        }
        Self.changeEach(&root, "aggregates") { name, section in
            guard section["to"] == nil else { return }
            var target = SectionItem()
            Self.add("table", .text(name), name, to: &target)
            guard let place = target["table"]?.place else { return }
            Self.add(
                "to", .list([Item(content: .section(target), path: "", place: place, keyPlace: place, isDefault: true)]), "",
                to: &section)
        }
        return root
    }

    private static func add(_ key: String, _ content: Item.Content, _ written: String, to section: inout SectionItem) {
        guard section.items[key] == nil else { return }
        let nowhere = Place(file: "", line: 0, column: 0)
        section.items[key] = Item(
            content: content, path: key, place: nowhere, keyPlace: nowhere, isDefault: true, written: written)
    }

    private static func change(_ root: inout SectionItem, _ key: String, _ body: (inout SectionItem) -> Void) {
        guard var section = root.section(key) else { return }
        body(&section)
        root.items[key]?.content = .section(section)
    }

    private static func changeEach(_ root: inout SectionItem, _ key: String, _ body: (String, inout SectionItem) -> Void) {
        guard let named = root[key]?.named else { return }
        root.items[key]?.content = .named(
            named.map { name, item in
                guard var section = item.section else { return (name, item) }
                body(name, &section)
                var item = item
                item.content = .section(section)
                return (name, item)
            })
    }
}
