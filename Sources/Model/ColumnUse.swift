extension [FieldPlan] {
    /// `columns` and all that they are computed from.
    public func withSources(of columns: Set<Int>) -> Set<Int> {
        var all = columns
        // Operands stand before what is computed from them.
        for column in indices.reversed() where all.contains(column) { all.formUnion(self[column].computed?.columns ?? []) }
        return all
    }
}

extension Plan {
    /// The columns that decide an outcome or stand in a row, with all that those are computed from. A required field, which
    /// is only looked at, is none of them by that alone.
    public var columnsInUse: Set<Int> {
        var used = Set(deduplicate?.key ?? [])
        used.formUnion(deduplicate?.compare ?? [])
        if let producer = source.producer { used.insert(producer) }
        if case .field(let column) = eventTime.source { used.insert(column) }
        used.formUnion(filter?.columns ?? [])
        for (column, field) in fields.enumerated() where source.keyedBy.contains(field.name) { used.insert(column) }
        for aggregate in aggregates { used.formUnion(aggregate.columns) }
        return fields.withSources(of: used)
    }

    /// What a lane has to compute: nothing looks at the others. Columns of the record are among them.
    public var columnsToCompute: Set<Int> {
        columnsInUse.union(fields.withSources(of: Set(fields.indices.filter { fields[$0].required })))
    }
}

extension AggregatePlan {
    /// Those it names: its group, its conditions and what its measures take.
    public var columns: Set<Int> {
        var used = Set(groupBy)
        used.formUnion(admits?.columns ?? [])
        for measure in measures {
            if let column = measure.column { used.insert(column) }
            used.formUnion(measure.admits?.columns ?? [])
        }
        return used
    }
}
