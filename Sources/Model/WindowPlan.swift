/// The part of a zone's calendar that a window covers (S10).
public enum CalendarUnit: String, CaseIterable, Hashable, Sendable {
    case hour, day, week, month
}

extension AggregatePlan {
    /// The stretches of event time that an aggregate cuts (S10, S11).
    public enum Window: Equatable, Sendable {
        case tumbling(size: TimeSpan, offset: TimeSpan)
        case hopping(size: TimeSpan, every: TimeSpan, offset: TimeSpan)
        /// Windows that begin side by side, every `size`, and end at each `step` of it.
        case cumulative(size: TimeSpan, step: TimeSpan, offset: TimeSpan)
        /// `weekStarts`: 1 Monday … 7 Sunday.
        case calendar(CalendarUnit, zone: Zone, weekStarts: Int)
        /// Windows that grow with their events and end with a gap.
        case session(gap: TimeSpan)
    }
}

extension AggregatePlan.Window {
    /// The longest window there can be; a session's is what one event makes.
    public var longest: TimeSpan {
        switch self {
        case .tumbling(let size, _), .hopping(let size, _, _), .cumulative(let size, _, _): size
        case .calendar(let unit, _, _):
            switch unit {
            case .hour: .hours(1)
            // Clocks are set back by an hour, and by more in the tales of some zones: an hour is what is planned with.
            case .day: .hours(25)
            case .week: .days(7) + .hours(1)
            case .month: .days(31) + .hours(1)
            }
        case .session(let gap): gap
        }
    }

    /// How far apart results come; a session's groups end when they will, on average a gap apart.
    public var step: TimeSpan {
        switch self {
        case .tumbling(let size, _): size
        case .hopping(_, let every, _): every
        case .cumulative(_, let step, _): step
        case .calendar(let unit, _, _):
            switch unit {
            case .hour: .hours(1)
            case .day: .days(1)
            case .week: .days(7)
            case .month: .days(31)
            }
        case .session(let gap): gap
        }
    }

    public var offset: TimeSpan {
        switch self {
        case .tumbling(_, let offset), .hopping(_, _, let offset), .cumulative(_, _, let offset): offset
        case .calendar, .session: .zero
        }
    }

    public var isSession: Bool { if case .session = self { true } else { false } }

    /// An event can be in more than one.
    public var overlaps: Bool {
        switch self {
        case .hopping(let size, let every, _): every < size
        case .cumulative(let size, let step, _): step < size
        case .tumbling, .calendar, .session: false
        }
    }
}

extension AggregatePlan {
    /// From a window's end to its close (S12): of sessions that can grow together with those of other partitions a gap more.
    public var closing: TimeSpan {
        if case .session(let gap) = window, !isKeyed { return allowedLateness + gap }
        return allowedLateness
    }
}

extension Plan {
    /// The aggregates from the one that rolls `source` up to `output`; nil: it is not made of it.
    public func rollUpPath(from source: Int, to output: Int) -> [AggregatePlan]? {
        var path: [AggregatePlan] = []
        var at = output
        while at != source, path.count < aggregates.count {
            guard let from = aggregates[at].from else { return nil }
            path.insert(aggregates[at], at: 0)
            at = from
        }
        return path.isEmpty ? nil : path
    }

    /// 0: it takes records; else one more than its source's.
    public func depth(of output: Int) -> Int {
        var depth = 0
        var at = output
        while let from = aggregates[at].from, depth < aggregates.count {
            depth += 1
            at = from
        }
        return depth
    }
}

extension MeasurePlan {
    /// A roll-up's measure is this one's merge: of the same values, but for the share that is asked of a quantile (S14).
    public func isMerged(into other: MeasurePlan) -> Bool {
        var mine = self
        mine.name = other.name
        mine.share = other.share
        return mine == other
    }
}
