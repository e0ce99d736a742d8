import Model

/// Identities that leave the table, and how copies of them are recognised all the same (S7, S8).
extension DedupStage {
    /// What the stage takes, and will take if its table has to grow soon.
    var neededBytes: Int { bytes + table.growth }
    /// What can't leave memory: filters, and what no seal has handed out yet.
    var fixedBytes: Int { (cold?.bytes ?? 0) + fresh.count * 24 + blindSpot.bytes }

    // MARK: Away

    /// Asks for `bytes` of memory: identities are written sorted by the next seal, and leave the table when that is committed.
    mutating func spill(_ bytes: Int, _ access: ColdAccess) {
        if cold == nil { cold = ColdKeys(access, form: form) }
        cold?.wanted = bytes
        cold?.allowed = max(table.bytes + table.growth - bytes, 0)
    }

    mutating func sealCold(into log: StateLog, watermark: Int64, _ access: ColdAccess) {
        guard let cold else { return }
        cold.finishRestore()
        let now = nowBucket(watermark)
        cold.forget(through: now)
        if cold.wanted > 0 { sort(cold, log, now, access) }
        // Nothing that leaves would make it shorter.
        if cold.wanted > 0, cold.leaving.isEmpty { table.tighten(to: cold.allowed, now: now) }
        cold.wanted = 0
    }

    /// The buckets that expire first leave first, and they leave whole as far as they are here: the fewer runs, the fewer filters to ask.
    private mutating func sort(_ cold: ColdKeys, _ log: StateLog, _ now: Int64, _ access: ColdAccess) {
        let onTheirWay = Set(cold.leaving.map(\.bucket))
        let away = cold.keysByBucket
        let here = fresh.sealedBuckets.map { (bucket: $0.bucket, keys: $0.keys - (away[$0.bucket] ?? 0)) }
            .filter { $0.bucket > now && $0.keys > 0 && !onTheirWay.contains($0.bucket) }
        // Half of the places that the table may have are enough for what stays.
        var places = table.capacity
        while places > DedupTable.initialCapacity, table.bytes / table.capacity * places > cold.allowed { places /= 2 }
        var stays = table.count - cold.leaving.reduce(0) { $0 + $1.keys }
        // A few that came behind the others of their bucket are no run of their own yet.
        let few = cold.wanted == .max ? 0 : table.count / max(Self.leastShare, here.count * 4)
        var written = 0
        for (bucket, keys) in here where keys >= few {
            guard stays * 4 > places || cold.wanted == .max, written <= access.deltaLimit / 2 else { break }
            let slots = table.leave(bucket)
            if slots.isEmpty { continue }
            let chunk = cold.nextChunk(of: bucket)
            let firsts = write(bucket, from: chunk, slots, log)
            cold.leaving.append(
                ColdKeys.Leaving(bucket: bucket, seal: access.seals, chunk: chunk, firsts: firsts, keys: slots.count))
            fresh.sorted(bucket)
            written += slots.count * (16 + form.words * 8)
            stays -= slots.count
        }
    }

    /// A smaller part of the table than one in so many is no run.
    private static var leastShare: Int { 16 }

