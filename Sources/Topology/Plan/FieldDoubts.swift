import Model

/// What is doubtful about the declared fields: those that nothing reads, and those that share a place in the record.
struct FieldDoubts {
    let problems: ProblemList
    let root: SectionItem
    let plan: Plan

    func run() {
        // Where an expression is wrong, what it would read isn't known.
        guard !problems.hasErrors else { return }
        let items = Dictionary((root["fields"]?.named ?? []).map { ($0.name, $0.item) }, uniquingKeysWith: { first, _ in first })
        let used = plan.columnsInUse
        // A comparison with NULL is told at its place, and its field is none that nobody wanted.
        let isKnown = !problems.all.contains { $0.code == .neverTrue }
        for (column, field) in plan.fields.enumerated() {
            guard let item = items[field.name] else { continue }
            // A required field is read to reject records without it.
            if isKnown, !used.contains(column), !field.required {
                problems.warn(
                    .unusedField, at: item.keyPlace, item.path, "nothing reads this field",
                    next: "leave it out, or accept it: check: {accept: [unused_field]}", isNote: true)
            }
            guard field.computed == nil else { continue }
            for other in plan.fields[..<column] where other.computed == nil { comparePaths(other, field, item) }
        }
    }

    // MARK: - Places in the record

    private func comparePaths(_ first: FieldPlan, _ second: FieldPlan, _ item: Item) {
        let what: String
        if first.path == second.path {
            if first.type == second.type, first.fallback == second.fallback {
                what = "it is the same value as `\(first.name)`"
            } else if !Self.share(first.type, second.type) {
                what = "no value is both \(first.type.words) for `\(first.name)` and \(second.type.words)"
            } else {
                return
            }
        } else if second.path.starts(with: first.path), first.type != .json {
            what = "it stands inside `\(first.name)`, which is \(first.type.words) and not an object"
        } else if first.path.starts(with: second.path), second.type != .json {
            what = "`\(first.name)` stands inside it, and \(second.type.words) is not an object"
        } else {
            return
        }
        problems.warn(
            .samePath, at: item.keyPlace, item.path, what,
            next: "look at both paths and types, or accept it: check: {accept: [same_path]}")
    }

    /// A value of one JSON kind can be read as both.
    private static func share(_ a: FieldType, _ b: FieldType) -> Bool {
        guard let a = kind(a), let b = kind(b) else { return true }
        return a == b
    }

    private enum Kind { case text, number, truth }

    /// nil: any.
    private static func kind(_ type: FieldType) -> Kind? {
        switch type {
        case .json: nil
        case .string, .uuid, .timestamp(.text): .text
        case .int, .double, .timestamp: .number
        case .bool: .truth
        }
    }
}
