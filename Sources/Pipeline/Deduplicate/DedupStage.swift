import Model

/// Recognises copies (S7–S9): two passes over the rows, so that the table's memory is on its way when it is looked at.
struct DedupStage: ~Copyable {
    var table: DedupTable
    private var identities: IdentityColumn
    var fresh: FreshKeys
    var blindSpot: BlindSpot
    var copies: CopyLog
    /// nil: copies are not compared.
    private let prints: ContentPrint?
    let form: KeyNotes.Form
    private let compared: [Int]
    let within: Int64
    let bucket: Int64
    /// Copies pass. Changes between two batches only, by `heed`.
    private(set) var observe: Bool
    private let isObservedAsWritten: Bool
    /// The order of an operator that holds here (number 0: none was given), and those that state does not know of yet.
    private var order = ObserveOrder(number: 0, at: WallTime(milliseconds: 0), observe: nil)
    private(set) var newOrders: [HeededOrder] = []
    /// The chunk that was restored last: what is noted of its keys comes next.
    private var restoredChunk: (bucket: Int64, number: UInt32, keys: [Identity])?
    /// What left the table for committed state; nil: nothing has.
    var cold: ColdKeys?
    /// How many rows ahead of its probe a slot is asked for: far enough for memory to answer, near enough to stay in the
    /// first cache until it is used.
    static let ahead = 32

    init(_ plan: DeduplicatePlan, plan topology: Plan) {
        within = plan.within.milliseconds
        bucket = plan.bucket.milliseconds
        observe = plan.observe
        isObservedAsWritten = plan.observe
        compared = plan.compare ?? []
        form = KeyNotes.Form(
            hasPrint: plan.compare != nil, hasPlace: plan.duplicates.keepsPlaces,
            schema: ContentPrint.schema(compared, fields: topology.fields))
        prints = plan.compare.map { ContentPrint($0, fields: topology.fields) }
        fresh = FreshKeys(notes: form)
        blindSpot = BlindSpot(within: within, bucket: bucket)
        copies = CopyLog(plan, plan: topology, prints: prints)
        table = DedupTable(slack: topology.eventTime.outOfOrderness.milliseconds / bucket, noteWords: form.words)
        identities = IdentityColumn(plan.key, fields: topology.fields, topology: topology.name)
    }

    var bytes: Int {
        table.bytes + fresh.bytes + blindSpot.bytes + copies.bytes + copies.entryBytes + (cold?.bytes ?? 0)
    }
    /// Remembered keys; those of buckets that expired since the last seal count still.
    var keys: Int { fresh.rememberedKeys + fresh.count }
    /// The earliest moment that the oldest remembered key can be of.
    var oldest: Int64? { fresh.lowestBucket.map { ($0 - 1) * bucket - within } }
    var freshCount: Int { fresh.count }

