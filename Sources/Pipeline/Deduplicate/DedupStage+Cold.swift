import Model

/// Identities that leave the table, and how copies of them are recognised all the same (S7, S8).
extension DedupStage {
    /// What the stage takes, and will take if its table has to grow soon.
    var neededBytes: Int { bytes + table.growth }
    /// What can't leave memory: filters, and the keys of buckets that are still added to, as a table half full holds them.
    var fixedBytes: Int {
        let open = fresh.sealedBuckets.reduce(fresh.count) { $0 + ($1.bucket >= (cold?.frozenBelow ?? .max) ? $1.keys : 0) }
        return (cold?.bytes ?? 0) + (form.words > 0 ? table.bytes : open * 36)
    }

    // MARK: Away

    /// Asks for `bytes` of memory: buckets to which nothing is added any more are written sorted by the next seal, and leave the table
    /// when that is committed.
    mutating func spill(_ bytes: Int, _ access: ColdAccess) {
        // What is noted of keys has no place in sorted chunks.
        if form.words > 0 { return }
        if cold == nil { cold = ColdKeys(access) }
        cold?.wanted = bytes
    }

    mutating func sealCold(into log: StateLog, watermark: Int64, _ access: ColdAccess) {
        guard let cold else { return }
        cold.finishRestore()
        let now = nowBucket(watermark)
        cold.forget(through: now)
        if cold.wanted > 0 { sort(cold, log, now, access.seals) }
        // Of these, nothing is in the delta that comes next.
        cold.frozenBelow = watermark == noWatermark ? .min : -floorDivide(-(watermark &+ within), bucket)
    }

    private mutating func sort(_ cold: ColdKeys, _ log: StateLog, _ now: Int64, _ seal: Int64) {
        let away = Set(cold.buckets.map(\.number) + cold.leaving.map(\.bucket))
        let candidates = fresh.sealedBuckets.filter {
            $0.bucket > now && $0.bucket < cold.frozenBelow && !away.contains($0.bucket)
        }
        // Half of the table's places are enough for what stays.
        var stays = table.count - cold.leaving.reduce(0) { $0 + $1.firsts.count } * PipelineLimits.chunkBytes / 16
        var written = 0
        for (bucket, keys) in candidates where stays * 4 > table.capacity || cold.wanted == .max {
            if written > PipelineLimits.deltaBytes / 2 { break }
            let sorted = table.identities(in: bucket).sorted { DedupTable.mixed($0) < DedupTable.mixed($1) }
            if sorted.isEmpty { continue }
            cold.leaving.append((bucket, seal, write(bucket, sorted, log)))
            fresh.sorted(bucket)
            written += sorted.count * 16
            stays -= keys
        }
        cold.wanted = 0
    }

    /// Puts sorted chunks in the place of those that came as the keys did. Returns the mixed bits of each one's first identity.
    private func write(_ bucket: Int64, _ sorted: [Identity], _ log: StateLog) -> [UInt64] {
        var firsts: [UInt64] = []
        withUnsafeTemporaryAllocation(byteCount: StateKey.chunkLength * 2, alignment: 8) { names in
            let from = names.baseAddress!
            let to = from + StateKey.chunkLength
            StateKey.writeChunk(from, StateKey.chunk, bucket: bucket, number: 0)
            StateKey.writeChunk(to, StateKey.chunk, bucket: bucket, number: ColdKeys.firstSorted)
            log.deleteRange(
                from: UnsafeRawBufferPointer(start: from, count: StateKey.chunkLength),
                to: UnsafeRawBufferPointer(start: to, count: StateKey.chunkLength))
            let each = PipelineLimits.chunkBytes / 16
            sorted.withUnsafeBufferPointer { sorted in
                for start in stride(from: 0, to: sorted.count, by: each) {
                    let part = sorted[start..<min(start + each, sorted.count)]
                    StateKey.writeChunk(from, StateKey.chunk, bucket: bucket, number: ColdKeys.firstSorted + UInt32(firsts.count))
                    log.put(
                        UnsafeRawBufferPointer(start: from, count: StateKey.chunkLength),
                        UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: part)))
                    firsts.append(DedupTable.mixed(part[start]))
                }
            }
        }
        return firsts
    }

    /// What is committed by now leaves the table for filters.
    mutating func settle(watermark: Int64, _ access: ColdAccess) {
        guard let cold, let first = cold.leaving.first, first.seal <= access.settled else { return }
        var gone: Set<Int64> = []
        while let next = cold.leaving.first, next.seal <= access.settled {
            cold.leaving.removeFirst()
            var values = table.identities(in: next.bucket).map { DedupTable.mixed($0) }
            values.sort()
            if cold.add(next.bucket, values, firsts: next.firsts) { gone.insert(next.bucket) }
        }
        table.drop(gone, now: nowBucket(watermark))
    }

    // MARK: Copies

    /// As `run` does it, for a lane some of whose identities are cold.
    mutating func run(
        _ cold: ColdKeys, _ scratch: borrowing BatchScratch, live: Int, offsets: UnsafePointer<Int64>,
        counts: inout (unidentified: Int, observed: Int)
    ) -> Int {
        cold.finishRestore()
        cold.look(scratch.live, count: live, scratch)
        var kept = 0
        for at in 0..<live {
            let row = Int(scratch.live[at])
            if !scratch.identified[row] {
                counts.unidentified &+= 1
            } else if isKnown(row, cold.until[row], scratch, offsets) {
                if !observe {
                    scratch.verdicts[row] = RowVerdict.duplicate
                    continue
                }
                counts.observed &+= 1
            }
            scratch.live[kept] = Int32(truncatingIfNeeded: row)
            kept &+= 1
        }
        return kept
    }

    /// Remembers a row's identity if it is new, and the row not late.
    private mutating func isKnown(
        _ row: Int, _ until: Int64, _ scratch: borrowing BatchScratch, _ offsets: UnsafePointer<Int64>
    ) -> Bool {
        let watermark = scratch.before[row]
        let key = scratch.identities[row]
        let now = nowBucket(watermark)
        if until > now {
            let horizon = Horizon(expiry: until, bucket: bucket, within: within)
            copies.meet(CopyLog.Met(row: Int32(truncatingIfNeeded: row), isMissed: false, horizon: horizon))
            return true
        }
        if scratch.admissions[row] == Admission.refused {
            guard table.contains(key, now: now) else { return false }
            meet(row, key)
            return true
        }
        let moment = max(scratch.times[row], watermark)
        let expiry = -floorDivide(-(moment &+ within), bucket)
        if !table.insert(key, bucket: expiry, now: now) {
            meet(row, key)
            return true
        }
        fresh.append(key, bucket: expiry)
        if form.words > 0 { note(row, key, offsets[row]) }
        if BlindSpot.isSampled(key) { sample(row, key, moment: moment, now: now) }
        return false
    }

    // MARK: Restored

    /// A sorted chunk that a restore found; those of a bucket come in order.
    mutating func restoreCold(bucket number: Int64, keys: UnsafeRawBufferPointer, watermark: Int64) {
        fresh.remember(number, keys: keys.count / 16)
        if number <= nowBucket(watermark) { return }
        cold?.restore(number, keys)
    }
}
