import CDecode
import Model

/// The words behind a session's measures, and its own flags beside those of `CellWord`.
enum SessionWord {
    /// When something is next to be done about it, of which the heap has an entry; `none` if it has none.
    static let timer = 0
    /// Its interval when it was sealed last.
    static let sealedStart = 1
    static let sealedEnd = 2
    /// Low half: index + 1 of the next later session of its group. High half: its own index.
    static let later = 3
    static let count = 4

    /// Its place is taken.
    static let live: UInt64 = 1 << 35
    /// Joined with another one since the last seal.
    static let absorbed: UInt64 = 1 << 36
    /// It is in committed state under `sealedStart`.
    static let stored: UInt64 = 1 << 37
    static let noTimer = UInt64(bitPattern: Int64.max)
}

/// The open sessions of one output in one lane (S11), by group. A group's sessions are chained from the latest to the earliest, by
/// their start and, since they don't overlap while they are open, by their end too: an event mostly joins the first one.
struct SessionStore: ~Copyable {
    private static let firstTable = 64
    /// Rows whose groups are looked up together: far enough ahead for memory to answer, near enough to stay in the first cache.
    static let ahead = 32
    let gap: Int64
    /// From a session's end to its close.
    let closing: Int64
    let times: SessionTimes
    var cells: CellStore
    /// Those whose cells are in committed state alone.
    var cold: ColdSessions
    var timers = TimerHeap()
    /// Open addressing from a group's hash to its latest session: the upper half of the hash, and the cell's index + 1. 0 is empty.
    private var table: UnsafeMutablePointer<UInt64>
    private var mask = Self.firstTable - 1
    private var groups = 0
    /// Cells that changed since the last seal, absorbed ones among them.
    private(set) var dirty = GrowingBuffer<UInt32>(capacity: 256)
    var largestEnd = Int64.min
    /// Of the rows that are looked up together.
    let hashes: UnsafeMutablePointer<UInt64>

    init(_ plan: AggregatePlan, gap: TimeSpan, layout: CellLayout) {
        self.gap = gap.milliseconds
        closing = plan.closing.milliseconds
        times = SessionTimes(plan)
        cold = ColdSessions(times)
        cells = CellStore(layout)
        table = .allocate(capacity: mask + 1)
        table.initialize(repeating: 0, count: mask + 1)
        hashes = .allocate(capacity: Self.ahead)
    }

    deinit {
        hashes.deallocate()
        table.deallocate()
    }

    var bytes: Int { cells.bytes + timers.bytes + (mask + 1) * 8 + dirty.bytes + cold.bytes }
    /// Without the places that are free for new cells.
    var usedBytes: Int { cells.usedBytes + timers.bytes + (mask + 1) * 8 + dirty.bytes + cold.bytes }

    // MARK: One session

    private var extra: Int { CellWord.measures + cells.layout.words }

    @inline(__always) func start(_ cell: CellPointer) -> Int64 { Int64(bitPattern: cell[CellWord.start]) }
    @inline(__always) func end(_ cell: CellPointer) -> Int64 { Int64(bitPattern: cell[CellWord.measures + sessionEndWord]) }
    @inline(__always) func close(_ cell: CellPointer) -> Int64 { end(cell) &+ closing }

    @inline(__always)
    func word(_ cell: CellPointer, _ word: Int) -> UnsafeMutablePointer<UInt64> { cell + (extra + word) }

    func timer(_ cell: CellPointer) -> Int64 { Int64(bitPattern: word(cell, SessionWord.timer).pointee) }
    func sealedStart(_ cell: CellPointer) -> Int64 { Int64(bitPattern: word(cell, SessionWord.sealedStart).pointee) }
    func sealedEnd(_ cell: CellPointer) -> Int64 { Int64(bitPattern: word(cell, SessionWord.sealedEnd).pointee) }

    func set(_ cell: CellPointer, _ word: Int, _ value: Int64) { self.word(cell, word).pointee = UInt64(bitPattern: value) }

