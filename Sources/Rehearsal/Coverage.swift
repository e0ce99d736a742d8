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
        if let filter = plan.filter { add("filter", filter, reach.filter, plan) }
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

    private mutating func add(_ place: String, _ condition: Predicate, _ counts: ConditionCounts?, _ plan: Plan) {
        let counts = counts ?? ConditionCounts()
        add(place, "true", counts.isTrue, "feed a record that meets the condition")
        add(place, "false", counts.isFalse, "feed a record that does not meet the condition")
        if plan.canBeNull(condition) {
            add(place, "null", counts.isNull, "feed a record without a value that the condition reads")
        }
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
        if deduplicate.key.contains(where: { plan.canBeNull(column: $0) }) {
            add("deduplicate", "unidentified", reach.unidentified, "feed an event without its key")
        }
    }

    private mutating func output(_ aggregate: AggregatePlan, _ output: Reach.Output, _ plan: Plan) {
        let name = aggregate.name
        if let admits = aggregate.admits { add("\(name).where", admits, output.admits, plan) }
        for (measure, reached) in zip(aggregate.measures, output.measures) {
            if let admits = measure.admits { add("\(name).\(measure.name)", admits, reached.admits, plan) }
        }
        switch aggregate.emit {
        case .final:
            add(name, "row", output.rows, "close a window that holds an event")
        case .onTime:
            add(name, "row on time", output.rows, "move the watermark past the end of a window that holds an event")
            if aggregate.allowedLateness > .zero {
                add(name, "revision", output.revisions, "feed an event of a window that has ended but not closed")
            }
        case .every, .everyCommit:
            add(name, "early row", output.early, "commit while a window that holds an event is open")
            add(name, "row past the end", output.rows - output.early, "feed an event of a window, move past its end")
        }
        add(name, "late", output.lateRefusals, "feed an event of a window that has closed")
    }
}

extension AggregatePlan.Window {
    /// An event can be in more than one.
    var overlaps: Bool {
        switch self {
        case .tumbling: false
        case .hopping(let size, let every, _): every < size
        }
    }
}

extension Plan {
    /// A record that gets as far as the filter can have no value here.
    func canBeNull(column: Int) -> Bool {
        if case .field(column) = eventTime.source { return false }
        let field = fields[column]
        if field.required || field.fallback != nil { return false }
        return field.computed.map(canBeNull) ?? true
    }

    /// Through its operands, or because it can fail on ordinary values; that a sum overflows is no branch of its own.
    private func canBeNull(_ computed: Computed) -> Bool {
        let operands = computed.operands.map { operand in
            switch operand {
            case .column(let column): canBeNull(column: column)
            case .literal(let value): value == .null
            }
        }
        switch computed.operation {
        case .coalesce: return operands.allSatisfy { $0 }
        case .truth(let condition): return canBeNull(condition)
        case .divide, .remainder:
            if case .literal(let divisor) = computed.operands.last, divisor != .int(0), divisor != .double(0) {
                return operands.contains(true)
            }
            return true
        case .cast:
            if case .column(let column) = computed.operands.first, fields[column].type == .string { return true }
            return operands.contains(true)
        default: return operands.contains(true)
        }
    }

    func canBeNull(_ condition: Predicate) -> Bool {
        switch condition {
        case .isNull: false
        case .constant(let truth): truth == nil
        case .truth(let column): canBeNull(column: column)
        case .compare(let column, _, let value): value == .null || canBeNull(column: column)
        case .compareColumns(let a, _, let b): canBeNull(column: a) || canBeNull(column: b)
        case .isIn(let column, let values, _): values.contains(.null) || canBeNull(column: column)
        case .not(let inner): canBeNull(inner)
        case .and(let parts), .or(let parts): parts.contains(where: canBeNull)
        }
    }
}
