public import Model

/// How fast a total grows, over the last `FreshnessLimits.ratePeriod`. Given the total now and then; bounded in memory.
public struct Rate: Equatable, Sendable {
    private struct Point: Equatable {
        var at: MonotonicTime
        var total: Int64
    }
    private var points: [Point] = []

    public init() {}

    /// `at` does not go back. The oldest point within reach of the period stays, so that the rate spans all of it.
    public mutating func note(_ total: Int64, at: MonotonicTime) {
        if let last = points.last, last.at == at {
            points[points.count - 1].total = total
            return
        }
        points.append(Point(at: at, total: total))
        let stale = points.dropFirst().prefix { at - $0.at >= FreshnessLimits.ratePeriod }.count
        points.removeFirst(max(stale, points.count - FreshnessLimits.ratePoints))
    }

    /// nil: fewer than two points.
    public var perSecond: Double? {
        guard let first = points.first, let last = points.last, last.at > first.at else { return nil }
        return Double(last.total - first.total) * 1e9 / Double(last.at.nanoseconds - first.at.nanoseconds)
    }
}