    func index(_ cell: CellPointer) -> UInt32 {
        UInt32(truncatingIfNeeded: word(cell, SessionWord.later).pointee &>> 32)
    }
    func earlier(_ cell: CellPointer) -> UInt32 {
        UInt32(truncatingIfNeeded: cell[CellWord.link] & CellWord.nextMask)
    }
    private func later(_ cell: CellPointer) -> UInt32 {
        UInt32(truncatingIfNeeded: word(cell, SessionWord.later).pointee & CellWord.nextMask)
    }
    private func setEarlier(_ cell: CellPointer, _ other: UInt32) {
        cell[CellWord.link] = (cell[CellWord.link] & ~CellWord.nextMask) | UInt64(other)
    }
    private func setLater(_ cell: CellPointer, _ other: UInt32) {
        let word = word(cell, SessionWord.later)
        word.pointee = (word.pointee & ~CellWord.nextMask) | UInt64(other)
    }

    // MARK: Events

    /// Some session of the group is open at `watermark` and would take an event at `time`.
    func takes(_ time: Int64, watermark: Int64, hash: UInt64, group: UnsafeRawBufferPointer) -> Bool {
        var next = latest(hash, group)
        while next != 0 {
            let cell = cells[next - 1]
            if end(cell) <= time { return false }
            if touches(cell, time, watermark) { return true }
            next = earlier(cell)
        }
        return false
    }

    @inline(__always)
    private func touches(_ cell: CellPointer, _ time: Int64, _ watermark: Int64) -> Bool {
        time < end(cell) && start(cell) < time &+ gap && close(cell) > watermark
    }

    /// The session that takes an event at `time`, made or made longer; nil: it joins several, which `join` does. Cost: a probe, and a
    /// step for each session of the group that is later.
    @inline(__always)
    mutating func session(_ time: Int64, watermark: Int64, hash: UInt64, group: UnsafeRawBufferPointer) -> CellPointer? {
        let first = latest(hash, group)
        var next = first
        var found: UInt32 = 0
        // The last session that begins later than the event.
        var after: UInt32 = 0
        while next != 0 {
            let cell = cells[next - 1]
            if end(cell) <= time { break }
            if touches(cell, time, watermark) {
                if found != 0 { return nil }
                found = next
            }
            if start(cell) > time { after = next }
            next = earlier(cell)
        }
        if found == 0 { return add(time, hash, group, first: first, behind: after) }
        let cell = cells[found - 1]
        extend(cell, from: min(start(cell), time), to: max(end(cell), time &+ gap))
        return cell
    }

    private mutating func extend(_ cell: CellPointer, from start: Int64, to end: Int64) {
        cell[CellWord.start] = UInt64(bitPattern: start)
        cell[CellWord.measures + sessionEndWord] = UInt64(bitPattern: end)
        if end > largestEnd { largestEnd = end }
    }

    /// Joins the sessions that an event at `time` touches into the earliest of them, in the order of their starts; `combine` adds the
    /// measures of a later one.
    mutating func join(
        _ time: Int64, watermark: Int64, hash: UInt64, group: UnsafeRawBufferPointer,
        combine: (_ total: CellPointer, _ later: CellPointer) -> Void
    ) -> CellPointer {
        var touched: [CellPointer] = []
        var next = latest(hash, group)
        while next != 0 {
            let cell = cells[next - 1]
            if touches(cell, time, watermark) { touched.append(cell) }
            next = earlier(cell)
        }
        let target = touched.removeLast()
        for cell in touched.reversed() {
            let measures = target + CellWord.measures
            measures[recordCountWord] &+= cell[CellWord.measures + recordCountWord]
            combine(measures, cell + CellWord.measures)
            extend(target, from: start(target), to: max(end(target), end(cell)))
            unchain(cell)
            note(cell)
            cell[CellWord.link] |= SessionWord.absorbed
        }
        extend(target, from: min(start(target), time), to: max(end(target), time &+ gap))
        return target
    }

    /// It changed since the last seal.
    @inline(__always)
    mutating func note(_ cell: CellPointer) {
        if cell[CellWord.link] & CellWord.dirty == 0 {
            dirty.append(index(cell))
        }
        cell[CellWord.link] |= CellWord.dirty | CellWord.unsent
    }

