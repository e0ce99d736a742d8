import Model

/// What can run but probably isn't meant: conditions without effect, promises that can't be kept, groups without bound,
/// personal data in rows, names that collide elsewhere.
struct PlanDoubts {
    let problems: ProblemList
    let root: SectionItem
    let plan: Plan

    func run() {
        if let filter = plan.filter, let item = root["filter"] { checkCondition(filter, within: [], item, "the filter") }
        for aggregate in plan.aggregates {
            guard let item = (root["aggregates"]?.named ?? []).first(where: { $0.0 == aggregate.name })?.1,
                let section = item.section
            else { continue }
            checkConditions(aggregate, section)
            checkPromise(aggregate, section)
            checkGroup(aggregate, section)
            checkPersonal(aggregate, section)
        }
        checkTopics()
    }

    // MARK: - Conditions

    private func checkConditions(_ aggregate: AggregatePlan, _ section: SectionItem) {
        let filter = plan.filter.map { [$0] } ?? []
        if let admits = aggregate.admits, let item = section["where"] {
            checkCondition(admits, within: filter, item, "the condition")
        }
        for (name, item) in section["measures"]?.named ?? [] {
            guard let admits = aggregate.measures.first(where: { $0.name == name })?.admits else { continue }
            checkCondition(admits, within: filter + (aggregate.admits.map { [$0] } ?? []), item, "the measure's condition")
        }
    }

    /// `outer`: what every record that comes here fulfils.
    private func checkCondition(_ condition: Predicate, within outer: [Predicate], _ item: Item, _ subject: String) {
        // A comparison with NULL was told already, at its own place.
        guard !problems.all.contains(where: { $0.code == .neverTrue && $0.path == item.path }) else { return }
        var judge = Satisfiable { column in plan.fields[column].required || plan.fields[column].fallback != nil }
        // Asking for a field with a default is superfluous but clear, and stays right when the default goes.
        var asked = Satisfiable { column in plan.fields[column].required }
        // What is wrong further out is told there.
        guard outer.isEmpty || judge.canBeTrue(outer) else { return }
        if !judge.canBeTrue([condition]) {
            problems.warn(
                .neverTrue, at: item.place, item.path, "\(subject) contradicts itself: no event can fulfil it",
                next: "look for AND where OR is meant, or accept it: check: {accept: [never_true]}")
        } else if !judge.canBeTrue(outer + [condition]) {
            problems.warn(
                .neverTrue, at: item.place, item.path, "\(subject) contradicts the conditions before it: no event is left",
                next: "compare it with `filter` and `where`, or accept it: check: {accept: [never_true]}")
        } else if !asked.canBeFalse(condition) {
            problems.warn(
                .neverFalse, at: item.place, item.path,
                "\(subject) is never false: at most it leaves out events without the field",
                next: "write `IS NOT NULL` if that is meant, leave it out, or accept it: check: {accept: [never_false]}")
        }
    }

    // MARK: - Freshness

    /// A result is reported when the watermark has passed its window; the watermark itself stands back by `out_of_orderness`.
    private func checkPromise(_ aggregate: AggregatePlan, _ section: SectionItem) {
        guard let within = aggregate.freshness?.within, let item = section.section("freshness")?["within"] else { return }
        checkIdle(within, item)
        let isFinal = aggregate.emit == .final
        let least = plan.eventTime.outOfOrderness + (isFinal ? aggregate.allowedLateness : .zero)
        // Event times ahead of the clock take the watermark along, as far as they are let in.
        let ahead: TimeSpan = if case .field = plan.eventTime.source { plan.eventTime.maxFuture } else { .zero }
        guard within < least else { return checkObjective(aggregate, item, least: least, ahead: ahead) }
        let isNever = within + ahead < least
        problems.warn(
            .freshnessUnmet, at: item.place, item.path,
            "rows come \(CanonicalText.span(least.milliseconds)) after their window at the earliest"
                + (isFinal ? " (out_of_orderness and allowed_lateness)" : " (out_of_orderness)")
                + (isNever ? ": this is never met" : ": this is met only while event times run ahead of the clock"),
            next: "promise \(CanonicalText.span(least.milliseconds)) or more"
                + (isFinal && plan.eventTime.outOfOrderness <= within ? ", or `emit: on_time`" : "")
                + ", or accept it: check: {accept: [freshness_unmet]}", isNote: !isNever)
    }

    /// Between two results their age grows by the windows' step, and by the pace of commits: what was fresh when a window ended is
    /// too old before the next one ends.
    private func checkObjective(_ aggregate: AggregatePlan, _ item: Item, least: TimeSpan, ahead: TimeSpan) {
        guard let promise = aggregate.freshness, let objective = promise.objective else { return }
        let step = max(Sizes.step(of: aggregate), plan.commitEvery)
        let spare = Double(promise.within.milliseconds - least.milliseconds)
        func share(_ spare: Double) -> Double { min(spare / Double(step.milliseconds), 1) }
        guard share(spare) < objective else { return }
        let most = share(spare + Double(ahead.milliseconds))
        let isNever = most < objective
        let percent = Int64((isNever ? most : share(spare)) * 100)
        problems.warn(
            .objectiveUnmet, at: item.place, item.path,
            "a result comes every \(CanonicalText.span(step.milliseconds)), so the newest is no older than this in \(percent)% of the time"
                + " at best" + (isNever ? "" : ", but for event times that run ahead of the clock"),
            next: "promise \(CanonicalText.span((least + step).milliseconds)) or more, lower `objective`,"
                + " make the windows' step shorter, or accept it: check: {accept: [objective_unmet]}", isNote: !isNever)
    }

