import CDecode
import Glibc

/// What expressions ask of a text's bytes, which are valid UTF-8.
enum UTF8Text {
    typealias Bytes = UnsafeBufferPointer<UInt8>

    @inline(__always) static func isInside(_ byte: UInt8) -> Bool { byte & 0xc0 == 0x80 }

    static func scalars(_ text: Bytes) -> Int {
        var found = 0
        for byte in text where !isInside(byte) { found &+= 1 }
        return found
    }

    /// The bytes of the scalars at positions `from ..< to`; the first scalar's position is 1.
    static func part(_ text: Bytes, from: Int64, to: Int64) -> Range<Int> {
        var position: Int64 = 0
        var start = text.count
        for at in 0..<text.count where !isInside(text[at]) {
            position &+= 1
            if position >= to { return min(start, at)..<at }
            if position >= from, start == text.count { start = at }
        }
        return start..<text.count
    }

    /// The first place of `what`, which has bytes, in `text` from `start` on. Costs the sum of both lengths at most.
    @inline(__always) static func find(_ what: Bytes, in text: Bytes, from start: Int) -> Int? {
        guard let place = text.baseAddress, let wanted = what.baseAddress, start + what.count <= text.count,
            let found = weir_find(place + start, text.count - start, wanted, what.count)
        else { return nil }
        return found - place
    }

    /// By bytes, which for UTF-8 is by code points.
    @inline(__always) static func isLess(_ a: Bytes, _ b: Bytes) -> Bool {
        guard let x = a.baseAddress, let y = b.baseAddress else { return a.count < b.count }
        let common = memcmp(x, y, min(a.count, b.count))
        return common != 0 ? common < 0 : a.count < b.count
    }

    static func write(_ number: Int64, _ to: UnsafeMutablePointer<UInt8>) -> Int {
        var rest = number.magnitude
        var length = 0
        repeat {
            to[length] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
            length += 1
        } while rest > 0
        if number < 0 {
            to[length] = 0x2d
            length += 1
        }
        var low = 0
        var high = length - 1
        while low < high {
            (to[low], to[high]) = (to[high], to[low])
            low += 1
            high -= 1
        }
        return length
    }

    static func write(_ text: String, _ to: UnsafeMutablePointer<UInt8>) -> Int {
        var length = 0
        for byte in text.utf8 {
            to[length] = byte
            length += 1
        }
        return length
    }
}
