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

    // MARK: - Measures

    private static let notBuilt = ["exact_distinct", "top", "largest", "largest_distinct"]

    private mutating func measure(_ name: String, _ item: Item) -> MeasurePlan? {
        guard let scalar = item.scalar else { return nil }
        let parsed: MeasureExpression
        do { parsed = try Parser.measure(scalar.text) } catch {
            report(error, item, scalar)
            return nil
        }
        let reader = self
        func fault(_ code: Problem.Code, _ offset: Int, _ what: String, _ next: String) {
            reader.report(ExpressionFault(code: code, offset: offset, what: what, next: next), item, scalar)
        }
        var admits: Predicate?
        if let condition = parsed.admits { admits = typed(condition, item, scalar) }
        guard let function = MeasurePlan.Function(rawValue: parsed.function) else {
            let known = MeasurePlan.Function.allCases.map(\.rawValue)
            if Self.notBuilt.contains(parsed.function) {
                fault(
                    .notBuilt, parsed.offset, "`\(parsed.function)` is part of the language but not built yet",
                    "built are \(Spelling.list(known))")
            } else {
                let nearest = Spelling.nearest(to: parsed.function, among: known + Self.notBuilt)
                fault(
                    .expression, parsed.offset, "no measure is called `\(parsed.function)`",
                    nearest.map { "did you mean `\($0)`?" } ?? "use \(Spelling.list(known))")
            }
            return nil
        }
        if parsed.arguments.isEmpty, function == .count { return MeasurePlan(name: name, function: .count, admits: admits) }
        let wanted = function == .quantile ? 2 : 1
        guard parsed.arguments.count == wanted else {
            fault(
                .expression, parsed.offset,
                "`\(function.rawValue)` takes \(wanted == 1 ? "one field" : "a field and a share"), not \(parsed.arguments.count)",
                "write `\(function.rawValue)(field\(wanted == 1 ? "" : ", 0.99"))`")
            return nil
        }
        var share: Double?
        if function == .quantile {
            guard case .number(let text) = parsed.arguments[1].kind, let number = Double(text), (0...1).contains(number) else {
                fault(
                    .expression, parsed.arguments[1].offset, "the share of a quantile is a number from 0 to 1",
                    "write `quantile(field, 0.99)` for the value that 99 % do not exceed")
                return nil
            }
            share = number
        }
        let column = withTyping(item, scalar) { $0.column(parsed.arguments[0], function == .count ? "count" : "a measure") }
        guard let column else { return nil }
        let type = fields.plans[column].type
        guard function.takes(type) else {
            fault(
                .typeMismatch, parsed.arguments[0].offset,
                "`\(function.rawValue)` can't take `\(fields.plans[column].name)`, which is \(type.words)", function.advice)
            return nil
        }
        return MeasurePlan(name: name, function: function, column: column, share: share, admits: admits)
    }
}

extension MeasurePlan.Function {
    fileprivate func takes(_ type: FieldType) -> Bool {
        switch (self, type) {
        case (.count, _): true
        case (.approxDistinct, _): type != .json
        case (.first, .json), (.last, .json): false
        case (.first, _), (.last, _): true
        case (_, .int), (_, .double): true
        case (.min, .string), (.max, .string), (.min, .timestamp), (.max, .timestamp): true
        default: false
        }
    }

    fileprivate var advice: String {
        switch self {
        case .min, .max: "it takes an int, a double, a timestamp or a string"
        case .first, .last, .count, .approxDistinct: "it takes any field but json"
        default: "it takes an int or a double"
        }
    }
}
