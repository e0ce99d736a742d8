public import Model

/// Times and spans as people and log readers write them.
public enum TimeText {
    /// RFC 3339 in UTC to the millisecond: `2026-01-01T00:00:00.000Z`. Years beyond 9999 and before 0 get as many digits and the
    /// sign that they need.
    public static func utc(_ milliseconds: Int64) -> String {
        let day = floorDivide(milliseconds, 86_400_000)
        let rest = milliseconds - day * 86_400_000
        let (year, month, dayOfMonth) = civil(day)
        let seconds = rest / 1_000
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))"
        let clock = "\(padded(seconds / 3_600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
        return "\(date)T\(clock).\(padded(rest % 1_000, 3))Z"
    }

    public static func utc(_ time: EventTime) -> String { utc(time.milliseconds) }
    public static func utc(_ time: WallTime) -> String { utc(time.milliseconds) }

    /// Two units at most, the largest that fit: `850ms`, `2.4s`, `3m 20s`, `5h 12m`, `4d 3h`; negative ones with their sign.
    public static func span(_ span: TimeSpan) -> String {
        let magnitude = span.milliseconds.magnitude
        let sign = span.milliseconds < 0 ? "-" : ""
        return sign + unsigned(magnitude)
    }

    private static func unsigned(_ milliseconds: UInt64) -> String {
        let seconds = milliseconds / 1_000
        switch milliseconds {
        case ..<1_000: return "\(milliseconds)ms"
        case ..<60_000: return "\(seconds).\(milliseconds % 1_000 / 100)s"
        case ..<3_600_000: return "\(seconds / 60)m \(seconds % 60)s"
        case ..<86_400_000: return "\(seconds / 3_600)h \(seconds / 60 % 60)m"
        default: return "\(seconds / 86_400)d \(seconds / 3_600 % 24)h"
        }
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number.magnitude)
        return (number < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Days since 1970-01-01 to a date of the proleptic Gregorian calendar. Years are counted from March within cycles of 400
    /// years, so that the leap day comes last.
    private static func civil(_ day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let cycle = floorDivide(shifted, 146_097)
        let dayOfCycle = shifted - cycle * 146_097
        let yearOfCycle = (dayOfCycle - dayOfCycle / 1_460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (cycle * 400 + yearOfCycle + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }
}

/// Counts and sizes as people write them.
public enum NumberText {
    /// Digits in groups of three: `1,234,567`.
    public static func grouped(_ number: Int64) -> String {
        var text = ""
        let digits = String(number.magnitude)
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return number < 0 ? "-" + text : text
    }

    /// `512 B`, `1.5 KiB`, `3.0 GiB`.
    public static func bytes(_ count: ByteCount) -> String {
        var value = Double(count.bytes)
        if abs(value) < 1_024 { return "\(count.bytes) B" }
        for unit in ["KiB", "MiB", "GiB"] {
            value /= 1_024
            if abs(value) < 1_024 { return "\(oneDecimal(value)) \(unit)" }
        }
        return "\(oneDecimal(value / 1_024)) TiB"
    }

    public static func oneDecimal(_ value: Double) -> String {
        let tenths = Int64((value * 10).rounded())
        return "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
    }
}
