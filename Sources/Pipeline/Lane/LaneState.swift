import Model

/// Everything one lane computes with, in one value: entered once a batch, no reference counting inside. `process` owns the
/// order of the stages; the first that ends a record's way names its outcome (S1).
struct LaneState: ~Copyable {
    let plan: Plan
    let lane: LaneNumber
    let partition: PartitionID
    let eventTime: EventTimeStage
    let accumulate: AccumulateStage
    let decoder: RecordDecoder
    let scratch = BatchScratch()
    let compute: ComputeStage?
    let errorPlaces: ErrorPlaces?
    /// By output and measure, into `Books.expressionErrors`.
    let measureErrors: [[Int?]]
    let errorNames: Int
    var filter: PredicateProgram?
    let dedup: UnsafeMutablePointer<DedupStage>?
    let outputs: UnsafeMutablePointer<OutputState>
    let outputCount: Int

    var watermark = noWatermark
    var newest = Int64.min
    /// Of a window that ever held data.
    var largestClose: Int64?
    var nextOffset: Int64 = 0
    var books: Books
    var lastRecord: RecordFingerprint?
    var late: [LateEntry] = []
    var deadLetters: [DeadLetter] = []
    /// Record timestamp of the oldest record that is not sealed yet.
    var oldestTimestamp: Int64?
    /// Records that passed the stage event time since the lane was asked last.
    var spoken = 0
    /// Bytes of ledger entries and dead letters waiting for the seal.
    var ledgerBytes = 0
    /// What conditions said, where it is wanted.
    var reach: LaneReach?
    private let keepsPayloads: Bool
    private let keepsLateEntries: Bool
    private let required: [Int]
    /// Records with an earlier event time are in no count; `.min`: all count.
    private let warmBefore: Int64

    init(_ configuration: LaneConfiguration) throws(Fault) {
        decoder = try RecordDecoder(fields: configuration.plan.fields, maxRecord: configuration.plan.source.maxRecord)
        plan = configuration.plan
        lane = configuration.lane
        partition = configuration.partition
        eventTime = EventTimeStage(plan.eventTime)
        accumulate = AccumulateStage(partitionOrder: configuration.partitionOrder)
        compute = plan.fields.last?.computed == nil ? nil : ComputeStage(plan.fields, needed: plan.columnsToCompute)
        errorPlaces = compute == nil ? nil : ErrorPlaces(plan)
        let places = ExpressionPlaces(plan)
        measureErrors = places.measures(plan)
        errorNames = places.names.count
        if let predicate = plan.filter {
            filter = PredicateProgram(predicate, fields: plan.fields, capacity: BatchScratch.rows)
        } else {
            filter = nil
        }
        if let deduplicate = plan.deduplicate {
            let stage = UnsafeMutablePointer<DedupStage>.allocate(capacity: 1)
            stage.initialize(to: DedupStage(deduplicate, plan: plan))
            dedup = stage
        } else {
            dedup = nil
        }
        outputCount = plan.aggregates.count
        outputs = .allocate(capacity: max(outputCount, 1))
        for (at, aggregate) in plan.aggregates.enumerated() {
            (outputs + at).initialize(
                to: OutputState(
                    aggregate, fields: plan.fields, stored: configuration.storedOutputs[at], bounds: configuration.bounds))
        }
        warmBefore = configuration.warmBefore?.milliseconds ?? .min
        books = Books(outputs: outputCount)
        let fields = configuration.plan.fields
        keepsPayloads = !fields.contains(where: \.isPersonal)
        if case .ledger = plan.late { keepsLateEntries = true } else { keepsLateEntries = false }
        var needed = fields.indices.filter { fields[$0].required }
        if let column = eventTime.column, !needed.contains(column) { needed.append(column) }
        required = needed.sorted()
    }

    deinit {
        outputs.deinitialize(count: outputCount)
        outputs.deallocate()
        dedup?.deinitialize(count: 1)
        dedup?.deallocate()
    }

    /// One pass of all stages over at most `PipelineLimits.batchRows` records; returns how many of them it took. A `warm`
    /// batch only remembers keys and moves the watermark: it lies before the start of a replay and is in no count (S17).
    mutating func process(_ batch: RecordBatch, warm: Bool) -> Int {
        let booksBefore = books
        receive(batch)
        let decoded = decoder.decode(batch, skip: scratch.skip)
        let columns = compute?.run(decoded) ?? decoded
        let rows = columns.count
        settleOffsets(batch, rows)
        noteFieldErrors(columns, rows)
        checkFields(columns, rows)
        eventTime.readTimes(
            columns, batch, rows: rows, verdicts: scratch.verdicts, reasons: scratch.reasons, blamed: scratch.blamed,
            times: scratch.times)
        watermark = eventTime.advance(
            from: watermark, rows: rows, verdicts: scratch.verdicts, times: scratch.times, before: scratch.before)
        var live = collect(rows)
        live = applyFilter(columns, rows, live)
        let refused = judgeLateness(columns, rows, live)
        live = deduplicate(columns, live)
        if warm {
            books = booksBefore
        } else {
            if warmBefore > .min { live = leaveWarm(rows, live) }
            aggregate(columns, batch, live)
            account(batch, rows, refused: refused)
        }
        return rows
    }

