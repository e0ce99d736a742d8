import Glibc

/// The seeds of tests over random input: their own few in the suite, others where `WEIR_FUZZ_SEEDS` names them as `FIRST-LAST`.
public enum FuzzSeeds {
    public static func of(_ usual: [UInt64]) -> [UInt64] {
        guard let text = getenv("WEIR_FUZZ_SEEDS").map({ String(cString: $0) }) else { return usual }
        return range(text) ?? usual
    }

    /// nil where the text is no range of at most 1,000 seeds.
    public static func range(_ text: String) -> [UInt64]? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0) }
        guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1] else { return nil }
        guard first <= last, last - first < 1_000 else { return nil }
        return Array(first...last)
    }
}

/// The same numbers for the same seed (splitmix64).
public struct SplitMix: RandomNumberGenerator, Sendable {
    private var state: UInt64
    public init(seed: UInt64) { state = seed }
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// 0 up to `bound`, which is above 0.
    public mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
