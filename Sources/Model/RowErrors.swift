/// Counts the rows whose measures came to no value that can be told, by the same places as records whose expressions did.
public struct RowErrors: Equatable, Sendable {
    private let places: [[Int?]]
    /// By `ExpressionPlaces.names`.
    public private(set) var counts: [Int64]

    public init(_ plan: Plan) {
        let found = ExpressionPlaces(plan)
        places = found.measures(plan)
        counts = Array(repeating: 0, count: found.names.count)
    }

    /// Rows as they are emitted, each once.
    public mutating func note(_ rows: [Row]) {
        for row in rows where !row.errors.isEmpty {
            for measure in row.errors { if let place = places[row.output][measure] { counts[place] += 1 } }
        }
    }
}

extension Books {
    /// With the errors of rows beside those of records.
    public func adding(_ errors: RowErrors) -> Books {
        if errors.counts.allSatisfy({ $0 == 0 }) { return self }
        var more = Books(outputs: lateRefusals.count)
        more.expressionErrors = errors.counts
        return self + more
    }
}
