import Model

/// The most frequent values, counted (S18): all of them up to a bound, which is exact; beyond it the rare ones are given up in
/// rounds, so that each count that is left is at most `lost` too low, never too high.
///
/// Two blocks of bytes. The table: byte 0 the format's version, byte 1 the form, bytes 2–3 the tail (0 where stored), bytes 4–7
/// how many values a round leaves (`kept`), bytes 8–15 what counts may lack (`lost`); then entries ascending by key: 16 bytes of
/// key, 8 of count, and where the form is 1 the place and length of the value's text, 4 bytes each. The texts: one behind the
/// other, in the order of the entries. A round comes when there are more than twice `kept` values: the count of the first one
/// that is not kept is taken from all, and what is left with nothing goes. It takes that much from more than `kept` values at
/// once, so `lost` is less than the share 1/(kept + 1) of all values counted. Up to twice `kept` values the bytes depend on the
/// values alone; beyond, on the order within each partition and of the merge, both of which are fixed (S17).
/// Source: Misra and Gries 1982; Agarwal and others, "Mergeable summaries" (2012), for rounds and merging.
enum FrequentValues {
    static let version: UInt8 = 1
    private static let header = 16
    private static let numbers = EntryTable(header: header, stride: 24)
    private static let texts = EntryTable(header: header, stride: 32)
    private enum Form {
        static let number: UInt8 = 0
        static let text: UInt8 = 1
    }

    /// How many values a round leaves for a list of `k`.
    static func kept(for k: Int) -> Int { max(256, 16 * k) }

    // MARK: Taking values

    /// Counts a value `times` more. `text`: its bytes where it is one, whose hash the key is; else the key is the value.
    @inline(__always)
    static func add(_ key: Identity, text: UnsafeRawBufferPointer?, kept: Int, to words: UnsafeMutablePointer<UInt64>) {
        add(key, text: text, times: 1, kept: kept, to: words)
        let table = text == nil ? numbers : texts
        if table.count(VariableText.bytes(words[0])) > 2 * kept { giveUp(words, table) }
    }

    private static func add(
        _ key: Identity, text: UnsafeRawBufferPointer?, times: UInt64, kept: Int, to words: UnsafeMutablePointer<UInt64>
    ) {
        if words[0] == 0 { begin(&words[0], text == nil ? Form.number : Form.text, UInt32(kept)) }
        let table = text == nil ? numbers : texts
        if let at = table.find(key, VariableText.bytes(words[0])) {
            let bytes = VariableText.mutableBytes(words[0])
            let place = table.payload(at)
            let sum = count(UnsafeRawBufferPointer(bytes), place) &+ times
            bytes.storeBytes(of: sum.littleEndian, toByteOffset: place, as: UInt64.self)
            return
        }
        let at = table.append(key, to: &words[0])
        let bytes = VariableText.mutableBytes(words[0])
        let place = table.payload(at)
        bytes.storeBytes(of: times.littleEndian, toByteOffset: place, as: UInt64.self)
        guard let text else { return }
        let length = VariableText.bytes(words[1]).count
        let heap = VariableText.resize(&words[1], to: length + text.count, room: max(64, length * 3 / 2))
        if let from = text.baseAddress, text.count > 0 {
            (heap.baseAddress! + length).copyMemory(from: from, byteCount: text.count)
        }
        bytes.storeBytes(of: UInt32(length).littleEndian, toByteOffset: place + 8, as: UInt32.self)
        bytes.storeBytes(of: UInt32(text.count).littleEndian, toByteOffset: place + 12, as: UInt32.self)
    }

    /// Adds all counts of another table with its texts. False: those bytes are none of this format.
    static func merge(
        _ other: UnsafeRawBufferPointer, texts otherTexts: UnsafeRawBufferPointer, into words: UnsafeMutablePointer<UInt64>
    ) -> Bool {
        guard isWhole(other, texts: otherTexts) else { return false }
        let kept = keptValues(other)
        if words[0] == 0 { begin(&words[0], other[1], UInt32(kept)) }
        guard VariableText.bytes(words[0])[1] == other[1] else { return false }
        let table = other[1] == Form.text ? texts : numbers
        let mine = VariableText.mutableBytes(words[0])
        let lost = lost(UnsafeRawBufferPointer(mine)) &+ self.lost(other)
        mine.storeBytes(of: lost.littleEndian, toByteOffset: 8, as: UInt64.self)
        // Two tables that keep differently many, which only a query can join: the smaller is what both can tell.
        let least = min(kept, keptValues(UnsafeRawBufferPointer(mine)))
        mine.storeBytes(of: UInt32(least).littleEndian, toByteOffset: 4, as: UInt32.self)
        for at in 0..<table.count(other) {
            let place = table.payload(at)
            add(
                table.key(other, at), text: other[1] == Form.text ? text(other, place, otherTexts) : nil,
                times: count(other, place), kept: least, to: words)
        }
        if table.count(VariableText.bytes(words[0])) > 2 * least { giveUp(words, table) }
        return true
    }

