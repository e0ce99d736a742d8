import CDecode
import Model

/// The identities that one lane remembers (S7): one open-addressing table, 16 bytes a key and a 16-bit tag that names the
/// expiry bucket. A key in bucket `e` is alive while `watermark < e * bucket`, judged at lookup; what has expired is swept
/// out when the table is rebuilt, which never decides an outcome.
struct DedupTable: ~Copyable {
    private var keys: UnsafeMutablePointer<Identity>
    /// 0: empty; `farTag`: the bucket is in `far`; else bucket - base + 1.
    private var tags: UnsafeMutablePointer<UInt16>
    /// `noteWords` a slot; nothing is read of slots whose notes were not set since their key came.
    private var notes: UnsafeMutablePointer<UInt64>
    private let noteWords: Int
    private(set) var capacity: Int
    private var shift: UInt64
    private var used = 0
    private var limit: Int
    /// The bucket of tag 1.
    private var base: Int64 = 0
    private var isBased = false
    /// Buckets by which a key may lie below the first one seen.
    private let slack: Int64

    static let initialCapacity = 1_024
    private static let lastTag: Int64 = 65_534
    private static let farTag: UInt16 = 65_535
    /// Buckets beyond the reach of the tags: a leap of event time, from 1970 to 9999 say. Few, since the watermark follows.
    private var far: [Identity: Int64] = [:]

    init(slack: Int64, noteWords: Int = 0) {
        self.slack = min(slack, Self.lastTag / 2)
        self.noteWords = noteWords
        capacity = Self.initialCapacity
        notes = .allocate(capacity: max(capacity * noteWords, 1))
        keys = .allocate(capacity: capacity)
        tags = .allocate(capacity: capacity)
        tags.initialize(repeating: 0, count: capacity)
        shift = UInt64(64 - capacity.trailingZeroBitCount)
        limit = capacity / 4 * 3
    }

    deinit {
        keys.deallocate()
        tags.deallocate()
        notes.deallocate()
    }

    var bytes: Int { capacity * (MemoryLayout<Identity>.stride + MemoryLayout<UInt16>.stride + noteWords * 8) }
    /// Slots in use, expired ones that were not swept yet included.
    var count: Int { used }

    @inline(__always)
    private static func position(_ key: Identity, _ shift: UInt64) -> Int {
        // Version and variant bits of a UUID are constant, and some producers count upwards: mix before it is a position.
        Int(truncatingIfNeeded: mixed(key) &>> shift)
    }

    @inline(__always)
    static func mixed(_ key: Identity) -> UInt64 { (key.high ^ (key.low &* 0x9E37_79B9_7F4A_7C15)) &* 0xD6E8_FEB8_6659_FD93 }

    @inline(__always)
    func prefetch(_ key: Identity) {
        let at = Self.position(key, shift)
        weir_prefetch(keys + at)
        weir_prefetch(tags + at)
    }

    /// True if `key` is alive at a watermark in bucket `now` (that is, its expiry bucket lies above `now`).
    @inline(__always)
    func contains(_ key: Identity, now: Int64) -> Bool {
        let mask = capacity - 1
        let keys = keys
        let tags = tags
        var at = Self.position(key, shift)
        while true {
            let tag = tags[at]
            if tag == 0 { return false }
            if keys[at] == key { return isAlive(key, tag, now) }
            at = (at &+ 1) & mask
        }
    }

    @inline(__always)
    private func isAlive(_ key: Identity, _ tag: UInt16, _ now: Int64) -> Bool {
        if tag == Self.farTag { return bucket(ofFar: key) > now }
        return Int64(tag) &+ base &- 1 > now
    }

    @inline(never)
    private func bucket(ofFar key: Identity) -> Int64 { far[key] ?? .min }

    /// Remembers `key` until `bucket` unless it is alive already; true if it was not.
    @inline(__always)
    mutating func insert(_ key: Identity, bucket: Int64, now: Int64) -> Bool {
        let tag = bucket &- base &+ 1
        if !isBased || tag < 1 || tag > Self.lastTag { return insertOutOfRange(key, bucket: bucket, now: now) }
        return place(key, UInt16(truncatingIfNeeded: tag), now: now)
    }

    @inline(__always)
    private mutating func place(_ key: Identity, _ tag: UInt16, now: Int64) -> Bool {
        let mask = capacity - 1
        let keys = keys
        let tags = tags
        var at = Self.position(key, shift)
        while true {
            let there = tags[at]
            if there == 0 { break }
            if keys[at] == key {
                if isAlive(key, there, now) { return false }
                tags[at] = tag
                return true
            }
            at = (at &+ 1) & mask
        }
        keys[at] = key
        tags[at] = tag
        used &+= 1
        if used > limit { rebuild(now: now, base: base) }
        return true
    }

