import Model

/// Recognises copies (S7–S9): two passes over the rows, so that the table's memory is on its way when it is looked at.
struct DedupStage: ~Copyable {
    private var table: DedupTable
    private var identities: IdentityColumn
    private var fresh = FreshKeys()
    private let within: Int64
    private let bucket: Int64
    private let observe: Bool
    /// How many rows ahead of its probe a slot is asked for: far enough for memory to answer, near enough to stay in the
    /// first cache until it is used.
    private static let ahead = 32

    init(_ plan: DeduplicatePlan, plan topology: Plan) {
        within = plan.within.milliseconds
        bucket = plan.bucket.milliseconds
        observe = plan.observe
        table = DedupTable(slack: topology.eventTime.outOfOrderness.milliseconds / bucket)
        identities = IdentityColumn(plan.key, fields: topology.fields, topology: topology.name)
    }

    var bytes: Int { table.bytes + fresh.bytes }
    /// Remembered keys; those of buckets that expired since the last seal count still.
    var keys: Int { fresh.rememberedKeys + fresh.count }
    /// The earliest moment that the oldest remembered key can be of.
    var oldest: Int64? { fresh.lowestBucket.map { ($0 - 1) * bucket - within } }
    var freshCount: Int { fresh.count }

    /// Ends the way of copies and returns how many rows go on; `scratch.live` is compacted.
    mutating func run(
        _ columns: borrowing Columns, _ scratch: borrowing BatchScratch, live: Int,
        counts: inout (unidentified: Int, observed: Int)
    ) -> Int {
        identities.compute(columns, rows: scratch.live, count: live, into: scratch.identities, known: scratch.identified)
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
                    } else if !observe {
                        scratch.verdicts[row] = RowVerdict.duplicate
                        continue
                    } else {
                        counts.observed &+= 1
                    }
                }
            }
            scratch.live[kept] = Int32(truncatingIfNeeded: row)
            kept &+= 1
        }
        return kept
    }

    mutating func seal(into log: StateLog, watermark: Int64) { fresh.seal(into: log, now: nowBucket(watermark)) }

    /// A chunk of remembered identities from state; those that expired by `watermark` are skipped.
    mutating func restore(bucket number: Int64, chunk: UInt32, keys: UnsafeRawBufferPointer, watermark: Int64) {
        fresh.restored(bucket: number, number: chunk, keys: keys)
        let now = nowBucket(watermark)
        if number <= now { return }
        for at in stride(from: 0, to: keys.count - 15, by: 16) {
            table.restore(keys.loadUnaligned(fromByteOffset: at, as: Identity.self), bucket: number, now: now)
        }
    }

    private func nowBucket(_ watermark: Int64) -> Int64 {
        watermark == noWatermark ? noWatermark : floorDivide(watermark, bucket)
    }
}
