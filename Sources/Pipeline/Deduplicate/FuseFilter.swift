import CDecode
import Glibc

/// A set of 64-bit values that can't be added to, at 16 bits each and a little: it says of each of its values that it is there, and of
/// one value in 65,536 that is not. A binary fuse filter (Graf and Lemire, 2022): each value has three places in three neighbouring
/// segments, whose fingermarks together give its own.
final class FuseFilter {
    private let marks: UnsafeMutablePointer<UInt16>
    private let length: Int
    private let segment: UInt64
    /// Of the first place; the other two lie behind.
    private let span: UInt64
    private let seed: UInt64

    private static let tries: UInt64 = 64

    var bytes: Int { length * 2 }

    deinit { marks.deallocate() }

    /// `values` must differ from one another. nil: no try came out even, which is as good as impossible. Cost: about 100 ns a value, and
    /// 24 bytes of memory for each meanwhile.
    init?(_ values: UnsafeBufferPointer<UInt64>) {
        (segment, span) = Self.shape(values.count)
        length = Int(span + 2 * segment)
        marks = .allocate(capacity: length)
        marks.initialize(repeating: 0, count: length)
        var seed: UInt64 = 0
        for attempt in 1...Self.tries {
            seed = Self.mixed(attempt &* 0x9E37_79B9_7F4A_7C15)
            if Self.fill(marks, length: length, values, seed: seed, segment: segment, span: span) {
                self.seed = seed
                return
            }
        }
        self.seed = seed
        return nil
    }

    @inline(__always)
    func contains(_ value: UInt64) -> Bool { probe.places(of: value).areMarked }

    /// To ask with; good while the filter lives.
    var probe: Probe { Probe(marks: marks, segment: segment, span: span, seed: seed) }

    /// A filter as those see it who ask.
    struct Probe {
        /// nil: it holds nothing.
        var marks: UnsafeMutablePointer<UInt16>?
        var segment: UInt64 = 0
        var span: UInt64 = 0
        var seed: UInt64 = 0

        @inline(__always)
        func places(of value: UInt64) -> Places {
            guard let marks else { return Places() }
            let hash = FuseFilter.mixed(value &+ seed)
            let (a, b, c) = FuseFilter.places(hash, segment, span)
            return Places(a: marks + a, b: marks + b, c: marks + c, mark: FuseFilter.mark(hash))
        }
    }

    /// Where a value has its marks, and what they come to if it is one of the filter's.
    struct Places {
        var a: UnsafeMutablePointer<UInt16>?
        var b: UnsafeMutablePointer<UInt16>?
        var c: UnsafeMutablePointer<UInt16>?
        var mark: UInt16 = 0

        @inline(__always)
        func prefetch() {
            guard let a, let b, let c else { return }
            weir_prefetch(a)
            weir_prefetch(b)
            weir_prefetch(c)
        }

        @inline(__always)
        var areMarked: Bool {
            guard let a, let b, let c else { return false }
            return mark ^ a.pointee ^ b.pointee ^ c.pointee == 0
        }
    }

    // MARK: Where a value lies

    /// Length of a segment, and how many places the first fingerprint of a value has.
    private static func shape(_ count: Int) -> (segment: UInt64, span: UInt64) {
        let size = Double(max(count, 2))
        let segment = UInt64(1) << UInt64(min(max(log(size) / log(3.33) + 2.25, 2), 18))
        let places = size * max(1.125, 0.875 + 0.25 * log(1_000_000) / log(size))
        let segments = max((UInt64(places.rounded()) + segment - 1) / segment, 3) - 2
        return (segment, segments * segment)
    }

    @inline(__always)
    private static func places(_ hash: UInt64, _ segment: UInt64, _ span: UInt64) -> (Int, Int, Int) {
        let first = hash.multipliedFullWidth(by: span).high
        let second = (first &+ segment) ^ ((hash &>> 18) & (segment &- 1))
        let third = (first &+ segment &* 2) ^ (hash & (segment &- 1))
        return (Int(truncatingIfNeeded: first), Int(truncatingIfNeeded: second), Int(truncatingIfNeeded: third))
    }

    @inline(__always)
    private static func mark(_ hash: UInt64) -> UInt16 { UInt16(truncatingIfNeeded: hash ^ (hash &>> 32)) }

    @inline(__always)
    private static func mixed(_ value: UInt64) -> UInt64 {
        var x = value
        x = (x ^ (x &>> 33)) &* 0xFF51_AFD7_ED55_8CCD
        x = (x ^ (x &>> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return x ^ (x &>> 33)
    }

    // MARK: Making one

    /// Takes away again and again a value that has a place for itself; if that takes away all, they are given their fingermarks in the
    /// opposite order, each by means of the place that was its own.
    private static func fill(
        _ marks: UnsafeMutablePointer<UInt16>, length: Int, _ values: UnsafeBufferPointer<UInt64>, seed: UInt64, segment: UInt64,
        span: UInt64
    ) -> Bool {
        let counts = UnsafeMutablePointer<UInt8>.allocate(capacity: length)
        let sums = UnsafeMutablePointer<UInt64>.allocate(capacity: length)
        let order = UnsafeMutablePointer<UInt64>.allocate(capacity: values.count + 1)
        let owners = UnsafeMutablePointer<UInt32>.allocate(capacity: values.count + 1)
        let alone = UnsafeMutablePointer<UInt32>.allocate(capacity: length)
        defer {
            counts.deallocate()
            sums.deallocate()
            order.deallocate()
            owners.deallocate()
            alone.deallocate()
        }
        counts.initialize(repeating: 0, count: length)
        sums.initialize(repeating: 0, count: length)
        for value in values {
            let hash = mixed(value &+ seed)
            let (a, b, c) = places(hash, segment, span)
            if max(counts[a], counts[b], counts[c]) == .max { return false }
            counts[a] &+= 1
            counts[b] &+= 1
            counts[c] &+= 1
            sums[a] ^= hash
            sums[b] ^= hash
            sums[c] ^= hash
        }
        var waiting = 0
        for place in 0..<length where counts[place] == 1 {
            alone[waiting] = UInt32(place)
            waiting += 1
        }
        var taken = 0
        while waiting > 0 {
            waiting -= 1
            let own = Int(alone[waiting])
            if counts[own] != 1 { continue }
            let hash = sums[own]
            order[taken] = hash
            owners[taken] = UInt32(own)
            taken += 1
            let (a, b, c) = places(hash, segment, span)
            for side in 0..<3 {
                let place = side == 0 ? a : side == 1 ? b : c
                counts[place] &-= 1
                sums[place] ^= hash
                if counts[place] == 1 {
                    alone[waiting] = UInt32(place)
                    waiting += 1
                }
            }
        }
        guard taken == values.count else { return false }
        marks.update(repeating: 0, count: length)
        while taken > 0 {
            taken -= 1
            let (a, b, c) = places(order[taken], segment, span)
            // Its own place is 0 still.
            marks[Int(owners[taken])] = mark(order[taken]) ^ marks[a] ^ marks[b] ^ marks[c]
        }
        return true
    }
}
