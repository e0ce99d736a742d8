/// Counts of ages in log-spaced buckets, eight for each power of two of milliseconds, so that a quantile is at most an eighth too
/// high. Bounds are inclusive above; ages to 1,100 years are told apart. Committed with a lane's state, so the bounds never change.
///
/// `record` allocates only when an age is larger than any before.
public struct AgeHistogram: Equatable, Sendable {
    /// By bucket, as far as any was needed.
    public private(set) var counts: [Int64] = []
    public private(set) var count: Int64 = 0
    /// Milliseconds.
    public private(set) var sum: Int64 = 0
    public private(set) var largest: Int64 = 0

    private static let topBit: Int64 = 45
    /// Buckets that there can be.
    public static let most = OctaveBuckets.count(topBit: topBit)

    public init() {}

    /// What `counts`, `sum` and `largest` said; nil: no histogram says so.
    public init?(counts: [Int64], sum: Int64, largest: Int64) {
        guard counts.count <= Self.most, counts.last != 0, counts.allSatisfy({ $0 >= 0 }), sum >= 0, largest >= 0 else {
            return nil
        }
        self.counts = counts
        self.sum = sum
        self.largest = largest
        count = counts.reduce(0, &+)
    }

    /// What is below zero counts as zero.
    public mutating func record(_ milliseconds: Int64) {
        let value = min(max(milliseconds, 0), 1 << Self.topBit)
        let bucket = OctaveBuckets.bucket(value)
        while counts.count <= bucket { counts.append(0) }
        counts[bucket] &+= 1
        count &+= 1
        sum &+= value
        largest = max(largest, value)
    }

    public mutating func merge(_ other: AgeHistogram) {
        while counts.count < other.counts.count { counts.append(0) }
        for bucket in other.counts.indices { counts[bucket] &+= other.counts[bucket] }
        count &+= other.count
        sum &+= other.sum
        largest = max(largest, other.largest)
    }

    /// The upper bound of the bucket that holds the age of this rank (nearest rank), in milliseconds; nil: nothing was recorded.
    public func quantile(_ share: Double) -> Int64? {
        var rest = max(1, Int64((share * Double(count)).rounded(.up)))
        for (bucket, count) in counts.enumerated() {
            rest -= count
            if rest <= 0 { return min(OctaveBuckets.upperBound(bucket), largest) }
        }
        return nil
    }

    /// For each power of two from a quarter of a second to two years, always the same ones: how many ages are at most that.
    public func cumulative() -> [(bound: Int64, count: Int64)] {
        var rows: [(bound: Int64, count: Int64)] = []
        var seen: Int64 = 0
        for bucket in 0..<Self.most {
            if bucket < counts.count { seen += counts[bucket] }
            let bound = OctaveBuckets.upperBound(bucket)
            if bound & (bound - 1) == 0, (1 << 8...1 << 36).contains(bound) { rows.append((bound, seen)) }
        }
        return rows
    }
}
