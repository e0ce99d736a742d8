import Model

/// Identities that left a lane's table because memory is short (S8: none is forgotten): by runs of one expiry bucket, filters of them in
/// memory, and the identities themselves in committed state, in chunks sorted by their mixed bits. A filter's word is confirmed there.
final class ColdKeys {
    /// The chunks of a bucket from this number on are sorted within their run; a later run's numbers come after.
    static let firstSorted: UInt32 = 0x8000_0000
    static func isSorted(_ key: UnsafeRawBufferPointer) -> Bool { key[9] >= UInt8(firstSorted >> 24) }

    /// Identities that were written sorted by a seal, and leave the table when that is committed.
    struct Leaving {
        var bucket: Int64
        var seal: Int64
        /// Their first chunk, counted from `firstSorted`.
        var chunk: UInt32
        /// The mixed bits of each chunk's first identity.
        var firsts: [UInt64]
        var keys: Int
    }

    /// What has left the table, the lowest bucket first.
    private(set) var runs: [ColdRun] = []
    private(set) var bytes = 0
    /// Bytes that the table should give up with the next seal, and those that it may take then.
    var wanted = 0
    var allowed = Int.max
    var leaving: [Leaving] = []
    /// A run whose chunks a restore is reading.
    private var restoring: (run: Leaving, values: [UInt64])?

    /// By row of a batch: the bucket until which it is remembered here; `.min`: it is not. And what is noted of it.
    let until: UnsafeMutablePointer<Int64>
    let notes: UnsafeMutablePointer<UInt64>
    private let form: KeyNotes.Form
    /// The rows of a batch that have an identity, and its mixed bits.
    private let asked: UnsafeMutablePointer<Int32>
    private let mixed: UnsafeMutablePointer<UInt64>
    private var hits: [Hit] = []
    let access: ColdAccess

    /// A filter says that it holds a row.
    private struct Hit {
        var run: Int
        /// The last chunk that can hold it.
        var chunk: Int
        var row: Int
        var mixed: UInt64
    }

    init(_ access: ColdAccess, form: KeyNotes.Form) {
        self.access = access
        self.form = form
        until = .allocate(capacity: PipelineLimits.batchRows)
        until.initialize(repeating: .min, count: PipelineLimits.batchRows)
        notes = .allocate(capacity: max(PipelineLimits.batchRows * form.words, 1))
        asked = .allocate(capacity: PipelineLimits.batchRows)
        mixed = .allocate(capacity: PipelineLimits.batchRows)
    }

    deinit {
        until.deallocate()
        notes.deallocate()
        asked.deallocate()
        mixed.deallocate()
    }

    // MARK: Runs

    /// How many identities of each bucket are here, or on their way.
    var keysByBucket: [Int64: Int] {
        var keys: [Int64: Int] = [:]
        for run in runs { keys[run.bucket, default: 0] += run.keys }
        for run in leaving { keys[run.bucket, default: 0] += run.keys }
        return keys
    }

    /// The number of a bucket's next sorted chunk, counted from `firstSorted`.
    func nextChunk(of bucket: Int64) -> UInt32 {
        let ends =
            runs.filter { $0.bucket == bucket }.map { $0.chunk + UInt32($0.firsts.count) }
            + leaving.filter { $0.bucket == bucket }.map { $0.chunk + UInt32($0.firsts.count) }
        return ends.max() ?? 0
    }

    /// `values`: the mixed bits of the run's identities, sorted; they are overwritten.
    func add(_ run: Leaving, _ values: UnsafeMutableBufferPointer<UInt64>) {
        guard let run = ColdRun(run, values) else {
            // Not to find a filter for sorted, distinct values is out of the question; should it be, nobody may be told that a copy
            // is new.
            return access.damaged("Keys")
        }
        runs.insert(run, at: runs.firstIndex { $0.bucket > run.bucket } ?? runs.count)
        bytes += run.bytes
    }

    /// Buckets that the watermark has passed.
    func forget(through now: Int64) {
        for run in runs where run.bucket <= now { bytes -= run.bytes }
        runs.removeAll { $0.bucket <= now }
        leaving.removeAll { $0.bucket <= now }
    }

