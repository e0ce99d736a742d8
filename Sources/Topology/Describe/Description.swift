public import Model

/// What a plan does, for `weir describe`: its stages, the way of each field into results, what it touches outside, and what it
/// keeps.
public struct Description: Sendable {
    public struct Stage: Sendable {
        public var name: String
        public var does: String
    }
    /// Something outside that a run reads, writes or makes.
    public struct Touched: Sendable {
        /// `reads`, `writes` or `listens`.
        public var how: String
        /// `topic`, `group`, `files`, `table`, `state` or `address`.
        public var kind: String
        public var name: String
        /// Weir makes it where it is missing.
        public var isMade: Bool
        /// Weir's own tables in a database, or the view beside a table.
        public var holds: [String]
        /// In a group: `own` or `all`, whose rows a table holds; nil elsewhere.
        public var rows: String?
    }
    /// A part of `state.memory`, or what stands beside it.
    public struct Share: Sendable {
        public var name: String
        public var bytes: ByteCount
        public var says: String
    }

    public var stages: [Stage] = []
    public var fields: [Lineage.Use]
    public var columns: [Lineage.Column]
    public var touched: [Touched]
    public var memory: [Share]
    public var estimate: StateEstimate

    public init(_ plan: Plan, assuming assumed: StateEstimate.Assumptions) {
        let lineage = Lineage(plan)
        fields = lineage.fields
        columns = lineage.columns
        touched = Self.touched(plan)
        memory = Self.memory(plan)
        estimate = StateEstimate(plan, assumed)
        readStages(plan)
    }

    private mutating func readStages(_ plan: Plan) {
        func names(_ columns: [Int]) -> String { columns.map { plan.fields[$0].name }.joined(separator: ", ") }
        func span(_ span: TimeSpan) -> String { CanonicalText.span(span.milliseconds) }
        func say(_ name: String, _ does: String) { stages.append(Stage(name: name, does: does)) }
        let most = CanonicalText.size(plan.source.maxRecord.bytes)
        let read = plan.fields.count { $0.computed == nil }
        say("decode", "reads \(read) \(read == 1 ? "field" : "fields") of each record; rejects records over \(most)")
        for field in plan.fields where !field.isHidden {
            guard let computed = field.computed else { continue }
            say("compute \(field.name)", CanonicalText.computed(computed, field.type, plan.fields))
        }
        let source =
            switch plan.eventTime.source {
            case .field(let column): plan.fields[column].name
            case .recordTimestamp: "the record's timestamp"
            }
        let time = plan.eventTime
        say(
            "event time",
            "from \(source); watermark \(span(time.outOfOrderness)) behind the newest, idle after \(span(time.idleAfter)), "
                + "rejected from \(span(time.maxFuture)) in the future")
        if let filter = plan.filter { say("filter", CanonicalText.predicate(filter, plan.fields)) }
        if let dedup = plan.deduplicate {
            let what = dedup.observe ? "counts, but passes, copies" : "drops copies"
            let across = dedup.scope == .topic ? " from all inputs, each decoded once more for it," : ""
            let compared = dedup.compare.map { ", compares \(names($0)) at 8 bytes a key" } ?? ""
            let kept =
                switch dedup.duplicates {
                case .count: ""
                case .ledger(let keep): ", keeps an entry each for \(span(keep)), and places at 8 bytes a key"
                case .topic(let topic): ", tells \(topic) of each, and keeps places at 8 bytes a key"
                }
            say(
                "deduplicate",
                "\(what)\(across) by \(names(dedup.key)) within \(span(dedup.within)), in buckets of \(span(dedup.bucket))\(compared)\(kept)"
            )
        }
        for aggregate in plan.aggregates {
            var text = aggregate.from.map { "rolls \(plan.aggregates[$0].name) up: " } ?? ""
            text += CanonicalText.windows(aggregate.window)
            if aggregate.allowedLateness != .zero { text += ", open \(span(aggregate.allowedLateness)) longer for late records" }
            if let admits = aggregate.admits { text += ", where \(CanonicalText.predicate(admits, plan.fields))" }
            if !aggregate.groupBy.isEmpty { text += ", by \(names(aggregate.groupBy))" }
            let pace =
                switch aggregate.emit {
                case .final: "when final"
                case .onTime: "on time and with each correction"
                case .every(let pace): "every \(span(pace))"
                case .everyCommit: "with every commit"
                }
            say("aggregate \(aggregate.name)", "\(text); rows \(pace)")
        }
        say("commit", "every \(span(plan.commitEvery))")
    }
}
