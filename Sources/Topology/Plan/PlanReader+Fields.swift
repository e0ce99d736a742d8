import Model

extension PlanReader {
    mutating func readFields(_ item: Item?) {
        for (name, item) in item?.named ?? [] {
            if item.section?["expr"] != nil {
                fields.later.insert(name)
                continue
            }
            if let plan = field(name, item) { fields.add(plan) } else { fields.addBroken(name) }
        }
        for (name, item) in item?.named ?? [] {
            guard let section = item.section, let expression = section["expr"] else { continue }
            if let plan = derived(name, section, expression) {
                fields.add(plan)
            } else {
                fields.later.remove(name)
                fields.addBroken(name)
            }
        }
    }

    /// A field with `expr`. It may use the record's fields and derived ones that are declared above it.
    private mutating func derived(_ name: String, _ section: SectionItem, _ item: Item) -> FieldPlan? {
        for key in ["unit", "zone", "path", "default"] {
            guard let found = section[key] else { continue }
            problems.error(
                .contradiction, at: found.keyPlace, found.path, "`\(key)` is for fields of the record, and `\(name)` is computed",
                next: key == "default" ? "write `coalesce(…, value)` in `expr`" : "leave it out")
        }
        guard let scalar = item.scalar else { return nil }
        let expression: Expression
        do { expression = try Parser.value(scalar.text) } catch {
            report(error, item, scalar)
            return nil
        }
        guard let found = withTyping(item, scalar, { $0.definition(expression) }) else { return nil }
        if let word = section["type"]?.word, word != found.type.word, let type = section["type"] {
            problems.error(
                .typeMismatch, at: type.place, type.path, "`expr` gives \(found.type.words), not \(word)",
                next: "leave `type` out, or write `cast(… AS \(word))`")
            return nil
        }
        return FieldPlan(
            name: name, type: found.type, path: [], required: section["required"]?.flag ?? false,
            isPersonal: section["class"] != nil || found.computed.columns.contains { fields.plans[$0].isPersonal },
            computed: found.computed)
    }

    private func field(_ name: String, _ item: Item) -> FieldPlan? {
        guard let section = item.section, let type = type(section, item) else { return nil }
        let path = section["path"]?.text?.split(separator: ".").map(String.init)
        var plan = FieldPlan(
            name: name, type: type, path: path, required: section["required"]?.flag ?? false, isPersonal: section["class"] != nil)
        guard let fallback = section["default"], let scalar = fallback.scalar else { return plan }
        if plan.required {
            problems.error(
                .contradiction, at: fallback.keyPlace, fallback.path,
                "a required field is never missing, so its default is never used",
                next: "keep `required` or `default`")
        }
        plan.fallback = value(scalar, type, fallback)
        return plan
    }

    private func type(_ section: SectionItem, _ item: Item) -> FieldType? {
        guard let word = section["type"]?.word else {
            if !section.broken.contains("type"), !section.broken.contains("expr") {
                problems.error(
                    .missingKey, at: item.place, item.path, "the key `type` is missing", next: "say what the field holds")
            }
            return nil
        }
        guard word == "timestamp" else {
            for key in ["unit", "zone"] {
                guard let found = section[key] else { continue }
                problems.error(
                    .contradiction, at: found.keyPlace, found.path, "`\(key)` is for timestamps, and this is \(word)",
                    next: "leave it out, or declare the type as timestamp")
            }
            let types: [String: FieldType] = [
                "string": .string, "int": .int, "double": .double, "bool": .bool, "uuid": .uuid, "json": .json,
            ]
            return types[word]
        }
        if section.broken.contains("unit") || section.broken.contains("zone") { return nil }
        if let unit = section["unit"]?.word {
            if let zone = section["zone"] {
                problems.error(
                    .contradiction, at: zone.keyPlace, zone.path, "`zone` is for texts, and `unit` says that numbers stand there",
                    next: "keep one of them")
            }
            let forms: [String: TimestampForm] = ["s": .seconds, "ms": .milliseconds, "us": .microseconds, "ns": .nanoseconds]
            return forms[unit].map { .timestamp($0) }
        }
        guard let item = section["zone"], let name = item.text else { return .timestamp(.text(zone: nil)) }
        do {
            return .timestamp(.text(zone: try zone(name)))
        } catch {
            problems.error(
                .badValue, at: item.place, item.path, "the time zone `\(name)` is not known on this machine",
                next: "write an IANA name such as `Europe/Berlin`; the package tzdata brings them")
            return nil
        }
    }

    /// A default as the field's type.
    private func value(_ scalar: Scalar, _ type: FieldType, _ item: Item) -> Value? {
        let text = scalar.text
        if scalar.style == .plain, text == "null" || text == "~" {
            problems.error(
                .badValue, at: item.place, item.path, "the default is nothing",
                next: "leave it out: a missing value is null; the text needs quotes")
            return nil
        }
        let value: Value?
        switch type {
        case .string: value = .string(text)
        case .int: value = Scalars.integer(text).map { .int($0) }
        case .double: value = Scalars.double(text).map { .double($0) }
        case .bool: value = text == "true" ? .bool(true) : text == "false" ? .bool(false) : nil
        case .uuid: value = UUIDText.parse(text).map { .uuid(high: $0.high, low: $0.low) }
        case .timestamp: value = Instant.parse(text).map { .time(EventTime(milliseconds: $0.milliseconds)) }
        case .json: value = nil
        }
        if value == nil {
            let next =
                switch type {
                case .json: "leave it out: json has no defaults"
                case .timestamp: "write RFC 3339 with its zone, such as `2026-01-31T08:00:00Z`"
                case .bool: "write `true` or `false`"
                default: "write a value of the field's type"
                }
            problems.error(
                .typeMismatch, at: item.place, item.path, "\(DeclarationReader.shown(scalar)) is not \(type.words)", next: next)
        }
        return value
    }
}
