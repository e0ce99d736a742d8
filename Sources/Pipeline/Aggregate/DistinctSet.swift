import Model

/// How many different values there were, exactly, up to a limit: their 128-bit keys in one block of bytes (S18). Above the limit
/// no number is told, whatever comes later, rather than a wrong one.
///
/// Byte 0 is the format's version, byte 1 the form, bytes 2–3 the tail (0 where stored), bytes 4–7 the limit, little-endian. Form
/// 0: ascending keys of 16 bytes. Form 1: more than the limit, and nothing behind the header. The bytes depend on the set of
/// values alone: neither their order nor the cut of the input shows, and merging is the union.
enum DistinctSet {
    static let version: UInt8 = 1
    private static let table = EntryTable(header: 8, stride: 16)
    private enum Form {
        static let values: UInt8 = 0
        static let over: UInt8 = 1
    }

    /// Adds a value by its key. Nothing is allocated once the block has grown.
    static func add(_ key: Identity, limit: Int, to word: inout UInt64) {
        if word == 0 { begin(&word, limit: UInt32(limit), form: Form.values) }
        let bytes = VariableText.bytes(word)
        if bytes[1] == Form.over || table.find(key, bytes) != nil { return }
        if table.count(bytes) == limit { return exceed(&word, UInt32(limit)) }
        _ = table.append(key, to: &word)
    }

    /// Adds all values of another set. False: those bytes are none of this format.
    static func merge(_ other: UnsafeRawBufferPointer, into word: inout UInt64) -> Bool {
        guard isWhole(other) else { return false }
        let limit = limit(other)
        if word == 0 { begin(&word, limit: limit, form: Form.values) }
        if VariableText.bytes(word)[1] == Form.over { return true }
        // Sets of two limits, which only a query can join: the smaller one is what both can tell.
        let least = min(limit, self.limit(VariableText.bytes(word)))
        if other[1] == Form.over {
            exceed(&word, least)
            return true
        }
        VariableText.mutableBytes(word).storeBytes(of: least.littleEndian, toByteOffset: 4, as: UInt32.self)
        if table.count(VariableText.bytes(word)) > Int(least) { exceed(&word, least) }
        for at in 0..<table.count(other) { add(table.key(other, at), limit: Int(least), to: &word) }
        return true
    }

    /// As it is stored; called before its bytes leave the cell.
    static func settle(_ word: UInt64) { if word != 0 { table.settle(VariableText.mutableBytes(word)) } }

    /// The number of different values; nil: more than the limit. 0 for no bytes at all.
    static func count(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        if bytes.isEmpty { return 0 }
        return bytes[1] == Form.over ? nil : Int64(table.count(bytes))
    }

    /// The bytes are a stored set of this version, and whole.
    static func isWhole(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= table.header, bytes[0] == version else { return false }
        switch bytes[1] {
        case Form.values: return table.isSettled(bytes) && table.count(bytes) <= Int(limit(bytes))
        case Form.over: return bytes.count == table.header && bytes[2] == 0 && bytes[3] == 0
        default: return false
        }
    }

    private static func limit(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    }

    private static func exceed(_ word: inout UInt64, _ limit: UInt32) {
        // The values are of no use any more, and they are many.
        VariableText.free(&word)
        begin(&word, limit: limit, form: Form.over)
    }

    private static func begin(_ word: inout UInt64, limit: UInt32, form: UInt8) {
        let bytes = VariableText.resize(&word, to: table.header, room: form == Form.over ? table.header : table.header + 64)
        bytes[0] = version
        bytes[1] = form
        bytes[2] = 0
        bytes[3] = 0
        bytes.storeBytes(of: limit.littleEndian, toByteOffset: 4, as: UInt32.self)
    }
}
