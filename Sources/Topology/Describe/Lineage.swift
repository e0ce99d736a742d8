public import Model

/// The ways from a record's fields to the columns of results, through computed fields.
public struct Lineage: Sendable {
    /// A declared field and the places that use it, such as `filter`, `usage group_by` or `usage.total_ms via seconds`.
    public struct Use: Sendable {
        public var field: String
        public var type: String
        /// Where it stands in the record; empty of a computed field.
        public var path: String
        /// What a computed field is; nil of one in the record.
        public var computed: String?
        public var usedBy: [String]
    }
    /// A field of the record, and the computed fields through which it comes.
    public struct Source: Sendable, Equatable {
        public var field: String
        public var via: [String]
        public var text: String { via.isEmpty ? field : "\(field) via \(via.joined(separator: ", "))" }
    }
    /// A column of an output's rows.
    public struct Column: Sendable {
        public var output: String
        public var name: String
        /// `sum(duration_ms)`, `group`, …
        public var means: String
        /// What its value is made of.
        public var from: [Source]
        /// What decides whether a record counts in it: stages with their fields.
        public var decided: [(by: String, fields: [Source])]
        /// `table NAME` or `topic NAME`.
        public var to: [String]
    }

    public private(set) var fields: [Use] = []
    public private(set) var columns: [Column] = []

    public init(_ plan: Plan) {
        fields = plan.fields.indices.filter { !plan.fields[$0].isHidden }.map { column in
            let field = plan.fields[column]
            return Use(
                field: field.name, type: CanonicalText.type(field.type), path: field.path.joined(separator: "."),
                computed: field.computed.map { CanonicalText.computed($0, field.type, plan.fields) },
                usedBy: Self.users(of: column, plan))
        }
        columns = plan.aggregates.flatMap { Self.columns(of: $0, plan) }
    }

    // MARK: - From a field on

    /// Each column that is computed from `column`, itself first, with the declared fields on the way.
    private static func reached(from column: Int, _ plan: Plan) -> [(column: Int, via: [String])] {
        var reached: [(column: Int, via: [String])] = [(column, [])]
        // What is computed stands behind what it is computed from.
        for later in plan.fields.indices where later > column {
            guard let computed = plan.fields[later].computed,
                let from = reached.first(where: { computed.columns.contains($0.column) })
            else { continue }
            reached.append((later, from.via + (plan.fields[later].isHidden ? [] : [plan.fields[later].name])))
        }
        return reached
    }

    private static func users(of column: Int, _ plan: Plan) -> [String] {
        var users: [String] = []
        for (column, via) in reached(from: column, plan) {
            let way = via.isEmpty ? "" : " via \(via.joined(separator: ", "))"
            for user in directUsers(of: column, plan) where !users.contains(user + way) { users.append(user + way) }
        }
        return users
    }

    private static func directUsers(of column: Int, _ plan: Plan) -> [String] {
        var users: [String] = []
        if case .field(column) = plan.eventTime.source { users.append("event_time") }
        if plan.source.keyedBy.contains(plan.fields[column].name) { users.append("keyed_by") }
        if plan.filter?.columns.contains(column) ?? false { users.append("filter") }
        if plan.source.producer == column { users.append("producer") }
        if plan.deduplicate?.key.contains(column) ?? false { users.append("deduplicate") }
        if plan.deduplicate?.compare?.contains(column) ?? false { users.append("compare") }
        for aggregate in plan.aggregates {
            if aggregate.admits?.columns.contains(column) ?? false { users.append("\(aggregate.name) where") }
            if aggregate.groupBy.contains(column) { users.append("\(aggregate.name) group_by") }
            for measure in aggregate.measures
            where measure.column == column || measure.admits?.columns.contains(column) ?? false {
                users.append("\(aggregate.name).\(measure.name)")
            }
        }
        return users
    }

    // MARK: - Back from a column of rows

    /// The record's fields that `columns` are made of.
    private static func sources(_ columns: some Sequence<Int>, _ plan: Plan) -> [Source] {
        var found: [Source] = []
        func follow(_ column: Int, _ via: [String]) {
            let field = plan.fields[column]
            guard let computed = field.computed else {
                let source = Source(field: field.name, via: via)
                if !found.contains(source) { found.append(source) }
                return
            }
            // Nearest to the record first.
            let via = field.isHidden ? via : [field.name] + via
            for operand in computed.columns.sorted() { follow(operand, via) }
        }
        for column in columns { follow(column, []) }
        return found
    }

    private static func columns(of aggregate: AggregatePlan, _ plan: Plan) -> [Column] {
        let to = aggregate.targets.map { target in
            switch target {
            case .kafka(let topic): "topic \(topic)"
            case .table(let name, _): "table \(name)"
            }
        }
        var decided: [(by: String, fields: [Source])] = []
        func decide(_ by: String, _ columns: some Sequence<Int>) { decided.append((by, sources(columns, plan))) }
        if let filter = plan.filter { decide("filter", filter.columns.sorted()) }
        if let dedup = plan.deduplicate, !dedup.observe { decide("deduplicate", dedup.key) }
        if let admits = aggregate.admits { decide("where", admits.columns.sorted()) }
        var time: [Source] = []
        if case .field(let column) = plan.eventTime.source { time = sources([column], plan) }
        func column(_ name: String, _ means: String, _ from: [Source], _ decided: [(by: String, fields: [Source])]) -> Column {
            Column(output: aggregate.name, name: name, means: means, from: from, decided: decided, to: to)
        }
        return [
            column("window_start", "start of the window", time, decided),
            column("window_end", "end of the window", time, decided),
        ]
            + aggregate.groupBy.map { column(plan.fields[$0].name, "group", sources([$0], plan), decided) }
            + aggregate.measures.map { measure in
                let own = measure.admits.map { [("its where", sources($0.columns.sorted(), plan))] } ?? []
                return column(
                    measure.name, CanonicalText.measure(measure, plan.fields),
                    sources(measure.column.map { [$0] } ?? [], plan), decided + own)
            }
            + [
                column("revision", "how often the row came", [], []), column("final", "no correction will come", [], []),
                column("as_of", "the watermark", time, []),
            ]
    }
}
