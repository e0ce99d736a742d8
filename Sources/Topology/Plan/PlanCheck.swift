import Model

/// What only the whole plan shows: names used twice, loops, horizons that don't fit one another.
struct PlanCheck {
    let problems: ProblemList
    let root: SectionItem
    /// Events a second, where the caller knows them.
    let rate: Double?

    func run(_ plan: Plan, places: [Place]) {
        checkTargets(plan)
        checkDelivery(plan)
        checkMemory(plan)
        checkDuplicates(plan, places)
        checkLate(plan)
    }

    // MARK: - Where rows go

    /// Tables that Weir keeps itself.
    private static let ownTables: Set<String> = ["books", "late", "dead_letters", "decisions", "duplicates"]

    private func checkTargets(_ plan: Plan) {
        var tables: [String: String] = [:]
        var inputs: Set<String> = []
        if case .kafka(let topics, _, _) = plan.source.kind { inputs = Set(topics) }
        var outputs: [String: String] = [:]
        for (name, item) in root["aggregates"]?.named ?? [] {
            guard let section = item.section else { continue }
            var own: Set<String> = []
            if section["to"] == nil, !section.broken.contains("to") {
                // Without `to` the aggregate's own name is its table's name.
                checkTable(name, item.keyPlace, item.path, name, &tables, &own)
            }
            for target in section["to"]?.list ?? [] {
                if let item = target.section?.section("kafka")?["topic"], let topic = item.text {
                    refuseLoop(topic, item, inputs)
                    if !own.insert("topic " + topic).inserted { twice("topic `\(topic)`", item) }
                    outputs[topic] = "the rows of `\(name)`"
                } else if let table = target.section?["table"] {
                    guard let item = table.section?["name"] ?? (table.text == nil ? nil : table), let text = item.text else {
                        continue
                    }
                    checkTable(text, item.place, item.path, name, &tables, &own)
                }
            }
        }
        let own: [(Item?, String)] = [
            (root.section("dead_letters")?["topic"], "dead letters"),
            (root.section("deduplicate")?["duplicates"]?.section?["topic"], "duplicates"),
            (root["late"]?.section?["topic"], "late records"),
        ]
        for case (let item?, let what) in own {
            guard let topic = item.text else { continue }
            refuseLoop(topic, item, inputs)
            if let output = outputs[topic] {
                problems.error(
                    .nameTaken, at: item.place, item.path, "\(output) go to the topic `\(topic)` too",
                    next: "give \(what) a topic of their own")
            }
            outputs[topic] = what
        }
    }

    private func checkDelivery(_ plan: Plan) {
        guard plan.delivery.isGroup, let item = root["delivery"] else { return }
        if plan.isRekeyed, plan.source.maxRecord.bytes > RekeyLimits.largestRecord,
            let item = root.section("source")?["max_record"]
        {
            problems.error(
                .contradiction, at: item.place, item.path,
                "with `scope: topic` a group hands records on through a topic of its own, which takes none above 8MiB",
                next: "set `max_record` to 8MiB or less, or leave `scope` out")
        }
        if case .kafka = plan.source.kind { return }
        problems.error(
            .deliveryWithoutKafka, at: item.place, item.path,
            "a group shares the partitions of Kafka topics, and this source has none",
            next: "leave `delivery` out, or read from `source: {topics: […]}`")
    }

    private func checkTable(
        _ table: String, _ place: Place, _ path: String, _ aggregate: String, _ tables: inout [String: String],
        _ own: inout Set<String>
    ) {
        if Self.ownTables.contains(table) || table.hasPrefix("weir_") {
            problems.error(.nameTaken, at: place, path, "`\(table)` is a table that Weir keeps itself", next: "use another name")
        } else if table.hasPrefix("sqlite_") {
            problems.error(
                .nameTaken, at: place, path, "SQLite keeps names that begin with `sqlite_` to itself", next: "use another name")
        } else if let other = tables.keys.first(where: { table == $0 + "_utc" || $0 == table + "_utc" }) {
            problems.error(
                .nameTaken, at: place, path,
                "beside each table stands a view with `_utc` behind its name, and `\(table)` and `\(other)` would meet",
                next: "use another name")
        } else if let other = tables[table] {
            let what =
                other == aggregate ? "the table `\(table)` stands twice" : "the table `\(table)` belongs to `\(other)` already"
            problems.error(.nameTaken, at: place, path, what, next: "use another name")
        }
        tables[table] = aggregate
    }

