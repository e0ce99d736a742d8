import Model

/// Cells of one output that stand together in one entry of state, so that a commit that changes many cells of a window writes few
/// entries, and its end deletes few. A cell gets into a page when it is first written, if others of its window are too. Where only a
/// small part of a page has changed, those cells leave it for good: from then on each has an entry of its own, which counts, and not
/// what the page in state still says of it. So nobody needs to know which of the two was written last.
///
/// An entry of state: cell by cell the length of the group's bytes (2), these, and the words of the cell.
struct CellPages: ~Copyable {
    struct Page {
        /// Of its window; `free` where nothing is here.
        var start: Int64
        /// By which it is named in its window; it gets one when it is first written.
        var number = Self.unnamed
        var cells: UnsafeMutablePointer<CellPointer>
        var count = 0
        /// Of them, how many have changed since the last seal.
        var changed = 0
        /// Of its entry.
        var bytes = 0
        var isFree = false

        static let unnamed = UInt32.max
    }

    private var pages: UnsafeMutablePointer<Page>
    private var count = 0
    private var capacity = 16
    private var free: [UInt32] = []
    private(set) var live = 0
    /// During a seal: those that have changes, and those that are being filled.
    var touched: [UInt32] = []
    var filling: [UInt32] = []
    private let cellBytes: Int

    init(_ layout: CellLayout) {
        cellBytes = layout.words * 8
        pages = .allocate(capacity: capacity)
    }

    deinit {
        for at in 0..<count { pages[at].cells.deallocate() }
        pages.deallocate()
    }

    /// Whether an output's cells can stand in pages: they are of one size, and many fit into one.
    static func fit(_ layout: CellLayout) -> Bool {
        layout.variable.isEmpty && layout.words * 8 * PipelineLimits.leastPagedCells * 2 <= PipelineLimits.cellPageBytes
    }

    var bytes: Int { live * (PipelineLimits.mostPagedCells * 8 + MemoryLayout<Page>.stride) }

    /// What a cell takes in a page's entry.
    @inline(__always)
    func entryBytes(_ group: UnsafeRawBufferPointer) -> Int { 2 + group.count + cellBytes }

    /// By a cell's home.
    @inline(__always)
    subscript(home: UInt32) -> UnsafeMutablePointer<Page> { pages + Int(home - 1) }

    /// Homes of all pages that there are.
    var homes: [UInt32] { (0..<count).filter { !pages[$0].isFree }.map { UInt32($0 + 1) } }

    mutating func make(start: Int64) -> UInt32 {
        live += 1
        if let home = free.popLast() {
            let page = self[home]
            page.pointee = Page(start: start, cells: page.pointee.cells)
            return home
        }
        if count == capacity {
            let bigger = UnsafeMutablePointer<Page>.allocate(capacity: capacity * 2)
            bigger.moveInitialize(from: pages, count: count)
            pages.deallocate()
            pages = bigger
            capacity *= 2
        }
        (pages + count).initialize(to: Page(start: start, cells: .allocate(capacity: PipelineLimits.mostPagedCells)))
        count += 1
        return UInt32(count)
    }

    /// Harmless when repeated.
    mutating func release(_ home: UInt32) {
        let page = self[home]
        if page.pointee.isFree { return }
        page.pointee.isFree = true
        page.pointee.count = 0
        free.append(home)
        live -= 1
    }

    /// False: there is no room for it.
    mutating func add(_ cell: CellPointer, to home: UInt32) -> Bool {
        let page = self[home]
        let bytes = entryBytes(CellStore.group(cell))
        if page.pointee.count == PipelineLimits.mostPagedCells || page.pointee.bytes + bytes > PipelineLimits.cellPageBytes {
            return false
        }
        page.pointee.cells[page.pointee.count] = cell
        page.pointee.count += 1
        page.pointee.bytes += bytes
        CellWord.setHome(cell, home)
        return true
    }

    /// The cell at this place of a page has an entry of its own from now on.
    mutating func leave(_ home: UInt32, at place: Int) {
        let page = self[home]
        let cell = page.pointee.cells[place]
        page.pointee.count -= 1
        page.pointee.cells[place] = page.pointee.cells[page.pointee.count]
        page.pointee.bytes -= entryBytes(CellStore.group(cell))
        CellWord.setHome(cell, CellWord.alone)
    }

    /// Writes a page's entry.
    func encode(_ home: UInt32, into target: UnsafeMutableRawPointer) {
        let page = self[home].pointee
        var at = 0
        for place in 0..<page.count {
            let cell = page.cells[place]
            let group = CellStore.group(cell)
            target.storeBytes(of: UInt16(group.count), toByteOffset: at, as: UInt16.self)
            if let from = group.baseAddress, group.count > 0 { (target + at + 2).copyMemory(from: from, byteCount: group.count) }
            (target + at + 2 + group.count).copyMemory(from: cell + CellWord.measures, byteCount: cellBytes)
            at += 2 + group.count + cellBytes
        }
    }

    /// Hands each cell of an entry to `body`, which says whether it could read it; `words`: of a cell. False: damaged; then it may have
    /// seen some of them.
    static func decode(
        _ entry: UnsafeRawBufferPointer, words: Int,
        _ body: (_ group: UnsafeRawBufferPointer, _ cell: UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        var at = 0
        while at < entry.count {
            guard entry.count - at >= 2 else { return false }
            let length = Int(entry.loadUnaligned(fromByteOffset: at, as: UInt16.self))
            let end = at + 2 + length + words * 8
            guard end <= entry.count,
                body(
                    UnsafeRawBufferPointer(rebasing: entry[(at + 2)..<(at + 2 + length)]),
                    UnsafeRawBufferPointer(rebasing: entry[(at + 2 + length)..<end]))
            else { return false }
            at = end
        }
        return true
    }
}
