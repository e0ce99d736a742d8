import Freshness
public import Model
import Pipeline
import Runtime
import State

/// What commits have told since the case began, and since it was looked at last.
struct Told {
    struct Place: Hashable {
        var output: Int
        var windowStart: EventTime
        var windowEnd: EventTime
        var group: [Value]
    }
    var rows: [Row] = []
    var latest: [Row] = []
    var late: [Observation.Late] = []
    var deadLetters: [Observation.DeadLetter] = []
    /// Late entries that could not be applied again, by cause, since the case began.
    var refused: [LateReapply.Became: Int64] = [:]
    private(set) var commits: CommitReach
    /// By lane, as its last commit told them: a restart goes on with what is in its state.
    private var figures: [LaneNumber: LaneFigures] = [:]
    private var places: [Place: Int] = [:]

    init(_ plan: Plan) { commits = CommitReach(plan) }

    /// The latest rows but those that were taken back.
    var standing: [Row] { latest.filter { !$0.retracted } }

    /// Of all lanes.
    var copies: CopyFigures { figures.values.reduce(into: CopyFigures()) { $0 += $1.copies.total } }

    mutating func take(_ commit: Commit, _ plan: Plan) {
        rows += commit.rows
        for lane in commit.lanes { figures[lane.lane] = lane.figures }
        commits.note(commit)
        for row in commit.rows {
            let place = Place(
                output: row.output, windowStart: row.windowStart, windowEnd: row.windowEnd, group: row.group)
            commits.note(row, after: places[place].map { latest[$0] }, of: plan.aggregates[row.output])
            if let at = places[place] {
                if row.revision >= latest[at].revision { latest[at] = row }
            } else {
                places[place] = latest.count
                latest.append(row)
            }
        }
        for lane in commit.lanes {
            late += lane.late.map {
                Observation.Late(
                    output: plan.aggregates[$0.output].name, topic: ($0.source ?? lane.partition).topic,
                    partition: ($0.source ?? lane.partition).number,
                    offset: $0.offset, windowStart: $0.windowStart, windowEnd: $0.windowEnd, watermark: $0.watermark,
                    lateBy: $0.lateBy)
            }
            deadLetters += lane.deadLetters.map {
                Observation.DeadLetter(
                    topic: lane.partition.topic, partition: lane.partition.number, offset: $0.offset, reason: $0.reason,
                    field: $0.field.map { plan.fields[$0].name })
            }
        }
    }
}

extension Rehearsal {
    /// What stands committed now; rows, late entries and dead letters since the last call.
    /// Error: `state_damaged` where a table does not hold the latest rows.
    public func observe() throws(Fault) -> Observation {
        try compareTables()
        let restored = try store.restoredLanes()
        let all = restored.reduce(Books(outputs: plan.aggregates.count)) { $0 + $1.books }
        var books = all.joined
        books.reapplied = try store.reapplied().values.reduce(0) { $0 + $1.reduce(0, +) }
        defer {
            told.rows = []
            told.late = []
            told.deadLetters = []
        }
        return Observation(
            rows: told.rows.map(shown), latest: told.standing.map(shown),
            outcomes: Self.counts(books, rekeyed: all.rekeyed, told.copies, told.refused), late: told.late,
            deadLetters: told.deadLetters, watermark: store.head.time.watermark, freshness: try freshness(restored))
    }

    private func shown(_ row: Row) -> Observation.Row {
        let aggregate = plan.aggregates[row.output]
        var columns = [
            Observation.Column("window_start", .time(row.windowStart)), Observation.Column("window_end", .time(row.windowEnd)),
        ]
        columns += zip(aggregate.groupBy, row.group).map { Observation.Column(plan.fields[$0].name, $1) }
        columns += zip(aggregate.measures, row.measures).map { Observation.Column($0.name, $1) }
        return Observation.Row(
            output: aggregate.name, columns: columns, revision: row.revision, final: row.final, asOf: row.asOf,
            retracted: row.retracted, reason: row.reason?.rawValue)
    }

    private static func counts(
        _ books: Books, rekeyed: Int64, _ copies: CopyFigures, _ refused: [LateReapply.Became: Int64]
    ) -> [Observation.Count] {
        [
            .init("read", books.read), .init("aggregated", books.aggregated), .init("duplicate", books.duplicate),
            .init("late", books.late), .init("filtered", books.filtered), .init("rejected", books.rejected),
            .init("rekeyed", rekeyed),
            .init("partly_late", books.partlyLate), .init("unidentified", books.unidentified),
            .init("duplicate_observed", books.duplicateObserved), .init("redelivered", books.redelivered),
            .init("exact", copies.exact), .init("retimed", copies.retimed), .init("conflicting", copies.conflicting),
            .init("reapplied", books.reapplied), .init("not_reapplied", refused.values.reduce(0, +)),
        ]
    }

    private func freshness(_ restored: [RestoredLane]) throws(Fault) -> Observation.Freshness {
        var facts = Facts(plan: plan, version: "")
        facts.watermark = store.head.time.watermark
        let byNumber = Dictionary(uniqueKeysWithValues: restored.map { ($0.lane, $0) })
        facts.partitions = lanes.map { lane in
            let was = byNumber[lane.number]
            var fact = PartitionFacts(
                id: lane.id, lane: lane.number, books: was?.books ?? Books(outputs: plan.aggregates.count),
                nextOffset: was?.nextOffset ?? 0)
            fact.watermark = was?.watermark
            fact.newestEventTime = was?.newestEventTime
            fact.isIdle = store.head.time.idle.contains(lane.number)
            fact.isCaughtUp = lane.isCommitted
            if !fact.isCaughtUp { fact.oldestUncommitted = lane.core.oldestTimestamp }
            return fact
        }
        let clocks = facts.clocks(at: clock.wall())
        let progress = zip(plan.aggregates, try store.progress()).map {
            Observation.Progress(output: $0.name, completeThrough: $1.completeThrough, finalThrough: $1.finalThrough)
        }
        return Observation.Freshness(
            watermarkLag: clocks.watermarkLag, eventLag: clocks.eventLag, queueAge: clocks.queueAge, outputs: progress)
    }

    /// A table that keeps every row must hold the latest ones, each column of them, and no others.
    private func compareTables() throws(Fault) {
        for (index, aggregate) in plan.aggregates.enumerated() {
            for case .table(let name, nil) in aggregate.targets
            where try !results.holds(exactly: told.standing.filter { $0.output == index }, in: name) {
                throw Fault(
                    "state_damaged", "The table \(name) does not hold the latest rows of \(aggregate.name).", place: name,
                    next: "Report this with the test file.", exit: .state)
            }
        }
    }
}
