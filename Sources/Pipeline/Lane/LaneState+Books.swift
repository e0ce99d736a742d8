import Model

extension LaneState {
    /// Writes the outcomes into the books, and what needs a place into the ledgers (S2, S13).
    mutating func account(_ columns: Columns, _ batch: RecordBatch, _ rows: Int, refused: Bool) {
        var read = 0
        var aggregated = 0
        var filtered = 0
        var duplicate = 0
        var late = 0
        var rejected = 0
        for row in 0..<rows {
            let verdict = scratch.verdicts[row]
            read &+= verdict != RowVerdict.redelivered ? 1 : 0
            aggregated &+= verdict == RowVerdict.aggregated ? 1 : 0
            filtered &+= verdict == RowVerdict.filtered ? 1 : 0
            duplicate &+= verdict == RowVerdict.duplicate ? 1 : 0
            late &+= verdict == RowVerdict.late ? 1 : 0
            rejected &+= verdict == RowVerdict.rejected ? 1 : 0
        }
        books.read += Int64(read)
        books.aggregated += Int64(aggregated)
        books.filtered += Int64(filtered)
        books.duplicate += Int64(duplicate)
        books.late += Int64(late)
        if rejected > 0 { for row in 0..<rows where scratch.verdicts[row] == RowVerdict.rejected { bury(columns, batch, row) } }
        if refused { enterLate(batch, rows) }
        if oldestTimestamp == nil {
            for row in 0..<rows where scratch.verdicts[row] != RowVerdict.redelivered {
                let stamp = batch.timestamps[row]
                oldestTimestamp = stamp == RecordBatch.noTimestamp ? nil : stamp
                break
            }
        }
        rememberLast(batch, rows)
    }

    /// What a lane counts beside its books, as it stands.
    var figures: LaneFigures {
        var figures = LaneFigures()
        dedup?.pointee.tell(&figures)
        if isRekeyed { figures.samples = places.named(figures.samples) }
        figures.clocks = clocks.told
        return figures
    }

    private mutating func noteBadClock(_ columns: Columns, _ batch: RecordBatch, _ row: Int) {
        let ahead = scratch.times[row] - batch.timestamps[row]
        clocks.note(of: producer?.hash(columns, row), name: producer?.name(columns, row)) { figures in
            figures.records += 1
            figures.ahead.record(ahead)
        }
    }

    private mutating func bury(_ columns: Columns, _ batch: RecordBatch, _ row: Int) {
        let reason = RejectReason(rawValue: scratch.reasons[row])!
        if reason == .futureTime { noteBadClock(columns, batch, row) }
        books.rejectedByReason[Int(reason.rawValue)] += 1
        let size = batch.lengths[row]
        var payload: [UInt8]?
        if keepsPayloads, reason != .oversize, let start = batch.payloads[row] {
            payload = Array(UnsafeRawBufferPointer(start: start, count: min(size, PipelineLimits.deadLetterBytes)))
        }
        ledgerBytes += 64 + (payload?.count ?? 0)
        let stamp = batch.timestamps[row]
        let field = Int(scratch.blamed[row])
        deadLetters.append(
            DeadLetter(
                offset: batch.offsets[row], reason: reason, field: field < 0 ? nil : field,
                timestamp: stamp == RecordBatch.noTimestamp ? nil : stamp, size: Int64(size), payload: payload))
    }

    /// One entry for each output that refused a record which was no duplicate, whatever the record's outcome.
    private mutating func enterLate(_ batch: RecordBatch, _ rows: Int) {
        for index in 0..<outputCount {
            let output = outputs + index
            for row in 0..<rows {
                let verdict = scratch.verdicts[row]
                guard verdict == RowVerdict.late || verdict == RowVerdict.aggregated,
                    output.pointee.admissions[row] == Admission.refused
                else { continue }
                books.lateRefusals[index] += 1
                guard keepsLateEntries else { continue }
                let grid = output.pointee.grid
                let start = output.pointee.lasts[row]
                let identity = dedup != nil && scratch.identified[row] ? scratch.identities[row] : nil
                let record = keepsLateRecords ? lateRecord(batch, row) : nil
                ledgerBytes += 96 + (record?.payload?.count ?? 0)
                var entry = LateEntry(
                    output: index, offset: batch.offsets[row], eventTime: EventTime(milliseconds: scratch.times[row]),
                    windowStart: EventTime(milliseconds: grid.start(of: start)),
                    windowEnd: EventTime(milliseconds: grid.end(of: start)),
                    watermark: EventTime(milliseconds: scratch.before[row]),
                    lateBy: .milliseconds(scratch.before[row] - grid.close(of: start)), identity: identity, record: record)
                if let source {
                    entry.source = source
                    entry.offset = RecordPlace.offset(entry.offset)
                }
                late.append(entry)
            }
        }
    }

    private func lateRecord(_ batch: RecordBatch, _ row: Int) -> LateRecord {
        let size = batch.lengths[row]
        var payload: [UInt8]?
        if keepsPayloads, let start = batch.payloads[row] {
            payload = Array(UnsafeRawBufferPointer(start: start, count: min(size, PipelineLimits.deadLetterBytes)))
        }
        let stamp = batch.timestamps[row]
        return LateRecord(timestamp: stamp == RecordBatch.noTimestamp ? nil : stamp, size: Int64(size), payload: payload)
    }

    /// What a later start compares with the log, to see that it is still the same log.
    private mutating func rememberLast(_ batch: RecordBatch, _ rows: Int) {
        var row = rows - 1
        while row >= 0, scratch.verdicts[row] == RowVerdict.redelivered { row -= 1 }
        guard row >= 0 else { return }
        let length = min(batch.lengths[row], PipelineLimits.deadLetterBytes)
        lastRecord = RecordFingerprint(
            offset: batch.offsets[row], timestamp: batch.timestamps[row],
            hash: Hash64.of(UnsafeRawBufferPointer(start: batch.payloads[row], count: batch.payloads[row] == nil ? 0 : length)))
    }
}
