import Model

/// Typed keys to a `Plan`: looks names up, joins what belongs together, and goes on after each problem.
struct PlanReader {
    let problems: ProblemList
    /// The text of a file, to find places inside expressions.
    let source: (String) -> SourceText?
    let zone: (String) throws(Fault) -> Zone
    let isStrict: Bool
    /// Events a second that the source brings; nil: not known.
    var rate: Double?
    var fields = FieldTable()

    /// nil where something needed is missing; then a problem says so.
    mutating func plan(_ root: SectionItem, at start: Place) -> Plan? {
        readFields(root["fields"])
        let eventTime = eventTimePlan(root["event_time"])
        let name = root["name"]?.text
        let source = sourcePlan(root["source"], name: name ?? "")
        var filter: Predicate?
        if let item = root["filter"] { filter = condition(item) }
        var deduplicate = root["deduplicate"].flatMap { deduplicatePlan($0, outOfOrderness: eventTime?.outOfOrderness ?? .zero) }
        // Records that are re-keyed lie no longer as their producers keyed them.
        let keyedBy = deduplicate?.scope == .topic ? [] : Set(source?.keyedBy ?? [])
        var aggregates: [AggregatePlan] = []
        var places: [Place] = []
        for (name, item) in root["aggregates"]?.named ?? [] {
            guard let aggregate = aggregate(name, item, keyedBy: keyedBy) else { continue }
            aggregates.append(aggregate)
            places.append(item.keyPlace)
        }
        rollUps(&aggregates, root["aggregates"]?.named ?? [], isGroup: delivery(root["delivery"]).isGroup)
        let kafka = kafkaPlan(root["kafka"])
        let state = StatePlan(
            directory: root.section("state")?["directory"]?.text ?? "./state",
            memory: root.section("state")?["memory"]?.size ?? .mebibytes(512), instance: root.section("state")?["instance"]?.text,
            tables: root.section("state")?["tables"]?.word == "all" ? .all : .own,
            keepClosed: root.section("state")?["keep_closed"]?.span ?? (delivery(root["delivery"]).isGroup ? .zero : .days(1)))
        let late = latePlan(root["late"])
        let deadLetters = deadLetterPlan(root["dead_letters"])
        if isStrict, root["owner"] == nil, !root.broken.contains("owner") {
            problems.error(
                .ownerMissing, at: start, "", "the topology has no owner",
                next: "say who is told when something is wrong: `owner: …`")
        }
        if let item = root.section("deduplicate")?["compare"], let key = deduplicate?.key {
            deduplicate?.compare = compared(item, key: key, eventTime: eventTime)
        }
        guard let name, let source, let eventTime, let kafka else { return nil }
        var plan = Plan(
            name: name, owner: root["owner"]?.text, description: root["description"]?.text, kafka: kafka, source: source,
            fields: fields.plans, eventTime: eventTime, filter: filter, deduplicate: deduplicate, aggregates: aggregates,
            late: late,
            deadLetters: deadLetters, delivery: delivery(root["delivery"]),
            commitEvery: root.section("commit")?["every"]?.span ?? .milliseconds(250), state: state,
            http: root.section("http").flatMap(httpPlan))
        PlanCheck(problems: problems, root: root, rate: rate).run(plan, places: places)
        PlanDoubts(problems: problems, root: root, plan: plan).run()
        FieldDoubts(problems: problems, root: root, plan: plan).run()
        plan.fingerprint = Fingerprint.parts(
            of: plan, source: root["source"]?.keyPlace ?? start, deduplicate: root["deduplicate"]?.keyPlace ?? start,
            aggregates: places)
        return plan
    }

    private func delivery(_ item: Item?) -> Delivery {
        switch item?.text {
        case "exactly_once": .exactlyOnce
        case "at_least_once": .atLeastOnce
        default: .embedded
        }
    }

