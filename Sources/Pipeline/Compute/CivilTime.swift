import Model

/// The proleptic Gregorian calendar over milliseconds since 1970, in a zone.
enum CivilTime {
    /// Farther instants are an error: their dates are no use, and sums with them might overflow.
    private static let farthest: Int64 = 8_640_000_000_000_000

    /// The latest instant, not after `time`, at which the zone's clocks show the beginning of a part; nil: out of range.
    static func truncate(_ time: Int64, _ part: DatePart, _ zone: Zone) -> Int64? {
        guard time.magnitude <= farthest.magnitude else { return nil }
        let offset = offset(time, zone)
        let local = time + offset
        switch part {
        case .millisecond: return time
        // In these the clock's own offset is kept: an hour that exists twice is two hours.
        case .second: return floorDivide(local, 1_000) * 1_000 - offset
        case .minute: return floorDivide(local, 60_000) * 60_000 - offset
        case .hour: return floorDivide(local, 3_600_000) * 3_600_000 - offset
        default: break
        }
        let days = floorDivide(local, dayMilliseconds)
        let date = CivilDate(days: days)
        let first: Int64 =
            switch part {
            case .week: days - (((days + 3) % 7 + 7) % 7)
            case .month: CivilDate(date.year, date.month, 1).days
            case .quarter: CivilDate(date.year, (date.month - 1) / 3 * 3 + 1, 1).days
            case .year: CivilDate(date.year, 1, 1).days
            default: days
            }
        return zone.utcMilliseconds(local: first * dayMilliseconds)
    }

    /// Weeks are those of ISO 8601; nil: out of range.
    static func part(_ time: Int64, _ part: DatePart, _ zone: Zone) -> Int64? {
        guard time.magnitude <= farthest.magnitude else { return nil }
        let local = time + offset(time, zone)
        let days = floorDivide(local, dayMilliseconds)
        let inDay = local - days * dayMilliseconds
        switch part {
        case .millisecond: return inDay % 1_000
        case .second: return inDay / 1_000 % 60
        case .minute: return inDay / 60_000 % 60
        case .hour: return inDay / 3_600_000
        case .day: return CivilDate(days: days).day
        case .month: return CivilDate(days: days).month
        case .quarter: return (CivilDate(days: days).month - 1) / 3 + 1
        case .year: return CivilDate(days: days).year
        case .week:
            // The week belongs to the year of its Thursday.
            let thursday = days - (((days + 3) % 7 + 7) % 7) + 3
            return (thursday - CivilDate(CivilDate(days: thursday).year, 1, 1).days) / 7 + 1
        }
    }

    private static func offset(_ time: Int64, _ zone: Zone) -> Int64 { Int64(zone.offset(at: floorDivide(time, 1_000))) * 1_000 }
}
