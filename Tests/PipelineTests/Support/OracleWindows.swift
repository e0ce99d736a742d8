import Model

extension AggregatePlan.Window {
    /// The windows that hold `time`, by their ends, found by looking at all that are near.
    func holding(_ time: Int64) -> [Range<Int64>] {
        switch self {
        case .tumbling(let size, let offset): return Self.near(time, size, size, offset)
        case .hopping(let size, let every, let offset): return Self.near(time, size, every, offset)
        case .cumulative(let size, let step, let offset):
            let whole = Self.near(time, size, size, offset)[0]
            return stride(from: whole.lowerBound + step.milliseconds, through: whole.upperBound, by: Int(step.milliseconds))
                .filter { $0 > time }.map { whole.lowerBound..<$0 }
        case .calendar(let unit, let zone, _): return [Self.calendar(unit, zone, time)]
        case .session(let gap): return [time..<(time + gap.milliseconds)]
        }
    }

    private static func near(_ time: Int64, _ size: TimeSpan, _ every: TimeSpan, _ offset: TimeSpan) -> [Range<Int64>] {
        let (size, every, offset) = (size.milliseconds, every.milliseconds, offset.milliseconds)
        // Well below the time first, then up.
        var start = offset + ((time - offset - size) / every - 2) * every
        var found: [Range<Int64>] = []
        while start <= time {
            if time < start + size { found.append(start..<(start + size)) }
            start += every
        }
        return found
    }

    /// Minute by minute, from further back than any clock is set.
    private static func calendar(_ unit: CalendarUnit, _ zone: Zone, _ time: Int64) -> Range<Int64> {
        func local(_ minute: Int64) -> Int64 { minute * 60 + Int64(zone.offset(at: minute * 60)) }
        let now = floorDivide(time, 60_000)
        var (start, end) = (now, now + 1)
        if unit == .hour {
            func isSame(_ minute: Int64) -> Bool {
                local(minute) - local(minute - 1) == 60
                    && floorDivide(local(minute), 3_600) == floorDivide(local(minute - 1), 3_600)
            }
            while isSame(start) { start -= 1 }
            while isSame(end) { end += 1 }
        } else {
            func day(_ minute: Int64) -> Int64 { floorDivide(local(minute), 86_400) }
            let reached = (now - 2_000...now).map(day).max()!
            start = (now - 4_000...now).first { day($0) >= reached }!
            while day(end) <= reached { end += 1 }
        }
        return start * 60_000..<end * 60_000
    }
}
