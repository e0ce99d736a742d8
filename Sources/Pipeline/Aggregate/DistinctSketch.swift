import Model

/// How many different values there were, about: HyperLogLog over 64-bit hashes, in one block of bytes that is the same in
/// memory, in state and on the way to the merge (S18). The bytes depend on the set of values alone, so neither the order
/// nor the cut of the input shows, and merging is the union.
///
/// Byte 0 is the format's version, byte 1 the form, bytes 2–3 are zero. Sparse: ascending 32-bit entries, of which the upper
/// 25 bits of 31 are the hash's first bits and the lower 6 the rank of what follows; exact but for one collision in some
/// thousand sets. Above `sparseEntries` it turns dense: 4,096 registers of a byte, standard error 1.04/√4096 = 1.6 %.
/// Source: Flajolet and others 2007 (registers), Heule and others 2013 (sparse form), Ertl 2017 (estimator without tables).
enum DistinctSketch {
    static let version: UInt8 = 1
    /// Here both forms take the same memory.
    static let sparseEntries = 1_023
    private static let precision = 12
    private static let sparsePrecision = 25
    private static let registers = 1 << precision
    private static let header = 4
    private enum Form {
        static let sparse: UInt8 = 0
        static let dense: UInt8 = 1
    }

    // MARK: Taking values

    /// Adds a value by its hash; `word` holds the sketch's bytes as a `VariableText`. Nothing is allocated once the block has grown.
    static func add(_ hash: UInt64, to word: inout UInt64) {
        if word == 0 { begin(&word) }
        let bytes = VariableText.mutableBytes(word)
        if bytes[1] == Form.dense {
            raise(bytes, Int(hash &>> UInt64(64 &- precision)), rank(hash &<< UInt64(precision), bits: 64 &- precision))
        } else {
            let index = UInt32(truncatingIfNeeded: hash &>> UInt64(64 &- sparsePrecision))
            let rank = rank(hash &<< UInt64(sparsePrecision), bits: 64 &- sparsePrecision)
            insert(index &<< 6 | UInt32(rank), into: &word)
        }
    }

    /// Adds all values of another sketch. False: those bytes are none of this format.
    static func merge(_ other: UnsafeRawBufferPointer, into word: inout UInt64) -> Bool {
        guard isWhole(other) else { return false }
        if word == 0 { begin(&word) }
        if other[1] == Form.sparse {
            for at in 0..<entryCount(other) {
                let entry = entry(other, at)
                if VariableText.mutableBytes(word)[1] == Form.dense {
                    raise(VariableText.mutableBytes(word), entry)
                } else {
                    insert(entry, into: &word)
                }
            }
            return true
        }
        if VariableText.mutableBytes(word)[1] == Form.sparse { densify(&word) }
        let mine = VariableText.mutableBytes(word)
        for at in header..<(header + registers) where other[at] > mine[at] { mine[at] = other[at] }
        return true
    }

    /// The bytes are a sketch of this version, and whole.
    static func isWhole(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= header, bytes[0] == version else { return false }
        switch bytes[1] {
        case Form.sparse: return bytes.count % 4 == 0 && entryCount(bytes) <= sparseEntries
        case Form.dense: return bytes.count == header + registers
        default: return false
        }
    }

    // MARK: Answer

    /// The number of different values; 0 for no bytes at all.
    static func estimate(_ bytes: UnsafeRawBufferPointer) -> Int64 {
        guard isWhole(bytes) else { return 0 }
        if bytes[1] == Form.sparse {
            // Linear counting over 2^25 places: below a thousand it differs from the number of entries by less than a half.
            return Int64(entryCount(bytes))
        }
        let longest = 64 - precision
        return withUnsafeTemporaryAllocation(of: Double.self, capacity: longest + 2) { counts in
            counts.initialize(repeating: 0)
            // A query may bring registers that no hash gives.
            for at in header..<(header + registers) { counts[min(Int(bytes[at]), longest + 1)] += 1 }
            let all = Double(registers)
            var z = all * tau(1 - counts[longest + 1] / all)
            for rank in stride(from: longest, through: 1, by: -1) { z = 0.5 * (z + counts[rank]) }
            z += all * sigma(counts[0] / all)
            let ln2 = 0.693_147_180_559_945_3
            return Int64((all * all / (2 * ln2 * z)).rounded())
        }
    }

