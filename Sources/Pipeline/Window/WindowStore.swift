import Model

/// The open windows of one output in one lane, and their cells by group.
struct WindowStore: ~Copyable {
    /// One window: an open-addressing table from group hash to cell. An entry is the upper half of the hash and the cell's
    /// index + 1; 0 is empty.
    struct Window {
        var start: Int64
        var table: UnsafeMutablePointer<UInt64>
        var mask: Int
        var count = 0
        /// Index + 1 of its first cell; the cells are chained.
        var head: UInt32 = 0
        /// Some cell took an event that was not sent to the merge.
        var hasUnsent = false
        /// How many of its pages have got a number, and the one that is being filled during a seal; 0: none.
        var pages: UInt32 = 0
        var filling: UInt32 = 0
    }

    private static let firstTable = 16
    var cells: CellStore
    private(set) var windows: UnsafeMutablePointer<Window>
    private(set) var count = 0
    private var capacity = 16
    /// Open addressing from a window's start to its place + 1; rebuilt when windows come and go, which is seldom.
    private var places: UnsafeMutablePointer<Int32>
    private var placeMask = 63
    private var lastStart = Int64.min
    private var lastPlace = -1
    private var tableBytes = 0

    init(_ layout: CellLayout) {
        cells = CellStore(layout)
        windows = .allocate(capacity: capacity)
        places = .allocate(capacity: placeMask + 1)
        places.initialize(repeating: 0, count: placeMask + 1)
    }

    deinit {
        for place in 0..<count { windows[place].table.deallocate() }
        windows.deallocate()
        places.deallocate()
    }

    var bytes: Int { cells.bytes + tableBytes + capacity * MemoryLayout<Window>.stride }
    var usedBytes: Int { cells.usedBytes + tableBytes + capacity * MemoryLayout<Window>.stride }

    /// The cell of `group` in the window at `start`, made if there is none. Cost: one probe; only a new cell, or a growing
    /// table, takes memory.
    @inline(__always)
    mutating func cell(start: Int64, hash: UInt64, group: UnsafeRawBufferPointer) -> CellPointer {
        let place = start == lastStart ? lastPlace : find(start)
        let window = windows + place
        let table = window.pointee.table
        let mask = window.pointee.mask
        let upper = hash & 0xFFFF_FFFF_0000_0000
        var at = Int(truncatingIfNeeded: hash) & mask
        while true {
            let entry = table[at]
            if entry == 0 { return add(place, hash: hash, group: group) }
            if entry & 0xFFFF_FFFF_0000_0000 == upper {
                let cell = cells[UInt32(truncatingIfNeeded: entry) &- 1]
                if cell[CellWord.hash] == hash, sameBytes(CellStore.group(cell), group) { return cell }
            }
            at = (at &+ 1) & mask
        }
    }

    /// The cell of `group` in the window at `start` if it is in memory; no window is made.
    func known(start: Int64, hash: UInt64, group: UnsafeRawBufferPointer) -> CellPointer? {
        var place = lastPlace
        if start != lastStart {
            var at = Self.slot(start, placeMask)
            while places[at] != 0, windows[Int(places[at]) - 1].start != start { at = (at + 1) & placeMask }
            if places[at] == 0 { return nil }
            place = Int(places[at]) - 1
        }
        let window = windows[place]
        var at = Int(truncatingIfNeeded: hash) & window.mask
        while window.table[at] != 0 {
            let cell = cells[UInt32(truncatingIfNeeded: window.table[at]) &- 1]
            if cell[CellWord.hash] == hash, sameBytes(CellStore.group(cell), group) { return cell }
            at = (at + 1) & window.mask
        }
        return nil
    }

    /// Lets the cells of one window go for which `leaves` holds; its table is as long then as what is left asks for.
    mutating func release(at place: Int, where leaves: (borrowing CellStore, CellPointer) -> Bool) {
        let window = windows + place
        var next = window.pointee.head
        window.pointee.head = 0
        window.pointee.count = 0
        while next != 0 {
            let index = next - 1
            let cell = cells[index]
            next = UInt32(truncatingIfNeeded: cell[CellWord.link] & CellWord.nextMask)
            if leaves(cells, cell) {
                cells.release(index)
                continue
            }
            cell[CellWord.link] = cell[CellWord.link] & ~CellWord.nextMask | UInt64(window.pointee.head)
            window.pointee.head = index + 1
            window.pointee.count += 1
        }
        tableBytes -= (window.pointee.mask + 1) * 8
        window.pointee.table.deallocate()
        var slots = Self.firstTable
        while (window.pointee.count + 1) * 4 > slots * 3 { slots *= 2 }
        let table = UnsafeMutablePointer<UInt64>.allocate(capacity: slots)
        table.initialize(repeating: 0, count: slots)
        window.pointee.table = table
        window.pointee.mask = slots - 1
        tableBytes += slots * 8
        next = window.pointee.head
        while next != 0 {
            let hash = cells[next - 1][CellWord.hash]
            var at = Int(truncatingIfNeeded: hash) & window.pointee.mask
            while table[at] != 0 { at = (at + 1) & window.pointee.mask }
            table[at] = (hash & 0xFFFF_FFFF_0000_0000) | UInt64(next)
            next = UInt32(truncatingIfNeeded: cells[next - 1][CellWord.link] & CellWord.nextMask)
        }
    }