    private func refuseLoop(_ topic: String, _ item: Item, _ inputs: Set<String>) {
        guard inputs.contains(topic) else { return }
        problems.error(
            .loop, at: item.place, item.path, "the topic `\(topic)` is read by this topology: it would eat what it writes",
            next: "write to another topic")
    }

    private func twice(_ what: String, _ item: Item) {
        problems.error(.nameTaken, at: item.place, item.path, "the \(what) stands twice", next: "name it once")
    }

    // MARK: - Late events (S13)

    /// Windows are kept for events of which nobody knows any more.
    private func checkLate(_ plan: Plan) {
        guard case .ledger(let keep) = plan.late, keep < plan.state.keepClosed, let item = root["late"] else { return }
        problems.warn(
            .lateKeep, at: item.place, item.path,
            "late events are kept for \(CanonicalText.span(keep.milliseconds)), and the windows that they could be counted in for "
                + CanonicalText.span(plan.state.keepClosed.milliseconds),
            next: "keep them as long as state.keep_closed, or lower that, or accept it: check: {accept: [late_keep]}")
    }

    // MARK: - Memory

    /// What can't even hold the client's queues would stop at the first record.
    private func checkMemory(_ plan: Plan) {
        let setting = root.section("kafka")?.section("client")?["queued.max.messages.kbytes"]
        let item = root.section("state")?["memory"].flatMap { $0.isDefault ? nil : $0 } ?? setting
        if let item {
            var queues: Int64 = 0
            if case .kafka(let topics, _, _) = plan.source.kind {
                let kibibytes = plan.kafka.client["queued.max.messages.kbytes"].flatMap { Int64($0) } ?? 0
                queues = Int64(topics.count) * kibibytes << 10
            }
            checkMemory(plan, item, queues: queues)
        }
        MemoryDoubts(problems: problems, root: root, plan: plan, rate: rate).run()
    }

    private func checkMemory(_ plan: Plan, _ item: Item, queues: Int64) {
        let needed = TopologyLimits.baseMemory + queues
        guard plan.state.memory.bytes < needed else { return }
        problems.error(
            .memory, at: item.place, item.path,
            "\(CanonicalText.size(plan.state.memory.bytes)) can't hold the process and its client queues",
            next: "give it at least \(CanonicalText.size(needed))"
                + (queues > 0 ? ", or lower kafka.client's queued.max.messages.kbytes" : ""))
    }

    // MARK: - Duplicates (S7, S8)

    private func checkDuplicates(_ plan: Plan, _ places: [Place]) {
        guard let dedup = plan.deduplicate, let item = root["deduplicate"], let section = item.section else { return }
        if !dedup.observe {
            for (aggregate, place) in zip(plan.aggregates, places) where aggregate.from == nil {
                checkLateCopies(aggregate, dedup, place)
            }
        }
        for key in section["key"]?.list ?? [] {
            guard let field = plan.fields.first(where: { $0.name == key.text }), field.fallback != nil else { continue }
            problems.warn(
                .keyWithDefault, at: key.place, key.path,
                "`\(field.name)` has a default: events without it look like copies of one another",
                next: "take the default away; events without a key are never duplicates")
        }
        if case .files(let globs) = plan.source.kind, dedup.scope == .partition,
            globs.count > 1 || globs.contains(where: { $0.contains(where: { "*?[".contains($0) }) })
        {
            problems.warn(
                .filesApart, at: item.keyPlace, item.path,
                "each file is a partition, and copies in different files are not recognised",
                next: "set `scope: topic`, put them into one file, or accept it: check: {accept: [files_apart]}")
        }
    }

    private func checkLateCopies(_ aggregate: AggregatePlan, _ dedup: DeduplicatePlan, _ place: Place) {
        let reach = aggregate.window.longest + aggregate.allowedLateness
        guard dedup.within < reach else { return }
        problems.warn(
            .lateCopies, at: place, "aggregates.\(aggregate.name)",
            "a copy that comes after its key was forgotten (within \(CanonicalText.span(dedup.within.milliseconds))) while its window is open"
                + " (\(CanonicalText.span(reach.milliseconds)) with lateness) counts twice",
            next:
                "set deduplicate.within to \(CanonicalText.span(reach.milliseconds)) or more, or accept it: check: {accept: [late_copies]}"
        )
    }
}