    /// One round.
    @inline(never)
    private static func giveUp(_ words: UnsafeMutablePointer<UInt64>, _ table: EntryTable) {
        table.settle(VariableText.mutableBytes(words[0]))
        let bytes = VariableText.bytes(words[0])
        let all = table.count(bytes)
        let counts = (0..<all).map { count(bytes, table.payload($0)) }.sorted(by: >)
        let taken = counts[keptValues(bytes)]
        let isText = bytes[1] == Form.text
        var fresh: [UInt64] = [0, 0]
        fresh.withUnsafeMutableBufferPointer { fresh in
            let target = fresh.baseAddress!
            begin(&target[0], bytes[1], UInt32(keptValues(bytes)))
            for at in 0..<all {
                let place = table.payload(at)
                let left = count(bytes, place)
                guard left > taken else { continue }
                add(
                    table.key(bytes, at), text: isText ? text(bytes, place, VariableText.bytes(words[1])) : nil,
                    times: left - taken, kept: keptValues(bytes), to: target)
            }
            let mine = VariableText.mutableBytes(target[0])
            mine.storeBytes(of: (lost(bytes) &+ taken).littleEndian, toByteOffset: 8, as: UInt64.self)
        }
        VariableText.free(&words[0])
        VariableText.free(&words[1])
        words[0] = fresh[0]
        words[1] = fresh[1]
    }

    /// As they are stored: entries and texts in the order of the keys. Cost: nothing where no value is new.
    static func settle(_ words: UnsafePointer<UInt64>) {
        if words[0] == 0 { return }
        let table = VariableText.bytes(words[0])[1] == Form.text ? texts : numbers
        table.settle(VariableText.mutableBytes(words[0]))
        guard VariableText.bytes(words[0])[1] == Form.text else { return }
        let bytes = VariableText.mutableBytes(words[0])
        let all = table.count(UnsafeRawBufferPointer(bytes))
        var next: UInt32 = 0
        var isInOrder = true
        for at in 0..<all {
            let (place, length) = span(UnsafeRawBufferPointer(bytes), table.payload(at))
            if place != next { isInOrder = false }
            next &+= length
        }
        if isInOrder { return }
        let heap = VariableText.mutableBytes(words[1])
        withUnsafeTemporaryAllocation(byteCount: heap.count, alignment: 8) { old in
            old.copyMemory(from: UnsafeRawBufferPointer(heap))
            next = 0
            for at in 0..<all {
                let (place, length) = span(UnsafeRawBufferPointer(bytes), table.payload(at))
                if length > 0 {
                    (heap.baseAddress! + Int(next)).copyMemory(from: old.baseAddress! + Int(place), byteCount: Int(length))
                }
                bytes.storeBytes(of: next.littleEndian, toByteOffset: table.payload(at) + 8, as: UInt32.self)
                next &+= length
            }
        }
    }

    // MARK: Answer

    /// The `k` most frequent, most frequent first, equals by value. Empty of nothing.
    static func top(_ k: Int, of bytes: UnsafeRawBufferPointer, texts heap: UnsafeRawBufferPointer, kind: ColumnKind)
        -> [ValueCount]
    {
        guard bytes.count >= header else { return [] }
        let isText = bytes[1] == Form.text
        let table = isText ? texts : numbers
        // By count first: only those that can be in the list become values.
        let order = (0..<table.count(bytes)).map { (at: $0, count: count(bytes, table.payload($0))) }.sorted {
            $0.count > $1.count
        }
        guard let least = order.prefix(k).last?.count else { return [] }
        let values = order.prefix { $0.count >= least }.map { one in
            ValueCount(
                isText
                    ? .string(String(decoding: text(bytes, table.payload(one.at), heap), as: UTF8.self))
                    : ValueKey.value(table.key(bytes, one.at), kind), Int64(clamping: one.count))
        }
        return Array(
            values.sorted { $0.count != $1.count ? $0.count > $1.count : ValueKey.precedes($0.value, $1.value) }.prefix(k))
    }

    /// By how much a count may be too low.
    static func lost(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        bytes.count < header ? 0 : UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// The bytes are a stored table of this version with its texts, and whole.
    static func isWhole(_ bytes: UnsafeRawBufferPointer, texts heap: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= header, bytes[0] == version, bytes[1] <= Form.text else { return false }
        let table = bytes[1] == Form.text ? texts : numbers
        guard table.isSettled(bytes), table.count(bytes) <= 2 * keptValues(bytes) else { return false }
        if bytes[1] == Form.number { return heap.isEmpty }
        var next = 0
        for at in 0..<table.count(bytes) {
            let (place, length) = span(bytes, table.payload(at))
            guard Int(place) == next else { return false }
            next += Int(length)
        }
        return next == heap.count
    }

    // MARK: Bytes

    private static func begin(_ word: inout UInt64, _ form: UInt8, _ kept: UInt32) {
        let bytes = VariableText.resize(&word, to: header, room: header + 96)
        for at in 0..<header { bytes[at] = 0 }
        bytes[0] = version
        bytes[1] = form
        bytes.storeBytes(of: kept.littleEndian, toByteOffset: 4, as: UInt32.self)
    }

    private static func keptValues(_ bytes: UnsafeRawBufferPointer) -> Int {
        Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
    }

    @inline(__always)
    private static func count(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
    }

    private static func span(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> (UInt32, UInt32) {
        (
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place + 8, as: UInt32.self)),
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place + 12, as: UInt32.self))
        )
    }

    private static func text(_ bytes: UnsafeRawBufferPointer, _ place: Int, _ heap: UnsafeRawBufferPointer)
        -> UnsafeRawBufferPointer
    {
        let (start, length) = span(bytes, place)
        return UnsafeRawBufferPointer(rebasing: heap[Int(start)..<Int(start) + Int(length)])
    }
}
