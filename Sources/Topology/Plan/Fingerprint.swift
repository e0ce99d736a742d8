import Model

/// The canonical text of each part whose change would change the meaning of stored state. Words (owner, description), places
/// (brokers, topics and tables of results, addresses, directories), pace (commit, emit, idleness, observe) and memory are in none.
enum Fingerprint {
    static func parts(of plan: Plan, source: Place, deduplicate: Place, aggregates: [Place]) -> [FingerprintPart] {
        var parts = [part("source", self.source(plan), source)]
        if let dedup = plan.deduplicate {
            let lines =
                dedup.key.map { "key: \(CanonicalText.field(plan.fields[$0], plan.fields))" } + [
                    "within: \(CanonicalText.span(dedup.within.milliseconds))",
                    "bucket: \(CanonicalText.span(dedup.bucket.milliseconds))",
                ] + (dedup.scope == .topic ? ["scope: topic"] : [])
                + fields(Set(dedup.key.flatMap { plan.fields[$0].computed?.columns ?? [] }), plan.fields)
            parts.append(part("deduplicate", lines, deduplicate))
        }
        for (aggregate, place) in zip(plan.aggregates, aggregates) {
            var lines = lines(aggregate, plan.fields)
            if let from = aggregate.from { lines.insert("from: \(plan.aggregates[from].name)", at: 0) }
            parts.append(part("aggregate \(aggregate.name)", lines, place))
        }
        return parts
    }

    private static func part(_ name: String, _ lines: [String], _ place: Place) -> FingerprintPart {
        FingerprintPart(name: name, text: lines.joined(separator: "\n"), place: "\(place.file):\(place.line)")
    }

    private static func source(_ plan: Plan) -> [String] {
        var lines: [String] = []
        switch plan.source.kind {
        case .kafka(let topics, _, _): lines.append("topics: \(topics.joined(separator: ", "))")
        case .files(let globs): lines.append("files: \(globs.joined(separator: ", "))")
        case .generator(let generator):
            lines.append("generator: rate \(generator.rate)/s, seed \(generator.seed), partitions \(generator.partitions)")
            if let events = generator.events { lines.append("events: \(events)") }
            if let start = generator.start { lines.append("start: \(start.milliseconds)") }
        }
        lines.append("max_record: \(CanonicalText.size(plan.source.maxRecord.bytes))")
        var used: Set<Int> = []
        switch plan.eventTime.source {
        case .field(let column):
            used.insert(column)
            lines.append("event_time: \(plan.fields[column].name)")
        case .recordTimestamp: lines.append("event_time: record timestamp")
        }
        lines.append("out_of_orderness: \(CanonicalText.span(plan.eventTime.outOfOrderness.milliseconds))")
        lines.append("max_future: \(CanonicalText.span(plan.eventTime.maxFuture.milliseconds))")
        if let filter = plan.filter {
            lines.append("filter: \(CanonicalText.predicate(filter, plan.fields))")
            used.formUnion(filter.columns)
        }
        if !plan.source.keyedBy.isEmpty {
            lines.append("keyed_by: \(plan.source.keyedBy.joined(separator: ", "))")
            for (column, field) in plan.fields.enumerated() where plan.source.keyedBy.contains(field.name) { used.insert(column) }
        }
        return lines + fields(used, plan.fields)
    }

    private static func lines(_ aggregate: AggregatePlan, _ fields: [FieldPlan]) -> [String] {
        var lines: [String] = []
        lines.append("window: \(CanonicalText.window(aggregate.window))")
        let offset = aggregate.window.offset
        if offset != .zero { lines.append("offset: \(CanonicalText.span(offset.milliseconds))") }
        lines.append("allowed_lateness: \(CanonicalText.span(aggregate.allowedLateness.milliseconds))")
        if let admits = aggregate.admits { lines.append("where: \(CanonicalText.predicate(admits, fields))") }
        lines.append("group_by: \(aggregate.groupBy.map { fields[$0].name }.joined(separator: ", "))")
        for measure in aggregate.measures {
            lines.append("measure \(measure.name): \(CanonicalText.measure(measure, fields))")
        }
        lines.append("keyed: \(aggregate.isKeyed)")
        return lines + self.fields(aggregate.columns, fields)
    }

    /// By name, so that moving a declaration changes nothing.
    private static func fields(_ used: Set<Int>, _ fields: [FieldPlan]) -> [String] {
        // The name of a hidden column says all of it, and stands where it is used.
        fields.withSources(of: used).filter { !fields[$0].isHidden }.map { "field: \(CanonicalText.field(fields[$0], fields))" }
            .sorted()
    }
}