    mutating func forgetDirty() { dirty.removeAll() }

    /// In the order of their starts, which is that of their keys in committed state: there neighbours are written one after the other.
    mutating func sortDirty() {
        var order = (0..<dirty.count).map { (start: start(cells[dirty.base[$0]]), index: dirty.base[$0]) }
        order.sort { ($0.start, $0.index) < ($1.start, $1.index) }
        for (at, entry) in order.enumerated() { dirty.base[at] = entry.index }
    }

    // MARK: Groups

    @inline(__always)
    func latest(_ hash: UInt64, _ group: UnsafeRawBufferPointer) -> UInt32 {
        let slot = slot(hash, group)
        return UInt32(truncatingIfNeeded: table[slot] & CellWord.nextMask)
    }

    /// Asks memory for the group's place, and once that is there `prefetchLatest` for its latest session.
    @inline(__always)
    func prefetch(_ hash: UInt64) { weir_prefetch(table + (Int(truncatingIfNeeded: hash) & mask)) }

    @inline(__always)
    func prefetchLatest(_ hash: UInt64) {
        let entry = table[Int(truncatingIfNeeded: hash) & mask]
        if entry == 0 { return }
        let cell = cells[UInt32(truncatingIfNeeded: entry & CellWord.nextMask) &- 1]
        weir_prefetch(cell)
        weir_prefetch(cell + CellWord.measures)
    }

    /// Where the group stands, or the empty place where it would.
    @inline(__always)
    private func slot(_ hash: UInt64, _ group: UnsafeRawBufferPointer) -> Int {
        let upper = hash & 0xFFFF_FFFF_0000_0000
        var at = Int(truncatingIfNeeded: hash) & mask
        while true {
            let entry = table[at]
            if entry == 0 { return at }
            if entry & 0xFFFF_FFFF_0000_0000 == upper {
                let cell = cells[UInt32(truncatingIfNeeded: entry) &- 1]
                if cell[CellWord.hash] == hash, sameBytes(CellStore.group(cell), group) { return at }
            }
            at = (at &+ 1) & mask
        }
    }

    @inline(never)
    private mutating func add(_ time: Int64, _ hash: UInt64, _ group: UnsafeRawBufferPointer, first: UInt32, behind after: UInt32)
        -> CellPointer
    {
        if first == 0, (groups + 1) * 4 > (mask + 1) * 3 { growTable() }
        let index = cells.take(hash: hash, group: group, start: time)
        let cell = cells[index]
        cell[CellWord.link] = SessionWord.live
        word(cell, SessionWord.timer).pointee = SessionWord.noTimer
        word(cell, SessionWord.later).pointee = UInt64(index) << 32
        extend(cell, from: time, to: time &+ gap)
        if after == 0 {
            setEarlier(cell, first)
            if first != 0 { setLater(cells[first - 1], index + 1) } else { groups += 1 }
            table[slot(hash, group)] = (hash & 0xFFFF_FFFF_0000_0000) | UInt64(index + 1)
        } else {
            let above = cells[after - 1]
            let below = earlier(above)
            setEarlier(cell, below)
            setLater(cell, after)
            setEarlier(above, index + 1)
            if below != 0 { setLater(cells[below - 1], index + 1) }
        }
        return cell
    }

    private mutating func unchain(_ cell: CellPointer) {
        let above = later(cell)
        let below = earlier(cell)
        if below != 0 { setLater(cells[below - 1], above) }
        if above != 0 {
            setEarlier(cells[above - 1], below)
        } else {
            let at = slot(cell[CellWord.hash], CellStore.group(cell))
            if below != 0 {
                table[at] = (cell[CellWord.hash] & 0xFFFF_FFFF_0000_0000) | UInt64(below)
            } else {
                empty(at)
                groups -= 1
            }
        }
    }

    /// Takes a group out, and moves those up that would not be found any more.
    private func empty(_ place: Int) {
        var hole = place
        var at = (hole + 1) & mask
        while table[at] != 0 {
            let home = Int(truncatingIfNeeded: cells[UInt32(truncatingIfNeeded: table[at]) &- 1][CellWord.hash]) & mask
            if (at &- home) & mask >= (at &- hole) & mask {
                table[hole] = table[at]
                hole = at
            }
            at = (at + 1) & mask
        }
        table[hole] = 0
    }

