/// A JSON value of a sample. Objects keep the last of equal keys.
indirect enum SampleValue {
    case null
    case bool
    /// `integer`: where it is written as one and fits 64 bits.
    case number(Double, integer: Int64?)
    case string(String)
    case list
    case object([(key: String, value: SampleValue)])

    /// nil: not one JSON value, or deeper than `InferLimits.depth`. For samples only: it allocates per value.
    static func read(_ bytes: UnsafeRawBufferPointer) -> SampleValue? {
        guard !bytes.isEmpty else { return nil }
        var reader = SampleReader(bytes: bytes)
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { reader.at = 3 }
        guard let value = reader.value(depth: 0) else { return nil }
        reader.skipSpace()
        return reader.at == bytes.count ? value : nil
    }
}

/// A plain recursive reader: what it takes is what the pipeline's decoder takes, but for texts that hold raw control bytes.
private struct SampleReader {
    let bytes: UnsafeRawBufferPointer
    var at = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { at += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard next == byte else { return false }
        at += 1
        return true
    }

    private mutating func take(word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard at + count <= bytes.count else { return false }
        for i in 0..<count where bytes[at + i] != word.utf8Start[i] { return false }
        at += count
        return true
    }

    mutating func value(depth: Int) -> SampleValue? {
        skipSpace()
        guard depth <= InferLimits.depth, let first = next else { return nil }
        switch first {
        case UInt8(ascii: "{"): return object(depth)
        case UInt8(ascii: "["): return list(depth)
        case UInt8(ascii: "\""): return string().map { .string($0) }
        case UInt8(ascii: "t"): return take(word: "true") ? .bool : nil
        case UInt8(ascii: "f"): return take(word: "false") ? .bool : nil
        case UInt8(ascii: "n"): return take(word: "null") ? .null : nil
        default: return number()
        }
    }

    private mutating func object(_ depth: Int) -> SampleValue? {
        at += 1
        var members: [(key: String, value: SampleValue)] = []
        var places: [String: Int] = [:]
        if take(UInt8(ascii: "}")) { return .object([]) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\""), let key = string(), take(UInt8(ascii: ":")), let value = value(depth: depth + 1)
            else { return nil }
            if let known = places[key] {
                members[known].value = value
            } else {
                places[key] = members.count
                members.append((key, value))
            }
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { return nil }
        }
    }

    private mutating func list(_ depth: Int) -> SampleValue? {
        at += 1
        if take(UInt8(ascii: "]")) { return .list }
        while value(depth: depth + 1) != nil {
            if take(UInt8(ascii: "]")) { return .list }
            guard take(UInt8(ascii: ",")) else { return nil }
        }
        return nil
    }

    private mutating func number() -> SampleValue? {
        let start = at
        while let byte = next, "+-.eE0123456789".utf8.contains(byte) { at += 1 }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        guard let number = Scalars.double(text) else { return nil }
        return .number(number, integer: Scalars.integer(text))
    }

    /// With the place on the opening quote.
    private mutating func string() -> String? {
        at += 1
        var units: [UInt8] = []
        while let byte = next {
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return String(validating: units, as: UTF8.self)
            case UInt8(ascii: "\\"): guard escape(&units) else { return nil }
            case 0..<0x20: return nil
            default: units.append(byte)
            }
        }
        return nil
    }

    private mutating func escape(_ units: inout [UInt8]) -> Bool {
        guard let letter = next else { return false }
        at += 1
        switch letter {
        case UInt8(ascii: "n"): units.append(0x0a)
        case UInt8(ascii: "t"): units.append(0x09)
        case UInt8(ascii: "r"): units.append(0x0d)
        case UInt8(ascii: "b"): units.append(0x08)
        case UInt8(ascii: "f"): units.append(0x0c)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(letter)
        case UInt8(ascii: "u"):
            guard var code = hex() else { return false }
            if (0xd800..<0xdc00).contains(code), take(word: "\\u") {
                guard let low = hex(), (0xdc00..<0xe000).contains(low) else { return false }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            // A lone surrogate is wrong in a declared field only; here it stands as the replacement character.
            units.append(contentsOf: String(Unicode.Scalar(code) ?? "\u{fffd}").utf8)
        default: return false
        }
        return true
    }

    private mutating func hex() -> UInt32? {
        guard at + 4 <= bytes.count else { return nil }
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[at])).hexDigitValue, bytes[at] < 0x80 else { return nil }
            code = code << 4 | UInt32(digit)
            at += 1
        }
        return code
    }
}
