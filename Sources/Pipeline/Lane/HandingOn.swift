public import Model

/// Gathers what an input lane hands on behind the filter, by the re-keyed partition that a record's identity belongs to (S7). A
/// record without identity stays with its own input's number, so that it is spread too.
final class HandingOn {
    private var identities: IdentityColumn
    private let source: PartitionID
    private let lane: LaneNumber
    private let order: Int64
    private let targets: Int
    private let limit: Int
    private(set) var records: [RekeyedRecords] = []
    private(set) var memory = 0

    /// nil: the lane keeps its records.
    init?(_ configuration: LaneConfiguration) {
        guard case .source(let targets, let limit) = configuration.role, let deduplicate = configuration.plan.deduplicate else {
            return nil
        }
        identities = IdentityColumn(deduplicate.key, fields: configuration.plan.fields, topology: configuration.plan.name)
        source = configuration.partition
        lane = configuration.lane
        order = configuration.partitionOrder
        self.targets = targets
        self.limit = limit
    }

    /// Further ahead of the commits than it should be.
    var isFull: Bool { memory > limit }

    func take(
        _ columns: borrowing Columns, _ batch: RecordBatch, _ scratch: borrowing BatchScratch, live: Int, isWarm: Bool
    ) {
        if live == 0 { return }
        if records.isEmpty { records = (0..<targets).map { _ in RekeyedRecords(source: source, lane: lane, order: order) } }
        identities.compute(columns, rows: scratch.live, count: live, into: scratch.identities, known: scratch.identified)
        for at in 0..<live {
            let row = Int(scratch.live[at])
            guard let payload = batch.payloads[row] else { continue }
            let target =
                scratch.identified[row] ? Self.target(scratch.identities[row], of: targets) : Int(lane) % targets
            records[target].append(
                payload, length: batch.lengths[row], offset: batch.offsets[row], timestamp: batch.timestamps[row],
                before: scratch.before[row], isWarm: isWarm)
        }
        memory = records.reduce(0) { $0 + $1.memory }
    }

    func seal() -> [RekeyedRecords] {
        defer {
            records = []
            memory = 0
        }
        return records
    }

    /// By other bits than those by which tables place an identity, so that each partition's keys are spread evenly in its table.
    static func target(_ identity: Identity, of targets: Int) -> Int {
        var bits = DedupTable.mixed(identity)
        bits = (bits ^ (bits &>> 31)) &* 0x94D0_49BB_1331_11EB
        return Int((bits &>> 32) % UInt64(targets))
    }
}

extension LaneState {
    /// The end of a record's way in an input partition: counted as re-keyed, and on its way.
    mutating func handOn(
        _ columns: borrowing Columns, _ batch: RecordBatch, _ rows: Int, _ live: Int, warm: Bool, _ booksBefore: Books
    ) {
        handingOn?.take(columns, batch, scratch, live: live, isWarm: warm)
        var live = live
        if warmBefore > .min { live = leaveWarm(rows, live) }
        for at in 0..<live { scratch.verdicts[Int(scratch.live[at])] = RowVerdict.rekeyed }
        books.rekeyed += Int64(live)
        if warm { books = booksBefore } else { account(columns, batch, rows, refused: false) }
    }

    /// The rest of the way, of records that one input handed on: all of them passed its stages, so that nothing but their columns is
    /// made again. Each is judged by the smallest watermark of the inputs, as it stood before it (S7). `held`: of the other inputs.
    mutating func processRekeyed(
        _ batch: RecordBatch, before: UnsafePointer<Int64>, held: Int64, warm: Bool
    ) -> Int {
        let booksBefore = books
        for row in 0..<batch.count {
            scratch.blamed[row] = -1
            scratch.verdicts[row] = RowVerdict.open
            scratch.skip[row] = 0
        }
        let decoded = decoder.decode(batch, skip: scratch.skip)
        let columns = compute?.run(decoded) ?? decoded
        let rows = columns.count
        eventTime.readTimes(
            columns, batch, rows: rows, verdicts: scratch.verdicts, reasons: scratch.reasons, blamed: scratch.blamed,
            times: scratch.times)
        for row in 0..<rows {
            watermark = max(watermark, min(held, before[row]))
            scratch.before[row] = watermark
        }
        nextOffset += Int64(rows)
        let live = collect(rows)
        // Only its filter looks at all rows, and that has had its say: what the input counted of them stays as it counted it.
        evaluateConditions(columns, rows, live)
        let refused = settle(columns, batch, rows, live, warm: warm)
        if warm {
            books = booksBefore
        } else {
            account(columns, batch, rows, refused: refused)
            lastRecord = nil
        }
        return rows
    }
}

/// Who is meant by the places that a re-keyed lane notes.
struct PlaceNames {
    var inputs: [LaneNumber: PartitionID] = [:]

    func named(_ entries: [CopyEntry]) -> [CopyEntry] {
        entries.map { entry in
            var named = entry
            named.source = inputs[RecordPlace.lane(entry.offset)]
            named.offset = RecordPlace.offset(entry.offset)
            named.keptSource = entry.keptOffset.flatMap { inputs[RecordPlace.lane($0)] }
            named.keptOffset = entry.keptOffset.map(RecordPlace.offset)
            return named
        }
    }

    func named(_ copies: [ConflictingCopy]) -> [ConflictingCopy] {
        copies.map { copy in
            var named = copy
            named.source = inputs[RecordPlace.lane(copy.offset)]
            named.offset = RecordPlace.offset(copy.offset)
            return named
        }
    }
}

extension LaneCore {
    /// What one input handed on to this re-keyed lane, in its order. The records are of no use afterwards.
    public func take(_ records: RekeyedRecords, held: Int64) throws(Fault) {
        state.places.inputs[records.lane] = records.source
        state.source = records.source
        state.accumulate.partitionOrder = records.order
        try records.forEachBatch(limit: PipelineLimits.batchRows) { (batch, before, isWarm) throws(Fault) in
            var done = 0
            while done < batch.count {
                let rest = RecordBatch(
                    count: batch.count - done, payloads: batch.payloads + done, lengths: batch.lengths + done,
                    offsets: batch.offsets + done, timestamps: batch.timestamps + done)
                let taken = state.processRekeyed(rest, before: before + done, held: held, warm: isWarm)
                if taken == 0 { throw Self.noMemory("\(records.source)@\(RecordPlace.offset(batch.offsets[done]))") }
                if let fault = state.cold.fault { throw fault }
                done += taken
            }
        }
        records.removeAll()
    }

    /// The largest close of the windows that hold data.
    public var lastOpenClose: EventTime? { state.lastOpenClose }
}
