/// A fast 64-bit hash of bytes, the same in every run and on every machine: it is stored in record fingerprints. It protects
/// against accidents, not against attackers (identities use SipHash, S9). About 0.1 ns a byte.
public enum Hash64 {
    /// Folds 16 bytes a step by a full 64 × 64 → 128 bit product, as wyhash does.
    public static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        let count = bytes.count
        var state = mix(UInt64(truncatingIfNeeded: count) ^ first, second)
        guard let base = bytes.baseAddress, count > 0 else { return mix(state ^ third, first) }
        var at = 0
        while count - at >= 16 {
            state = mix(word(base + at) ^ first ^ state, word(base + at + 8) ^ second)
            at += 16
        }
        state = mix(tail(base, at, min(at + 8, count)) ^ third ^ state, tail(base, at + 8, count) ^ fourth)
        return mix(state ^ fourth, third)
    }

    private static let first: UInt64 = 0x9e37_79b9_7f4a_7c15
    private static let second: UInt64 = 0xc2b2_ae3d_27d4_eb4f
    private static let third: UInt64 = 0x1656_67b1_9e37_79f9
    private static let fourth: UInt64 = 0x27d4_eb2f_1656_67c5

    @inline(__always)
    private static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    @inline(__always)
    private static func word(_ at: UnsafeRawPointer) -> UInt64 { UInt64(littleEndian: at.loadUnaligned(as: UInt64.self)) }

    /// Up to eight bytes of `[from, to)`, padded with zeros; the length is in the state already.
    @inline(__always)
    private static func tail(_ base: UnsafeRawPointer, _ from: Int, _ to: Int) -> UInt64 {
        var value: UInt64 = 0
        var at = from
        while at < to {
            value |= UInt64(base.load(fromByteOffset: at, as: UInt8.self)) << UInt64(8 * (at - from))
            at += 1
        }
        return value
    }
}
