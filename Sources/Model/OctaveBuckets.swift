/// Log-spaced buckets, eight for each power of two, laid out over `value - 1`, which makes their upper bounds inclusive: what every
/// histogram here counts in, so that a quantile is at most an eighth too high.
public enum OctaveBuckets {
    private static let subBits: Int64 = 3

    /// As many as values up to `2 << topBit` need.
    public static func count(topBit: Int64) -> Int { Int((topBit - subBits + 1) << subBits) }

    public static func bucket(_ value: Int64) -> Int {
        let shifted = max(value - 1, 0)
        if shifted < 1 << subBits { return Int(shifted) }
        let octave = Int64(63 - shifted.leadingZeroBitCount)
        let sub = (shifted >> (octave - subBits)) & ((1 << subBits) - 1)
        return Int(((octave - subBits + 1) << subBits) + sub)
    }

    public static func upperBound(_ bucket: Int) -> Int64 {
        let index = Int64(bucket)
        if index < 1 << subBits { return index + 1 }
        let octave = (index >> subBits) + subBits - 1
        let sub = index & ((1 << subBits) - 1)
        return (1 << octave) + ((sub + 1) << (octave - subBits))
    }
}