    /// Ends the way of copies and returns how many rows go on; `scratch.live` is compacted.
    mutating func run(
        _ columns: borrowing Columns, _ scratch: borrowing BatchScratch, live: Int, offsets: UnsafePointer<Int64>,
        counts: inout (unidentified: Int, observed: Int)
    ) -> Int {
        identities.compute(columns, rows: scratch.live, count: live, into: scratch.identities, known: scratch.identified)
        copies.begin()
        let isNoted = form.words > 0
        let observe = observe
        if form.hasPrint { compare(columns, scratch, live) }
        if let cold { return run(cold, scratch, live: live, offsets: offsets, counts: &counts) }
        for at in 0..<min(live, Self.ahead) { table.prefetch(scratch.identities[Int(scratch.live[at])]) }
        var kept = 0
        // The watermark seldom crosses a bucket: its bucket is kept until it does.
        var now = noWatermark
        var nextNow = noWatermark
        // Likewise the expiry bucket of the last key: it holds for moments in (low, high].
        var expiry: Int64 = 0
        var low = Int64.max
        var high = Int64.min
        for at in 0..<live {
            let row = Int(scratch.live[at])
            // `live` is compacted behind `at`: what lies ahead is still as it was.
            if at &+ Self.ahead < live { table.prefetch(scratch.identities[Int(scratch.live[at &+ Self.ahead])]) }
            if !scratch.identified[row] {
                counts.unidentified &+= 1
            } else {
                let watermark = scratch.before[row]
                let key = scratch.identities[row]
                if watermark >= nextNow, watermark != noWatermark {
                    now = floorDivide(watermark, bucket)
                    nextNow = (now &+ 1) &* bucket
                }
                if scratch.admissions[row] == Admission.refused {
                    // Late: a copy if it is known, else left unremembered.
                    if table.contains(key, now: now) {
                        meet(row, key)
                        if !observe {
                            scratch.verdicts[row] = RowVerdict.duplicate
                            continue
                        }
                        counts.observed &+= 1
                    }
                } else {
                    let moment = max(scratch.times[row], watermark) &+ within
                    if moment <= low || moment > high {
                        expiry = -floorDivide(-moment, bucket)
                        high = expiry &* bucket
                        low = high &- bucket
                    }
                    if table.insert(key, bucket: expiry, now: now) {
                        fresh.append(key, bucket: expiry)
                        if isNoted { note(row, key, offsets[row]) }
                        if BlindSpot.isSampled(key) { sample(row, key, moment: moment &- within, now: now) }
                    } else {
                        meet(row, key)
                        if !observe {
                            scratch.verdicts[row] = RowVerdict.duplicate
                            continue
                        }
                        counts.observed &+= 1
                    }
                }
            }
            scratch.live[kept] = Int32(truncatingIfNeeded: row)
            kept &+= 1
        }
        return kept
    }

    // MARK: Copies

    @inline(never)
    private func compare(_ columns: borrowing Columns, _ scratch: borrowing BatchScratch, _ live: Int) {
        prints?.compute(columns, rows: scratch.live, count: live, times: scratch.times)
    }

    @inline(never)
    mutating func note(_ row: Int, _ key: Identity, _ offset: Int64) {
        if let print = prints?.prints[row] {
            table.set(note: print, 0, of: key)
            fresh.append(note: print)
        }
        if form.hasPlace {
            let place = UInt64(bitPattern: offset &+ 1)
            table.set(note: place, form.place, of: key)
            fresh.append(note: place)
        }
    }

    @inline(never)
    mutating func meet(_ row: Int, _ key: Identity) {
        let horizon = Horizon(expiry: table.expiry(of: key), bucket: bucket, within: within)
        var copy = CopyLog.Met(row: Int32(truncatingIfNeeded: row), isMissed: false, horizon: horizon)
        if form.hasPrint { copy.print = table.note(0, of: key) }
        if form.hasPlace { copy.place = table.note(form.place, of: key) }
        copies.meet(copy)
    }

    @inline(never)
    mutating func sample(_ row: Int, _ key: Identity, moment: Int64, now: Int64) {
        guard let horizon = blindSpot.remember(key, moment: moment, now: now) else { return }
        copies.meet(CopyLog.Met(row: Int32(truncatingIfNeeded: row), isMissed: true, horizon: horizon))
    }

    /// Counts the copies of the last run but those with an event time before `since`.
    mutating func countCopies(
        _ columns: Columns, _ scratch: borrowing BatchScratch, offsets: UnsafePointer<Int64>, since: Int64
    ) {
        if copies.met.isEmpty { return }
        copies.count(columns, scratch, offsets: offsets, since: since)
    }

    mutating func takeEntries() -> [CopyEntry] { copies.takeEntries() }
    var entryBytes: Int { copies.entryBytes }

    func tell(_ figures: inout LaneFigures) {
        copies.tell(&figures, compared: compared)
        figures.sampledKeys = Int64(blindSpot.count)
    }

    // MARK: State

    mutating func seal(into log: StateLog, watermark: Int64, _ access: ColdAccess) {
        let now = nowBucket(watermark)
        fresh.seal(into: log, now: now)
        if cold != nil { sealCold(into: log, watermark: watermark, access) }
        blindSpot.seal(into: log, now: now)
        copies.seal(into: log, compared: compared)
        if !newOrders.isEmpty { sealOrder(into: log) }
    }