    private func kafkaPlan(_ item: Item?) -> KafkaPlan? {
        guard let section = item?.section, let bootstrap = section["bootstrap"]?.text else { return nil }
        var plan = KafkaPlan(bootstrap: bootstrap)
        if let tls = section.section("tls") {
            plan.tls = .init(ca: tls["ca"]?.text, certificate: tls["certificate"]?.text, key: tls["key"]?.text)
        }
        if let sasl = section.section("sasl"), let mechanism = sasl["mechanism"]?.text, let user = sasl["user"]?.text,
            let password = sasl["password"]?.text
        {
            plan.sasl = .init(mechanism: mechanism.uppercased(), user: user, password: password)
        }
        for (name, item) in section.section("client")?.items ?? [:] {
            plan.client[name] = item.text ?? item.integer.map { String($0) }
        }
        return plan
    }

    private func sourcePlan(_ item: Item?, name: String) -> SourcePlan? {
        guard let section = item?.section else { return nil }
        let keyedBy = (section["keyed_by"]?.list ?? []).compactMap { reference($0).map { fields.plans[$0].name } }
        let kind: SourcePlan.Kind
        if let topics = section["topics"]?.list {
            let start: SourcePlan.StartPosition
            switch section["start"]?.content {
            case .word("latest"): start = .latest
            case .instant(let instant): start = .timestamp(WallTime(milliseconds: instant))
            default: start = .earliest
            }
            kind = .kafka(topics: topics.compactMap(\.text), group: section["group"]?.text ?? name, start: start)
        } else if let files = section["files"]?.list {
            kind = .files(files.compactMap(\.text))
        } else if let generator = section.section("generator") {
            let standard = GeneratorPlan()
            kind = .generator(
                GeneratorPlan(
                    seed: generator["seed"]?.integer.map { UInt64($0) } ?? standard.seed,
                    rate: generator["rate"]?.number ?? standard.rate,
                    partitions: generator["partitions"]?.integer.map { Int32($0) } ?? standard.partitions,
                    events: generator["events"]?.integer,
                    start: generator["start"]?.instant.map { EventTime(milliseconds: $0) },
                    unpaced: generator["unpaced"]?.flag ?? standard.unpaced))
        } else {
            return nil
        }
        return SourcePlan(
            kind: kind, maxRecord: section["max_record"]?.size ?? .mebibytes(1), keyedBy: keyedBy,
            producer: section["producer"].flatMap(producer))
    }

    private mutating func eventTimePlan(_ item: Item?) -> EventTimePlan? {
        guard let section = item?.section else { return nil }
        let source: EventTimePlan.Source
        if let field = section["field"] {
            guard let column = reference(field) else { return nil }
            let plan = fields.plans[column]
            guard case .timestamp = plan.type else {
                problems.error(
                    .typeMismatch, at: field.place, field.path, "`\(plan.name)` is \(plan.type.words), not a timestamp",
                    next: "declare it as a timestamp, with its unit")
                return nil
            }
            if plan.fallback != nil {
                problems.error(
                    .contradiction, at: field.place, field.path,
                    "`\(plan.name)` has a default, which would be a made-up event time",
                    next: "take the default away")
            }
            fields.require(column)
            source = .field(column)
        } else if section["record"] != nil {
            source = .recordTimestamp
        } else {
            return nil
        }
        return EventTimePlan(
            source: source, outOfOrderness: section["out_of_orderness"]?.span ?? .zero,
            idleAfter: section["idle_after"]?.span ?? .seconds(30),
            maxFuture: section["max_future"]?.span ?? .minutes(10))
    }

    private func deduplicatePlan(_ item: Item, outOfOrderness: TimeSpan) -> DeduplicatePlan? {
        guard let section = item.section, let keyItem = section["key"], let within = section["within"]?.span else { return nil }
        let key = columns(keyItem, "a key")
        let plan = DeduplicatePlan(
            key: key, within: within, bucket: section["bucket"]?.span, observe: section["observe"]?.flag ?? false,
            duplicates: duplicates(section["duplicates"]), scope: section["scope"]?.word == "topic" ? .topic : .partition)
        let reach = within.milliseconds + outOfOrderness.milliseconds
        let buckets = (reach + plan.bucket.milliseconds - 1) / plan.bucket.milliseconds
        if buckets > TopologyLimits.dedupBuckets {
            let place = section["bucket"]?.place ?? section["within"]?.place ?? item.place
            let least = (reach + TopologyLimits.dedupBuckets - 1) / TopologyLimits.dedupBuckets
            problems.error(
                .dedupBuckets, at: place, item.path.key("bucket"),
                "the horizon has \(buckets) buckets, more than \(TopologyLimits.dedupBuckets)",
                next: "set `bucket` to \(CanonicalText.span(least)) or more")
        }
        return plan
    }

