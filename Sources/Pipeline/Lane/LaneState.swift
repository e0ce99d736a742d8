import Model

/// Everything one lane computes with, in one value: entered once a batch, no reference counting inside. `process` owns the
/// order of the stages; the first that ends a record's way names its outcome (S1).
struct LaneState: ~Copyable {
    let plan: Plan
    let lane: LaneNumber
    let partition: PartitionID
    let eventTime: EventTimeStage
    var accumulate: AccumulateStage
    let decoder: RecordDecoder
    let scratch = BatchScratch()
    let cold = ColdAccess()
    /// Bytes above which a restore leaves cells where they are.
    var room = Int.max
    var isFull = false
    var restored = 0
    let compute: ComputeStage?
    let errorPlaces: ErrorPlaces?
    /// By output and measure, into `Books.expressionErrors`.
    let measureErrors: [[Int?]]
    let errorNames: Int
    var filter: PredicateProgram?
    let dedup: UnsafeMutablePointer<DedupStage>?
    /// What leaves for re-keyed partitions behind the filter; nil: nothing does.
    let handingOn: HandingOn?
    let isRekeyed: Bool
    /// Of a group's re-keyed lane.
    let inputTimes: InputTimes?
    /// Of a re-keyed lane: who is meant by places, and whose records it has in hand.
    var places = PlaceNames()
    var source: PartitionID?
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
    /// Event times that the guard refused.
    var clocks: FigureBook<ClockFigures>
    let producer: ProducerColumn?
    /// Bytes of ledger entries and dead letters waiting for the seal.
    var ledgerBytes = 0
    /// What conditions said, where it is wanted.
    var reach: LaneReach?
    /// Of some output, records go row by row where they could be late.
    private let hasKeyedSessions: Bool
    let keepsPayloads: Bool
    let keepsLateEntries: Bool
    let keepsLateRecords: Bool
    private let required: [Int]
    /// Records with an earlier event time are in no count; `.min`: all count.
    let warmBefore: Int64

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
        handingOn = HandingOn(configuration)
        inputTimes = InputTimes(configuration)
        isRekeyed = configuration.role.sources != nil
        self.places.inputs = configuration.role.sources ?? [:]
        if let deduplicate = plan.deduplicate, handingOn == nil {
            let stage = UnsafeMutablePointer<DedupStage>.allocate(capacity: 1)
            stage.initialize(to: DedupStage(deduplicate, plan: plan))
            dedup = stage
        } else {
            dedup = nil
        }
        outputCount = handingOn == nil ? plan.aggregates.count : 0
        outputs = .allocate(capacity: max(outputCount, 1))
        for at in 0..<outputCount {
            (outputs + at).initialize(
                to: OutputState(at, of: plan, stored: configuration.storedOutputs[at], bounds: configuration.bounds))
        }
        hasKeyedSessions = plan.aggregates.contains { $0.window.isSession && $0.isKeyed }
        warmBefore = configuration.warmBefore?.milliseconds ?? .min
        clocks = FigureBook(tag: StateKey.clocks, of: configuration.plan)
        producer = plan.source.producer.map { [fields = plan.fields] in ProducerColumn($0, fields: fields) }
        books = Books(outputs: plan.aggregates.count)
        let fields = configuration.plan.fields
        keepsPayloads = !fields.contains(where: \.isPersonal)
        keepsLateEntries = plan.late != .count
        if case .topic = plan.late { keepsLateRecords = true } else { keepsLateRecords = false }
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
        if handingOn != nil {
            handOn(columns, batch, rows, live, warm: warm, booksBefore)
            return rows
        }
        evaluateConditions(columns, rows, live)
        let refused =
            hasKeyedSessions && mayBeLate(live)
            ? settleInPieces(columns, batch, rows, live, warm: warm) : settle(columns, batch, rows, live, warm: warm)
        if warm { books = booksBefore } else { account(columns, batch, rows, refused: refused) }
        return rows
    }

    /// The stages that end a record's way by what the lane remembers. True if any output refused a row.
    mutating func settle(
        _ columns: borrowing Columns, _ batch: RecordBatch, _ rows: Int, _ live: Int, warm: Bool
    ) -> Bool {
        let refused = judgeLateness(columns, live)
        var live = deduplicate(columns, batch, live)
        if warm { return refused }
        dedup?.pointee.countCopies(columns, scratch, offsets: batch.offsets, since: warmBefore)
        if warmBefore > .min { live = leaveWarm(rows, live) }
        aggregate(columns, batch, live)
        return refused
    }

    /// Whether a session is still open for a record can hang on the records just before it, copies left out: each that could be
    /// late begins a piece of its own (S11, S12).
    private mutating func settleInPieces(
        _ columns: borrowing Columns, _ batch: RecordBatch, _ rows: Int, _ live: Int, warm: Bool
    ) -> Bool {
        scratch.waiting.update(from: scratch.live, count: live)
        var refused = false
        var from = 0
        while from < live {
            var to = from + 1
            while to < live, !mayBeLate(row: Int(scratch.waiting[to])) { to += 1 }
            scratch.live.update(from: scratch.waiting + from, count: to - from)
            if settle(columns, batch, rows, to - from, warm: warm) { refused = true }
            from = to
        }
        return refused
    }

    private func mayBeLate(_ live: Int) -> Bool {
        for at in 0..<live where mayBeLate(row: Int(scratch.live[at])) { return true }
        return false
    }

    private func mayBeLate(row: Int) -> Bool {
        for index in 0..<outputCount where outputs[index].isLateAlone(scratch.times[row], scratch.before[row]) { return true }
        return false
    }

    /// Where a replay's start can't be looked up in the log, each record's own time says whether it only warms (S17): such
    /// a row has been remembered, and is in no count from here on.
    func leaveWarm(_ rows: Int, _ live: Int) -> Int {
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

    mutating func collect(_ rows: Int) -> Int {
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

    /// Asks each output's conditions of all rows of the batch; what they say is read until the next batch.
    mutating func evaluateConditions(_ columns: borrowing Columns, _ rows: Int, _ live: Int) {
        for index in 0..<outputCount where !outputs[index].isRollUp {
            let output = outputs + index
            if output.pointee.admits != nil {
                let admits = output.pointee.admits!.evaluate(columns, count: rows)
                output.pointee.admitted = admits
                if reach != nil { noteAdmits(index, admits, live) }
                if compute != nil { noteErrors(errorPlaces?.admits[index], admits, live) }
            }
            for program in 0..<output.pointee.programCount {
                output.pointee.measureResults[program] = (output.pointee.measureAdmits + program).pointee.evaluate(
                    columns, count: rows)
            }
        }
    }

    /// Asks each output before dedup, because the key of a late record is not remembered (S8). The record's own admission
    /// is `taken` if any output takes it, `refused` if all that admit it refuse, else `none`. True if any output refused a row.
    private mutating func judgeLateness(_ columns: borrowing Columns, _ live: Int) -> Bool {
        for at in 0..<live { scratch.admissions[Int(scratch.live[at])] = Admission.none }
        var anyRefused = false
        for index in 0..<outputCount where !outputs[index].isRollUp {
            let output = outputs + index
            if let sessions = output.pointee.sessions {
                if sessions.pointee.cold.count > 0 {
                    output.pointee.warm(sessions, columns, rows: scratch.live, count: live, times: scratch.times, cold)
                }
                output.pointee.judge(sessions, columns, live, scratch)
            } else {
                output.pointee.lateness.judge(
                    rows: scratch.live, count: live, times: scratch.times, before: scratch.before,
                    admits: output.pointee.admitted, admissions: output.pointee.admissions, firsts: output.pointee.firsts,
                    lasts: output.pointee.lasts)
            }
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

    private mutating func deduplicate(_ columns: borrowing Columns, _ batch: RecordBatch, _ live: Int) -> Int {
        guard let dedup else { return live }
        var counts = (unidentified: 0, observed: 0)
        let kept = dedup.pointee.run(columns, scratch, live: live, offsets: batch.offsets, counts: &counts)
        books.unidentified += Int64(counts.unidentified)
        books.duplicateObserved += Int64(counts.observed)
        return kept
    }

    private mutating func aggregate(_ columns: borrowing Columns, _ batch: RecordBatch, _ live: Int) {
        for index in 0..<outputCount {
            if outputs[index].isRollUp { continue }
            if reach != nil { noteMeasures(index, live) }
            if compute != nil { noteMeasureErrors(index, live) }
            if !outputs[index].cold.isEmpty {
                (outputs + index).pointee.warm(columns, rows: scratch.live, count: live, cold)
            }
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
}
