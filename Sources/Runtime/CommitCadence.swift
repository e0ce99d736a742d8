import Model

/// When an instance of a group commits next. Commits come every `commit.every`; while everything that flows is old, and more
/// waits than two intervals bring, nobody looks at single commits: then they may be as far apart as keeps their own time to an
/// eighth of the whole, a second at most, since each costs the brokers the same whatever is in it. A value; used on the run's
/// thread.
struct CommitCadence {
    /// A lane as one commit found it.
    struct Lane {
        var number: LaneNumber
        /// Of the records that this commit holds, the last one's offset and one.
        var nextOffset: Int64
        /// Behind the last record that the broker told of; nil: not told yet.
        var endOffset: Int64?
    }

    private let every: TimeSpan
    private var read: [LaneNumber: Int64] = [:]
    private(set) var isBehind = false

    init(every: TimeSpan) { self.every = every }

    mutating func note(_ lanes: [Lane]) {
        var behind = 0
        var live = 0
        for lane in lanes {
            let taken = lane.nextOffset - (read.updateValue(lane.nextOffset, forKey: lane.number) ?? lane.nextOffset)
            // Silent, or new here: says nothing.
            guard taken > 0 else { continue }
            let waiting = (lane.endOffset ?? lane.nextOffset) - lane.nextOffset
            if waiting > 2 * taken { behind += 1 } else { live += 1 }
        }
        isBehind = behind > 0 && live == 0
    }

    /// From the beginning of one commit to that of the next. `took`: the last one.
    func interval(took: TimeSpan) -> TimeSpan {
        guard isBehind else { return every }
        let spaced = TimeSpan(milliseconds: took.milliseconds * RuntimeLimits.catchUpShare)
        return max(every, min(spaced, RuntimeLimits.longestCatchUp))
    }
}
