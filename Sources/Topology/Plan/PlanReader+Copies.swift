import Model

/// What is asked about copies and their producers (S9).
extension PlanReader {
    /// The record's fields that are compared: all but the key, the event time and those to ignore. Computed ones say nothing new.
    func compared(_ item: Item, key: [Int], eventTime: EventTimePlan?) -> [Int] {
        var without = Set(key)
        var ofTime: Int?
        if case .field(let column)? = eventTime?.source {
            without.insert(column)
            ofTime = column
        }
        for item in item.section?["ignore"]?.list ?? [] {
            guard let column = reference(item) else { continue }
            let field = fields.plans[column]
            let why: String? =
                if key.contains(column) {
                    "`\(field.name)` is part of the key: copies have the same"
                } else if column == ofTime {
                    "`\(field.name)` is the event time: copies that differ in it alone are told as retimed"
                } else if field.computed != nil {
                    "`\(field.name)` is computed; what it is computed from is compared"
                } else {
                    nil
                }
            if let why { problems.error(.contradiction, at: item.place, item.path, why, next: "leave it out") }
            without.insert(column)
        }
        let left = fields.plans.indices.filter { fields.plans[$0].computed == nil && !without.contains($0) }
        if left.isEmpty {
            problems.error(
                .contradiction, at: item.keyPlace, item.path, "no field is left to compare",
                next: "declare the fields that copies should have alike, or leave `compare` out")
        }
        return left
    }

    func duplicates(_ item: Item?) -> DuplicatesPlan {
        if item?.text == "ledger" { return .ledger(keep: DuplicatesPlan.keep) }
        guard let section = item?.section else { return .count }
        if let topic = section["topic"]?.text { return .topic(topic) }
        return .ledger(keep: section.section("ledger")?["keep"]?.span ?? DuplicatesPlan.keep)
    }

    /// The column whose values are shown as names of producers.
    func producer(_ item: Item) -> Int? {
        guard let column = reference(item) else { return nil }
        let field = fields.plans[column]
        switch field.type {
        case .string, .int, .uuid, .bool: break
        case .double, .timestamp, .json:
            problems.error(
                .typeMismatch, at: item.place, item.path, "`\(field.name)` is \(field.type.words), which names nobody",
                next: "name a field with few values, such as an SDK or an app")
            return nil
        }
        if field.isPersonal {
            problems.error(
                .contradiction, at: item.place, item.path,
                "`\(field.name)` is personal, and the names of producers are shown in `weir status` and in metrics",
                next: "name a field that tells of no person")
            return nil
        }
        return column
    }
}