    private static func sigma(_ share: Double) -> Double {
        if share == 1 { return .infinity }
        var x = share
        var y = 1.0
        var z = share
        while true {
            x *= x
            let before = z
            z += x * y
            y += y
            if z == before { return z }
        }
    }

    private static func tau(_ share: Double) -> Double {
        if share == 0 || share == 1 { return 0 }
        var x = share
        var y = 1.0
        var z = 1 - share
        while true {
            x = x.squareRoot()
            let before = z
            y *= 0.5
            z -= (1 - x) * (1 - x) * y
            if z == before { return z / 3 }
        }
    }

    // MARK: Forms

    private static func begin(_ word: inout UInt64) {
        let bytes = VariableText.resize(&word, to: header, room: header + 60)
        bytes[0] = version
        bytes[1] = Form.sparse
        bytes[2] = 0
        bytes[3] = 0
    }

    /// One more than the number of leading zeros of the upper `bits`.
    @inline(__always)
    private static func rank(_ rest: UInt64, bits: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: min(rest.leadingZeroBitCount, bits) &+ 1)
    }

    @inline(__always)
    private static func raise(_ bytes: UnsafeMutableRawBufferPointer, _ register: Int, _ rank: UInt8) {
        if bytes[header &+ register] < rank { bytes[header &+ register] = rank }
    }

    /// A sparse entry as a register: the bits between the two precisions belong to the rank.
    private static func raise(_ bytes: UnsafeMutableRawBufferPointer, _ entry: UInt32) {
        let index = entry &>> 6
        let between = sparsePrecision - precision
        let low = index & (1 << UInt32(between) - 1)
        let rank =
            low == 0
            ? UInt8(between) + UInt8(entry & 63) : UInt8(low.leadingZeroBitCount - (32 - between) + 1)
        raise(bytes, Int(index &>> UInt32(between)), rank)
    }

    @inline(__always)
    private static func entryCount(_ bytes: UnsafeRawBufferPointer) -> Int { (bytes.count &- header) / 4 }

    @inline(__always)
    private static func entry(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: header &+ at &* 4, as: UInt32.self))
    }

    private static func insert(_ entry: UInt32, into word: inout UInt64) {
        let bytes = VariableText.bytes(word)
        let count = entryCount(bytes)
        var low = 0
        var high = count
        while low < high {
            let middle = (low &+ high) / 2
            if self.entry(bytes, middle) &>> 6 < entry &>> 6 { low = middle &+ 1 } else { high = middle }
        }
        if low < count, self.entry(bytes, low) &>> 6 == entry &>> 6 {
            if self.entry(bytes, low) < entry {
                VariableText.mutableBytes(word).storeBytes(
                    of: entry.littleEndian, toByteOffset: header + low * 4, as: UInt32.self)
            }
            return
        }
        if count == sparseEntries {
            densify(&word)
            return raise(VariableText.mutableBytes(word), entry)
        }
        let length = bytes.count
        let room = min(max(length * 2, header + 60), header + sparseEntries * 4)
        let grown = VariableText.resize(&word, to: length + 4, room: room)
        let place = grown.baseAddress! + header + low * 4
        place.advanced(by: 4).copyMemory(from: place, byteCount: (count - low) * 4)
        place.storeBytes(of: entry.littleEndian, as: UInt32.self)
    }

    private static func densify(_ word: inout UInt64) {
        let old = VariableText.bytes(word)
        let entries = (0..<entryCount(old)).map { entry(old, $0) }
        let bytes = VariableText.resize(&word, to: header + registers, room: header + registers)
        bytes[1] = Form.dense
        for at in header..<(header + registers) { bytes[at] = 0 }
        for entry in entries { raise(bytes, entry) }
    }
}