    @inline(never)
    private mutating func insertOutOfRange(_ key: Identity, bucket: Int64, now: Int64) -> Bool {
        if !isBased {
            base = bucket - slack - 2
            isBased = true
            return insert(key, bucket: bucket, now: now)
        }
        if contains(key, now: now) { return false }
        if bucket < base {
            rebuild(now: now, base: bucket - slack - 2)
        } else if now != noWatermark, now - base > Self.lastTag / 4 {
            // Everything alive lies above `now`: counting starts anew there.
            rebuild(now: now, base: now)
        }
        let tag = bucket - base + 1
        if tag <= Self.lastTag { return place(key, UInt16(tag), now: now) }
        // Room first: a sweep between the tag and its bucket would take the key for expired.
        if used + 1 > limit { rebuild(now: now, base: base) }
        far[key] = nil
        let isNew = place(key, Self.farTag, now: now)
        far[key] = bucket
        return isNew
    }

    // MARK: What is known of a key that is here

    /// Its expiry bucket. Only after `contains` or `insert` told that the key is alive, and before another call.
    @inline(never)
    func expiry(of key: Identity) -> Int64 {
        let at = slot(of: key)
        return tags[at] == Self.farTag ? bucket(ofFar: key) : Int64(tags[at]) &+ base &- 1
    }

    /// One of its `noteWords`.
    func note(_ word: Int, of key: Identity) -> UInt64 { notes[slot(of: key) &* noteWords &+ word] }

    mutating func set(note: UInt64, _ word: Int, of key: Identity) { notes[slot(of: key) &* noteWords &+ word] = note }

    @inline(__always)
    private func slot(of key: Identity) -> Int {
        let mask = capacity - 1
        var at = Self.position(key, shift)
        while tags[at] == 0 || keys[at] != key { at = (at &+ 1) & mask }
        return at
    }

    /// Puts a key back that a restore found; its bucket is alive.
    mutating func restore(_ key: Identity, bucket: Int64, now: Int64) { _ = insert(key, bucket: bucket, now: now) }

    /// The identities that are remembered until `bucket`, which is within the reach of the tags.
    func identities(in bucket: Int64) -> [Identity] {
        let tag = bucket - base + 1
        guard isBased, tag >= 1, tag <= Self.lastTag else { return [] }
        var found: [Identity] = []
        for at in 0..<capacity where Int64(tags[at]) == tag { found.append(keys[at]) }
        return found
    }

    /// Forgets the identities of these buckets, which are known elsewhere from now on; the table is as long then as what is left asks
    /// for.
    mutating func drop(_ buckets: Set<Int64>, now: Int64) {
        var leaves = [Bool](repeating: false, count: Int(Self.farTag) + 1)
        for bucket in buckets where bucket - base + 1 >= 1 && bucket - base + 1 <= Self.lastTag {
            leaves[Int(bucket - base + 1)] = true
        }
        // Far, and no bucket to be far in: expired.
        for at in 0..<capacity where leaves[Int(tags[at])] { tags[at] = Self.farTag }
        rebuild(now: now, base: base, isTight: true)
    }

    /// What the table would take beside itself if it had to grow soon.
    var growth: Int { used * 8 > capacity * 5 ? bytes : 0 }

    /// Sweeps out what has expired, and doubles the table if it is still more than half full.
    @inline(never)
    private mutating func rebuild(now: Int64, base newBase: Int64, isTight: Bool = false) {
        let oldKeys = keys
        let oldTags = tags
        let oldNotes = notes
        let oldCapacity = capacity
        let oldBase = base
        let oldFar = far
        var alive = 0
        for at in 0..<oldCapacity where oldTags[at] != 0 && isAlive(oldKeys[at], oldTags[at], now) { alive += 1 }
        while alive * 2 > capacity { capacity *= 2 }
        while capacity > Self.initialCapacity, alive * (isTight ? 4 : 8) < capacity { capacity /= 2 }
        base = newBase
        far = [:]
        keys = .allocate(capacity: capacity)
        tags = .allocate(capacity: capacity)
        tags.initialize(repeating: 0, count: capacity)
        notes = .allocate(capacity: max(capacity * noteWords, 1))
        shift = UInt64(64 - capacity.trailingZeroBitCount)
        limit = capacity / 4 * 3
        used = alive
        let mask = capacity - 1
        for from in 0..<oldCapacity where oldTags[from] != 0 {
            let key = oldKeys[from]
            let isFar = oldTags[from] == Self.farTag
            let bucket = isFar ? oldFar[key] ?? .min : Int64(oldTags[from]) + oldBase - 1
            if bucket <= now { continue }
            var at = Self.position(key, shift)
            while tags[at] != 0 { at = (at &+ 1) & mask }
            keys[at] = key
            let tag = bucket - base + 1
            tags[at] = tag <= Self.lastTag ? UInt16(tag) : Self.farTag
            if tag > Self.lastTag { far[key] = bucket }
            for word in 0..<noteWords { notes[at * noteWords + word] = oldNotes[from * noteWords + word] }
        }
        oldNotes.deallocate()
        oldKeys.deallocate()
        oldTags.deallocate()
    }
}
