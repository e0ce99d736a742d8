/// The windows of a calendar in a zone (S10): they lie side by side without gaps, and a day has 23 or 25 hours where clocks change.
///
/// A day begins at the first instant at which the zone's clocks show its date, or a later one: where midnight exists twice that
/// is the earlier one, where clocks skip it the moment at which they do, and a date that a zone left out has no window. Weeks and
/// months begin with their first day. An hour is one hour of the clock, cut where clocks change inside of it, so that every hour
/// that exists twice is two windows. After `ZoneLimits.lastYear` the last offset holds.
///
/// It remembers the window that was asked for last, so it is for one queue. Cost: two compares within that window, else a few
/// dozen nanoseconds; nothing is allocated.
public final class CalendarWindows {
    private let unit: CalendarUnit
    /// 1 Monday … 7 Sunday.
    private let weekStarts: Int64
    /// As the zone's, in milliseconds.
    private let transitions: [Int64]
    private let offsets: [Int64]

    // The window that was found last.
    private var start: Int64 = 0
    private var end: Int64 = 0
    // The stretch in which one offset holds, of those looked up last.
    private var spanStart: Int64 = 0
    private var spanEnd: Int64 = 0
    private var offset: Int64 = 0

    /// `weekStarts`: 1 Monday … 7 Sunday.
    public init(_ unit: CalendarUnit, zone: Zone, weekStarts: Int = 1) {
        self.unit = unit
        self.weekStarts = Int64(weekStarts)
        transitions = zone.transitions.map { $0 * 1_000 }
        offsets = zone.offsets.map { Int64($0) * 1_000 }
    }

    /// Where the window begins that holds `time`, a time of the years that events can have.
    @inline(__always)
    public func start(holding time: Int64) -> Int64 {
        if time < start || time >= end { find(time) }
        return start
    }

    /// Where it ends, and the next one begins.
    @inline(__always)
    public func end(holding time: Int64) -> Int64 {
        if time < start || time >= end { find(time) }
        return end
    }

    @inline(never)
    private func find(_ time: Int64) {
        if time < spanStart || time >= spanEnd { look(time) }
        let local = time + offset
        if unit == .hour {
            let hour = floorDivide(local, 3_600_000) * 3_600_000 - offset
            start = max(hour, spanStart)
            end = min(hour + 3_600_000, spanEnd)
            return
        }
        var day = first(ofDay: floorDivide(local, dayMilliseconds))
        var from = boundary(day)
        // Clocks that were set back over midnight show a date again that is over.
        while time < from {
            day = first(ofDay: day - 1)
            from = boundary(day)
        }
        var next = following(day)
        var until = boundary(next)
        while time >= until {
            from = until
            next = following(next)
            until = boundary(next)
        }
        start = from
        end = until
    }

    private func look(_ time: Int64) {
        var low = 0
        var high = transitions.count
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle] > time { high = middle } else { low = middle + 1 }
        }
        spanStart = low == 0 ? .min : transitions[low - 1]
        spanEnd = low == transitions.count ? .max : transitions[low]
        offset = offsets[low]
    }

    /// The first day of the window that a date belongs to.
    private func first(ofDay day: Int64) -> Int64 {
        switch unit {
        case .hour, .day: return day
        case .week:
            // 1970-01-01 was a Thursday, the fourth day from Monday.
            let since = day + 4 - weekStarts
            return day - (since - floorDivide(since, 7) * 7)
        case .month:
            let date = CivilDate(days: day)
            return CivilDate(date.year, date.month, 1).days
        }
    }

    /// The first day of the window behind the one that begins at `day`.
    private func following(_ day: Int64) -> Int64 {
        switch unit {
        case .hour, .day: return day + 1
        case .week: return day + 7
        case .month:
            let date = CivilDate(days: day)
            return day + CivilDate.days(in: date.month, of: date.year)
        }
    }

    /// The first instant at which clocks show this date or a later one.
    private func boundary(_ day: Int64) -> Int64 {
        let local = day * dayMilliseconds
        look(local - ZoneLimits.widestOffset * 1_000)
        while true {
            let instant = local - offset
            // Clocks jumped past it.
            if instant <= spanStart { return spanStart }
            if instant < spanEnd { return instant }
            look(spanEnd)
        }
    }
}
