/// SplitMix64 with the derivations of Java's `SplittableRandom` (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators"), so that a seed means the same events here and in the reference workload's other implementations.
///
/// The state is a counter: what was drawn from a seed can be drawn again, and whatever is not needed can be passed over.
struct SplittableRandom: Sendable {
    var seed: UInt64

    @inline(__always) private mutating func nextSeed() -> UInt64 {
        seed &+= 0x9e37_79b9_7f4a_7c15
        return seed
    }

    @inline(__always) mutating func nextUInt64() -> UInt64 {
        var z = nextSeed()
        z = (z ^ (z &>> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z &>> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z &>> 31)
    }

    @inline(__always) private mutating func nextUInt32() -> UInt32 {
        var z = nextSeed()
        z = (z ^ (z &>> 33)) &* 0x62a9_d9ed_7997_05f5
        return UInt32(truncatingIfNeeded: ((z ^ (z &>> 28)) &* 0xcb24_d0a5_c88c_35b3) &>> 32)
    }

    /// In `[0, 1)`.
    @inline(__always) mutating func nextDouble() -> Double { Double(nextUInt64() &>> 11) * 0x1p-53 }

    /// In `0..<bound`. Bounds are literals, so that the division becomes a multiplication.
    @inline(__always) mutating func next(below bound: UInt32) -> UInt32 {
        if bound & (bound &- 1) == 0 { return nextUInt32() & (bound &- 1) }
        while true {
            let drawn = nextUInt32() &>> 1
            let value = drawn % bound
            // The last, incomplete run of remainders below 2^31 would favour small numbers: draw again.
            if drawn &- value &+ (bound &- 1) < 1 << 31 { return value }
        }
    }

    /// Passes over one `next(below:)`, which may have drawn more than once.
    @inline(__always) mutating func skip(below bound: UInt32) {
        while nextUInt32() &>> 1 >= (1 << 31) &- (1 << 31) % bound {}
    }

    /// Passes over `count` draws of 64 bits, doubles, or numbers below a power of two.
    @inline(__always) mutating func skip(draws count: UInt64) { seed &+= count &* 0x9e37_79b9_7f4a_7c15 }
}