    /// A sorted chunk; those of a bucket come in the order of their numbers, run after run.
    func restore(_ bucket: Int64, chunk: UInt32, _ keys: UnsafeRawBufferPointer) {
        if keys.count < 16 { return }
        let number = chunk - Self.firstSorted
        let first = DedupTable.mixed(keys.loadUnaligned(as: Identity.self))
        if let open = restoring {
            let isNext = open.run.bucket == bucket && open.run.chunk + UInt32(open.run.firsts.count) == number
            if !isNext || open.values.last.map({ $0 > first }) ?? false { finishRestore() }
        }
        var open = restoring ?? (Leaving(bucket: bucket, seal: 0, chunk: number, firsts: [], keys: 0), [])
        restoring = nil
        open.run.firsts.append(first)
        for at in stride(from: 0, to: keys.count - 15, by: 16) {
            open.values.append(DedupTable.mixed(keys.loadUnaligned(fromByteOffset: at, as: Identity.self)))
        }
        open.run.keys = open.values.count
        restoring = open
    }

    /// Called before anything is asked.
    func finishRestore() {
        guard var open = restoring else { return }
        restoring = nil
        open.values.withUnsafeMutableBufferPointer { add(open.run, $0) }
    }

    // MARK: Asking

    /// Fills `until` for the rows of a batch. Cost: a probe for each row and run, and a read where a filter says yes.
    func look(_ rows: UnsafePointer<Int32>, count: Int, _ scratch: borrowing BatchScratch) {
        var askedCount = 0
        for at in 0..<count {
            let row = Int(rows[at])
            until[row] = .min
            guard scratch.identified[row] else { continue }
            asked[askedCount] = rows[at]
            mixed[askedCount] = DedupTable.mixed(scratch.identities[row])
            askedCount &+= 1
        }
        if runs.isEmpty { return }
        hits.removeAll(keepingCapacity: true)
        for index in runs.indices {
            let run = runs[index]
            run.probe(mixed, askedCount) { at in
                hits.append(Hit(run: index, chunk: run.lastChunk(for: mixed[at]), row: Int(asked[at]), mixed: mixed[at]))
            }
        }
        if hits.isEmpty { return }
        guard let state = access.begin() else { return }
        // In the order in which they lie on the disk.
        hits.sort { ($0.run, $0.chunk) < ($1.run, $1.chunk) }
        for hit in hits { confirm(hit, scratch.identities[hit.row], state) }
        access.end()
    }

    private func confirm(_ hit: Hit, _ key: Identity, _ state: any ColdState) {
        let run = runs[hit.run]
        if until[hit.row] >= run.bucket { return }
        // Chunks that begin with the very bits may have others before them that end with these.
        var chunk = hit.chunk
        while chunk >= 0 {
            if find(key, in: chunk, of: run, row: hit.row, state) { until[hit.row] = run.bucket }
            if until[hit.row] == run.bucket || run.firsts[chunk] < hit.mixed { return }
            chunk -= 1
        }
    }

    private func find(_ key: Identity, in chunk: Int, of run: ColdRun, row: Int, _ state: any ColdState) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: StateKey.notesLength, alignment: 8) { name in
            StateKey.writeChunk(
                name.baseAddress!, StateKey.chunk, bucket: run.bucket, number: Self.firstSorted + run.chunk + UInt32(chunk))
            guard
                let keys = access.value(of: UnsafeRawBufferPointer(rebasing: name[..<StateKey.chunkLength]), state)
            else {
                access.damaged("A chunk of keys")
                return false
            }
            let held = keys.count / 16
            guard
                let at = (0..<held).first(where: { keys.loadUnaligned(fromByteOffset: $0 * 16, as: Identity.self) == key })
            else { return false }
            if form.words > 0 { readNotes(StateKey.notes(of: name), at: at, of: held, row: row, state) }
            return true
        }
    }

    /// What is noted of the key at `at` of a chunk; nothing where nothing was noted when it was written.
    private func readNotes(_ name: UnsafeRawBufferPointer, at: Int, of held: Int, row: Int, _ state: any ColdState) {
        for word in 0..<form.words { notes[row * form.words + word] = ContentPrint.none }
        guard let value = access.value(of: name, state) else { return }
        guard let words = KeyNotes(form).read(value, keys: held) else { return access.damaged("What was noted of keys") }
        for word in 0..<form.words { notes[row * form.words + word] = words[at * form.words + word] }
    }
}
