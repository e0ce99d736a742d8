public import Model

/// Times and spans as people and log readers write them.
public enum TimeText {
    /// RFC 3339 in UTC to the millisecond: `2026-01-01T00:00:00.000Z`. Years beyond 9999 and before 0 get as many digits and the
    /// sign that they need.
    public static func utc(_ milliseconds: Int64) -> String { Instant.text(milliseconds) }

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
