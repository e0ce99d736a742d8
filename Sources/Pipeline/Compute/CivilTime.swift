import Model

/// The proleptic Gregorian calendar over milliseconds since 1970, in a zone.
enum CivilTime {
    /// Farther instants are an error: their dates are no use, and sums with them might overflow.
    private static let farthest: Int64 = 8_640_000_000_000_000
    private static let day: Int64 = 86_400_000

    /// The latest instant, not after `time`, at which the zone's clocks show the beginning of a part; nil: out of range.
    static func truncate(_ time: Int64, _ part: DatePart, _ zone: Zone) -> Int64? {
        guard time.magnitude <= farthest.magnitude else { return nil }
        let offset = offset(time, zone)
        let local = time + offset
        switch part {
        case .millisecond: return time
        // In these the clock's own offset is kept: an hour that exists twice is two hours.
        case .second: return floor(local, 1_000) * 1_000 - offset
        case .minute: return floor(local, 60_000) * 60_000 - offset
        case .hour: return floor(local, 3_600_000) * 3_600_000 - offset
        default: break
        }
        let days = floor(local, day)
        let (year, month, _) = date(days)
        let first: Int64 =
            switch part {
            case .week: days - (((days + 3) % 7 + 7) % 7)
            case .month: self.days(year, month, 1)
            case .quarter: self.days(year, (month - 1) / 3 * 3 + 1, 1)
            case .year: self.days(year, 1, 1)
            default: days
            }
        return zone.utcMilliseconds(local: first * day)
    }

    /// Weeks are those of ISO 8601; nil: out of range.
    static func part(_ time: Int64, _ part: DatePart, _ zone: Zone) -> Int64? {
        guard time.magnitude <= farthest.magnitude else { return nil }
        let local = time + offset(time, zone)
        let days = floor(local, day)
        let inDay = local - days * day
        switch part {
        case .millisecond: return inDay % 1_000
        case .second: return inDay / 1_000 % 60
        case .minute: return inDay / 60_000 % 60
        case .hour: return inDay / 3_600_000
        case .day: return date(days).day
        case .month: return date(days).month
        case .quarter: return (date(days).month - 1) / 3 + 1
        case .year: return date(days).year
        case .week:
            // The week belongs to the year of its Thursday.
            let thursday = days - (((days + 3) % 7 + 7) % 7) + 3
            return (thursday - self.days(date(thursday).year, 1, 1)) / 7 + 1
        }
    }

    private static func offset(_ time: Int64, _ zone: Zone) -> Int64 { Int64(zone.offset(at: floor(time, 1_000))) * 1_000 }

    @inline(__always) private static func floor(_ a: Int64, _ b: Int64) -> Int64 { a >= 0 ? a / b : (a + 1) / b - 1 }

    /// Years of a calendar that begins in March have their leap day at the end; 146,097 days are 400 years.
    private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = floor(shifted, 146_097)
        let inEra = shifted - era * 146_097
        let yearOfEra = (inEra - inEra / 1_460 + inEra / 36_524 - inEra / 146_096) / 365
        let inYear = inEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * inYear + 2) / 153
        let day = inYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = floor(shifted, 400)
        let yearOfEra = shifted - era * 400
        let inYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + inYear - 719_468
    }
}