    private func latePlan(_ item: Item?) -> LatePlan {
        if item?.text == "count" { return .count }
        if let topic = item?.section?["topic"]?.text { return .topic(topic) }
        return .ledger(keep: item?.section?.section("ledger")?["keep"]?.span ?? .days(30))
    }

    private func deadLetterPlan(_ item: Item?) -> DeadLetterPlan {
        if let topic = item?.section?["topic"]?.text { return .topic(topic) }
        guard case .table(let keep, let limit) = DeadLetterPlan.standard else { return .standard }
        let table = item?.section?.section("table")
        return .table(keep: table?["keep"]?.span ?? keep, limit: table?["limit"]?.size ?? limit)
    }

    private func httpPlan(_ section: SectionItem) -> HTTPPlan? {
        guard case .listen(let host, let port) = section["listen"]?.content else { return nil }
        return HTTPPlan(host: host, port: port)
    }

    // MARK: - Names and expressions

    /// The column that a key names, or a problem.
    func reference(_ item: Item) -> Int? {
        guard let name = item.text else { return nil }
        switch fields.find(name) {
        case .column(let column): return column
        case .broken: return nil
        case .unknown(let nearest):
            problems.error(
                .unknownField, at: item.place, item.path, "no field is called `\(name)`",
                next: nearest.map { "did you mean `\($0)`?" } ?? "declare it under `fields`")
            return nil
        }
    }

    /// The columns of a list of names; json can't be one of them. `use` is what they would be.
    func columns(_ item: Item, _ use: String) -> [Int] {
        let items = item.list ?? []
        if items.count > TopologyLimits.groupFields {
            problems.error(
                .tooLarge, at: item.place, item.path, "there are \(items.count) fields",
                next: "use at most \(TopologyLimits.groupFields)")
        }
        return items.compactMap { item in
            guard let column = reference(item) else { return nil }
            guard fields.plans[column].type != .json else {
                problems.error(
                    .typeMismatch, at: item.place, item.path,
                    "`\(fields.plans[column].name)` is json, the raw text, and can't be \(use)",
                    next: "declare the value inside it as a field with a path")
                return nil
            }
            return column
        }
    }

    mutating func condition(_ item: Item) -> Predicate? {
        guard let scalar = item.scalar else { return nil }
        do {
            return typed(try Parser.condition(scalar.text), item, scalar)
        } catch {
            report(error, item, scalar)
            return nil
        }
    }

    mutating func typed(_ expression: Expression, _ item: Item, _ scalar: Scalar) -> Predicate? {
        withTyping(item, scalar) { $0.predicate(expression) }
    }

    /// Columns that the typing needs are added to the fields.
    mutating func withTyping<T>(_ item: Item, _ scalar: Scalar, _ body: (inout Typing) -> T?) -> T? {
        let find = zone
        var typing = Typing(fields: fields, zone: { name in try? find(name) })
        let found = body(&typing)
        fields = typing.fields
        for fault in typing.faults { report(fault, item, scalar) }
        return found
    }

    func report(_ fault: ExpressionFault, _ item: Item, _ scalar: Scalar) {
        let place = source(item.place.file)?.place(of: fault.offset, in: scalar, at: item.place) ?? item.place
        switch fault.severity {
        case .error: problems.error(fault.code, at: place, item.path, fault.what, next: fault.next)
        case .warning, .note: problems.warn(fault.code, at: place, item.path, fault.what, next: fault.next)
        }
    }
}
