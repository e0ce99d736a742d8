import Model

/// Entries of one size by a key of 128 bits, in a block of bytes that a cell owns: ascending, with a short tail behind them in the
/// order in which they came, so that a new key doesn't move all others. Settled, it has no tail: then the bytes depend on the
/// keys alone.
///
/// Bytes 2–3 of the block's header are the tail's length, little-endian; a key's halves are little-endian, the upper first.
struct EntryTable {
    /// Bytes before the first entry, and of an entry.
    let header: Int
    let stride: Int

    /// Entries that wait behind the sorted ones.
    private static let tailLimit = 64
    private static let keyLength = 16
    /// Entries that a new block has room for.
    private static let firstRoom = 4

    @inline(__always)
    func count(_ bytes: UnsafeRawBufferPointer) -> Int { (bytes.count &- header) / stride }

    @inline(__always)
    func key(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> Identity {
        let place = header &+ at &* stride
        return Identity(
            high: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)),
            low: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place &+ 8, as: UInt64.self)))
    }

    /// Where the entry's own bytes begin, behind its key.
    @inline(__always)
    func payload(_ at: Int) -> Int { header &+ at &* stride &+ Self.keyLength }

    /// The entry with this key, or nil. Cost: a binary search and at most `tailLimit` comparisons.
    func find(_ key: Identity, _ bytes: UnsafeRawBufferPointer) -> Int? {
        let all = count(bytes)
        let sorted = all &- tail(bytes)
        var low = 0
        var high = sorted
        while low < high {
            let middle = (low &+ high) / 2
            if Self.precedes(self.key(bytes, middle), key) { low = middle &+ 1 } else { high = middle }
        }
        if low < sorted, self.key(bytes, low) == key { return low }
        for at in sorted..<all where self.key(bytes, at) == key { return at }
        return nil
    }

    /// A new entry with a key that is not there yet, all else of it zero; gives its place, which holds until the next one.
    func append(_ key: Identity, to word: inout UInt64) -> Int {
        if tail(VariableText.bytes(word)) == Self.tailLimit { settle(VariableText.mutableBytes(word)) }
        let length = VariableText.bytes(word).count
        let room = max(header + Self.firstRoom * stride, length * 3 / 2)
        let bytes = VariableText.resize(&word, to: length + stride, room: room)
        let place = bytes.baseAddress! + length
        place.storeBytes(of: key.high.littleEndian, as: UInt64.self)
        place.storeBytes(of: key.low.littleEndian, toByteOffset: 8, as: UInt64.self)
        for at in Self.keyLength..<stride { place.storeBytes(of: 0, toByteOffset: at, as: UInt8.self) }
        let at = count(UnsafeRawBufferPointer(bytes)) - 1
        let waiting = tail(UnsafeRawBufferPointer(bytes))
        let isInOrder = waiting == 0 && (at == 0 || Self.precedes(self.key(UnsafeRawBufferPointer(bytes), at - 1), key))
        if !isInOrder { setTail(bytes, waiting + 1) }
        return at
    }

    /// Brings the tail to its place. Cost: one pass over the entries; nothing where there is no tail.
    func settle(_ bytes: UnsafeMutableRawBufferPointer) {
        let tail = tail(UnsafeRawBufferPointer(bytes))
        if tail == 0 { return }
        let all = count(UnsafeRawBufferPointer(bytes))
        let base = bytes.baseAddress! + header
        withUnsafeTemporaryAllocation(byteCount: tail * stride, alignment: 8) { waiting in
            let room = waiting.baseAddress!
            room.copyMemory(from: base + (all - tail) * stride, byteCount: tail * stride)
            withUnsafeTemporaryAllocation(of: Int.self, capacity: tail) { order in
                for at in 0..<tail { order[at] = at }
                func key(_ at: Int) -> Identity {
                    Identity(
                        high: UInt64(littleEndian: room.loadUnaligned(fromByteOffset: at * stride, as: UInt64.self)),
                        low: UInt64(littleEndian: room.loadUnaligned(fromByteOffset: at * stride + 8, as: UInt64.self)))
                }
                for at in 1..<max(tail, 1) {
                    var hole = at
                    while hole > 0, Self.precedes(key(at), key(order[hole - 1])) {
                        order[hole] = order[hole - 1]
                        hole -= 1
                    }
                    order[hole] = at
                }
                // From the end, so that nothing is overwritten before it was moved.
                var sorted = all - tail - 1
                var next = tail - 1
                var target = all - 1
                while next >= 0 {
                    if sorted >= 0, Self.precedes(key(order[next]), self.key(UnsafeRawBufferPointer(bytes), sorted)) {
                        (base + target * stride).copyMemory(from: base + sorted * stride, byteCount: stride)
                        sorted -= 1
                    } else {
                        (base + target * stride).copyMemory(from: room + order[next] * stride, byteCount: stride)
                        next -= 1
                    }
                    target -= 1
                }
            }
        }
        setTail(bytes, 0)
    }

    /// Whole entries, ascending, none twice, and no tail: as a settled table is stored.
    func isSettled(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= header, (bytes.count - header) % stride == 0, tail(bytes) == 0 else { return false }
        let all = count(bytes)
        return all < 2 || (1..<all).allSatisfy { Self.precedes(key(bytes, $0 - 1), key(bytes, $0)) }
    }

    @inline(__always)
    private func tail(_ bytes: UnsafeRawBufferPointer) -> Int {
        Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
    }

    private func setTail(_ bytes: UnsafeMutableRawBufferPointer, _ count: Int) {
        bytes.storeBytes(of: UInt16(count).littleEndian, toByteOffset: 2, as: UInt16.self)
    }

    @inline(__always)
    private static func precedes(_ a: Identity, _ b: Identity) -> Bool { a.high != b.high ? a.high < b.high : a.low < b.low }
}
