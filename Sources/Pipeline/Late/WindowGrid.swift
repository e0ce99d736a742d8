import Model

/// Where the windows of one output lie (S10). Each is known by its slot: its start, or, of windows that share one (cumulative),
/// the start of its last step. Fixed windows are aligned to the epoch plus an offset; floor division, so times before 1970 work.
struct WindowGrid {
    let size: Int64
    /// From one slot to the next; of a calendar's windows nothing.
    let every: Int64
    let offset: Int64
    let lateness: Int64
    /// From a slot to its window's end; of a calendar's windows nothing.
    let reach: Int64
    let isCumulative: Bool
    /// nil: the windows are fixed.
    let calendar: CalendarWindows?
    /// Windows must lie wholly in here; a replay of a range has no others (S17).
    let bounds: Range<Int64>
    let isBounded: Bool

    init(_ plan: AggregatePlan, bounds: Range<Int64>? = nil) {
        offset = plan.window.offset.milliseconds
        lateness = plan.allowedLateness.milliseconds
        self.bounds = bounds ?? .min..<Int64.max
        isBounded = bounds != nil
        switch plan.window {
        case .tumbling(let size, _):
            self.size = size.milliseconds
            every = size.milliseconds
        case .hopping(let size, let every, _):
            self.size = size.milliseconds
            self.every = every.milliseconds
        case .cumulative(let size, let step, _):
            self.size = size.milliseconds
            every = step.milliseconds
        case .calendar, .session:
            size = plan.window.step.milliseconds
            every = size
        }
        if case .cumulative = plan.window { isCumulative = true } else { isCumulative = false }
        reach = isCumulative ? every : size
        if case .calendar(let unit, let zone, let weekStarts) = plan.window {
            calendar = CalendarWindows(unit, zone: zone, weekStarts: weekStarts)
        } else {
            calendar = nil
        }
    }

    /// The slot of the first window that holds `time`, and of the last.
    @inline(__always)
    func slots(at time: Int64) -> (first: Int64, last: Int64) {
        if let calendar {
            let start = calendar.start(holding: time)
            return (start, start)
        }
        if isCumulative {
            let base = floorDivide(time &- offset, size) &* size &+ offset
            return (floorDivide(time &- offset, every) &* every &+ offset, base &+ size &- every)
        }
        return (
            floorDivide(time &- offset &- size, every) &* every &+ every &+ offset,
            floorDivide(time &- offset, every) &* every &+ offset
        )
    }

    @inline(__always)
    func start(of slot: Int64) -> Int64 { isCumulative ? floorDivide(slot &- offset, size) &* size &+ offset : slot }

    @inline(__always)
    func end(of slot: Int64) -> Int64 { calendar == nil ? slot &+ reach : calendar.unsafelyUnwrapped.end(holding: slot) }

    @inline(__always)
    func close(of slot: Int64) -> Int64 { end(of: slot) &+ lateness }

    /// A window of a range that is replayed, or there is no such range.
    @inline(__always)
    func exists(_ slot: Int64) -> Bool { start(of: slot) >= bounds.lowerBound && end(of: slot) <= bounds.upperBound }

    /// The window's end or close, whichever comes first after `time`; nil: it is closed.
    func edge(of slot: Int64, after time: Int64) -> Int64? {
        if end(of: slot) > time { return end(of: slot) }
        return close(of: slot) > time ? close(of: slot) : nil
    }

    /// The last slot whose window closes at or before `time`.
    func lastSlot(closedAt time: Int64) -> Int64 {
        let (end, overflow) = time.subtractingReportingOverflow(lateness)
        let edge = overflow ? Int64.min / 2 : max(end, Int64.min / 2)
        if let calendar {
            let start = calendar.start(holding: edge)
            return calendar.end(holding: start) <= edge ? start : calendar.start(holding: start - 1)
        }
        return floorDivide(edge - reach - offset, every) * every + offset
    }

    /// The end of the last window that ends at or before `time`.
    func lastEnd(at time: Int64) -> Int64 {
        if let calendar { return calendar.start(holding: time) }
        return floorDivide(time - reach - offset, every) * every + offset + reach
    }
}

/// Judges lateness by the partition's own watermark as it stood before the record (S12), for one output.
struct LatenessStage {
    var grid: WindowGrid

    /// Writes each row's admission and the slots of the first open and the last window it falls in. `admits` is the
    /// output's `where`, one byte a row (1: true), or nil.
    @inline(__always)
    func judge(
        rows: UnsafePointer<Int32>, count: Int, times: UnsafePointer<Int64>, before: UnsafePointer<Int64>,
        admits: UnsafePointer<UInt8>?, admissions: UnsafeMutablePointer<UInt8>, firsts: UnsafeMutablePointer<Int64>,
        lasts: UnsafeMutablePointer<Int64>
    ) {
        if grid.every == grid.size {
            judgeSideBySide(
                rows: rows, count: count, times: times, before: before, admits: admits, admissions: admissions, firsts: firsts,
                lasts: lasts)
        } else {
            judgeOverlapping(
                rows: rows, count: count, times: times, before: before, admits: admits, admissions: admissions, firsts: firsts,
                lasts: lasts)
        }
    }

    /// Windows of which an event falls into one: tumbling, or a calendar's.
    private func judgeSideBySide(
        rows: UnsafePointer<Int32>, count: Int, times: UnsafePointer<Int64>, before: UnsafePointer<Int64>,
        admits: UnsafePointer<UInt8>?, admissions: UnsafeMutablePointer<UInt8>, firsts: UnsafeMutablePointer<Int64>,
        lasts: UnsafeMutablePointer<Int64>
    ) {
        // Neighbours mostly share a window: it is looked for only where one ends.
        var start = Int64.max
        var end = Int64.min
        for at in 0..<count {
            let row = Int(rows[at])
            let time = times[row]
            if time < start || time >= end {
                start = grid.slots(at: time).last
                end = grid.end(of: start)
            }
            firsts[row] = start
            lasts[row] = start
            if let admits, admits[row] != 1 {
                admissions[row] = Admission.none
            } else if start < grid.bounds.lowerBound || end > grid.bounds.upperBound {
                admissions[row] = Admission.none
            } else {
                admissions[row] = end &+ grid.lateness <= before[row] ? Admission.refused : Admission.taken
            }
        }
    }

    private func judgeOverlapping(
        rows: UnsafePointer<Int32>, count: Int, times: UnsafePointer<Int64>, before: UnsafePointer<Int64>,
        admits: UnsafePointer<UInt8>?, admissions: UnsafeMutablePointer<UInt8>, firsts: UnsafeMutablePointer<Int64>,
        lasts: UnsafeMutablePointer<Int64>
    ) {
        for at in 0..<count {
            let row = Int(rows[at])
            let watermark = before[row]
            var (first, last) = grid.slots(at: times[row])
            if grid.isBounded {
                while first <= last, !grid.exists(first) { first += grid.every }
                while first <= last, !grid.exists(last) { last -= grid.every }
            }
            if first > last || (admits != nil && admits![row] != 1) {
                admissions[row] = Admission.none
                continue
            }
            lasts[row] = last
            if grid.close(of: last) <= watermark {
                admissions[row] = Admission.refused
            } else {
                admissions[row] = Admission.taken
                while grid.close(of: first) <= watermark {
                    first += grid.every
                    admissions[row] = Admission.partly
                }
            }
            firsts[row] = first
        }
    }
}
