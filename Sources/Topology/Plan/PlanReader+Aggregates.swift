import Model

extension PlanReader {
    mutating func aggregate(_ name: String, _ item: Item, keyedBy: Set<String>) -> AggregatePlan? {
        guard let section = item.section else { return nil }
        let groupBy = section["group_by"].map { columns($0, "grouped by") } ?? []
        for item in section["group_by"]?.list ?? [] { refuseFixedColumn(item.text ?? "", at: item.place, item.path) }
        let grouped = Set(groupBy.map { fields.plans[$0].name })
        var measures: [MeasurePlan] = []
        for (name, item) in section["measures"]?.named ?? [] {
            refuseFixedColumn(name, at: item.keyPlace, item.path)
            if (section["group_by"]?.list ?? []).contains(where: { $0.text == name }) {
                problems.error(
                    .nameTaken, at: item.keyPlace, item.path, "`\(name)` is the name of a grouped field too",
                    next: "give the measure another name")
            }
            if let measure = measure(name, item) { measures.append(measure) }
        }
        if let item = section["measures"] { checkCell(measures, item) }
        var admits: Predicate?
        if let item = section["where"] { admits = condition(item) }
        let targets = self.targets(name, section["to"], item)
        guard let windowItem = section["window"], let window = window(windowItem) else { return nil }
        return AggregatePlan(
            name: name, window: window, allowedLateness: section["allowed_lateness"]?.span ?? .zero, admits: admits,
            groupBy: groupBy,
            measures: measures, emit: emission(section["emit"]), targets: targets,
            isKeyed: !keyedBy.isEmpty && keyedBy.isSubset(of: grouped), freshness: freshness(section.section("freshness")))
    }

    /// The columns that every row has beside its group and measures.
    private static let fixedColumns: Set<String> = [
        "window_start", "window_end", "revision", "final", "as_of", "row_key", "retracted", "reason",
    ]

    private func refuseFixedColumn(_ name: String, at place: Place, _ path: String) {
        guard Self.fixedColumns.contains(name) else { return }
        problems.error(.nameTaken, at: place, path, "`\(name)` is a column of every row", next: "use another name")
    }

    private func emission(_ item: Item?) -> AggregatePlan.Emission {
        switch item?.content {
        case .word("on_time"): return .onTime
        case .section(let section):
            if let span = section["every"]?.span { return .every(span) }
            return section["every"]?.word == nil ? .final : .everyCommit
        default: return .final
        }
    }

    private func targets(_ name: String, _ item: Item?, _ aggregate: Item) -> [AggregatePlan.Target] {
        guard let items = item?.list else { return [.table(name: name, keep: nil)] }
        return items.compactMap { item in
            guard let section = item.section else { return nil }
            if let topic = section.section("kafka")?["topic"]?.text { return .kafka(topic: topic) }
            guard let table = section["table"] else { return nil }
            if let name = table.text { return .table(name: name, keep: nil) }
            guard let name = table.section?["name"]?.text else { return nil }
            return .table(name: name, keep: table.section?["keep"]?.span)
        }
    }

    private func freshness(_ section: SectionItem?) -> FreshnessPlan? {
        guard let section, let within = section["within"]?.span else { return nil }
        if let item = section["hours"], let name = item.text?.split(separator: " ").last.map(String.init),
            (try? zone(name)) == nil
        {
            problems.error(
                .badValue, at: item.place, item.path, "the time zone `\(name)` is not known on this machine",
                next: "write an IANA name such as `Europe/Berlin`; the package tzdata brings them")
        }
        return FreshnessPlan(within: within, objective: section["objective"]?.number, hours: section["hours"]?.text)
    }
}