    /// An entry of the stage's state; false: it is damaged, or none of this stage.
    mutating func restore(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, watermark: Int64) -> Bool {
        if key.first == StateKey.copies { return copies.restore(key, value, compared: compared) }
        if key.first == StateKey.order { return restoreOrder(value) }
        guard key.count >= StateKey.chunkLength else { return false }
        let number = StateKey.number(key, at: 1)
        let chunk = UInt32(bigEndian: key.loadUnaligned(fromByteOffset: 9, as: UInt32.self))
        if key.count == StateKey.notesLength {
            // Those that nobody asks for any more, those of keys that are forgotten, and those that stay on disk with their keys.
            if form.words == 0 || number <= nowBucket(watermark) || chunk >= ColdKeys.firstSorted { return true }
            return restoreNotes(bucket: number, chunk: chunk, value)
        }
        guard key.count == StateKey.chunkLength, value.count % 16 == 0 else { return false }
        if key.first == StateKey.sample {
            blindSpot.restore(bucket: number, chunk: chunk, keys: value, now: nowBucket(watermark))
        } else {
            restore(bucket: number, chunk: chunk, keys: value, watermark: watermark)
        }
        return true
    }

    private mutating func restoreNotes(bucket: Int64, chunk: UInt32, _ value: UnsafeRawBufferPointer) -> Bool {
        guard let restored = restoredChunk, restored.bucket == bucket, restored.number == chunk,
            let words = KeyNotes(form).read(value, keys: restored.keys.count)
        else { return false }
        fresh.restored(notes: words, bucket: bucket, number: chunk)
        for (at, key) in restored.keys.enumerated() where table.contains(key, now: .min) {
            for word in 0..<form.words { table.set(note: words[at * form.words + word], word, of: key) }
        }
        return true
    }

    /// A chunk of remembered identities from state; those that expired by `watermark` are skipped.
    private mutating func restore(bucket number: Int64, chunk: UInt32, keys: UnsafeRawBufferPointer, watermark: Int64) {
        if chunk >= ColdKeys.firstSorted { return restoreCold(bucket: number, chunk: chunk, keys: keys, watermark: watermark) }
        fresh.restored(bucket: number, number: chunk, keys: keys)
        let now = nowBucket(watermark)
        if form.words > 0 { restoredChunk = (number, chunk, []) }
        if number <= now { return }
        for at in stride(from: 0, to: keys.count - 15, by: 16) {
            let key = keys.loadUnaligned(fromByteOffset: at, as: Identity.self)
            table.restore(key, bucket: number, now: now)
            if form.words > 0 {
                for word in 0..<form.words { table.set(note: ContentPrint.none, word, of: key) }
                restoredChunk?.keys.append(key)
            }
        }
    }

    func nowBucket(_ watermark: Int64) -> Int64 {
        watermark == noWatermark ? noWatermark : floorDivide(watermark, bucket)
    }

    // MARK: Orders

    /// An operator's order holds from the next record on, which is that at `offset`, unless a later one does already.
    mutating func heed(_ given: ObserveOrder, from offset: Int64) {
        guard given.number > order.number else { return }
        order = given
        newOrders.append(HeededOrder(order: given, from: offset))
        observe = given.observe ?? isObservedAsWritten
    }

    var orderNumber: Int64 { order.number }

    /// Beside the offset that the delta ends at: what is read again after a crash meets what it met before.
    private mutating func sealOrder(into log: StateLog) {
        var out = ByteWriter()
        out.put(order.number)
        out.put(order.at.milliseconds)
        out.put(order.observe.map { $0 ? UInt8(2) : 1 } ?? 0)
        let value = out.sealed()
        [StateKey.order].withUnsafeBytes { key in value.withUnsafeBytes { log.put(key, $0) } }
        newOrders = []
    }

    private mutating func restoreOrder(_ value: UnsafeRawBufferPointer) -> Bool {
        guard var from = ByteReader(sealed: value), let number = from.take(Int64.self), let at = from.take(Int64.self),
            let word = from.take(UInt8.self), word < 3, from.isAtEnd
        else { return false }
        order = ObserveOrder(number: number, at: WallTime(milliseconds: at), observe: word == 0 ? nil : word == 2)
        observe = order.observe ?? isObservedAsWritten
        return true
    }
}
