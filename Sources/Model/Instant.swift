/// RFC 3339 texts.
public enum Instant {
    /// Milliseconds since the Unix epoch and whether the text says anything finer (that is floored away); nil: not an
    /// instant. An offset or `Z` must stand.
    public static func parse(_ text: String) -> (milliseconds: Int64, isFiner: Bool)? {
        var text = text
        return text.withUTF8 { parse(utf8: $0) }
    }

    /// The same of bytes. Costs a few compares a byte, allocates nothing.
    public static func parse(utf8 bytes: UnsafeBufferPointer<UInt8>) -> (milliseconds: Int64, isFiner: Bool)? {
        guard bytes.count >= 20, bytes[4] == 0x2d, bytes[7] == 0x2d, bytes[10] | 0x20 == 0x74, bytes[13] == 0x3a,
            bytes[16] == 0x3a,
            let year = digits(bytes, 0, 4), let month = digits(bytes, 5, 2), let day = digits(bytes, 8, 2),
            let hour = digits(bytes, 11, 2), let minute = digits(bytes, 14, 2), let second = digits(bytes, 17, 2),
            (1...12).contains(month), (1...CivilDate.days(in: month, of: year)).contains(day), hour < 24, minute < 60, second < 60
        else { return nil }
        var at = 19
        var milliseconds: Int64 = 0
        var isFiner = false
        if bytes[at] == 0x2e {
            at += 1
            let first = at
            var scale: Int64 = 100
            while at < bytes.count, (0x30...0x39).contains(bytes[at]) {
                let digit = Int64(bytes[at] - 0x30)
                milliseconds += digit * scale
                isFiner = isFiner || (scale == 0 && digit != 0)
                scale /= 10
                at += 1
            }
            guard at > first else { return nil }
        }
        guard at < bytes.count, let offset = offset(bytes, at) else { return nil }
        let seconds = ((CivilDate(year, month, day).days * 24 + hour) * 60 + minute - offset) * 60 + second
        return (seconds * 1_000 + milliseconds, isFiner)
    }

    /// Bytes of `write`.
    public static let length = 24
    /// What has a text of four digits of the year: 0000 to 9999, in milliseconds.
    public static let written: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

    /// `2026-01-01T00:00:00.000Z`, exactly `length` bytes; false, and nothing is written, outside of `written`.
    public static func write(_ milliseconds: Int64, _ to: UnsafeMutablePointer<UInt8>) -> Bool {
        guard written.contains(milliseconds) else { return false }
        let day = floorDivide(milliseconds, dayMilliseconds)
        let rest = milliseconds - day * dayMilliseconds
        let date = CivilDate(days: day)
        var at = 0
        func put(_ number: Int64, _ width: Int, _ sign: UInt8) {
            var number = number
            for place in stride(from: at + width - 1, through: at, by: -1) {
                to[place] = 0x30 + UInt8(truncatingIfNeeded: number % 10)
                number /= 10
            }
            to[at + width] = sign
            at += width + 1
        }
        put(date.year, 4, 0x2d)
        put(date.month, 2, 0x2d)
        put(date.day, 2, 0x54)
        put(rest / 3_600_000, 2, 0x3a)
        put(rest / 60_000 % 60, 2, 0x3a)
        put(rest / 1_000 % 60, 2, 0x2e)
        put(rest % 1_000, 3, 0x5a)
        return true
    }

    /// RFC 3339 in UTC to the millisecond: `2026-01-01T00:00:00.000Z`. Years beyond 9999 and before 0 get as many digits and the
    /// sign that they need.
    public static func text(_ milliseconds: Int64) -> String {
        // Every day of a 64-bit number has a beginning but the first one: the rest is not the difference to it.
        let rest = (milliseconds % dayMilliseconds + dayMilliseconds) % dayMilliseconds
        let date = CivilDate(days: floorDivide(milliseconds, dayMilliseconds))
        let day = "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))"
        let clock =
            "\(padded(rest / 3_600_000, 2)):\(padded(rest / 60_000 % 60, 2)):\(padded(rest / 1_000 % 60, 2)).\(padded(rest % 1_000, 3))"
        return "\(day)T\(clock)Z"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number.magnitude)
        return (number < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Minutes east of UTC.
    private static func offset(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int) -> Int64? {
        if bytes[at] | 0x20 == 0x7a { return at + 1 == bytes.count ? 0 : nil }
        guard bytes[at] == 0x2b || bytes[at] == 0x2d, bytes.count == at + 6, bytes[at + 3] == 0x3a,
            let hours = digits(bytes, at + 1, 2), let minutes = digits(bytes, at + 4, 2), hours < 24, minutes < 60
        else { return nil }
        return (bytes[at] == 0x2d ? -1 : 1) * (hours * 60 + minutes)
    }

    private static func digits(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int, _ count: Int) -> Int64? {
        var value: Int64 = 0
        for place in at..<(at + count) {
            guard (0x30...0x39).contains(bytes[place]) else { return nil }
            value = value * 10 + Int64(bytes[place] - 0x30)
        }
        return value
    }
}
