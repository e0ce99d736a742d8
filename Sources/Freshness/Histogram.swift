internal import Model

/// Counts of durations in fixed, log-spaced buckets: eight for each power of two, so that a quantile is at most an eighth too
/// high. Bounds are inclusive above; 2^31 ms (24 days) is the last one, what is longer counts as that.
///
/// `record` neither allocates nor branches on what was there before (but for one copy of 2 KB after the value was shared).
/// Values are milliseconds. What is negative (an event time ahead of the clock) counts as 0: a sum may never fall.
public struct Histogram: Equatable, Sendable {
    private var counts: [Int64]
    public private(set) var count: Int64 = 0
    /// Milliseconds.
    public private(set) var sum: Int64 = 0
    /// Milliseconds; 0 where nothing was recorded.
    public private(set) var largest: Int64 = 0

    private static let topBit: Int64 = 31
    private static let bucketCount = OctaveBuckets.count(topBit: topBit)

    public init() { counts = Array(repeating: 0, count: Histogram.bucketCount) }

    public mutating func record(_ milliseconds: Int64, times: Int64 = 1) {
        let value = min(max(milliseconds, 0), 1 << Histogram.topBit)
        counts[OctaveBuckets.bucket(value)] &+= times
        count &+= times
        sum &+= value &* times
        largest = max(largest, value)
    }

    /// Adds what another one counted; the order does not matter.
    public mutating func merge(_ other: Histogram) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
        count &+= other.count
        sum &+= other.sum
        largest = max(largest, other.largest)
    }

    /// The upper bound of the bucket that holds the value of this rank (nearest rank), in milliseconds; nil: nothing was recorded.
    public func quantile(_ share: Double) -> Int64? {
        guard count > 0 else { return nil }
        let rank = max(1, Int64((share * Double(count)).rounded(.up)))
        var seen: Int64 = 0
        for index in counts.indices {
            seen += counts[index]
            if seen >= rank { return min(OctaveBuckets.upperBound(index), largest) }
        }
        return largest
    }

    /// For each power of two from 1 ms on: how many values are at most that long. Ends with all of them.
    public func cumulative() -> [(bound: Int64, count: Int64)] {
        var rows: [(bound: Int64, count: Int64)] = []
        var seen: Int64 = 0
        for index in counts.indices {
            seen += counts[index]
            let bound = OctaveBuckets.upperBound(index)
            if bound & (bound - 1) == 0 { rows.append((bound, seen)) }
        }
        return rows
    }
}
