import Model

/// Aggregates that take another one's results (`from`, S14).
extension PlanReader {
    /// Finds each one's source and checks that it can be made of that one's partial results.
    func rollUps(_ aggregates: inout [AggregatePlan], _ named: [(name: String, item: Item)], isGroup: Bool) {
        for (name, item) in named {
            guard let section = item.section, let from = section["from"], let source = from.text,
                let own = aggregates.firstIndex(where: { $0.name == name })
            else { continue }
            guard let found = aggregates.firstIndex(where: { $0.name == source }) else {
                // What is wrong with it was told there.
                if named.contains(where: { $0.name == source }) { continue }
                let nearest = Spelling.nearest(to: source, among: named.map(\.name).filter { $0 != name })
                problems.error(
                    .rollUp, at: from.place, from.path, "no aggregate is called `\(source)`",
                    next: nearest.map { "did you mean `\($0)`?" } ?? "name one of `aggregates`")
                continue
            }
            if leads(found, to: own, aggregates) {
                problems.error(
                    .rollUp, at: from.place, from.path, "`\(name)` would be made of its own results",
                    next: "leave `from` out of one of them")
                continue
            }
            aggregates[own].from = found
        }
        // A source's own lateness first.
        let depths = aggregates.indices.map { depth(of: $0, aggregates) }
        for own in aggregates.indices.sorted(by: { depths[$0] < depths[$1] }) {
            guard let from = aggregates[own].from,
                let section = named.first(where: { $0.name == aggregates[own].name })?.item.section
            else { continue }
            check(aggregates[own], from: aggregates[from], section, isGroup: isGroup)
            aggregates[own].allowedLateness = aggregates[from].closing
        }
    }

    private func leads(_ start: Int, to end: Int, _ aggregates: [AggregatePlan]) -> Bool {
        var at: Int? = start
        while let now = at {
            if now == end { return true }
            at = aggregates[now].from
        }
        return false
    }

    private func depth(of output: Int, _ aggregates: [AggregatePlan]) -> Int {
        aggregates[output].from.map { 1 + depth(of: $0, aggregates) } ?? 0
    }

    private func check(_ own: AggregatePlan, from source: AggregatePlan, _ section: SectionItem, isGroup: Bool) {
        for (key, why) in [
            ("allowed_lateness", "is corrected as long as `\(source.name)` is"),
            ("where", "takes what `\(source.name)` took"),
        ] {
            // What `weir describe` prints of it says nothing.
            guard let item = section[key], !item.isDefault, item.span != .zero else { continue }
            problems.error(
                .contradiction, at: item.keyPlace, item.path, "a roll-up \(why)", next: "leave `\(key)` out, or leave out `from`")
        }
        if let item = section["window"] { checkWindow(own.window, of: source, item) }
        for item in section["group_by"]?.list ?? [] {
            guard let column = own.groupBy.first(where: { fields.plans[$0].name == item.text }), !source.groupBy.contains(column)
            else { continue }
            problems.error(
                .rollUp, at: item.place, item.path, "`\(source.name)` is not grouped by `\(fields.plans[column].name)`",
                next: "group `\(source.name)` by it too")
        }
        for (name, item) in section["measures"]?.named ?? [] {
            guard let measure = own.measures.first(where: { $0.name == name }),
                !source.measures.contains(where: { $0.isMerged(into: measure) })
            else { continue }
            problems.error(
                .rollUp, at: item.place, item.path,
                "`\(source.name)` has no measure `\(CanonicalText.measure(measure, fields.plans))`",
                next: "add it there: a roll-up joins what its source has computed")
        }
        if isGroup, source.isKeyed, !own.isKeyed, let item = section["from"] {
            problems.error(
                .rollUp, at: item.place, item.path,
                "`\(source.name)` closes partition by partition, and in a group each partition has its own place",
                next: "group by the fields of `source.keyed_by` here too, or leave out `from`")
        }
    }

    private func checkWindow(_ own: AggregatePlan.Window, of source: AggregatePlan, _ item: Item) {
        switch source.window {
        case .tumbling, .calendar: break
        case .hopping, .cumulative, .session:
            problems.error(
                .rollUp, at: item.place, item.path,
                "the windows of `\(source.name)` don't lie side by side: \(CanonicalText.window(source.window))",
                next: "roll up an aggregate with `tumbling` or `calendar` windows")
            return
        }
        guard !own.isUnion(of: source.window) else { return }
        problems.error(
            .rollUp, at: item.place, item.path,
            "its windows are not made of whole windows of `\(source.name)` (\(CanonicalText.window(source.window)))",
            next: own.isSession ? "sessions are made of events: leave out `from`" : "make them multiples, with the same alignment"
        )
    }
}

extension AggregatePlan.Window {
    /// Each window is made of whole windows of `source`, which lie side by side.
    func isUnion(of source: AggregatePlan.Window) -> Bool {
        switch (self, source) {
        case (.session, _): return false
        case (.calendar(let unit, let zone, let weekStarts), .calendar(let part, let partZone, let partStarts)):
            guard zone == partZone else { return false }
            if unit == part { return unit != .week || weekStarts == partStarts }
            return part == .hour || (part == .day && unit != .hour)
        case (.calendar(let unit, let zone, _), .tumbling(let size, let offset)):
            let unit = (unit == .hour ? TimeSpan.hours(1) : .days(1)).milliseconds
            guard unit % size.milliseconds == 0 else { return false }
            // Before 1970 clocks differed by seconds; an event of that time goes with the window in which its own begins.
            let recent = zone.transitions.enumerated().filter { $0.element >= 0 }
            let moments = recent.map { $0.element * 1_000 - offset.milliseconds }
            let offsets = [zone.offset(at: 0)] + recent.map { zone.offsets[$0.offset + 1] }
            return moments.allSatisfy { $0 % size.milliseconds == 0 }
                && offsets.allSatisfy { (Int64($0) * 1_000 + offset.milliseconds) % size.milliseconds == 0 }
        case (_, .tumbling(let size, let offset)):
            let spans =
                switch self {
                case .tumbling(let own, _): [own]
                case .hopping(let own, let every, _): [own, every]
                case .cumulative(_, let step, _): [step]
                case .calendar, .session: [TimeSpan]()
                }
            return (spans + [TimeSpan(milliseconds: self.offset.milliseconds - offset.milliseconds)]).allSatisfy {
                $0.milliseconds % size.milliseconds == 0
            }
        default: return false
        }
    }
}
