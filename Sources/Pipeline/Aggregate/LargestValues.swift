import Model

/// The largest values, each as often as it came or each once, in one block of bytes that depends on the values alone: neither their
/// order nor the cut of the input shows.
///
/// Byte 0 is the format's version, byte 1 the form, byte 2 is 1 where each value stands once, byte 3 is zero, bytes 4–7 how many
/// are kept, little-endian. Form 0: numbers, ascending, as 8 bytes whose unsigned order is theirs, little-endian (an int or a time with its sign
/// bit turned over; a double with its sign bit turned over, or all bits where it is negative). Form 1: texts, ascending, each
/// with its length in 4 bytes before it.
enum LargestValues {
    static let version: UInt8 = 1
    private static let header = 8
    private enum Form {
        static let numbers: UInt8 = 0
        static let texts: UInt8 = 1
    }

    // MARK: Numbers

    @inline(__always)
    static func ordered(_ value: Int64) -> UInt64 { UInt64(bitPattern: value) ^ (1 << 63) }

    @inline(__always)
    static func ordered(_ value: Double) -> UInt64 {
        let bits = (value == 0 ? 0 : value).bitPattern
        return bits >> 63 == 0 ? bits ^ (1 << 63) : ~bits
    }

    /// Adds a number as `ordered` gives it. Cost: a comparison where it is not among the largest.
    @inline(__always)
    static func add(_ value: UInt64, keep: Int, once: Bool, to word: inout UInt64) {
        if word == 0 { begin(&word, Form.numbers, keep: keep, once: once) }
        let bytes = VariableText.bytes(word)
        let count = (bytes.count &- header) / 8
        if count == keep, value <= number(bytes, 0) { return }
        insert(value, count, keep: keep, once: once, &word)
    }

    @inline(never)
    private static func insert(_ value: UInt64, _ count: Int, keep: Int, once: Bool, _ word: inout UInt64) {
        let bytes = VariableText.bytes(word)
        var low = 0
        var high = count
        while low < high {
            let middle = (low &+ high) / 2
            if number(bytes, middle) < value { low = middle &+ 1 } else { high = middle }
        }
        if once, low < count, number(bytes, low) == value { return }
        if count == keep {
            // The smallest goes: those between it and the new one move down.
            let start = VariableText.mutableBytes(word).baseAddress! + header
            start.copyMemory(from: start + 8, byteCount: (low - 1) * 8)
            (start + (low - 1) * 8).storeBytes(of: value.littleEndian, as: UInt64.self)
            return
        }
        let length = bytes.count
        let room = max(header + 32, min(length * 2, header + keep * 8))
        let place = VariableText.resize(&word, to: length + 8, room: room).baseAddress! + header + low * 8
        (place + 8).copyMemory(from: place, byteCount: (count - low) * 8)
        place.storeBytes(of: value.littleEndian, as: UInt64.self)
    }

    // MARK: Texts

    /// Adds a text. Cost: a comparison where it is not among the largest, else a pass over what is kept.
    static func add(_ text: UnsafeRawBufferPointer, keep: Int, once: Bool, to word: inout UInt64) {
        if word == 0 { begin(&word, Form.texts, keep: keep, once: once) }
        let bytes = VariableText.bytes(word)
        var count = 0
        var place: Int?
        var at = header
        while at < bytes.count {
            let held = self.text(bytes, at)
            if place == nil, !precedes(held, text) {
                if once, !precedes(text, held) { return }
                place = at
                // Not larger than the smallest of a full list.
                if at == header, isFull(bytes, keep) { return }
            }
            count += 1
            at += 4 + held.count
        }
        let isFull = count >= keep
        let insertAt = place ?? bytes.count
        let removed = isFull ? 4 + self.text(bytes, header).count : 0
        let length = bytes.count
        let grown = VariableText.resize(&word, to: length + 4 + text.count, room: max(header + 60, length * 3 / 2))
        let start = grown.baseAddress!
        (start + insertAt + 4 + text.count).copyMemory(from: start + insertAt, byteCount: length - insertAt)
        (start + insertAt).storeBytes(of: UInt32(text.count).littleEndian, as: UInt32.self)
        if let from = text.baseAddress, text.count > 0 { (start + insertAt + 4).copyMemory(from: from, byteCount: text.count) }
        if removed > 0 {
            let rest = grown.count - header - removed
            (start + header).copyMemory(from: start + header + removed, byteCount: rest)
            _ = VariableText.resize(&word, to: header + rest, room: 0)
        }
    }

