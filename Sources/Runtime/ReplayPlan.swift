import Model

/// What a replay of a range reads, and which windows exist in it (S17).
struct ReplayPlan {
    /// Windows must lie wholly in these event times; nil: every window exists.
    var windows: Range<Int64>?
    /// A partition is over once its watermark has passed this; nil: only at its end.
    var watermarkBound: EventTime?
    private let range: ReplayRange

    init(_ range: ReplayRange, plan: Plan) {
        self.range = range
        if case .times(let from, let until) = range {
            windows = from.milliseconds..<until.milliseconds
            let lateness = plan.aggregates.map(\.allowedLateness).max() ?? .zero
            watermarkBound = until + lateness
        } else {
            windows = nil
            watermarkBound = nil
        }
    }

    /// Where each partition is opened, from where its records count, and where it ends.
    struct Bounds {
        var open: Int64
        var counts: Int64
        var end: Int64?
        /// Where the log can't be asked by time: records with an earlier event time don't count.
        var countsFrom: EventTime?
    }

    /// Partitions that are not in the answer are not read.
    func bounds(of ids: [PartitionID], plan: Plan, source: any Source) throws(Fault) -> [PartitionID: Bounds] {
        let ends = try source.ends(of: ids)
        var found: [PartitionID: Bounds] = [:]
        switch range {
        case .times(let from, _):
            let counts = from - plan.eventTime.maxFuture
            let warm = counts - warmth(plan)
            let countsAt = try source.offsets(of: ids, from: WallTime(milliseconds: counts.milliseconds))
            let warmAt = try source.offsets(of: ids, from: WallTime(milliseconds: warm.milliseconds))
            for id in ids {
                // Without a look-up by time the whole log is read; what lies outside touches no window. A log whose records all
                // are earlier has nothing that counts.
                let earliest = try source.offset(of: id, .earliest)
                let none = ends?[id] ?? earliest
                found[id] = Bounds(
                    open: warmAt?[id] ?? none, counts: countsAt?[id] ?? none, end: ends?[id],
                    countsFrom: countsAt == nil ? counts : nil)
            }
        case .offsets(let from, let until):
            for (id, counts) in from where ids.contains(id) {
                let earliest = try source.offset(of: id, .earliest)
                var open = earliest
                if let stamp = try source.timestamp(of: id, at: counts) {
                    let warm = EventTime(milliseconds: stamp.milliseconds) - warmth(plan)
                    open = try source.offsets(of: [id], from: WallTime(milliseconds: warm.milliseconds))?[id] ?? earliest
                }
                found[id] = Bounds(open: min(open, counts), counts: counts, end: [until[id], ends?[id]].compactMap { $0 }.min())
            }
        }
        return found
    }

    /// How far before its start a replay reads to remember keys and move watermarks.
    private func warmth(_ plan: Plan) -> TimeSpan {
        (plan.deduplicate?.within ?? .zero) + plan.eventTime.outOfOrderness + plan.eventTime.maxFuture
    }
}
