/// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input PRF", and the authors' 128-bit variant).
/// The results are stored as identities (S9): they must never change.
public enum SipHash {
    /// Two little-endian words, as the specification reads a 16-byte key.
    public typealias Key = (UInt64, UInt64)

    /// The key for everything that one topology hashes (S9): the name's own hash under a fixed key.
    public static func key(forTopology name: String) -> Key {
        var name = name
        let hash = name.withUTF8 { hash128(key: (0, 0), UnsafeRawBufferPointer($0)) }
        return (hash.low, hash.high)
    }

    /// `low` holds output bytes 0..<8, `high` bytes 8..<16, both little-endian. Any thread; no allocation; about 1 ns a byte.
    public static func hash128(key: Key, _ bytes: UnsafeRawBufferPointer) -> Identity {
        var state = SipState(key)
        let whole = bytes.count & ~7
        var tail = UInt64(truncatingIfNeeded: bytes.count) << 56
        if let base = bytes.baseAddress {
            var at = 0
            while at < whole {
                state.absorb(UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self)))
                at += 8
            }
            let rest = bytes.count &- whole
            if rest > 0 && whole > 0 {
                // The last eight bytes end where the input ends: shift out those that were absorbed already.
                let last = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: bytes.count &- 8, as: UInt64.self))
                tail |= last &>> UInt64(64 &- 8 &* rest)
            } else {
                while at < bytes.count {
                    tail |= UInt64(base.load(fromByteOffset: at, as: UInt8.self)) &<< UInt64(8 &* at)
                    at += 1
                }
            }
        }
        state.absorb(tail)
        return state.finish()
    }
}

private struct SipState {
    var v0: UInt64
    var v1: UInt64
    var v2: UInt64
    var v3: UInt64

    @inline(__always) init(_ key: SipHash.Key) {
        v0 = 0x736f_6d65_7073_6575 ^ key.0
        v1 = 0x646f_7261_6e64_6f6d ^ key.1 ^ 0xee
        v2 = 0x6c79_6765_6e65_7261 ^ key.0
        v3 = 0x7465_6462_7974_6573 ^ key.1
    }

    @inline(__always) mutating func absorb(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    @inline(__always) mutating func finish() -> Identity {
        v2 ^= 0xee
        round()
        round()
        round()
        round()
        let low = v0 ^ v1 ^ v2 ^ v3
        v1 ^= 0xdd
        round()
        round()
        round()
        round()
        return Identity(high: v0 ^ v1 ^ v2 ^ v3, low: low)
    }

    @inline(__always) mutating func round() {
        v0 &+= v1
        v1 = rotated(v1, 13) ^ v0
        v0 = rotated(v0, 32)
        v2 &+= v3
        v3 = rotated(v3, 16) ^ v2
        v0 &+= v3
        v3 = rotated(v3, 21) ^ v0
        v2 &+= v1
        v1 = rotated(v1, 17) ^ v2
        v2 = rotated(v2, 32)
    }

    @inline(__always) private func rotated(_ word: UInt64, _ by: UInt64) -> UInt64 { word &<< by | word &>> (64 &- by) }
}
