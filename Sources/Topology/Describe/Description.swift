public import Model

/// What a plan does, for `weir describe`: its stages, where each field is used, and what it touches outside.
public struct Description: Sendable {
    public struct Stage: Sendable {
        public var name: String
        public var does: String
    }
    /// A field and the places that use it, such as `filter`, `deduplicate` or `usage.total_ms`.
    public struct Use: Sendable {
        public var field: String
        public var type: String
        public var path: String
        public var usedBy: [String]
    }
    public struct Touched: Sendable {
        /// `reads`, `writes` or `listens`.
        public var how: String
        /// `topic`, `files`, `table`, `state` or `address`.
        public var kind: String
        public var name: String
    }

    public var stages: [Stage] = []
    public var fields: [Use] = []
    public var touched: [Touched] = []

    public init(_ plan: Plan) {
        readStages(plan)
        fields = plan.fields.enumerated().filter { !$1.isHidden }.map { index, field in
            Use(
                field: field.name, type: CanonicalText.type(field.type), path: field.path.joined(separator: "."),
                usedBy: Self.users(of: index, plan))
        }
        readTouched(plan)
    }

    private mutating func readStages(_ plan: Plan) {
        func names(_ columns: [Int]) -> String { columns.map { plan.fields[$0].name }.joined(separator: ", ") }
        func span(_ span: TimeSpan) -> String { CanonicalText.span(span.milliseconds) }
        func say(_ name: String, _ does: String) { stages.append(Stage(name: name, does: does)) }
        let most = CanonicalText.size(plan.source.maxRecord.bytes)
        say("decode", "reads \(plan.fields.count { $0.computed == nil }) fields of each record; rejects records over \(most)")
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
            say("deduplicate", "\(what) by \(names(dedup.key)) within \(span(dedup.within)), in buckets of \(span(dedup.bucket))")
        }
        for aggregate in plan.aggregates {
            var text =
                switch aggregate.window {
                case .tumbling(let size, _): "windows of \(span(size))"
                case .hopping(let size, let every, _): "windows of \(span(size)) every \(span(every))"
                }
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

    private static func users(of column: Int, _ plan: Plan) -> [String] {
        var users: [String] = []
        func use(_ columns: Set<Int>, _ name: String) {
            if plan.fields.withSources(of: columns).contains(column) { users.append(name) }
        }
        if case .field(let time) = plan.eventTime.source { use([time], "event_time") }
        use(plan.filter?.columns ?? [], "filter")
        use(Set(plan.deduplicate?.key ?? []), "deduplicate")
        for aggregate in plan.aggregates {
            use(aggregate.admits?.columns ?? [], "\(aggregate.name) where")
            use(Set(aggregate.groupBy), "\(aggregate.name) group_by")
            for measure in aggregate.measures {
                use((measure.admits?.columns ?? []).union(measure.column.map { [$0] } ?? []), "\(aggregate.name).\(measure.name)")
            }
        }
        return users
    }

    private mutating func readTouched(_ plan: Plan) {
        func touch(_ how: String, _ kind: String, _ name: String) { touched.append(Touched(how: how, kind: kind, name: name)) }
        switch plan.source.kind {
        case .kafka(let topics, _, _): for topic in topics { touch("reads", "topic", topic) }
        case .files(let globs): for glob in globs { touch("reads", "files", glob) }
        case .generator: break
        }
        for target in plan.aggregates.flatMap(\.targets) {
            switch target {
            case .kafka(let topic): touch("writes", "topic", topic)
            case .table(let name, _): touch("writes", "table", name)
            }
        }
        if case .topic(let topic) = plan.deadLetters { touch("writes", "topic", topic) }
        for file in ["state.db", "results.db"] { touch("writes", "state", "\(plan.state.directory)/\(file)") }
        if let http = plan.http { touch("listens", "address", "\(http.host):\(http.port)") }
    }
}
