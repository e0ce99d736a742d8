/// Where the expressions of a topology can meet an error, by the names under which errors are counted: what somebody wrote, not
/// the columns that it became.
public struct ExpressionPlaces: Sendable {
    public enum Kind: Equatable, Sendable {
        /// A derived field.
        case field(Int)
        case filter
        /// An aggregate's `where`.
        case admits(output: Int)
        /// A measure, with its own `where`.
        case measure(output: Int, measure: Int)
    }

    /// `field NAME`, `filter`, `AGGREGATE.where`, `AGGREGATE.MEASURE`; each once.
    public private(set) var names: [String] = []
    /// `name`: an index into `names`.
    public private(set) var places: [(kind: Kind, name: Int)] = []

    public init(_ plan: Plan) {
        func isComputed(_ columns: Set<Int>) -> Bool { columns.contains { plan.fields[$0].computed != nil } }
        for (column, field) in plan.fields.enumerated() where field.computed != nil && !field.isHidden {
            add(.field(column), "field \(field.name)")
        }
        if let filter = plan.filter, isComputed(filter.columns) { add(.filter, "filter") }
        for (output, aggregate) in plan.aggregates.enumerated() {
            if let admits = aggregate.admits, isComputed(admits.columns) {
                add(.admits(output: output), "\(aggregate.name).where")
            }
            for (measure, own) in aggregate.measures.enumerated() {
                var columns = own.admits?.columns ?? []
                if let column = own.column { columns.insert(column) }
                if isComputed(columns) || own.canErr(plan.fields) {
                    add(.measure(output: output, measure: measure), "\(aggregate.name).\(own.name)")
                }
            }
        }
    }

    private mutating func add(_ kind: Kind, _ name: String) {
        let known = names.firstIndex(of: name)
        if known == nil { names.append(name) }
        places.append((kind, known ?? names.count - 1))
    }
}

extension ExpressionPlaces {
    /// By output and measure: its place among `names`; nil where nothing can go wrong.
    public func measures(_ plan: Plan) -> [[Int?]] {
        var found = plan.aggregates.map { $0.measures.map { _ in Int?.none } }
        for (kind, name) in places { if case .measure(let output, let measure) = kind { found[output][measure] = name } }
        return found
    }
}

extension MeasurePlan {
    /// Some value, or what is made of all of them, may be none that can be told: a text too long, a sum beyond the range of
    /// doubles, more different values than the limit.
    fileprivate func canErr(_ fields: [FieldPlan]) -> Bool {
        guard let column else { return false }
        switch function {
        case .count, .approxDistinct, .quantile: return false
        case .exactDistinct: return true
        case .sum, .avg, .stddev: return fields[column].type == .double || function == .stddev
        case .min, .max, .first, .last, .top, .largest, .largestDistinct: return fields[column].type == .string
        }
    }
}
