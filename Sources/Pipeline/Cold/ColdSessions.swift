import Model

/// When something is to be done about a session: by its interval, and whether the merge was told all of it (S11, S12, S15).
struct SessionTimes {
    let emit: AggregatePlan.Emission
    let isKeyed: Bool
    /// From a session's end to its close.
    let closing: Int64

    init(_ plan: AggregatePlan) {
        emit = plan.emit
        isKeyed = plan.isKeyed
        closing = plan.closing.milliseconds
    }

    /// When the merge must know of the session at the latest. Where it may be joined with those of other partitions, that is
    /// before anything that it touches there can come to a row.
    func shipment(start: Int64, end: Int64) -> Int64 {
        switch emit {
        case .final: isKeyed ? end &+ closing : start &+ closing
        case .onTime: isKeyed ? end : start
        case .every, .everyCommit: end
        }
    }

    func next(start: Int64, end: Int64, isUnsent: Bool) -> Int64 {
        isUnsent ? min(shipment(start: start, end: end), end &+ closing) : end &+ closing
    }
}

/// The sessions of one output whose cells are in committed state alone: of each its group's hash, its interval, and what the merge was
/// told of it, in open addressing, 24 bytes at a load of three eighths to three quarters. Which group it is of is told by what is read.
struct ColdSessions: ~Copyable {
    struct Entry {
        fileprivate var hash: UInt64
        let start: Int64
        /// The end, and below it the two marks.
        fileprivate let tail: Int64

        fileprivate init(_ hash: UInt64, start: Int64, end: Int64, isUnsent: Bool, isSent: Bool) {
            self.hash = hash
            self.start = start
            tail = end &* 4 + (isUnsent ? 1 : 0) + (isSent ? 2 : 0)
        }

        /// No hash is 0 here.
        fileprivate static let nothing = Entry(0, start: 0, end: 0, isUnsent: false, isSent: false)

        var end: Int64 { tail >> 2 }
        /// It took an event that the merge was not told of.
        var isUnsent: Bool { tail & 1 != 0 }
        /// The merge was told of it.
        var isSent: Bool { tail & 2 != 0 }
    }

    private static let firstSlots = 16
    /// A look for what is due goes one part in so many of the time ahead for which sessions still lie here.
    private static let lookShare: Int64 = 16
    private var slots: UnsafeMutablePointer<Entry>
    private var mask = Self.firstSlots - 1
    private(set) var count = 0
    private let times: SessionTimes
    /// Those that are due by `lookedThrough`, the first of them last; some may have gone meanwhile.
    private var soon: [(due: Int64, start: Int64)] = []
    /// What is due by this doesn't come here any more.
    private(set) var lookedThrough = Int64.min
    /// Nothing else is due before, and nothing after.
    private var earliest = Int64.max
    private var latest = Int64.min

