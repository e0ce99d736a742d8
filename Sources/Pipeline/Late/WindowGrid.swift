import Model

/// Where the windows of one output lie: aligned to the epoch plus an offset, so that times before 1970 work (S10).
struct WindowGrid {
    let size: Int64
    let every: Int64
    let offset: Int64
    let lateness: Int64
    /// The first and last window that exist at all; a replay of a range has windows wholly within it only (S17).
    var firstStart = Int64.min
    var lastStart = Int64.max

    init(_ plan: AggregatePlan, bounds: Range<Int64>? = nil) {
        switch plan.window {
        case .tumbling(let size, let offset):
            self.size = size.milliseconds
            every = size.milliseconds
            self.offset = offset.milliseconds
        case .hopping(let size, let every, let offset):
            self.size = size.milliseconds
            self.every = every.milliseconds
            self.offset = offset.milliseconds
        }
        lateness = plan.allowedLateness.milliseconds
        if let bounds {
            firstStart = bounds.lowerBound == .min ? .min : bounds.lowerBound
            lastStart = bounds.upperBound == .max ? .max : bounds.upperBound - size
        }
    }

    /// How many windows an event can be in.
    var overlap: Int { Int((size + every - 1) / every) }

    /// The start of the last window that begins at or before `time`.
    @inline(__always)
    func lastStart(at time: Int64) -> Int64 { floorDivide(time &- offset, every) &* every &+ offset }

    /// The start of the first window that still holds `time`.
    @inline(__always)
    func firstStart(at time: Int64) -> Int64 { floorDivide(time &- offset &- size, every) &* every &+ every &+ offset }

    @inline(__always)
    func close(ofStart start: Int64) -> Int64 { start &+ size &+ lateness }

    /// The window's end or close, whichever comes first after `time`; nil: it is closed.
    func edge(ofStart start: Int64, after time: Int64) -> Int64? {
        if start &+ size > time { return start &+ size }
        return close(ofStart: start) > time ? close(ofStart: start) : nil
    }

    /// The end of the last window that ends at or before `time`.
    func lastEnd(at time: Int64) -> Int64 { floorDivide(time - size - offset, every) * every + offset + size }
}

/// Judges lateness by the partition's own watermark as it stood before the record (S12), for one output.
struct LatenessStage {
    var grid: WindowGrid

    /// Writes each row's admission and the starts of the first open and the last window it falls in. `admits` is the
    /// output's `where`, one byte a row (1: true), or nil.
    @inline(__always)
    func judge(
        rows: UnsafePointer<Int32>, count: Int, times: UnsafePointer<Int64>, before: UnsafePointer<Int64>,
        admits: UnsafePointer<UInt8>?, admissions: UnsafeMutablePointer<UInt8>, firsts: UnsafeMutablePointer<Int64>,
        lasts: UnsafeMutablePointer<Int64>
    ) {
        if grid.every == grid.size {
            judgeTumbling(
                rows: rows, count: count, times: times, before: before, admits: admits, admissions: admissions, firsts: firsts,
                lasts: lasts)
        } else {
            judgeHopping(
                rows: rows, count: count, times: times, before: before, admits: admits, admissions: admissions, firsts: firsts,
                lasts: lasts)
        }
    }

    private func judgeTumbling(
        rows: UnsafePointer<Int32>, count: Int, times: UnsafePointer<Int64>, before: UnsafePointer<Int64>,
        admits: UnsafePointer<UInt8>?, admissions: UnsafeMutablePointer<UInt8>, firsts: UnsafeMutablePointer<Int64>,
        lasts: UnsafeMutablePointer<Int64>
    ) {
        // Neighbours mostly share a window: a division is needed only where one ends.
        var start = Int64.max
        var end = Int64.min
        let reach = grid.size &+ grid.lateness
        for at in 0..<count {
            let row = Int(rows[at])
            let time = times[row]
            if time < start || time >= end {
                start = grid.lastStart(at: time)
                end = start &+ grid.size
            }
            firsts[row] = start
            lasts[row] = start
            if let admits, admits[row] != 1 {
                admissions[row] = Admission.none
            } else if start < grid.firstStart || start > grid.lastStart {
                admissions[row] = Admission.none
            } else {
                admissions[row] = start &+ reach <= before[row] ? Admission.refused : Admission.taken
            }
        }
    }

    private func judgeHopping(
        rows: UnsafePointer<Int32>, count: Int, times: UnsafePointer<Int64>, before: UnsafePointer<Int64>,
        admits: UnsafePointer<UInt8>?, admissions: UnsafeMutablePointer<UInt8>, firsts: UnsafeMutablePointer<Int64>,
        lasts: UnsafeMutablePointer<Int64>
    ) {
        for at in 0..<count {
            let row = Int(rows[at])
            let time = times[row]
            let watermark = before[row]
            var first = grid.firstStart(at: time)
            var last = grid.lastStart(at: time)
            if first < grid.firstStart { first += (grid.firstStart - first + grid.every - 1) / grid.every * grid.every }
            if last > grid.lastStart { last -= (last - grid.lastStart + grid.every - 1) / grid.every * grid.every }
            if first > last || (admits != nil && admits![row] != 1) {
                admissions[row] = Admission.none
                continue
            }
            lasts[row] = last
            if grid.close(ofStart: last) <= watermark {
                admissions[row] = Admission.refused
            } else {
                admissions[row] = Admission.taken
                while grid.close(ofStart: first) <= watermark {
                    first += grid.every
                    admissions[row] = Admission.partly
                }
            }
            firsts[row] = first
        }
    }
}
