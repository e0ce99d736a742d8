import Model

/// Weir's calendar functions in SQLite's words, over milliseconds. SQLite knows the years 0 to 9999 only: the rows' times lie
/// inside.
enum SQLiteCalendar {
    private static func fraction(_ time: String) -> String { "((\(time) % 1000) + 1000) % 1000" }
    private static func whole(_ time: String) -> String { "(\(time) - \(fraction(time))) / 1000" }

    private static func seconds(_ time: String, _ steps: String...) -> String {
        "strftime('%s', \(([whole(time), "'unixepoch'"] + steps).joined(separator: ", "))) * 1000"
    }

    private static func number(_ code: String, _ time: String) -> String {
        "CAST(strftime('\(code)', \(whole(time)), 'unixepoch') AS INTEGER)"
    }

    static func truncated(_ time: String, _ unit: DatePart) -> String {
        switch unit {
        case .millisecond: return time
        case .second: return "\(time) - \(fraction(time))"
        case .minute: return "\(time) - ((\(time) % 60000) + 60000) % 60000"
        case .hour: return "\(time) - ((\(time) % 3600000) + 3600000) % 3600000"
        case .day, .month, .year: return seconds(time, "'start of \(unit)'")
        // The Sunday on or after it, and back to the Monday before.
        case .week: return seconds(time, "'start of day'", "'weekday 0'", "'-6 days'")
        case .quarter:
            return seconds(time, "'start of month'", "'-' || ((\(number("%m", time)) - 1) % 3) || ' months'")
        }
    }

    static func part(_ time: String, _ unit: DatePart) -> String {
        switch unit {
        case .millisecond: return fraction(time)
        case .second: return number("%S", time)
        case .minute: return number("%M", time)
        case .hour: return number("%H", time)
        case .day: return number("%d", time)
        case .month: return number("%m", time)
        case .year: return number("%Y", time)
        case .quarter: return "(\(number("%m", time)) + 2) / 3"
        // A week is that of its Thursday, counted in days of its year.
        case .week:
            return "(CAST(strftime('%j', \(whole(time)), 'unixepoch', '-3 days', 'weekday 4') AS INTEGER) - 1) / 7 + 1"
        }
    }

    /// RFC 3339 in UTC with three places.
    static func text(_ time: String) -> String {
        "strftime('%Y-%m-%dT%H:%M:%S', \(whole(time)), 'unixepoch') || printf('.%03dZ', \(fraction(time)))"
    }
}
