internal import Freshness
internal import Model

/// What `weir status` says of copies and of clocks that are ahead. Nothing where there were none.
enum CopiesText {
    static func copies(_ facts: Facts) -> String {
        guard let dedup = facts.dedup else { return "" }
        let told = facts.copies
        let all = told.total
        let ordered = order(dedup)
        guard all.weight > 0 else { return ordered.map { "COPIES  \($0)\n" } ?? "" }
        var table = TextTable([
            ("COPIES", .left), ("RECOGNISED", .right), ("EXACT", .right), ("RETIMED", .right), ("CONFLICTING", .right),
            ("MEDIAN AGE", .right), ("OLDEST QUARTER", .right), ("MISSED, ABOUT", .right), ("99.9 % WITHIN", .right),
        ])
        table.row(row("all", all, dedup))
        for producer in told.producers { table.row(row(name(producer.name, facts.producerField), producer.figures, dedup)) }
        if told.others.weight > 0 { table.row(row("others", told.others, dedup)) }
        if let ordered { table.note(ordered) } else if dedup.isObserving { table.note("copies are let pass: observe") }
        let share = NumberText.oneDecimal(percent(all.oldestQuarter, all.copies))
        let reach = span(TimeSpan(milliseconds: dedup.within.milliseconds * CopyFigures.reach))
        table.note("\(share) % of the recognised came in the oldest quarter of \(span(dedup.within))")
        table.note(
            "\(NumberText.grouped(all.missed)) copies of one key in \(CopyFigures.sampledOf) came later, and within \(reach): "
                + "\(NumberText.grouped(facts.sampledKeys)) keys are remembered for it")
        let conflicts = facts.conflicts
        if !conflicts.isEmpty {
            let fields = conflicts.map { "\($0.field ?? "several fields") \(NumberText.grouped($0.copies))" }
            table.note("conflicting in \(fields.joined(separator: ", "))")
        }
        for (partition, copy) in facts.conflictSamples {
            let what = copy.field.map { field in copy.value.map { "\(field) is now \($0)" } ?? "\(field) differs" }
            table.note("  \(partition)@\(copy.offset): \(what ?? "several fields differ"), \(span(copy.age)) later")
        }
        return table.text
    }

    /// nil: what the topology says holds.
    private static func order(_ dedup: DedupFacts) -> String? {
        dedup.ordered.map { since in
            "copies are \(dedup.isObserving ? "let pass" : "dropped") by order since \(TimeText.utc(since)), "
                + "whatever the topology says: weir observe"
        }
    }

    private static func row(_ name: String, _ figures: CopyFigures, _ dedup: DedupFacts) -> [String] {
        func compared(_ count: Int64) -> String { dedup.isComparing ? NumberText.grouped(count) : "-" }
        return [
            name, NumberText.grouped(figures.copies), compared(figures.exact), compared(figures.retimed),
            compared(figures.conflicting), figures.ages.quantile(0.5).map { span(.milliseconds($0)) } ?? "-",
            figures.copies == 0 ? "-" : "\(NumberText.oneDecimal(percent(figures.oldestQuarter, figures.copies))) %",
            NumberText.grouped(figures.missedEstimate), figures.horizonCatching.map(span) ?? "-",
        ]
    }

    static func badClocks(_ facts: Facts) -> String {
        let told = facts.badClocks
        guard told.total.records > 0 else { return "" }
        var table = TextTable([
            ("BAD CLOCKS", .left), ("RECORDS", .right), ("MEDIAN AHEAD", .right), ("AT MOST", .right),
        ])
        func row(_ name: String, _ figures: ClockFigures) -> [String] {
            [
                name, NumberText.grouped(figures.records), figures.ahead.quantile(0.5).map { span(.milliseconds($0)) } ?? "-",
                span(.milliseconds(figures.ahead.largest)),
            ]
        }
        table.row(row("all", told.total))
        for producer in told.producers { table.row(row(name(producer.name, facts.producerField), producer.figures)) }
        if told.others.records > 0 { table.row(row("others", told.others)) }
        return table.text
    }

    private static func name(_ name: String?, _ field: String?) -> String { "\(field ?? "producer") \(name ?? "null")" }
    private static func span(_ span: TimeSpan) -> String { TimeText.span(span) }
    static func percent(_ part: Int64, _ all: Int64) -> Double { all == 0 ? 0 : Double(part) / Double(all) * 100 }
}