    private static func isFull(_ bytes: UnsafeRawBufferPointer, _ keep: Int) -> Bool {
        var count = 0
        var at = header
        while at < bytes.count {
            count += 1
            at += 4 + text(bytes, at).count
        }
        return count >= keep
    }

    // MARK: Both

    /// Adds all values of another list. False: those bytes are none of this format, or of another form.
    static func merge(_ other: UnsafeRawBufferPointer, into word: inout UInt64) -> Bool {
        guard isWhole(other) else { return false }
        let keep = keep(other)
        if word == 0 { begin(&word, other[1], keep: keep, once: other[2] == 1) }
        let mine = VariableText.bytes(word)
        guard mine[1] == other[1], mine[2] == other[2], self.keep(mine) == keep else { return false }
        let once = other[2] == 1
        if other[1] == Form.numbers {
            for at in 0..<((other.count - header) / 8) { add(number(other, at), keep: keep, once: once, to: &word) }
        } else {
            var at = header
            while at < other.count {
                let text = text(other, at)
                add(text, keep: keep, once: once, to: &word)
                at += 4 + text.count
            }
        }
        return true
    }

    /// The largest first. Empty of nothing.
    static func values(_ bytes: UnsafeRawBufferPointer, kind: ColumnKind) -> [Value] {
        guard bytes.count >= header else { return [] }
        var values: [Value] = []
        if bytes[1] == Form.numbers {
            for at in (0..<((bytes.count - header) / 8)).reversed() {
                let bits = number(bytes, at)
                switch kind {
                case .double: values.append(.double(Double(bitPattern: bits >> 63 == 1 ? bits ^ (1 << 63) : ~bits)))
                case .time: values.append(.time(EventTime(milliseconds: Int64(bitPattern: bits ^ (1 << 63)))))
                case .bool: values.append(.bool(bits & 1 == 1))
                default: values.append(.int(Int64(bitPattern: bits ^ (1 << 63))))
                }
            }
            return values
        }
        var at = header
        while at < bytes.count {
            let text = text(bytes, at)
            values.append(.string(String(decoding: text, as: UTF8.self)))
            at += 4 + text.count
        }
        return values.reversed()
    }

    /// The bytes are a list of this version, and whole.
    static func isWhole(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= header, bytes[0] == version, bytes[1] <= Form.texts, bytes[2] <= 1, bytes[3] == 0 else {
            return false
        }
        let once = bytes[2] == 1
        if bytes[1] == Form.numbers {
            let count = (bytes.count - header) / 8
            guard (bytes.count - header) % 8 == 0, count <= keep(bytes) else { return false }
            return count < 2
                || (1..<count).allSatisfy {
                    once ? number(bytes, $0 - 1) < number(bytes, $0) : number(bytes, $0 - 1) <= number(bytes, $0)
                }
        }
        var at = header
        var count = 0
        var last: UnsafeRawBufferPointer?
        while at < bytes.count {
            guard at + 4 <= bytes.count else { return false }
            let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
            guard at + 4 + length <= bytes.count else { return false }
            let text = text(bytes, at)
            if let last, once ? !precedes(last, text) : precedes(text, last) { return false }
            last = text
            count += 1
            at += 4 + length
        }
        return count <= keep(bytes)
    }

    private static func begin(_ word: inout UInt64, _ form: UInt8, keep: Int, once: Bool) {
        let bytes = VariableText.resize(&word, to: header, room: header + 32)
        bytes[0] = version
        bytes[1] = form
        bytes[2] = once ? 1 : 0
        bytes[3] = 0
        bytes.storeBytes(of: UInt32(keep).littleEndian, toByteOffset: 4, as: UInt32.self)
    }

    private static func keep(_ bytes: UnsafeRawBufferPointer) -> Int {
        Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
    }

    @inline(__always)
    private static func number(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: header &+ at &* 8, as: UInt64.self))
    }

    private static func text(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UnsafeRawBufferPointer {
        let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
        return UnsafeRawBufferPointer(rebasing: bytes[(at + 4)..<(at + 4 + length)])
    }
}
