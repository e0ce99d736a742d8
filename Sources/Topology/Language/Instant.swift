import Model

/// RFC 3339 texts.
public enum Instant {
    /// Milliseconds since the Unix epoch and whether the text says anything finer (that is floored away); nil: not an
    /// instant. An offset or `Z` must stand.
    public static func parse(_ text: String) -> (milliseconds: Int64, isFiner: Bool)? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[4] == 0x2d, bytes[7] == 0x2d, bytes[10] | 0x20 == 0x74, bytes[13] == 0x3a,
            bytes[16] == 0x3a,
            let year = digits(bytes, 0, 4), let month = digits(bytes, 5, 2), let day = digits(bytes, 8, 2),
            let hour = digits(bytes, 11, 2), let minute = digits(bytes, 14, 2), let second = digits(bytes, 17, 2),
            (1...12).contains(month), (1...daysIn(month, year)).contains(day), hour < 24, minute < 60, second < 60
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
        let days = Self.days(year, month, day)
        let seconds = ((days * 24 + hour) * 60 + minute - offset) * 60 + second
        return (seconds * 1_000 + milliseconds, isFiner)
    }

    /// Minutes east of UTC.
    private static func offset(_ bytes: [UInt8], _ at: Int) -> Int64? {
        if bytes[at] | 0x20 == 0x7a { return at + 1 == bytes.count ? 0 : nil }
        guard bytes[at] == 0x2b || bytes[at] == 0x2d, bytes.count == at + 6, bytes[at + 3] == 0x3a,
            let hours = digits(bytes, at + 1, 2), let minutes = digits(bytes, at + 4, 2), hours < 24, minutes < 60
        else { return nil }
        return (bytes[at] == 0x2d ? -1 : 1) * (hours * 60 + minutes)
    }

    private static func digits(_ bytes: [UInt8], _ at: Int, _ count: Int) -> Int64? {
        var value: Int64 = 0
        for byte in bytes[at..<(at + count)] {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        return value
    }

    private static func daysIn(_ month: Int64, _ year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01 of the proleptic Gregorian calendar: years begin in March, so that leap days come last.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let m = (month + 9) % 12
        let leaps = floorDivide(y, 4) - floorDivide(y, 100) + floorDivide(y, 400)
        return 365 * y + leaps + (153 * m + 2) / 5 + day - 1 - 719_468
    }
}