    init(_ times: SessionTimes) {
        self.times = times
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: .nothing, count: mask + 1)
    }

    deinit { slots.deallocate() }

    var bytes: Int { (mask + 1) * MemoryLayout<Entry>.stride + soon.capacity * 16 }

    private func due(_ entry: Entry) -> Int64 { times.next(start: entry.start, end: entry.end, isUnsent: entry.isUnsent) }

    @inline(__always)
    private static func entry(_ hash: UInt64) -> UInt64 { hash == 0 ? 1 : hash }

    // MARK: Coming and going

    /// False: it has to stay in memory. Something is due of it too soon, or there is one of that hash and start.
    mutating func insert(_ hash: UInt64, start: Int64, end: Int64, isUnsent: Bool, isSent: Bool) -> Bool {
        let entry = Entry(Self.entry(hash), start: start, end: end, isUnsent: isUnsent, isSent: isSent)
        let due = due(entry)
        if due <= lookedThrough { return false }
        if (count + 1) * 4 > (mask + 1) * 3 { resize(to: (mask + 1) * 2) }
        var at = Int(truncatingIfNeeded: entry.hash) & mask
        while slots[at].hash != 0 {
            if slots[at].hash == entry.hash, slots[at].start == start { return false }
            at = (at + 1) & mask
        }
        slots[at] = entry
        count += 1
        earliest = min(earliest, due)
        latest = max(latest, due)
        return true
    }

    /// The starts of those that an event at `time` could be joined with.
    func touched(_ hash: UInt64, time: Int64, gap: Int64, into starts: inout [Int64]) {
        let hash = Self.entry(hash)
        var at = Int(truncatingIfNeeded: hash) & mask
        while slots[at].hash != 0 {
            if slots[at].hash == hash, time < slots[at].end, slots[at].start < time &+ gap { starts.append(slots[at].start) }
            at = (at &+ 1) & mask
        }
    }

    /// Takes out the one of this hash and start, if it is due by `limit`.
    mutating func take(_ hash: UInt64, start: Int64, dueThrough limit: Int64 = .max) -> Entry? {
        let hash = Self.entry(hash)
        var hole = Int(truncatingIfNeeded: hash) & mask
        while slots[hole].hash != hash || slots[hole].start != start {
            if slots[hole].hash == 0 { return nil }
            hole = (hole + 1) & mask
        }
        let taken = slots[hole]
        if due(taken) > limit { return nil }
        // What was pushed past the hole moves up, so that no search ends too early.
        var at = (hole + 1) & mask
        while slots[at].hash != 0 {
            let home = Int(truncatingIfNeeded: slots[at].hash) & mask
            if (at - home) & mask >= (at - hole) & mask {
                slots[hole] = slots[at]
                hole = at
            }
            at = (at + 1) & mask
        }
        slots[hole] = .nothing
        count -= 1
        return taken
    }

    /// Takes no more memory than what is here asks for.
    mutating func fit() {
        var least = Self.firstSlots
        while (count + 1) * 4 > least * 3 { least *= 2 }
        if least < mask + 1 { resize(to: least) }
    }

    private mutating func resize(to places: Int) {
        let old = slots
        let oldMask = mask
        mask = places - 1
        slots = .allocate(capacity: places)
        slots.initialize(repeating: .nothing, count: places)
        for from in 0...oldMask where old[from].hash != 0 {
            var at = Int(truncatingIfNeeded: old[from].hash) & mask
            while slots[at].hash != 0 { at = (at + 1) & mask }
            slots[at] = old[from]
        }
        old.deallocate()
    }

    func each(_ body: (Entry) -> Void) {
        for at in 0...mask where slots[at].hash != 0 { body(slots[at]) }
    }

    // MARK: Time

    /// When the first of them is due, or a little before; nil: none is here.
    var firstDue: Int64? { count == 0 ? nil : min(soon.last?.due ?? .max, earliest) }

    /// What is due.
    enum Due {
        case nothing, all
        /// Those that begin at one of these times, and some that are due later or have gone.
        case from([Int64])
    }

    /// Cost: nothing while nothing is due; now and then a pass over all of them.
    mutating func due(through limit: Int64) -> Due {
        guard count > 0, let first = firstDue, first <= limit else { return .nothing }
        if latest <= limit, (soon.first?.due ?? .min) <= limit { return .all }
        if earliest <= limit { look(beyond: limit) }
        var starts: [Int64] = []
        while let next = soon.last, next.due <= limit {
            starts.append(next.start)
            soon.removeLast()
        }
        starts.sort()
        var distinct: [Int64] = []
        for start in starts where start != distinct.last { distinct.append(start) }
        return .from(distinct)
    }

    private mutating func look(beyond limit: Int64) {
        let through = limit &+ max(latest &- limit, 0) / Self.lookShare
        lookedThrough = max(lookedThrough, through)
        soon = []
        earliest = .max
        latest = .min
        for at in 0...mask where slots[at].hash != 0 {
            let due = due(slots[at])
            if due <= lookedThrough {
                soon.append((due, slots[at].start))
            } else {
                earliest = min(earliest, due)
                latest = max(latest, due)
            }
        }
        soon.sort { $0.due > $1.due }
    }

    /// All of them have come back.
    mutating func noteEmpty() {
        guard count == 0 else { return }
        soon = []
        earliest = .max
        latest = .min
        fit()
    }
}
