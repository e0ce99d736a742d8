import Model

/// Judges event times and moves the watermark, record by record (S3, S4).
struct EventTimeStage {
    let column: Int?
    let outOfOrderness: Int64
    let maxFuture: Int64

    init(_ plan: EventTimePlan) {
        if case .field(let index) = plan.source { column = index } else { column = nil }
        outOfOrderness = plan.outOfOrderness.milliseconds
        maxFuture = plan.maxFuture.milliseconds
    }

    /// Fills `times` and names the rows whose time can't be used: in `reasons`, as a raw `RejectReason`; rows rejected
    /// before are left alone. Cost per row: a compare and a store.
    @inline(__always)
    func readTimes(
        _ columns: Columns, _ batch: RecordBatch, rows: Int, verdicts: UnsafeMutablePointer<UInt8>,
        reasons: UnsafeMutablePointer<UInt8>, blamed: UnsafeMutablePointer<Int16>, times: UnsafeMutablePointer<Int64>
    ) {
        let stamps = batch.timestamps
        if let column {
            let values = columns.int64(column)
            for row in 0..<rows { times[row] = values[row] }
        } else {
            for row in 0..<rows { times[row] = stamps[row] }
        }
        let low = PipelineLimits.eventTimes.lowerBound
        let high = PipelineLimits.eventTimes.upperBound
        for row in 0..<rows where verdicts[row] == RowVerdict.open {
            let time = times[row]
            let stamp = stamps[row]
            if time < low || time > high {
                verdicts[row] = RowVerdict.rejected
                reasons[row] = RejectReason.badTime.rawValue
                blamed[row] = Int16(truncatingIfNeeded: column ?? -1)
            } else if stamp != RecordBatch.noTimestamp, time &- maxFuture > stamp {
                // The record's own timestamp is the judge, so that a replay decides the same.
                verdicts[row] = RowVerdict.rejected
                reasons[row] = RejectReason.futureTime.rawValue
            }
        }
    }

    /// Writes the watermark before each row and returns the one after the last. Every row that passed moves it, whatever
    /// becomes of it later.
    @inline(__always)
    func advance(
        from watermark: Int64, rows: Int, verdicts: UnsafePointer<UInt8>, times: UnsafePointer<Int64>,
        before: UnsafeMutablePointer<Int64>
    ) -> Int64 {
        var current = watermark
        for row in 0..<rows {
            before[row] = current
            if verdicts[row] == RowVerdict.open { current = max(current, times[row] &- outOfOrderness) }
        }
        return current
    }
}
