/// UUIDs as text: 32 hexadecimal digits with four dashes. Called where literals, rows and casts are read or written, on any
/// queue; allocates nothing but the `String` that it gives.
public enum UUIDText {
    /// Bytes of `write`.
    public static let length = 36

    /// With or without the dashes, in either letter case; nil: no UUID.
    public static func parse(utf8 text: UnsafeBufferPointer<UInt8>) -> (high: UInt64, low: UInt64)? {
        let hasDashes = text.count == length
        guard hasDashes || text.count == 32 else { return nil }
        var halves: (high: UInt64, low: UInt64) = (0, 0)
        var digits = 0
        for at in text.indices {
            if hasDashes && (at == 8 || at == 13 || at == 18 || at == 23) {
                guard text[at] == 0x2d else { return nil }
                continue
            }
            guard let digit = hexValue(text[at]) else { return nil }
            if digits < 16 { halves.high = halves.high << 4 | digit } else { halves.low = halves.low << 4 | digit }
            digits += 1
        }
        return halves
    }

    public static func parse(_ text: String) -> (high: UInt64, low: UInt64)? {
        var text = text
        return text.withUTF8 { parse(utf8: $0) }
    }

    /// Exactly `length` bytes, lower-case letters.
    public static func write(high: UInt64, low: UInt64, _ to: UnsafeMutablePointer<UInt8>) {
        var at = 0
        for position in 0..<16 {
            if position == 4 || position == 6 || position == 8 || position == 10 {
                to[at] = 0x2d
                at += 1
            }
            let byte = UInt8(truncatingIfNeeded: (position < 8 ? high : low) >> UInt64(56 - 8 * (position & 7)))
            to[at] = hexDigit(byte >> 4)
            to[at + 1] = hexDigit(byte & 15)
            at += 2
        }
    }

    public static func text(high: UInt64, low: UInt64) -> String {
        String(unsafeUninitializedCapacity: length) { room in
            if let start = room.baseAddress { write(high: high, low: low, start) }
            return length
        }
    }

    private static func hexValue(_ byte: UInt8) -> UInt64? {
        switch byte {
        case 0x30...0x39: UInt64(byte - 0x30)
        case 0x41...0x46: UInt64(byte - 0x41 + 10)
        case 0x61...0x66: UInt64(byte - 0x61 + 10)
        default: nil
        }
    }
}

/// The lower-case hexadecimal digit of four bits.
@inlinable public func hexDigit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 &+ nibble : 0x57 &+ nibble }