    /// A partition that falls silent holds the watermark back until it counts as idle.
    private func checkIdle(_ within: TimeSpan, _ item: Item) {
        guard plan.eventTime.idleAfter > within else { return }
        if case .files = plan.source.kind { return }
        problems.warn(
            .idleUnmet, at: item.place, item.path,
            "a partition that falls silent holds rows back for \(CanonicalText.span(plan.eventTime.idleAfter.milliseconds))"
                + " (event_time.idle_after), longer than promised here",
            next: "lower idle_after, promise more, or accept it: check: {accept: [idle_unmet]}")
    }

    // MARK: - Groups

    /// Each group of each open window is held in memory.
    private func checkGroup(_ aggregate: AggregatePlan, _ section: SectionItem) {
        let key = plan.deduplicate?.key ?? []
        let isByKey = !key.isEmpty && Set(key).isSubset(of: aggregate.groupBy)
        for item in section["group_by"]?.list ?? [] {
            guard let column = aggregate.groupBy.first(where: { plan.fields[$0].name == item.text }) else { continue }
            let why: String
            if isByKey, key.last == column {
                why = key.count == 1 ? "is the key of single events" : "completes the key of single events"
            } else if plan.fields[column].type == .double, plan.fields[column].computed == nil {
                why = "is a double"
            } else if case .timestamp = plan.fields[column].type, plan.fields[column].computed == nil {
                why = "is a timestamp"
            } else {
                continue
            }
            problems.warn(
                .wideGroup, at: item.place, item.path,
                "`\(plan.fields[column].name)` \(why): nearly every event becomes a group of its own, held until its window closes",
                next: "group by something with few values, or accept it: check: {accept: [wide_group]}")
        }
    }

    // MARK: - Personal data

    private func checkPersonal(_ aggregate: AggregatePlan, _ section: SectionItem) {
        for item in section["group_by"]?.list ?? [] {
            guard let column = aggregate.groupBy.first(where: { plan.fields[$0].name == item.text }) else { continue }
            warnPersonal(column, item)
        }
        for (name, item) in section["measures"]?.named ?? [] {
            guard let measure = aggregate.measures.first(where: { $0.name == name }), let column = measure.column,
                [.min, .max, .first, .last, .quantile, .top, .largest, .largestDistinct].contains(measure.function)
            else { continue }
            warnPersonal(column, item)
        }
    }

    private func warnPersonal(_ column: Int, _ item: Item) {
        guard plan.fields[column].isPersonal else { return }
        problems.warn(
            .personalRows, at: item.place, item.path,
            "the personal field `\(plan.fields[column].name)` would stand in rows as it is",
            next: "leave it out, count it instead, or accept it: check: {accept: [personal_rows]}")
    }

    // MARK: - Topics

    /// Kafka's own metrics can't tell `a.b` and `a_b` apart, and a broker refuses the second of them.
    private func checkTopics() {
        var names: [String: String] = [:]
        if case .kafka(let topics, _, _) = plan.source.kind { for topic in topics { names[Self.folded(topic)] = topic } }
        var items: [(Item, output: String?)] = []
        for (name, item) in root["aggregates"]?.named ?? [] {
            for target in item.section?["to"]?.list ?? [] {
                if let topic = target.section?.section("kafka")?["topic"] { items.append((topic, name)) }
            }
        }
        if let topic = root.section("dead_letters")?["topic"] { items.append((topic, nil)) }
        if let topic = root.section("deduplicate")?["duplicates"]?.section?["topic"] { items.append((topic, nil)) }
        var writers: [String: String] = [:]
        for (item, output) in items {
            guard let topic = item.text else { continue }
            if let other = names[Self.folded(topic)], other != topic {
                problems.error(
                    .topicCollision, at: item.place, item.path,
                    "the topics `\(topic)` and `\(other)` differ only in `.` and `_`, and a broker refuses one of them",
                    next: "give one of them another name")
            }
            names[Self.folded(topic)] = topic
            guard let output else { continue }
            if let other = writers[topic], other != output {
                problems.warn(
                    .sharedTopic, at: item.place, item.path, "the rows of `\(other)` go to the topic `\(topic)` too",
                    next: "give each output a topic of its own, or accept it: check: {accept: [shared_topic]}")
            }
            writers[topic] = output
        }
    }

    private static func folded(_ topic: String) -> String { topic.replacing(".", with: "_") }
}
