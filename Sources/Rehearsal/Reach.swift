public import Model
public import Pipeline

/// What of a topology a run has reached: a branch that no case reaches is one whose mistake no case would show. Runs of the
/// same topology add up.
public struct Reach: Equatable, Sendable {
    /// One measure. `admits` is nil where it has no `where`.
    public struct Measure: Equatable, Sendable {
        public var name: String
        /// Of the records that the output took.
        public var admits: ConditionCounts?
    }
    public struct Output: Equatable, Sendable {
        public var name: String
        /// Its `where`, of the records that passed the filter, copies among them; nil: it has none.
        public var admits: ConditionCounts?
        public var measures: [Measure]
        /// Pairs of record and output that came too late (S13).
        public var lateRefusals: Int64 = 0
        public var rows: Int64 = 0
        /// Rows before the combined watermark passed the window's end.
        public var early: Int64 = 0
        /// First rows at or after the window's end that were not final yet.
        public var onTime: Int64 = 0
        /// Rows after one that came at or after the window's end.
        public var revisions: Int64 = 0
        /// Rows that said final, whatever else they were.
        public var final: Int64 = 0
        /// Rows that were taken back, for a longer session.
        public var retracted: Int64 = 0
    }
    /// Of the records that passed the stage event time; nil: there is no filter.
    public var filter: ConditionCounts?
    /// In the plan's order.
    public var outputs: [Output]
    /// By `RejectReason.rawValue`.
    public var rejectedByReason: [Int64] = Array(repeating: 0, count: RejectReason.allCases.count)
    public var read: Int64 = 0
    public var duplicates: Int64 = 0
    public var duplicatesObserved: Int64 = 0
    public var unidentified: Int64 = 0
    public var partlyLate: Int64 = 0
    public var redelivered: Int64 = 0
    /// Lanes that were left out, and those that spoke again (S6).
    public var idleDecisions: Int64 = 0
    public var speaksDecisions: Int64 = 0
    /// How often the watermark moved because all were idle.
    public var allIdleMoves: Int64 = 0
    public var crashes: Int64 = 0
    public var cleanRestarts: Int64 = 0
    /// Inputs that were told to be over.
    public var ends: Int64 = 0

    /// Nothing yet.
    public init(plan: Plan) {
        filter = plan.filter.map { _ in ConditionCounts() }
        outputs = plan.aggregates.map { aggregate in
            Output(
                name: aggregate.name, admits: aggregate.admits.map { _ in ConditionCounts() },
                measures: aggregate.measures.map {
                    Measure(name: $0.name, admits: $0.admits.map { _ in ConditionCounts() })
                })
        }
    }

    public func rejected(_ reason: RejectReason) -> Int64 { rejectedByReason[Int(reason.rawValue)] }

    /// Adds what another run of the same plan reached.
    public mutating func merge(_ other: Reach) {
        precondition(outputs.map(\.name) == other.outputs.map(\.name), "only runs of one topology add up")
        filter = Self.sum(filter, other.filter)
        for (at, there) in other.outputs.enumerated() { outputs[at].merge(there) }
        for at in rejectedByReason.indices { rejectedByReason[at] += other.rejectedByReason[at] }
        read += other.read
        duplicates += other.duplicates
        duplicatesObserved += other.duplicatesObserved
        unidentified += other.unidentified
        partlyLate += other.partlyLate
        redelivered += other.redelivered
        idleDecisions += other.idleDecisions
        speaksDecisions += other.speaksDecisions
        allIdleMoves += other.allIdleMoves
        crashes += other.crashes
        cleanRestarts += other.cleanRestarts
        ends += other.ends
    }

    /// What one lane's conditions said. Conditions that the plan doesn't have stay nil.
    mutating func add(_ lane: LaneReach) {
        filter = filter.map { $0 + lane.filter }
        for at in outputs.indices {
            outputs[at].admits = outputs[at].admits.map { $0 + lane.outputs[at] }
            for measure in outputs[at].measures.indices {
                outputs[at].measures[measure].admits = outputs[at].measures[measure].admits.map {
                    $0 + lane.measures[at][measure]
                }
            }
        }
    }

    mutating func add(_ books: Books) {
        for at in rejectedByReason.indices { rejectedByReason[at] += books.rejectedByReason[at] }
        for at in outputs.indices { outputs[at].lateRefusals += books.lateRefusals[at] }
        read += books.read
        duplicates += books.duplicate
        duplicatesObserved += books.duplicateObserved
        unidentified += books.unidentified
        partlyLate += books.partlyLate
        redelivered += books.redelivered
    }

    fileprivate static func sum(_ a: ConditionCounts?, _ b: ConditionCounts?) -> ConditionCounts? {
        guard let a, let b else { return a ?? b }
        return a + b
    }
}

extension Reach.Output {
    fileprivate mutating func merge(_ other: Reach.Output) {
        admits = Reach.sum(admits, other.admits)
        for at in measures.indices { measures[at].admits = Reach.sum(measures[at].admits, other.measures[at].admits) }
        lateRefusals += other.lateRefusals
        rows += other.rows
        early += other.early
        onTime += other.onTime
        revisions += other.revisions
        final += other.final
        retracted += other.retracted
    }
}

/// What the commits of one run reached.
struct CommitReach {
    private(set) var reach: Reach
    /// Totals since the case began, by lane.
    private(set) var books: [LaneNumber: Books] = [:]

    init(_ plan: Plan) { reach = Reach(plan: plan) }

    mutating func note(_ commit: Commit) {
        for lane in commit.lanes { books[lane.lane] = lane.books }
        for decision in commit.decisions {
            switch decision {
            case .idle: reach.idleDecisions += 1
            case .speaks: reach.speaksDecisions += 1
            case .advanced: reach.allIdleMoves += 1
            case .ended: reach.ends += 1
            case .resumed, .commanded: break
            }
        }
    }

    /// `before`: the last row of the same window and group.
    mutating func note(_ row: Row, after before: Row?, of aggregate: AggregatePlan) {
        if row.retracted {
            reach.outputs[row.output].retracted += 1
            return
        }
        reach.outputs[row.output].rows += 1
        if row.final { reach.outputs[row.output].final += 1 }
        if Self.isEarly(row, aggregate) {
            reach.outputs[row.output].early += 1
        } else if let before, !Self.isEarly(before, aggregate) {
            reach.outputs[row.output].revisions += 1
        } else if !row.final {
            reach.outputs[row.output].onTime += 1
        }
    }

    private static func isEarly(_ row: Row, _ aggregate: AggregatePlan) -> Bool {
        switch aggregate.emit {
        case .final, .onTime: false
        case .every, .everyCommit: !row.final && (row.asOf.map { $0 < row.windowEnd } ?? true)
        }
    }
}

extension Rehearsal {
    /// What the run has reached so far; what records did counts from the commit that holds them.
    public var reach: Reach {
        var reach = told.commits.reach
        reach.add(told.commits.books.values.reduce(Books(outputs: plan.aggregates.count)) { $0 + $1 }.joined)
        let runs = lanes.map { ($0.reachBefore, $0.core) } + rekeyed.map { ($0.reachBefore, $0.core) }
        for (befores, core) in runs {
            for before in befores { reach.add(before) }
            if let now = core.reach { reach.add(now) }
        }
        reach.crashes = restarts[.crash] ?? 0
        reach.cleanRestarts = restarts[.clean] ?? 0
        return reach
    }
}