    /// Where a replay's start can't be looked up in the log, each record's own time says whether it only warms (S17): such
    /// a row has been remembered, and is in no count from here on.
    private func leaveWarm(_ rows: Int, _ live: Int) -> Int {
        for row in 0..<rows where scratch.times[row] < warmBefore {
            switch scratch.verdicts[row] {
            case RowVerdict.open, RowVerdict.filtered, RowVerdict.duplicate: scratch.verdicts[row] = RowVerdict.redelivered
            default: break
            }
        }
        var kept = 0
        for at in 0..<live where scratch.verdicts[Int(scratch.live[at])] == RowVerdict.open {
            scratch.live[kept] = scratch.live[at]
            kept &+= 1
        }
        return kept
    }

    /// Offsets first: what lies below the next one was read before and is dropped before it is read.
    private func receive(_ batch: RecordBatch) {
        let verdicts = scratch.verdicts
        let skip = scratch.skip
        let limit = Int(truncatingIfNeeded: plan.source.maxRecord.bytes)
        var next = nextOffset
        for row in 0..<batch.count {
            scratch.blamed[row] = -1
            verdicts[row] = RowVerdict.open
            skip[row] = 0
            let offset = batch.offsets[row]
            if offset < next {
                verdicts[row] = RowVerdict.redelivered
                skip[row] = 1
                continue
            }
            next = offset &+ 1
            if batch.payloads[row] == nil {
                reject(row, .tombstone)
                skip[row] = 1
            } else if batch.lengths[row] > limit {
                reject(row, .oversize)
                skip[row] = 1
            }
        }
    }

    /// The decoder may take fewer rows than it was offered: only those count.
    private mutating func settleOffsets(_ batch: RecordBatch, _ rows: Int) {
        var redelivered = 0
        for row in 0..<rows {
            if scratch.verdicts[row] == RowVerdict.redelivered { redelivered &+= 1 } else { nextOffset = batch.offsets[row] &+ 1 }
        }
        books.redelivered += Int64(redelivered)
    }

    @inline(__always)
    private func reject(_ row: Int, _ reason: RejectReason, field: Int = -1) {
        scratch.verdicts[row] = RowVerdict.rejected
        scratch.reasons[row] = reason.rawValue
        scratch.blamed[row] = Int16(truncatingIfNeeded: field)
    }

    /// Undecodable records, then the fields in declared order; a whole column without a fault costs one pass that the
    /// compiler turns into vector code.
    private func checkFields(_ columns: borrowing Columns, _ rows: Int) {
        let verdicts = scratch.verdicts
        let errors = columns.errors
        for row in 0..<rows where verdicts[row] == RowVerdict.open && errors[row] != 0 { reject(row, .undecodable) }
        var nextRequired = 0
        for field in plan.fields.indices {
            let isRequired = nextRequired < required.count && required[nextRequired] == field
            if isRequired { nextRequired += 1 }
            // A computed column can lack a value without a fault of the record.
            if !isRequired && plan.fields[field].computed != nil { continue }
            let state = columns.state(field)
            var odd: UInt8 = 0
            for row in 0..<rows { odd |= state[row] ^ ColumnState.ok }
            if odd == 0 { continue }
            for row in 0..<rows where state[row] != ColumnState.ok && verdicts[row] == RowVerdict.open {
                switch state[row] {
                case ColumnState.wrongType: reject(row, .wrongType, field: field)
                case ColumnState.badTime: reject(row, .badTime, field: field)
                default: if isRequired { reject(row, .missingField, field: field) }
                }
            }
        }
    }

    private mutating func collect(_ rows: Int) -> Int {
        var live = 0
        var newest = self.newest
        for row in 0..<rows where scratch.verdicts[row] == RowVerdict.open {
            scratch.live[live] = Int32(truncatingIfNeeded: row)
            live &+= 1
            newest = max(newest, scratch.times[row])
        }
        self.newest = newest
        spoken += live
        return live
    }

