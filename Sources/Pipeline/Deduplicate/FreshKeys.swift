import Model

/// The identities that were remembered since the last seal, and how they lie in state: chunks by expiry bucket, so that a
/// whole bucket goes with one range delete (S7).
struct FreshKeys: ~Copyable {
    private var keys: UnsafeMutablePointer<Identity>
    private var buckets: UnsafeMutablePointer<Int64>
    private(set) var count = 0
    private var capacity: Int
    private let tag: UInt8
    /// Of each key, where there are any.
    private var notes: KeyNotes
    /// The last chunk of a bucket while it is small; small ones are written again with what came to them.
    private var open: [Int64: OpenChunk] = [:]
    /// The buckets that have chunks in state, lowest first.
    private var stored: [StoredBucket] = []

    private struct StoredBucket {
        var bucket: Int64
        var keys: Int
    }

    private struct OpenChunk {
        var number: UInt32
        var keys: [Identity]
        var notes: [UInt64] = []
    }

    private static let chunkKeys = PipelineLimits.chunkBytes / 16
    private static let openKeys = PipelineLimits.openChunkBytes / 16

    init(tag: UInt8 = StateKey.chunk, capacity: Int = 4_096, notes: KeyNotes.Form = .none) {
        self.tag = tag
        self.capacity = capacity
        self.notes = KeyNotes(notes)
        keys = .allocate(capacity: capacity)
        buckets = .allocate(capacity: capacity)
    }

    deinit {
        keys.deallocate()
        buckets.deallocate()
    }

    var bytes: Int { capacity * 24 + notes.bytes }

    /// What is noted of the key that was appended last.
    @inline(__always)
    mutating func append(note: UInt64) { notes.append(note) }

    @inline(__always)
    mutating func append(_ key: Identity, bucket: Int64) {
        if count == capacity { grow() }
        keys[count] = key
        buckets[count] = bucket
        count &+= 1
    }

    /// Writes what is new and deletes the buckets that `now` has passed. Cost: two passes over the new keys.
    mutating func seal(into log: StateLog, now: Int64) {
        var groups: [(bucket: Int64, count: Int, start: Int)] = []
        // Neighbours mostly share a bucket; where they don't, a stream of many buckets must not be searched one by one.
        var places: [Int64: Int] = [:]
        var last = -1
        for at in 0..<count {
            let bucket = buckets[at]
            if last < 0 || groups[last].bucket != bucket {
                last = places[bucket] ?? groups.count
                if last == groups.count {
                    groups.append((bucket, 0, 0))
                    places[bucket] = last
                }
            }
            groups[last].count += 1
        }
        if count > 0 {
            let sorted = UnsafeMutablePointer<Identity>.allocate(capacity: count)
            defer { sorted.deallocate() }
            let words = notes.form.words
            let sortedNotes = UnsafeMutablePointer<UInt64>.allocate(capacity: max(count * words, 1))
            defer { sortedNotes.deallocate() }
            groups.sort { $0.bucket < $1.bucket }
            var start = 0
            for at in groups.indices {
                groups[at].start = start
                start += groups[at].count
                places[groups[at].bucket] = at
            }
            var next = groups.map(\.start)
            last = 0
            for at in 0..<count {
                if groups[last].bucket != buckets[at] { last = places[buckets[at]]! }
                sorted[next[last]] = keys[at]
                for word in 0..<words { sortedNotes[next[last] * words + word] = notes[at * words + word] }
                next[last] += 1
            }
            for group in groups where group.bucket > now {
                write(
                    group.bucket, UnsafeBufferPointer(start: sorted + group.start, count: group.count),
                    UnsafeBufferPointer(start: sortedNotes + group.start * words, count: group.count * words), log)
            }
            count = 0
            notes.removeAll()
            if capacity > 1 << 17 { shrink() }
        }
        deleteExpired(log, now)
    }

    /// A chunk found by a restore; a bucket's chunks come in order of their numbers.
    mutating func restored(bucket: Int64, number: UInt32, keys: UnsafeRawBufferPointer) {
        remember(bucket, keys: keys.count / 16)
        if keys.count < PipelineLimits.openChunkBytes {
            // The bytes come from a store that knows nothing of alignment.
            let held = stride(from: 0, to: keys.count - 15, by: 16).map {
                keys.loadUnaligned(fromByteOffset: $0, as: Identity.self)
            }
            // What is noted of them comes with the next entry, if it does.
            let unknown = Array(repeating: UInt64(0), count: held.count * notes.form.words)
            open[bucket] = OpenChunk(number: number, keys: held, notes: unknown)
        } else {
            open[bucket] = OpenChunk(number: number + 1, keys: [])
        }
    }

