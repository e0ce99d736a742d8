import Model

/// When early rows are due (S15, `every`), by output. The pace is the machine's, so every instance keeps its own.
struct EarlyRows: Sendable {
    private let plan: [AggregatePlan]
    /// nil: at once, or never.
    private(set) var next: [MonotonicTime?]

    init(_ plan: Plan) {
        self.plan = plan.aggregates
        next = Array(repeating: nil, count: plan.aggregates.count)
    }

    /// Which outputs show early rows in the commit that begins now: asked once a commit.
    mutating func due(_ now: MonotonicTime) -> [Bool] {
        plan.indices.map { index in
            switch plan[index].emit {
            case .everyCommit: return true
            case .every(let pace):
                if let next = next[index], now < next { return false }
                next[index] = now + pace
                return true
            case .final, .onTime: return false
            }
        }
    }
}