    /// The window at `start`, made if there is none; good until windows come or go.
    mutating func window(at start: Int64) -> UnsafeMutablePointer<Window> {
        // First: it may move the windows.
        let place = start == lastStart ? lastPlace : find(start)
        return windows + place
    }

    /// Some cell of this window took an event that the merge was not told of.
    mutating func noteUnsent(start: Int64) {
        window(at: start).pointee.hasUnsent = true
    }

    /// Closes the windows for which `isClosed` holds: `visit` sees each of them, whole, before its cells go.
    mutating func close(where isClosed: (Window) -> Bool, visit: (borrowing CellStore, Window) -> Void) {
        var place = 0
        let before = count
        while place < count {
            let window = windows[place]
            guard isClosed(window) else {
                place += 1
                continue
            }
            visit(cells, window)
            var next = window.head
            while next != 0 {
                let index = next - 1
                next = UInt32(truncatingIfNeeded: cells[index][CellWord.link] & CellWord.nextMask)
                cells.release(index)
            }
            tableBytes -= (window.mask + 1) * 8
            window.table.deallocate()
            count -= 1
            windows[place] = windows[count]
        }
        if count != before { rebuildPlaces() }
    }

    @inline(__always)
    private static func slot(_ start: Int64, _ mask: Int) -> Int {
        Int(truncatingIfNeeded: (UInt64(bitPattern: start) &* 0x9E37_79B9_7F4A_7C15) &>> 32) & mask
    }

    @inline(never)
    private mutating func find(_ start: Int64) -> Int {
        var at = Self.slot(start, placeMask)
        while places[at] != 0 {
            let place = Int(places[at]) - 1
            if windows[place].start == start {
                lastStart = start
                lastPlace = place
                return place
            }
            at = (at + 1) & placeMask
        }
        if count == capacity {
            let bigger = UnsafeMutablePointer<Window>.allocate(capacity: capacity * 2)
            bigger.moveInitialize(from: windows, count: count)
            windows.deallocate()
            windows = bigger
            capacity *= 2
        }
        let table = UnsafeMutablePointer<UInt64>.allocate(capacity: Self.firstTable)
        table.initialize(repeating: 0, count: Self.firstTable)
        tableBytes += Self.firstTable * 8
        (windows + count).initialize(to: Window(start: start, table: table, mask: Self.firstTable - 1))
        count += 1
        rebuildPlaces()
        lastStart = start
        lastPlace = count - 1
        return lastPlace
    }

    private mutating func rebuildPlaces() {
        if count * 2 > placeMask {
            places.deallocate()
            while count * 2 > placeMask { placeMask = placeMask * 2 + 1 }
            places = .allocate(capacity: placeMask + 1)
        }
        places.initialize(repeating: 0, count: placeMask + 1)
        for place in 0..<count {
            var at = Self.slot(windows[place].start, placeMask)
            while places[at] != 0 { at = (at + 1) & placeMask }
            places[at] = Int32(place + 1)
        }
        lastStart = .min
        lastPlace = -1
    }

    @inline(never)
    private mutating func add(_ place: Int, hash: UInt64, group: UnsafeRawBufferPointer) -> CellPointer {
        let window = windows + place
        if (window.pointee.count + 1) * 4 > (window.pointee.mask + 1) * 3 { growTable(window) }
        let index = cells.take(hash: hash, group: group, start: window.pointee.start)
        let cell = cells[index]
        cell[CellWord.link] = UInt64(window.pointee.head)
        window.pointee.head = index + 1
        window.pointee.count += 1
        var at = Int(truncatingIfNeeded: hash) & window.pointee.mask
        while window.pointee.table[at] != 0 { at = (at + 1) & window.pointee.mask }
        window.pointee.table[at] = (hash & 0xFFFF_FFFF_0000_0000) | UInt64(index + 1)
        return cell
    }

    private mutating func growTable(_ window: UnsafeMutablePointer<Window>) {
        let old = window.pointee.table
        let oldMask = window.pointee.mask
        let mask = oldMask * 2 + 1
        let table = UnsafeMutablePointer<UInt64>.allocate(capacity: mask + 1)
        table.initialize(repeating: 0, count: mask + 1)
        for from in 0...oldMask where old[from] != 0 {
            let hash = cells[UInt32(truncatingIfNeeded: old[from]) - 1][CellWord.hash]
            var at = Int(truncatingIfNeeded: hash) & mask
            while table[at] != 0 { at = (at + 1) & mask }
            table[at] = old[from]
        }
        old.deallocate()
        tableBytes += (mask - oldMask) * 8
        window.pointee.table = table
        window.pointee.mask = mask
    }
}