    /// What was noted of the keys of the chunk that was restored last.
    mutating func restored(notes: [UInt64], bucket: Int64, number: UInt32) {
        if open[bucket]?.number == number { open[bucket]?.notes = notes }
    }

    private mutating func write(
        _ bucket: Int64, _ fresh: UnsafeBufferPointer<Identity>, _ freshNotes: UnsafeBufferPointer<UInt64>, _ log: StateLog
    ) {
        let words = notes.form.words
        remember(bucket, keys: fresh.count)
        var chunk = open[bucket] ?? OpenChunk(number: 0, keys: [])
        var at = 0
        while at < fresh.count {
            let taken = min(fresh.count - at, Self.chunkKeys - chunk.keys.count)
            put(bucket, chunk, UnsafeBufferPointer(rebasing: fresh[at..<(at + taken)]), log)
            let noted = freshNotes[(at * words)..<((at + taken) * words)]
            if words > 0 { notes.put(tag, bucket, chunk.number, chunk.notes, UnsafeBufferPointer(rebasing: noted), log) }
            at += taken
            if chunk.keys.count + taken >= Self.openKeys {
                chunk = OpenChunk(number: chunk.number + 1, keys: [])
            } else {
                chunk.keys.append(contentsOf: fresh[(at - taken)..<at])
                chunk.notes.append(contentsOf: noted)
            }
        }
        open[bucket] = chunk
    }

    private func put(_ bucket: Int64, _ chunk: OpenChunk, _ fresh: UnsafeBufferPointer<Identity>, _ log: StateLog) {
        withUnsafeTemporaryAllocation(byteCount: StateKey.chunkLength, alignment: 8) { key in
            StateKey.writeChunk(key.baseAddress!, tag, bucket: bucket, number: chunk.number)
            let target = log.put(UnsafeRawBufferPointer(key), valueLength: (chunk.keys.count + fresh.count) * 16)
            chunk.keys.withUnsafeBytes {
                if let from = $0.baseAddress, $0.count > 0 { target.copyMemory(from: from, byteCount: $0.count) }
            }
            (target + chunk.keys.count * 16).copyMemory(from: fresh.baseAddress!, byteCount: fresh.count * 16)
        }
    }

    private mutating func deleteExpired(_ log: StateLog, _ now: Int64) {
        var gone = 0
        while gone < stored.count, stored[gone].bucket <= now {
            let bucket = stored[gone].bucket
            withUnsafeTemporaryAllocation(byteCount: StateKey.chunkLength * 2, alignment: 8) { keys in
                let from = keys.baseAddress!
                let to = from + StateKey.chunkLength
                StateKey.writeChunk(from, tag, bucket: bucket, number: 0)
                StateKey.writeChunk(to, tag, bucket: bucket + 1, number: 0)
                log.deleteRange(
                    from: UnsafeRawBufferPointer(start: from, count: StateKey.chunkLength),
                    to: UnsafeRawBufferPointer(start: to, count: StateKey.chunkLength))
            }
            open[bucket] = nil
            gone += 1
        }
        stored.removeFirst(gone)
    }

    /// What of a bucket is in committed state has left for sorted chunks: none of its chunks is open any more.
    mutating func sorted(_ bucket: Int64) { open[bucket] = nil }

    /// How many keys each bucket has in state, lowest first.
    var sealedBuckets: [(bucket: Int64, keys: Int)] { stored.map { ($0.bucket, $0.keys) } }

    mutating func remember(_ bucket: Int64, keys: Int) {
        var low = 0
        var high = stored.count
        while low < high {
            let middle = (low + high) / 2
            if stored[middle].bucket < bucket { low = middle + 1 } else { high = middle }
        }
        if low < stored.count, stored[low].bucket == bucket {
            stored[low].keys += keys
        } else {
            stored.insert(StoredBucket(bucket: bucket, keys: keys), at: low)
        }
    }

    /// Sealed keys in buckets that had not expired at the last seal.
    var rememberedKeys: Int { stored.reduce(0) { $0 + $1.keys } }
    var lowestBucket: Int64? { stored.first?.bucket }

    @inline(never)
    private mutating func grow() { resize(capacity * 2) }

    /// After a burst the memory goes back.
    private mutating func shrink() { resize(1 << 16) }

    private mutating func resize(_ next: Int) {
        let newKeys = UnsafeMutablePointer<Identity>.allocate(capacity: next)
        let newBuckets = UnsafeMutablePointer<Int64>.allocate(capacity: next)
        newKeys.moveInitialize(from: keys, count: count)
        newBuckets.moveInitialize(from: buckets, count: count)
        keys.deallocate()
        buckets.deallocate()
        keys = newKeys
        buckets = newBuckets
        capacity = next
    }
}
