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
