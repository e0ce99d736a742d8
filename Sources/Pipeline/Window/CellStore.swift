import Model

/// The header of a cell, in words: what a window and its delta need to know of it.
enum CellWord {
    /// Hash of the group's bytes.
    static let hash = 0
    /// Low half: index + 1 of the next cell of its window. High half: flags.
    static let link = 1
    /// Low half: length of the group's bytes. High half: where the cell stands in state.
    static let groupLength = 2
    /// The group's bytes themselves up to `inlineBytes`, or the address of memory of their own.
    static let group = 3
    static let groupWords = 3
    /// Start of the cell's window.
    static let start = 6
    static let measures = 7

    static let inlineBytes = 24
    /// Changed since the last seal.
    static let dirty: UInt64 = 1 << 32
    /// Took an event that no partial has told the merge yet.
    static let unsent: UInt64 = 1 << 33
    /// Some partial of it was sent before.
    static let sent: UInt64 = 1 << 34
    static let nextMask: UInt64 = 0xFFFF_FFFF
    static let lengthMask: UInt64 = 0xFFFF_FFFF
    /// The highest 24 bits: the seal that last handed the cell out, modulo what they hold.
    static let sealShift: UInt64 = 40
    static let sealMask: UInt64 = 0xFF_FFFF << sealShift

    /// A cell's home in state: none yet, an entry of its own, or one of the output's pages.
    static let nowhere: UInt32 = 0
    static let alone = UInt32.max

    @inline(__always)
    static func home(_ cell: CellPointer) -> UInt32 { UInt32(truncatingIfNeeded: cell[groupLength] &>> 32) }

    @inline(__always)
    static func setHome(_ cell: CellPointer, _ home: UInt32) {
        cell[groupLength] = cell[groupLength] & lengthMask | UInt64(home) &<< 32
    }

    /// Of the group's bytes.
    @inline(__always)
    static func length(_ cell: CellPointer) -> Int { Int(truncatingIfNeeded: cell[groupLength] & lengthMask) }

    /// How many seals ago a cell was changed last; one of very long ago may seem to be newer, never the other way.
    @inline(__always)
    static func age(_ link: UInt64, at seal: Int64) -> UInt64 {
        (UInt64(bitPattern: seal) &- (link &>> sealShift)) & (sealMask &>> sealShift)
    }

    @inline(__always)
    static func stamp(_ seal: Int64) -> UInt64 { UInt64(bitPattern: seal) &<< sealShift }
}

typealias CellPointer = UnsafeMutablePointer<UInt64>

/// All cells of one output: blocks that never move, so that a pointer to a cell holds for its life.
struct CellStore: ~Copyable {
    private static let blockCells = 256
    let stride: Int
    let layout: CellLayout
    private var blocks: UnsafeMutablePointer<CellPointer>
    private var blockCount = 0
    private var blockCapacity = 16
    private var freeHead: UInt32 = 0
    private(set) var live = 0
    private var longGroupBytes = 0
    /// What texts and sketches take, as far as `noteVariable` saw them: each cell's part stands in its last word.
    private(set) var variableBytes = 0

    init(_ layout: CellLayout) {
        self.layout = layout
        stride =
            CellWord.measures + layout.words + (layout.isSession ? SessionWord.count : 0) + (layout.variable.isEmpty ? 0 : 1)
        blocks = .allocate(capacity: blockCapacity)
    }

    deinit {
        for block in 0..<blockCount {
            for cell in 0..<Self.blockCells {
                let pointer = blocks[block] + cell * stride
                // A free cell has no group length and no texts.
                if CellWord.length(pointer) > CellWord.inlineBytes {
                    UnsafeMutableRawPointer(bitPattern: UInt(pointer[CellWord.group]))?.deallocate()
                }
                for word in layout.variable { VariableText.free(&pointer[CellWord.measures + word]) }
            }
            blocks[block].deallocate()
        }
        blocks.deallocate()
    }

    /// Places for cells, free ones among them.
    var places: Int { blockCount * Self.blockCells }
    var bytes: Int { blockCount * Self.blockCells * stride * 8 + longGroupBytes + variableBytes }
    /// Without the places that are free for new cells.
    var usedBytes: Int { live * stride * 8 + longGroupBytes + variableBytes }