    private mutating func applyFilter(_ columns: borrowing Columns, _ rows: Int, _ live: Int) -> Int {
        guard filter != nil else { return live }
        let passes = filter!.evaluate(columns, count: rows)
        if reach != nil { noteFilter(passes, live) }
        if compute != nil { noteErrors(errorPlaces?.filter, passes, live) }
        var kept = 0
        for at in 0..<live {
            let row = Int(scratch.live[at])
            if passes[row] == 1 {
                scratch.live[kept] = Int32(truncatingIfNeeded: row)
                kept &+= 1
            } else {
                scratch.verdicts[row] = RowVerdict.filtered
            }
        }
        return kept
    }

    /// Asks each output before dedup, because the key of a late record is not remembered (S8). The record's own admission
    /// is `taken` if any output takes it, `refused` if all that admit it refuse, else `none`. True if any output refused a row.
    private mutating func judgeLateness(_ columns: borrowing Columns, _ rows: Int, _ live: Int) -> Bool {
        for at in 0..<live { scratch.admissions[Int(scratch.live[at])] = Admission.none }
        var anyRefused = false
        for index in 0..<outputCount {
            let output = outputs + index
            var admits: UnsafePointer<UInt8>?
            if output.pointee.admits != nil { admits = output.pointee.admits!.evaluate(columns, count: rows) }
            if reach != nil, let admits { noteAdmits(index, admits, live) }
            if compute != nil, let admits { noteErrors(errorPlaces?.admits[index], admits, live) }
            for program in 0..<output.pointee.programCount {
                output.pointee.measureResults[program] = (output.pointee.measureAdmits + program).pointee.evaluate(
                    columns, count: rows)
            }
            output.pointee.lateness.judge(
                rows: scratch.live, count: live, times: scratch.times, before: scratch.before, admits: admits,
                admissions: output.pointee.admissions, firsts: output.pointee.firsts, lasts: output.pointee.lasts)
            for at in 0..<live {
                let row = Int(scratch.live[at])
                let own = output.pointee.admissions[row]
                let record = scratch.admissions[row]
                if own == Admission.refused {
                    anyRefused = true
                    if record == Admission.none { scratch.admissions[row] = Admission.refused }
                } else if own == Admission.partly {
                    scratch.admissions[row] = Admission.partly
                } else if own == Admission.taken, record != Admission.partly {
                    scratch.admissions[row] = Admission.taken
                }
            }
        }
        return anyRefused
    }

    private mutating func deduplicate(_ columns: borrowing Columns, _ live: Int) -> Int {
        guard let dedup else { return live }
        var counts = (unidentified: 0, observed: 0)
        let kept = dedup.pointee.run(columns, scratch, live: live, counts: &counts)
        books.unidentified += Int64(counts.unidentified)
        books.duplicateObserved += Int64(counts.observed)
        return kept
    }

    private mutating func aggregate(_ columns: borrowing Columns, _ batch: RecordBatch, _ live: Int) {
        for index in 0..<outputCount {
            if reach != nil { noteMeasures(index, live) }
            if compute != nil { noteMeasureErrors(index, live) }
            (outputs + index).pointee.aggregate(
                columns, rows: scratch.live, count: live, scratch: scratch, accumulate: accumulate, times: scratch.times,
                offsets: batch.offsets)
            noteLongTexts(index)
        }
        for at in 0..<live {
            let row = Int(scratch.live[at])
            switch scratch.admissions[row] {
            case Admission.none: scratch.verdicts[row] = RowVerdict.filtered
            case Admission.refused: scratch.verdicts[row] = RowVerdict.late
            case Admission.partly:
                scratch.verdicts[row] = RowVerdict.aggregated
                books.partlyLate += 1
            default: scratch.verdicts[row] = RowVerdict.aggregated
            }
        }
    }

    /// Writes the outcomes into the books, and what needs a place into the ledgers (S2, S13).
    private mutating func account(_ batch: RecordBatch, _ rows: Int, refused: Bool) {
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
        if rejected > 0 { for row in 0..<rows where scratch.verdicts[row] == RowVerdict.rejected { bury(batch, row) } }
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

    private mutating func bury(_ batch: RecordBatch, _ row: Int) {
        let reason = RejectReason(rawValue: scratch.reasons[row])!
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
                ledgerBytes += 96
                late.append(
                    LateEntry(
                        output: index, offset: batch.offsets[row], eventTime: EventTime(milliseconds: scratch.times[row]),
                        windowStart: EventTime(milliseconds: start), windowEnd: EventTime(milliseconds: start + grid.size),
                        watermark: EventTime(milliseconds: scratch.before[row]),
                        lateBy: .milliseconds(scratch.before[row] - grid.close(ofStart: start)), identity: identity))
            }
        }
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
