/// A typed condition over a record's columns, in SQL's three-valued logic. Columns are indexes into the plan's fields;
/// literals have the column's type already (the topology's reader converts or refuses).
public indirect enum Predicate: Hashable, Sendable {
    case compare(column: Int, Comparison, Value)
    case compareColumns(Int, Comparison, Int)
    case isIn(column: Int, [Value], negated: Bool)
    case isNull(column: Int, negated: Bool)
    /// A bool column that stands alone.
    case truth(column: Int)
    case constant(Bool?)
    case and([Predicate])
    case or([Predicate])
    case not(Predicate)
}

public enum Comparison: String, Hashable, Sendable {
    case equal = "="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
}

extension Predicate {
    /// The columns it reads.
    public var columns: Set<Int> {
        switch self {
        case .compare(let column, _, _), .isIn(let column, _, _), .isNull(let column, _), .truth(let column): [column]
        case .compareColumns(let a, _, let b): [a, b]
        case .constant: []
        case .and(let parts), .or(let parts): parts.reduce(into: []) { $0.formUnion($1.columns) }
        case .not(let part): part.columns
        }
    }

    /// Whether it says something of a null, as `IS NULL` does.
    public var asksForNull: Bool {
        switch self {
        case .isNull: true
        case .and(let parts), .or(let parts): parts.contains(where: \.asksForNull)
        case .not(let part): part.asksForNull
        case .compare, .compareColumns, .isIn, .truth, .constant: false
        }
    }
}