    /// What one cell takes.
    func bytes(of cell: CellPointer) -> Int {
        let group = CellWord.length(cell)
        return stride * 8 + (group > CellWord.inlineBytes ? group : 0)
            + (layout.variable.isEmpty ? 0 : Int(truncatingIfNeeded: cell[stride - 1]))
    }

    /// Counts anew what the cell's texts and sketches take; called when it is sealed or restored, not with every record.
    mutating func noteVariable(_ cell: CellPointer) {
        if layout.variable.isEmpty { return }
        var bytes = 0
        for word in layout.variable { bytes += VariableText.allocated(cell[CellWord.measures + word]) }
        variableBytes += bytes - Int(cell[stride - 1])
        cell[stride - 1] = UInt64(bytes)
    }

    @inline(__always)
    subscript(index: UInt32) -> CellPointer { blocks[Int(index >> 8)] + Int(index & 255) * stride }

    /// A cell with all measures zero for `group` in the window at `start`.
    mutating func take(hash: UInt64, group: UnsafeRawBufferPointer, start: Int64) -> UInt32 {
        if freeHead == 0 { addBlock() }
        let index = freeHead - 1
        let cell = self[index]
        freeHead = UInt32(truncatingIfNeeded: cell[CellWord.link] & CellWord.nextMask)
        for word in 0..<stride { cell[word] = 0 }
        cell[CellWord.hash] = hash
        cell[CellWord.groupLength] = UInt64(group.count)
        cell[CellWord.start] = UInt64(bitPattern: start)
        if group.count <= CellWord.inlineBytes {
            if let source = group.baseAddress {
                UnsafeMutableRawPointer(cell + CellWord.group).copyMemory(from: source, byteCount: group.count)
            }
        } else {
            let own = UnsafeMutableRawPointer.allocate(byteCount: group.count, alignment: 8)
            own.copyMemory(from: group.baseAddress!, byteCount: group.count)
            cell[CellWord.group] = UInt64(UInt(bitPattern: own))
            longGroupBytes += group.count
        }
        live += 1
        return index
    }

    mutating func release(_ index: UInt32) {
        let cell = self[index]
        if CellWord.length(cell) > CellWord.inlineBytes {
            longGroupBytes -= CellWord.length(cell)
            UnsafeMutableRawPointer(bitPattern: UInt(cell[CellWord.group]))?.deallocate()
        }
        cell[CellWord.groupLength] = 0
        for word in layout.variable { VariableText.free(&cell[CellWord.measures + word]) }
        if !layout.variable.isEmpty {
            variableBytes -= Int(cell[stride - 1])
            cell[stride - 1] = 0
        }
        cell[CellWord.link] = UInt64(freeHead)
        freeHead = index + 1
        live -= 1
    }

    @inline(__always)
    static func group(_ cell: CellPointer) -> UnsafeRawBufferPointer {
        let length = CellWord.length(cell)
        if length <= CellWord.inlineBytes {
            return UnsafeRawBufferPointer(start: UnsafeRawPointer(cell + CellWord.group), count: length)
        }
        return UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(cell[CellWord.group])), count: length)
    }

    private mutating func addBlock() {
        if blockCount == blockCapacity {
            let bigger = UnsafeMutablePointer<CellPointer>.allocate(capacity: blockCapacity * 2)
            bigger.moveInitialize(from: blocks, count: blockCount)
            blocks.deallocate()
            blocks = bigger
            blockCapacity *= 2
        }
        let block = CellPointer.allocate(capacity: Self.blockCells * stride)
        block.initialize(repeating: 0, count: Self.blockCells * stride)
        blocks[blockCount] = block
        let first = UInt32(blockCount * Self.blockCells)
        // Backwards, so that the free list hands cells out in ascending order.
        for at in (0..<Self.blockCells).reversed() {
            block[at * stride + CellWord.link] = UInt64(freeHead)
            freeHead = first + UInt32(at) + 1
        }
        blockCount += 1
    }
}
