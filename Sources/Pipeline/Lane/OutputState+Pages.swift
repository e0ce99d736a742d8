import Model

/// Which entry of state a cell is written to: a page, or one of its own.
extension OutputState {
    /// Called for each changed cell of a window that stays open; `settlePages` writes what this one put off.
    mutating func store(_ cell: CellPointer, _ start: Int64, _ changes: StateLog) {
        let home = CellWord.home(cell)
        if home == CellWord.alone { return write(cell, start, StateKey.cell, changes) }
        if home != CellWord.nowhere {
            let page = pages[home]
            if page.pointee.changed == 0 { pages.touched.append(home) }
            page.pointee.changed += 1
            return
        }
        guard isPaged, pages.entryBytes(CellStore.group(cell)) <= PipelineLimits.pagedCellBytes else {
            return writeAlone(cell, start, changes)
        }
        let window = windows.window(at: start)
        if window.pointee.filling != 0 {
            if pages.add(cell, to: window.pointee.filling) { return }
            writePage(window.pointee.filling, changes)
        }
        window.pointee.filling = pages.make(start: start)
        pages.filling.append(window.pointee.filling)
        _ = pages.add(cell, to: window.pointee.filling)
    }

    /// Behind the last changed cell; `stamp`: that of this seal. Cost: the pages that have changed.
    mutating func settlePages(_ changes: StateLog, watermark: Int64, stamp: UInt64) {
        if !isPaged, pages.live == 0 { return }
        for home in pages.filling {
            let page = pages[home]
            let window = windows.window(at: page.pointee.start)
            if window.pointee.filling == home { window.pointee.filling = 0 }
            // Full ones were written.
            guard page.pointee.number == CellPages.Page.unnamed else { continue }
            if page.pointee.count >= PipelineLimits.leastPagedCells { writePage(home, changes) } else { empty(home, changes) }
        }
        pages.filling.removeAll(keepingCapacity: true)
        for home in pages.touched {
            let page = pages[home]
            if page.pointee.changed * PipelineLimits.pageShare >= page.pointee.count {
                writePage(home, changes)
            } else {
                for place in (0..<page.pointee.count).reversed()
                where page.pointee.cells[place][CellWord.link] & CellWord.sealMask == stamp {
                    let cell = page.pointee.cells[place]
                    pages.leave(home, at: place)
                    write(cell, page.pointee.start, StateKey.cell, changes)
                }
                if page.pointee.count == 0 { deletePage(home, changes) }
            }
            page.pointee.changed = 0
        }
        pages.touched.removeAll(keepingCapacity: true)
        if !isPaged { leavePages(changes, watermark, stamp) }
    }

    /// Where memory is short each cell needs an entry of its own, by which it can be read back alone.
    private mutating func leavePages(_ changes: StateLog, _ watermark: Int64, _ stamp: UInt64) {
        var left = PipelineLimits.cellsLeavingPages
        for home in pages.homes where grid.close(of: pages[home].pointee.start) > watermark {
            let page = pages[home]
            left -= page.pointee.count
            for place in 0..<page.pointee.count {
                let link = page.pointee.cells[place][CellWord.link]
                page.pointee.cells[place][CellWord.link] = link & ~CellWord.sealMask | stamp
            }
            empty(home, changes)
            if left <= 0 { return }
        }
    }

    /// All its cells get entries of their own.
    private mutating func empty(_ home: UInt32, _ changes: StateLog) {
        let page = pages[home]
        for place in (0..<page.pointee.count).reversed() {
            let cell = page.pointee.cells[place]
            pages.leave(home, at: place)
            write(cell, page.pointee.start, StateKey.cell, changes)
        }
        deletePage(home, changes)
    }

    private func writeAlone(_ cell: CellPointer, _ start: Int64, _ changes: StateLog) {
        CellWord.setHome(cell, CellWord.alone)
        write(cell, start, StateKey.cell, changes)
    }

    private mutating func writePage(_ home: UInt32, _ changes: StateLog) {
        let page = pages[home]
        if page.pointee.number == CellPages.Page.unnamed {
            let window = windows.window(at: page.pointee.start)
            page.pointee.number = window.pointee.pages
            window.pointee.pages += 1
        }
        StateKey.ofPage(output: stored, start: page.pointee.start, number: page.pointee.number) { key in
            pages.encode(home, into: changes.put(key, valueLength: page.pointee.bytes))
        }
    }

    private mutating func deletePage(_ home: UInt32, _ changes: StateLog) {
        let page = pages[home].pointee
        if page.number != CellPages.Page.unnamed {
            StateKey.ofPage(output: stored, start: page.start, number: page.number, changes.delete)
        }
        pages.release(home)
    }

    // MARK: Restore

    /// A page that a restore found. Cells that have entries of their own are not as it says; those entries may come before or behind it.
    mutating func restore(page value: UnsafeRawBufferPointer, start: Int64, number: UInt32) -> Bool {
        guard sessions == nil, codec.layout.variable.isEmpty, number < CellPages.Page.unnamed - 1 else { return false }
        let window = windows.window(at: start)
        window.pointee.pages = max(window.pointee.pages, number + 1)
        let home = pages.make(start: start)
        pages[home].pointee.number = number
        let isWhole = CellPages.decode(value, words: codec.layout.words) { group, bytes in
            let cell = windows.cell(start: start, hash: groupHash(group), group: group)
            switch CellWord.home(cell) {
            case CellWord.alone: return true
            case CellWord.nowhere:
                cell[CellWord.link] |= CellWord.unsent
                return codec.decode(bytes, into: cell + CellWord.measures) && pages.add(cell, to: home)
            default: return false
            }
        }
        windows.noteUnsent(start: start)
        if pages[home].pointee.count == 0 { pages.release(home) }
        return isWhole
    }

    /// A restore found an entry of the cell's own: what a page said of it does not count.
    mutating func noteAlone(_ cell: CellPointer) {
        let home = CellWord.home(cell)
        guard home != CellWord.alone else { return }
        CellWord.setHome(cell, CellWord.alone)
        guard home != CellWord.nowhere else { return }
        let page = pages[home]
        if let place = (0..<page.pointee.count).first(where: { page.pointee.cells[$0] == cell }) { pages.leave(home, at: place) }
        if page.pointee.count == 0 { pages.release(home) }
    }
}