    private mutating func growTable() { resizeTable(to: (mask + 1) * 2) }

    /// As long as the groups ask for.
    mutating func fitTable() {
        var least = Self.firstTable
        while (groups + 1) * 4 > least * 3 { least *= 2 }
        if least < mask + 1 { resizeTable(to: least) }
    }

    private mutating func resizeTable(to places: Int) {
        let old = table
        let oldMask = mask
        mask = places - 1
        table = .allocate(capacity: mask + 1)
        table.initialize(repeating: 0, count: mask + 1)
        for from in 0...oldMask where old[from] != 0 {
            var at = Int(truncatingIfNeeded: cells[UInt32(truncatingIfNeeded: old[from]) &- 1][CellWord.hash]) & mask
            while table[at] != 0 { at = (at + 1) & mask }
            table[at] = old[from]
        }
        old.deallocate()
    }

    // MARK: Ends

    /// A session that is over, or absorbed.
    mutating func remove(_ index: UInt32) {
        let cell = cells[index]
        if cell[CellWord.link] & SessionWord.absorbed == 0 { unchain(cell) }
        word(cell, SessionWord.timer).pointee = SessionWord.noTimer
        cells.release(index)
    }

    /// Asks to be told of the session at `time`, unless it is to be told before.
    mutating func wake(_ index: UInt32, at time: Int64) {
        let cell = cells[index]
        guard time < timer(cell) else { return }
        set(cell, SessionWord.timer, time)
        timers.push(time, index)
    }

    /// The next session of which something is due by `limit`; it is woken no more before `wake` asks for it.
    mutating func due(through limit: Int64) -> UInt32? {
        while let entry = timers.pop(through: limit) {
            let cell = cells[entry.cell]
            guard cell[CellWord.link] & SessionWord.live != 0, timer(cell) == entry.time else { continue }
            word(cell, SessionWord.timer).pointee = SessionWord.noTimer
            return entry.cell
        }
        return nil
    }

    /// The largest close of the sessions that are held: sessions go in the order of their closes.
    var lastOpenClose: Int64? { cells.live == 0 && cold.count == 0 ? nil : largestEnd &+ closing }

    /// Every session that is held, in any order.
    func each(_ body: (CellPointer, UInt32) -> Void) {
        for slot in 0...mask where table[slot] != 0 {
            var next = UInt32(truncatingIfNeeded: table[slot] & CellWord.nextMask)
            while next != 0 {
                let cell = cells[next - 1]
                let after = earlier(cell)
                body(cell, next - 1)
                next = after
            }
        }
    }

    /// A session as it was committed, its measures still to be filled in; it stands where its start belongs.
    mutating func restore(start: Int64, end: Int64, group: UnsafeRawBufferPointer) -> CellPointer {
        let hash = groupHash(group)
        let first = latest(hash, group)
        var next = first
        var after: UInt32 = 0
        while next != 0, self.start(cells[next - 1]) > start {
            after = next
            next = earlier(cells[next - 1])
        }
        let cell = add(start, hash, group, first: first, behind: after)
        extend(cell, from: start, to: end)
        return cell
    }
}

/// Groups are the same where their bytes are.
@inline(__always)
func sameBytes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    let count = a.count
    if count != b.count { return false }
    guard count >= 8, let left = a.baseAddress, let right = b.baseAddress else {
        for at in 0..<count where a[at] != b[at] { return false }
        return true
    }
    // Words at a time; the last one may overlap the one before.
    let last = count &- 8
    var at = 0
    while at < last {
        if left.loadUnaligned(fromByteOffset: at, as: UInt64.self) != right.loadUnaligned(fromByteOffset: at, as: UInt64.self) {
            return false
        }
        at &+= 8
    }
    return left.loadUnaligned(fromByteOffset: last, as: UInt64.self) == right.loadUnaligned(fromByteOffset: last, as: UInt64.self)
}
