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
    /// Keys that were written elsewhere and leave when that is committed, a bit a slot; nil: there are none.
    private var leaving: UnsafeMutablePointer<UInt64>?
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
        leaving?.deallocate()
    }

    private var slotBytes: Int { MemoryLayout<Identity>.stride + MemoryLayout<UInt16>.stride + noteWords * 8 }
    var bytes: Int { capacity * slotBytes }
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
                if leaving != nil { stay(at) }
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

    /// What the table would take beside itself if it had to grow soon.
    var growth: Int { used * 8 > capacity * 5 ? bytes : 0 }

    /// Sweeps out what has expired, and doubles the table if it is still more than half full. `most`: bytes that it may have if that
    /// is enough for what is alive; nil: it is as long as it is, unless most of it is empty.
    @inline(never)
    private mutating func rebuild(now: Int64, base newBase: Int64, most: Int? = nil) {
        let oldKeys = keys
        let oldTags = tags
        let oldNotes = notes
        let oldLeaving = leaving
        let oldCapacity = capacity
        let oldBase = base
        let oldFar = far
        var alive = 0
        for at in 0..<oldCapacity where oldTags[at] != 0 && isAlive(oldKeys[at], oldTags[at], now) { alive += 1 }
        while alive * 2 > capacity { capacity *= 2 }
        while capacity > Self.initialCapacity, most.map({ bytes > $0 && alive * 4 <= capacity }) ?? (alive * 8 < capacity) {
            capacity /= 2
        }
        base = newBase
        far = [:]
        keys = .allocate(capacity: capacity)
        tags = .allocate(capacity: capacity)
        tags.initialize(repeating: 0, count: capacity)
        notes = .allocate(capacity: max(capacity * noteWords, 1))
        if oldLeaving != nil { leaving = Self.noMarks(capacity) }
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
            if let oldLeaving, Self.isMarked(oldLeaving, from) { mark(at) }
        }
        oldNotes.deallocate()
        oldLeaving?.deallocate()
        oldKeys.deallocate()
        oldTags.deallocate()
    }
}

// MARK: Keys that leave

extension DedupTable {
    private static func noMarks(_ capacity: Int) -> UnsafeMutablePointer<UInt64> {
        let marks = UnsafeMutablePointer<UInt64>.allocate(capacity: capacity / 64)
        marks.initialize(repeating: 0, count: capacity / 64)
        return marks
    }

    private static func isMarked(_ marks: UnsafeMutablePointer<UInt64>, _ at: Int) -> Bool {
        marks[at / 64] >> UInt64(at % 64) & 1 != 0
    }

    private func mark(_ at: Int) { leaving?[at / 64] |= 1 << UInt64(at % 64) }

    /// Remembered anew: what was written of it does not hold any more.
    @inline(never)
    private func stay(_ at: Int) { leaving?[at / 64] &= ~(1 << UInt64(at % 64)) }

    /// The slots of the identities that are remembered until `bucket`, which is within the reach of the tags, in the order of their mixed
    /// bits; until they are dropped it is remembered which they were. Good until the table changes.
    mutating func leave(_ bucket: Int64) -> [UInt32] {
        if leaving == nil { leaving = Self.noMarks(capacity) }
        let found = slots(of: bucket, areLeaving: false)
        for at in found { mark(Int(at)) }
        return found
    }

    /// Those of them that are left.
    func leavingSlots(of bucket: Int64) -> [UInt32] { slots(of: bucket, areLeaving: true) }

    func key(at slot: UInt32) -> Identity { keys[Int(slot)] }
    func note(_ word: Int, at slot: UInt32) -> UInt64 { notes[Int(slot) &* noteWords &+ word] }

    /// Cost: a pass over the tags. Keys lie nearly in the order of their mixed bits.
    private func slots(of bucket: Int64, areLeaving: Bool) -> [UInt32] {
        let tag = bucket - base + 1
        guard isBased, tag >= 1, tag <= Self.lastTag else { return [] }
        var found: [UInt32] = []
        // What was pushed past the end lies at the beginning.
        var wrapped: [UInt32] = []
        var isBeginning = true
        for at in 0..<capacity {
            if tags[at] == 0 { isBeginning = false }
            guard Int64(tags[at]) == tag else { continue }
            if areLeaving, !(leaving.map { Self.isMarked($0, at) } ?? false) { continue }
            if isBeginning, Self.position(keys[at], shift) > at {
                wrapped.append(UInt32(at))
            } else {
                found.append(UInt32(at))
            }
        }
        found += wrapped
        sort(&found)
        return found
    }

    /// By insertion, each a few places, as far as they are where they should be.
    private func sort(_ slots: inout [UInt32]) {
        let keys = keys
        var steps = slots.count * 64
        slots.withUnsafeMutableBufferPointer { slots in
            for from in slots.indices.dropFirst() {
                let slot = slots[from]
                let value = Self.mixed(keys[Int(slot)])
                var at = from
                while at > 0, Self.mixed(keys[Int(slots[at - 1])]) > value {
                    slots[at] = slots[at - 1]
                    at -= 1
                }
                slots[at] = slot
                steps -= from - at
                if steps < 0 { break }
            }
            if steps < 0 { slots.sort { Self.mixed(keys[Int($0)]) < Self.mixed(keys[Int($1)]) } }
        }
    }

    /// Forgets the identities of these buckets that were to leave, which are known elsewhere from now on. `most`: bytes that the table
    /// should not be longer than, if that is enough for what is left. `isAll`: no others are leaving.
    mutating func drop(_ buckets: Set<Int64>, now: Int64, most: Int, isAll: Bool) {
        guard let marks = leaving else { return }
        var leaves = [Bool](repeating: false, count: Int(Self.farTag) + 1)
        for bucket in buckets where bucket - base + 1 >= 1 && bucket - base + 1 <= Self.lastTag {
            leaves[Int(bucket - base + 1)] = true
        }
        var first = 0
        while tags[first] != 0 { first += 1 }
        var left = 0
        for at in 0..<capacity where tags[at] != 0 {
            if leaves[Int(tags[at])], Self.isMarked(marks, at) {
                tags[at] = 0
                stay(at)
            } else {
                left += 1
            }
        }
        used = left
        if isAll {
            marks.deallocate()
            leaving = nil
        }
        if bytes > most, left * 4 <= capacity {
            rebuild(now: now, base: base, most: most)
        } else {
            closeGaps(from: first)
        }
    }

    /// Makes a table that is longer than `most` bytes as short as its keys allow, if that is half at most.
    mutating func tighten(to most: Int, now: Int64) {
        if bytes > most, used * 4 <= capacity { rebuild(now: now, base: base, most: most) }
    }

    /// Moves up what would not be found any more. `first`: a slot that was empty before there were gaps.
    private mutating func closeGaps(from first: Int) {
        let mask = capacity - 1
        for step in 1..<capacity {
            let from = (first + step) & mask
            let tag = tags[from]
            if tag == 0 { continue }
            let key = keys[from]
            tags[from] = 0
            var at = Self.position(key, shift)
            while tags[at] != 0 { at = (at &+ 1) & mask }
            tags[at] = tag
            if at == from { continue }
            keys[at] = key
            for word in 0..<noteWords { notes[at * noteWords + word] = notes[from * noteWords + word] }
            if let leaving, Self.isMarked(leaving, from) {
                stay(from)
                mark(at)
            }
        }
    }
}
