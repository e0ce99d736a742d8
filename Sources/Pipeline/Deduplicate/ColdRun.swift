/// One run of sorted identities on disk, as memory knows it: filters by the highest of their mixed bits, and where each chunk begins.
final class ColdRun {
    /// Values of one filter, at most about: what making it takes is bounded by it.
    static let filterKeys = 1 << 18
    /// Rows whose marks are on their way from memory at the same time.
    private static let ahead = 32

    let bucket: Int64
    /// Its first chunk, counted from `ColdKeys.firstSorted`.
    let chunk: UInt32
    /// The mixed bits of each chunk's first identity.
    let firsts: [UInt64]
    let keys: Int
    /// nil: made of nothing.
    private let filters: [FuseFilter?]
    /// As `filters`.
    private let probes: UnsafeMutablePointer<FuseFilter.Probe>
    private let bits: UInt64
    private let places: UnsafeMutablePointer<FuseFilter.Places>

    /// `values`: the mixed bits of all identities, sorted; they are overwritten. nil: no filter can be made of them.
    init?(_ run: ColdKeys.Leaving, _ values: UnsafeMutableBufferPointer<UInt64>) {
        bucket = run.bucket
        chunk = run.chunk
        firsts = run.firsts
        keys = run.keys
        var bits: UInt64 = 0
        while values.count >> Int(bits) > Self.filterKeys { bits += 1 }
        self.bits = bits
        let parts = 1 << Int(bits)
        probes = .allocate(capacity: parts)
        probes.initialize(repeating: FuseFilter.Probe(), count: parts)
        places = .allocate(capacity: Self.ahead)
        places.initialize(repeating: FuseFilter.Places(), count: Self.ahead)
        var filters: [FuseFilter?] = []
        var from = 0
        var isWhole = true
        for part in 0..<parts {
            // Two identities may have the same mixed bits.
            let start = from
            var end = from
            while from < values.count, Self.part(values[from], bits) == part {
                if end == start || values[end - 1] != values[from] {
                    values[end] = values[from]
                    end += 1
                }
                from += 1
            }
            let filter = end == start ? nil : FuseFilter(UnsafeBufferPointer(rebasing: values[start..<end]))
            isWhole = isWhole && (end == start || filter != nil)
            filters.append(filter)
            if let filter { probes[part] = filter.probe }
        }
        self.filters = filters
        if !isWhole { return nil }
    }

    deinit {
        probes.deallocate()
        places.deallocate()
    }

    var bytes: Int { filters.reduce(firsts.count * 8) { $0 + ($1?.bytes ?? 0) } }

    @inline(__always)
    private static func part(_ mixed: UInt64, _ bits: UInt64) -> Int {
        Int(truncatingIfNeeded: (mixed &>> 1) &>> (63 &- bits))
    }

    /// Calls `found` with the places of the values that the filters hold. Cost: three reads of memory a value, many under way at once.
    func probe(_ values: UnsafePointer<UInt64>, _ count: Int, _ found: (Int) -> Void) {
        var from = 0
        while from < count {
            let end = min(from &+ Self.ahead, count)
            for at in from..<end {
                places[at &- from] = probes[Self.part(values[at], bits)].places(of: values[at])
                places[at &- from].prefetch()
            }
            for at in from..<end where places[at &- from].areMarked { found(at) }
            from = end
        }
    }

    /// The last chunk whose first identity is not above `mixed`; −1: there is none.
    func lastChunk(for mixed: UInt64) -> Int {
        var low = 0
        var high = firsts.count
        while low < high {
            let middle = (low + high) / 2
            if firsts[middle] <= mixed { low = middle + 1 } else { high = middle }
        }
        return low - 1
    }
}