    /// Puts a run of sorted chunks in the place of those that came as the keys did. Returns the mixed bits of each one's first identity.
    private func write(_ bucket: Int64, from firstChunk: UInt32, _ slots: [UInt32], _ log: StateLog) -> [UInt64] {
        var firsts: [UInt64] = []
        withUnsafeTemporaryAllocation(byteCount: StateKey.chunkLength * 2, alignment: 8) { names in
            let from = names.baseAddress!
            let to = from + StateKey.chunkLength
            StateKey.writeChunk(from, StateKey.chunk, bucket: bucket, number: 0)
            StateKey.writeChunk(to, StateKey.chunk, bucket: bucket, number: ColdKeys.firstSorted)
            log.deleteRange(
                from: UnsafeRawBufferPointer(start: from, count: StateKey.chunkLength),
                to: UnsafeRawBufferPointer(start: to, count: StateKey.chunkLength))
            let notes = KeyNotes(form)
            var words: [UInt64] = []
            let each = PipelineLimits.chunkBytes / 16
            for start in stride(from: 0, to: slots.count, by: each) {
                let part = slots[start..<min(start + each, slots.count)]
                let number = ColdKeys.firstSorted + firstChunk + UInt32(firsts.count)
                StateKey.writeChunk(from, StateKey.chunk, bucket: bucket, number: number)
                let target = log.put(
                    UnsafeRawBufferPointer(start: from, count: StateKey.chunkLength), valueLength: part.count * 16)
                for (at, slot) in part.enumerated() {
                    target.storeBytes(of: table.key(at: slot), toByteOffset: at * 16, as: Identity.self)
                }
                firsts.append(DedupTable.mixed(table.key(at: part[start])))
                if form.words == 0 { continue }
                words.removeAll(keepingCapacity: true)
                for slot in part { for word in 0..<form.words { words.append(table.note(word, at: slot)) } }
                words.withUnsafeBufferPointer { notes.put(StateKey.chunk, bucket, number, [], $0, log) }
            }
        }
        return firsts
    }

    /// What is committed by now leaves the table for filters.
    mutating func settle(watermark: Int64, _ access: ColdAccess) {
        guard let cold, let first = cold.leaving.first, first.seal <= access.settled else { return }
        var gone: Set<Int64> = []
        while let next = cold.leaving.first, next.seal <= access.settled {
            let slots = table.leavingSlots(of: next.bucket)
            let values = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: slots.count)
            defer { values.deallocate() }
            for (at, slot) in slots.enumerated() { values[at] = DedupTable.mixed(table.key(at: slot)) }
            cold.add(next, values)
            cold.leaving.removeFirst()
            gone.insert(next.bucket)
        }
        table.drop(gone, now: nowBucket(watermark), most: cold.allowed, isAll: cold.leaving.isEmpty)
    }

    // MARK: Copies

    /// As `run` does it, for a lane some of whose identities are cold.
    mutating func run(
        _ cold: ColdKeys, _ scratch: borrowing BatchScratch, live: Int, offsets: UnsafePointer<Int64>,
        counts: inout (unidentified: Int, observed: Int)
    ) -> Int {
        cold.finishRestore()
        cold.look(scratch.live, count: live, scratch)
        for at in 0..<min(live, Self.ahead) { table.prefetch(scratch.identities[Int(scratch.live[at])]) }
        var kept = 0
        for at in 0..<live {
            let row = Int(scratch.live[at])
            if at &+ Self.ahead < live { table.prefetch(scratch.identities[Int(scratch.live[at &+ Self.ahead])]) }
            if !scratch.identified[row] {
                counts.unidentified &+= 1
            } else if isKnown(row, cold, scratch, offsets) {
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
        _ row: Int, _ cold: ColdKeys, _ scratch: borrowing BatchScratch, _ offsets: UnsafePointer<Int64>
    ) -> Bool {
        let watermark = scratch.before[row]
        let key = scratch.identities[row]
        let now = nowBucket(watermark)
        if cold.until[row] > now {
            let horizon = Horizon(expiry: cold.until[row], bucket: bucket, within: within)
            var copy = CopyLog.Met(row: Int32(truncatingIfNeeded: row), isMissed: false, horizon: horizon)
            if form.hasPrint { copy.print = cold.notes[row * form.words] }
            if form.hasPlace { copy.place = cold.notes[row * form.words + form.place] }
            copies.meet(copy)
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
    mutating func restoreCold(bucket number: Int64, chunk: UInt32, keys: UnsafeRawBufferPointer, watermark: Int64) {
        fresh.remember(number, keys: keys.count / 16)
        if number <= nowBucket(watermark) { return }
        cold?.restore(number, chunk: chunk, keys)
    }
}
