import Model

/// Sessions computed naively (S11, S12): by partition where one decides alone, else all events at the end, sorted and cut at the gaps.
struct OracleSessions {
    private struct Key: Hashable {
        var output: Int
        var group: [Value]
        /// nil: of all partitions.
        var partition: Int?
    }

    private struct Session {
        var interval: Range<Int64>
        var taken: [Oracle.Taken]
    }

    private var open: [Key: [Session]] = [:]
    /// Rows of two partitions that would be one and the same are left out of plans.
    private var found: [Key: [Oracle.Taken]] = [:]

    /// `event`: the session that it would make alone.
    func isLate(
        _ event: Range<Int64>, _ partition: Int, _ output: Int, _ group: [Value], _ before: Int64?, _ plan: AggregatePlan
    ) -> Bool {
        guard let before, event.upperBound + plan.allowedLateness.milliseconds <= before else { return false }
        guard plan.isKeyed else { return true }
        let sessions = open[Key(output: output, group: group, partition: partition)] ?? []
        return !sessions.contains {
            $0.interval.overlaps(event) && $0.interval.upperBound + plan.allowedLateness.milliseconds > before
        }
    }

    mutating func take(
        _ event: Oracle.Taken, _ interval: Range<Int64>, _ output: Int, _ group: [Value], _ before: Int64?, _ plan: AggregatePlan
    ) {
        guard plan.isKeyed else {
            found[Key(output: output, group: group), default: []].append(event)
            return
        }
        let key = Key(output: output, group: group, partition: event.partition)
        var session = Session(interval: interval, taken: [event])
        var rest: [Session] = []
        for other in open[key] ?? [] {
            let isOpen = before.map { other.interval.upperBound + plan.allowedLateness.milliseconds > $0 } ?? true
            if isOpen, other.interval.overlaps(interval) {
                let start = min(session.interval.lowerBound, other.interval.lowerBound)
                session.interval = start..<max(session.interval.upperBound, other.interval.upperBound)
                session.taken += other.taken
            } else {
                rest.append(other)
            }
        }
        open[key] = rest + [session]
    }

    func cells(_ plan: Plan) -> [Oracle.CellKey: [Oracle.Taken]] {
        var cells: [Oracle.CellKey: [Oracle.Taken]] = [:]
        func add(_ key: Key, _ interval: Range<Int64>, _ taken: [Oracle.Taken]) {
            // A session that was joined of several: its events in the order of their records.
            let key = Oracle.CellKey(
                output: key.output, start: interval.lowerBound, end: interval.upperBound, group: key.group)
            cells[key] = taken.sorted { ($0.partition, $0.offset) < ($1.partition, $1.offset) }
        }
        for (key, sessions) in open { for session in sessions { add(key, session.interval, session.taken) } }
        for (key, taken) in found {
            let gap = plan.aggregates[key.output].window.longest.milliseconds
            var run: [Oracle.Taken] = []
            for event in taken.sorted(by: { $0.time < $1.time }) {
                if let last = run.last, event.time - last.time >= gap {
                    add(key, run[0].time..<last.time + gap, run)
                    run = []
                }
                run.append(event)
            }
            add(key, run[0].time..<run[run.count - 1].time + gap, run)
        }
        return cells
    }
}
