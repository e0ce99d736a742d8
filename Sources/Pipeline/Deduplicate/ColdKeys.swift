import Model

/// Identities that left a lane's table because memory is short (S8: none is forgotten): by expiry bucket filters of them in memory, and
/// the identities themselves in committed state, in chunks sorted by their mixed bits. A filter's word is confirmed there.
final class ColdKeys {
    /// The chunks of a bucket from this number on are sorted; their order is that of their numbers.
    static let firstSorted: UInt32 = 0x8000_0000
    static func isSorted(_ key: UnsafeRawBufferPointer) -> Bool { key[9] >= UInt8(firstSorted >> 24) }

    /// Values of one filter, at most about: what making it takes is bounded by it.
    static let filterKeys = 1 << 18

    struct Bucket {
        var number: Int64
        var keys: Int
        /// By the highest bits of their mixed bits; nil: made of nothing.
        var filters: [FuseFilter?]
        /// The mixed bits of each chunk's first identity.
        var firsts: [UInt64]

        var bytes: Int { filters.reduce(firsts.count * 8) { $0 + ($1?.bytes ?? 0) } }
    }

    /// Buckets that have left the table, lowest first.
    private(set) var buckets: [Bucket] = []
    private(set) var bytes = 0
    /// Bytes that the table should give up with the next seal.
    var wanted = 0
    /// Buckets whose sorted chunks were handed out by a seal: they leave the table when that is committed.
    var leaving: [(bucket: Int64, seal: Int64, firsts: [UInt64])] = []
    /// Below this bucket nothing is added any more, as of the last seal.
    var frozenBelow = Int64.min
    /// A bucket whose sorted chunks a restore is reading.
    private var restoring: (bucket: Int64, values: [UInt64], firsts: [UInt64])?
    /// By row of a batch: the bucket until which it is remembered here; `.min`: it is not.
    let until: UnsafeMutablePointer<Int64>
    let access: ColdAccess

    init(_ access: ColdAccess) {
        self.access = access
        until = .allocate(capacity: PipelineLimits.batchRows)
        until.initialize(repeating: .min, count: PipelineLimits.batchRows)
    }

    deinit { until.deallocate() }

    // MARK: Buckets

    /// `values`: the mixed bits of a bucket's identities, sorted. False: no filter can be made of them, and they must stay.
    func add(_ number: Int64, _ values: [UInt64], firsts: [UInt64]) -> Bool {
        var bits = 0
        while values.count >> bits > Self.filterKeys { bits += 1 }
        var filters: [FuseFilter?] = []
        var from = 0
        for part in 0..<(1 << bits) {
            var distinct: [UInt64] = []
            while from < values.count, bits == 0 || values[from] >> UInt64(64 - bits) == UInt64(part) {
                // Two identities may have the same mixed bits.
                if distinct.last != values[from] { distinct.append(values[from]) }
                from += 1
            }
            if distinct.isEmpty {
                filters.append(nil)
                continue
            }
            guard let filter = distinct.withUnsafeBufferPointer({ FuseFilter($0) }) else { return false }
            filters.append(filter)
        }
        let bucket = Bucket(number: number, keys: values.count, filters: filters, firsts: firsts)
        buckets.insert(bucket, at: buckets.firstIndex { $0.number > number } ?? buckets.count)
        bytes += bucket.bytes
        return true
    }

    /// Buckets that the watermark has passed.
    func forget(through now: Int64) {
        for bucket in buckets where bucket.number <= now { bytes -= bucket.bytes }
        buckets.removeAll { $0.number <= now }
        leaving.removeAll { $0.bucket <= now }
    }

    func restore(_ number: Int64, _ keys: UnsafeRawBufferPointer) {
        if let open = restoring, open.bucket != number { finishRestore() }
        if restoring == nil { restoring = (number, [], []) }
        for at in stride(from: 0, to: keys.count - 15, by: 16) {
            let value = DedupTable.mixed(keys.loadUnaligned(fromByteOffset: at, as: Identity.self))
            if at == 0 { restoring?.firsts.append(value) }
            restoring?.values.append(value)
        }
    }

    /// Called before anything is asked.
    func finishRestore() {
        guard let open = restoring else { return }
        restoring = nil
        // Not to find a filter for sorted, distinct values is out of the question; should it be, nobody may be told that a copy is new.
        if !add(open.bucket, open.values, firsts: open.firsts) { access.damaged("Keys") }
    }

    // MARK: Asking

    /// Fills `until` for the rows of a batch. Cost: a probe for each row and bucket, and a read where a filter says yes.
    func look(_ rows: UnsafePointer<Int32>, count: Int, _ scratch: borrowing BatchScratch) {
        for at in 0..<count { until[Int(rows[at])] = .min }
        if buckets.isEmpty { return }
        var state: (any ColdState)?
        for index in buckets.indices.reversed() {
            let bits = buckets[index].filters.count.trailingZeroBitCount
            for at in 0..<count {
                let row = Int(rows[at])
                guard scratch.identified[row], until[row] == .min else { continue }
                let mixed = DedupTable.mixed(scratch.identities[row])
                let part = bits == 0 ? 0 : Int(truncatingIfNeeded: mixed &>> UInt64(64 - bits))
                guard let filter = buckets[index].filters[part], filter.contains(mixed) else { continue }
                if state == nil { state = access.begin() }
                guard let state else { return }
                if confirm(scratch.identities[row], mixed, index, state) { until[row] = buckets[index].number }
            }
        }
        if state != nil { access.end() }
    }

    private func confirm(_ key: Identity, _ mixed: UInt64, _ index: Int, _ state: any ColdState) -> Bool {
        let firsts = buckets[index].firsts
        var low = 0
        var high = firsts.count
        while low < high {
            let middle = (low + high) / 2
            if firsts[middle] <= mixed { low = middle + 1 } else { high = middle }
        }
        // Chunks that begin with the very bits may have others before them that end with these.
        while low > 0 {
            low -= 1
            if chunk(low, of: buckets[index].number, holds: key, state) { return true }
            if firsts[low] < mixed { return false }
        }
        return false
    }

    private func chunk(_ at: Int, of bucket: Int64, holds key: Identity, _ state: any ColdState) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: StateKey.chunkLength, alignment: 8) { name in
            StateKey.writeChunk(name.baseAddress!, StateKey.chunk, bucket: bucket, number: Self.firstSorted + UInt32(at))
            guard let keys = access.value(of: UnsafeRawBufferPointer(name), state) else {
                access.damaged("A chunk of keys")
                return false
            }
            for at in stride(from: 0, to: keys.count - 15, by: 16)
            where keys.loadUnaligned(fromByteOffset: at, as: Identity.self) == key { return true }
            return false
        }
    }
}
