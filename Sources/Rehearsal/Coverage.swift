public import Model
internal import Pipeline

/// Which branches of a topology its test cases have reached, of those that records could reach. A mistake in a branch that no
/// case reaches is one that no case can show.
public struct Coverage: Equatable, Sendable {
    public struct Item: Equatable, Sendable {
        /// What is to be reached, such as `filter` or `sales.where`.
        public var place: String
        /// What of it, such as `true`, `null` or `late`.
        public var branch: String
        public var isReached: Bool
        /// What a case has to do.
        public var hint: String
    }
    public var items: [Item] = []

    public var reached: Int { items.count(where: \.isReached) }
    public var missing: [Item] { items.filter { !$0.isReached } }
    /// 0…100, rounded down: only all of it is 100.
    public var percent: Int { items.isEmpty ? 100 : reached * 100 / items.count }

    public init(plan: Plan, reach: Reach) {
        if let filter = plan.filter { add("filter", filter, within: [], reach.filter, plan) }
        rejections(plan, reach)
        duplicates(plan, reach)
        for (aggregate, output) in zip(plan.aggregates, reach.outputs) { self.output(aggregate, output, plan) }
        if plan.aggregates.contains(where: \.window.overlaps) {
            add("lateness", "partly late", reach.partlyLate, "feed an event some of whose windows are closed")
        }
        if case .kafka = plan.source.kind {
            add("partition", "idle", reach.idleDecisions, "advance past idle_after, \(plan.eventTime.idleAfter.milliseconds) ms")
        }
    }

    private mutating func add(_ place: String, _ branch: String, _ count: Int64, _ hint: String) {
        items.append(Item(place: place, branch: branch, isReached: count > 0, hint: hint))
    }

    private mutating func add(
        _ place: String, _ condition: Predicate, within outer: [Predicate], _ counts: ConditionCounts?, _ plan: Plan
    ) {
        let counts = counts ?? ConditionCounts()
        let can = Reachable(condition, within: outer, of: plan)
        if can.isTrue { add(place, "true", counts.isTrue, "feed a record that meets the condition") }
        if can.isFalse { add(place, "false", counts.isFalse, "feed a record that does not meet the condition") }
        if can.isNull { add(place, "null", counts.isNull, "feed a record without a value that the condition reads") }
    }

    /// The reasons that a record of this topology can be rejected for. `oversize` is left out: a test file is no place for
    /// a record of that size.
    private mutating func rejections(_ plan: Plan, _ reach: Reach) {
        let record = plan.fields.filter { $0.computed == nil }
        let isTimed = { (field: FieldPlan) in if case .timestamp = field.type { true } else { false } }
        var needsField = plan.fields.contains(where: \.required)
        if case .field = plan.eventTime.source { needsField = true }
        add("rejected", "undecodable", reach.rejected(.undecodable), "feed `raw` bytes that are no JSON")
        if needsField { add("rejected", "missing_field", reach.rejected(.missingField), "leave a required field out") }
        if record.contains(where: { !isTimed($0) && $0.type != .json }) {
            add("rejected", "wrong_type", reach.rejected(.wrongType), "feed a field with a value of another type")
        }
        if record.contains(where: isTimed) {
            add("rejected", "bad_time", reach.rejected(.badTime), "feed a time that can't be read")
        }
        if case .field = plan.eventTime.source {
            add(
                "rejected", "future_time", reach.rejected(.futureTime),
                "feed an event time more than max_future past the record's `timestamp`")
        }
        if case .kafka = plan.source.kind {
            add("rejected", "tombstone", reach.rejected(.tombstone), "feed `value: null`")
        }
    }

    private mutating func duplicates(_ plan: Plan, _ reach: Reach) {
        guard let deduplicate = plan.deduplicate else { return }
        add(
            "deduplicate", deduplicate.observe ? "observed" : "duplicate",
            deduplicate.observe ? reach.duplicatesObserved : reach.duplicates, "feed a copy")
        let outer = plan.filter.map { [$0] } ?? []
        if deduplicate.key.contains(where: { Reachable(.isNull(column: $0, negated: false), within: outer, of: plan).isTrue }) {
            add("deduplicate", "unidentified", reach.unidentified, "feed an event without its key")
        }
    }

    private mutating func output(_ aggregate: AggregatePlan, _ output: Reach.Output, _ plan: Plan) {
        let name = aggregate.name
        let filter = plan.filter.map { [$0] } ?? []
        if let admits = aggregate.admits { add("\(name).where", admits, within: filter, output.admits, plan) }
        let outer = filter + (aggregate.admits.map { [$0] } ?? [])
        for (measure, reached) in zip(aggregate.measures, output.measures) {
            if let admits = measure.admits { add("\(name).\(measure.name)", admits, within: outer, reached.admits, plan) }
        }
        switch aggregate.emit {
        case .final:
            add(name, "row", output.rows, "close a window that holds an event")
        case .onTime:
            add(name, "row on time", output.rows, "move the watermark past the end of a window that holds an event")
            if aggregate.allowedLateness > .zero {
                add(name, "revision", output.revisions, "feed an event of a window that has ended but not closed")
            }
            if aggregate.window.isSession, aggregate.closing > .zero { addRetraction(name, output) }
        case .every, .everyCommit:
            if aggregate.window.isSession { addRetraction(name, output) }
            add(name, "early row", output.early, "commit while a window that holds an event is open")
            add(name, "row past the end", output.rows - output.early, "feed an event of a window, move past its end")
        }
        // A roll-up takes no records: what is late, its source refuses.
        if aggregate.from == nil { add(name, "late", output.lateRefusals, "feed an event of a window that has closed") }
    }

    private mutating func addRetraction(_ name: String, _ output: Reach.Output) {
        add(name, "retracted", output.retracted, "feed an event that makes a session longer whose row has come")
    }
}
