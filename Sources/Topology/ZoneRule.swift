import Model

/// The rule at the end of a zone file, as POSIX writes it in `TZ` (`CET-1CEST,M3.5.0,M10.5.0/3`), with RFC 8536's hours from
/// -167 to 167. It holds after the table's last transition.
struct ZoneRule: Equatable {
    /// Seconds east of UTC; POSIX counts west.
    var standard: Int32
    var daylight: Daylight?

    struct Daylight: Equatable {
        var offset: Int32
        var begins: Day
        var ends: Day
    }

    /// A day of each year, and seconds after its local midnight.
    struct Day: Equatable {
        enum Kind: Equatable {
            /// 1…365; the 29th of February is never counted.
            case julian(Int)
            /// 0…365, leap days counted.
            case zeroBased(Int)
            /// The `week`th such weekday (0 = Sunday) of the month; 5 is the last.
            case weekday(month: Int, week: Int, day: Int)
        }
        var kind: Kind
        var seconds: Int64
    }

    init(standard: Int32, daylight: Daylight? = nil) {
        self.standard = standard
        self.daylight = daylight
    }

    init?(_ text: some Collection<UInt8>) {
        var reader = Reader(rest: Array(text)[...])
        guard reader.name(), let west = reader.time(hours: 24) else { return nil }
        self.init(standard: Int32(-west))
        if reader.rest.isEmpty { return }
        guard reader.name() else { return nil }
        var offset = -west + 3_600
        if reader.rest.first != UInt8(ascii: ",") {
            guard let west = reader.time(hours: 24) else { return nil }
            offset = -west
        }
        guard reader.take(","), let begins = reader.day(), reader.take(","), let ends = reader.day(), reader.rest.isEmpty
        else { return nil }
        daylight = Daylight(offset: Int32(offset), begins: begins, ends: ends)
    }

    /// Writes the rule out as transitions after the table's last one, up to `ZoneLimits.lastYear`.
    func extend(_ zone: inout Zone) {
        guard let daylight else { return }
        let tableEnd = zone.transitions.last
        let firstYear = tableEnd.map { CivilDate(days: floorDivide($0, 86_400)).year } ?? 1970
        for year in firstYear...max(firstYear, ZoneLimits.lastYear) {
            let changes = [
                (daylight.begins.seconds(in: year) - Int64(standard), daylight.offset),
                (daylight.ends.seconds(in: year) - Int64(daylight.offset), standard),
            ].sorted { $0.0 < $1.0 }
            for (time, offset) in changes where tableEnd.map({ $0 < time }) ?? true {
                // A summer that ends when the next one begins never ended.
                if zone.transitions.last == time {
                    zone.transitions.removeLast()
                    zone.offsets.removeLast()
                }
                zone.append(offset, from: time)
            }
        }
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: character) else { return false }
            rest.removeFirst()
            return true
        }

        /// `CET` or `<+03>`.
        mutating func name() -> Bool {
            if take("<") {
                guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
                rest = rest[(end + 1)...]
                return true
            }
            let letters = rest.prefix { ($0 | 0x20) >= UInt8(ascii: "a") && ($0 | 0x20) <= UInt8(ascii: "z") }
            rest = rest[letters.endIndex...]
            return letters.count >= 3
        }

        mutating func number(atMost limit: Int) -> Int? {
            var value = 0
            var digits = 0
            while let byte = rest.first, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), digits < 4 {
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
                digits += 1
                rest.removeFirst()
            }
            return digits > 0 && value <= limit ? value : nil
        }

        /// `[+-]hh[:mm[:ss]]` in seconds.
        mutating func time(hours limit: Int) -> Int64? {
            let isNegative = take("-")
            if !isNegative { _ = take("+") }
            guard let hours = number(atMost: limit) else { return nil }
            var seconds = hours * 3_600
            if take(":") {
                guard let minutes = number(atMost: 59) else { return nil }
                seconds += minutes * 60
                if take(":") {
                    guard let more = number(atMost: 59) else { return nil }
                    seconds += more
                }
            }
            return Int64(isNegative ? -seconds : seconds)
        }

        mutating func day() -> Day? {
            let kind: Day.Kind
            if take("J") {
                guard let day = number(atMost: 365), day > 0 else { return nil }
                kind = .julian(day)
            } else if take("M") {
                guard let month = number(atMost: 12), month > 0, take("."), let week = number(atMost: 5), week > 0, take("."),
                    let day = number(atMost: 6)
                else { return nil }
                kind = .weekday(month: month, week: week, day: day)
            } else {
                guard let day = number(atMost: 365) else { return nil }
                kind = .zeroBased(day)
            }
            var seconds: Int64 = 7_200
            if take("/") {
                guard let time = time(hours: 167) else { return nil }
                seconds = time
            }
            return Day(kind: kind, seconds: seconds)
        }
    }
}

extension ZoneRule.Day {
    /// Local seconds since 1970 of the year's moment.
    fileprivate func seconds(in year: Int64) -> Int64 {
        let newYear = CivilDate(year, 1, 1).days
        let day: Int64
        switch kind {
        case .julian(let number): day = newYear + Int64(number) - 1 + (CivilDate.isLeap(year) && number >= 60 ? 1 : 0)
        case .zeroBased(let number): day = newYear + Int64(number)
        case .weekday(let month, let week, let weekday):
            let first = CivilDate(year, Int64(month), 1).days
            // 1970-01-01 was a Thursday.
            let firstWeekday = (first + 4) - floorDivide(first + 4, 7) * 7
            var found = first + (Int64(weekday) - firstWeekday + 7) % 7 + Int64(week - 1) * 7
            let next = first + CivilDate.days(in: Int64(month), of: year)
            while found >= next { found -= 7 }
            day = found
        }
        return day * 86_400 + seconds
    }
}
