/// Where the expressions of a topology can meet an error, by the names under which errors are counted: what somebody wrote, not
/// the columns that it became.
public struct ExpressionPlaces: Sendable {
    public enum Kind: Equatable, Sendable {
        /// A derived field.
        case field(Int)
        case filter
        /// An aggregate's `where`.
        case admits(output: Int)
        /// A measure with its own `where`.
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
                if isComputed(columns) {
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
