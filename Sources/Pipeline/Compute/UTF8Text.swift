import Glibc

/// What expressions ask of a text's bytes, which are valid UTF-8.
enum UTF8Text {
    typealias Bytes = UnsafeBufferPointer<UInt8>

    @inline(__always) private static func isInside(_ byte: UInt8) -> Bool { byte & 0xc0 == 0x80 }

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

    /// SQL's LIKE. A pattern that ends with its escape sign matches nothing. At worst the product of both lengths.
    static func isLike(_ text: Bytes, _ pattern: Bytes, escape: UInt8?) -> Bool {
        var p = 0
        var t = 0
        var star = -1
        var mark = 0
        while true {
            if p < pattern.count {
                let sign = pattern[p]
                if sign == escape {
                    guard p + 1 < pattern.count else { return false }
                    if t < text.count, text[t] == pattern[p + 1] {
                        p += 2
                        t += 1
                        continue
                    }
                } else if sign == 0x25 {
                    star = p
                    mark = t
                    p += 1
                    continue
                } else if t < text.count, sign == 0x5f {
                    p += 1
                    t = next(text, t)
                    continue
                } else if t < text.count, text[t] == sign {
                    p += 1
                    t += 1
                    continue
                }
            } else if t == text.count {
                return true
            }
            guard star >= 0, mark < text.count else { return false }
            mark = next(text, mark)
            t = mark
            p = star + 1
        }
    }

    @inline(__always) private static func next(_ text: Bytes, _ at: Int) -> Int {
        var at = at + 1
        while at < text.count, isInside(text[at]) { at += 1 }
        return at
    }

    /// Digits, with a sign or without; nothing around them.
    static func integer(_ text: Bytes) -> Int64? {
        var at = text.first == 0x2d || text.first == 0x2b ? 1 : 0
        let isNegative = text.first == 0x2d
        guard at < text.count else { return nil }
        var value: Int64 = 0
        while at < text.count {
            let digit = text[at] &- 0x30
            guard digit < 10 else { return nil }
            let (product, isOver) = value.multipliedReportingOverflow(by: 10)
            let (sum, isAlsoOver) =
                isNegative
                ? product.subtractingReportingOverflow(Int64(digit)) : product.addingReportingOverflow(Int64(digit))
            if isOver || isAlsoOver { return nil }
            value = sum
            at += 1
        }
        return value
    }

    /// A decimal number of at most 63 characters, such as `-1.5e3`; nothing around it.
    static func double(_ text: Bytes) -> Double? {
        guard let first = text.first, text.count < 64, first != 0x65, first != 0x45 else { return nil }
        for byte in text {
            switch byte {
            case 0x30...0x39, 0x2b, 0x2d, 0x2e, 0x45, 0x65: break
            default: return nil
            }
        }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { copy in
            for at in 0..<text.count { copy[at] = CChar(bitPattern: text[at]) }
            copy[text.count] = 0
            var end: UnsafeMutablePointer<CChar>?
            let value = strtod(copy.baseAddress!, &end)
            return end == copy.baseAddress! + text.count && value.isFinite ? value : nil
        }
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
