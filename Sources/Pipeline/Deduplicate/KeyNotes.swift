import Model

/// What is noted of each remembered key beside its identity, one word for each thing that the topology asks for: the print of the
/// kept event's content (`compare`), the place of the kept event (`duplicates`). In state the notes of a chunk lie in an entry of
/// their own right behind it, so that a topology may begin or end to ask for them while its keys stay.
struct KeyNotes: ~Copyable {
    /// Which words there are, and what they mean.
    struct Form: Equatable {
        var hasPrint: Bool
        var hasPlace: Bool
        /// Of what the prints are.
        var schema: UInt64

        static let none = Form(hasPrint: false, hasPlace: false, schema: 0)
        var words: Int { (hasPrint ? 1 : 0) + (hasPlace ? 1 : 0) }
        /// Where the place stands among the words.
        var place: Int { hasPrint ? 1 : 0 }
        fileprivate var flags: UInt8 { (hasPrint ? 1 : 0) | (hasPlace ? 2 : 0) }
    }
    let form: Form
    private var words: [UInt64] = []
    private static let header = 9

    init(_ form: Form) { self.form = form }

    var bytes: Int { words.capacity * 8 }

    subscript(at: Int) -> UInt64 { words[at] }
    mutating func append(_ word: UInt64) { words.append(word) }
    mutating func removeAll() { words.removeAll(keepingCapacity: words.count < 1 << 17) }

    /// One entry: the form, then the words of the chunk's earlier keys and of the new ones.
    func put(
        _ tag: UInt8, _ bucket: Int64, _ number: UInt32, _ earlier: [UInt64], _ fresh: UnsafeBufferPointer<UInt64>,
        _ log: StateLog
    ) {
        withUnsafeTemporaryAllocation(byteCount: StateKey.notesLength, alignment: 8) { key in
            let start = key.baseAddress!
            StateKey.writeChunk(start, tag, bucket: bucket, number: number)
            let target = log.put(StateKey.notes(of: key), valueLength: Self.header + (earlier.count + fresh.count) * 8)
            target.storeBytes(of: form.flags, as: UInt8.self)
            target.storeBytes(of: form.schema.littleEndian, toByteOffset: 1, as: UInt64.self)
            earlier.withUnsafeBytes {
                if let from = $0.baseAddress, $0.count > 0 { (target + Self.header).copyMemory(from: from, byteCount: $0.count) }
            }
            let rest = target + Self.header + earlier.count * 8
            if let from = fresh.baseAddress, fresh.count > 0 { rest.copyMemory(from: from, byteCount: fresh.count * 8) }
        }
    }

    /// The words of `keys` keys in this form; those that were noted otherwise are 0, and those of the last keys where a topology
    /// that did not ask for notes added to the chunk. nil: the entry is damaged.
    func read(_ value: UnsafeRawBufferPointer, keys: Int) -> [UInt64]? {
        guard value.count >= Self.header else { return nil }
        let stored = Form(
            hasPrint: value[0] & 1 != 0, hasPlace: value[0] & 2 != 0,
            schema: UInt64(littleEndian: value.loadUnaligned(fromByteOffset: 1, as: UInt64.self)))
        guard value[0] < 4, stored.words > 0, (value.count - Self.header) % (stored.words * 8) == 0 else { return nil }
        let noted = (value.count - Self.header) / (stored.words * 8)
        guard noted <= keys else { return nil }
        var words = Array(repeating: UInt64(0), count: keys * form.words)
        func word(_ key: Int, _ word: Int) -> UInt64 {
            value.loadUnaligned(fromByteOffset: Self.header + (key * stored.words + word) * 8, as: UInt64.self)
        }
        for key in 0..<noted {
            if form.hasPrint, stored.hasPrint, stored.schema == form.schema { words[key * form.words] = word(key, 0) }
            if form.hasPlace, stored.hasPlace { words[key * form.words + form.place] = word(key, stored.place) }
        }
        return words
    }
}
