/// Compact JSON, appended to bytes: rows, keys, status and log lines. No spaces, keys in the order they are written.
///
/// A value of its own; nobody shares it. It puts the commas; the caller keeps `begin…` and `end…` paired and, within an object,
/// a key before each value. Cost: one pass over the text, no allocation but the growth of `bytes`.
public struct JSONText: Sendable {
    public private(set) var bytes: [UInt8]
    /// True where the next key or value stands after another one.
    private var needsComma = false

    public init(capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// One value by itself.
    public static func of(_ value: Value) -> String {
        var json = JSONText()
        json.value(value)
        return json.text
    }

    /// Forgets the text and keeps the memory.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
    }

    public mutating func beginObject() { open(UInt8(ascii: "{")) }
    public mutating func endObject() { close(UInt8(ascii: "}")) }
    public mutating func beginArray() { open(UInt8(ascii: "[")) }
    public mutating func endArray() { close(UInt8(ascii: "]")) }

    public mutating func key(_ name: String) {
        separate()
        quote(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    public mutating func null() { literal("null") }
    public mutating func bool(_ value: Bool) { literal(value ? "true" : "false") }

    /// Plain digits, whatever the size: the reader decides how many bits it wants.
    public mutating func int(_ value: some FixedWidthInteger) {
        separate()
        appendDigits(value)
        needsComma = true
    }

    /// The shortest text that reads back as the same double (`6.0`, `1e-07`); infinities and NaN, which JSON has no word for, are null.
    public mutating func double(_ value: Double) {
        guard value.isFinite else { return null() }
        separate()
        bytes.append(contentsOf: value.description.utf8)
        needsComma = true
    }

    public mutating func string(_ value: String) {
        separate()
        quote(value)
        needsComma = true
    }

    /// Times are integer milliseconds, UUIDs lower-case text with dashes.
    public mutating func value(_ value: Value) {
        switch value {
        case .null: null()
        case .bool(let flag): bool(flag)
        case .int(let number): int(number)
        case .wide(let number): int(number)
        case .double(let number): double(number)
        case .string(let text): string(text)
        case .uuid(let high, let low): uuid(high: high, low: low)
        case .time(let time): int(time.milliseconds)
        case .list(let values):
            beginArray()
            for value in values { self.value(value) }
            endArray()
        case .counted(let values):
            beginArray()
            for one in values {
                beginObject()
                member("value", one.value)
                member("count", one.count)
                endObject()
            }
            endArray()
        }
    }

    /// Text that is JSON already, such as a rendered row.
    public mutating func raw(_ json: some Sequence<UInt8>) {
        separate()
        bytes.append(contentsOf: json)
        needsComma = true
    }

    // Members: a key and its value in one call.

    public mutating func member(_ name: String, _ value: String) {
        key(name)
        string(value)
    }

    public mutating func member(_ name: String, _ value: some FixedWidthInteger) {
        key(name)
        int(value)
    }

    public mutating func member(_ name: String, _ value: Double) {
        key(name)
        double(value)
    }

    public mutating func member(_ name: String, _ flag: Bool) {
        key(name)
        bool(flag)
    }

    public mutating func member(_ name: String, _ value: Value) {
        key(name)
        self.value(value)
    }

    // MARK: - The bytes

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func literal(_ word: StaticString) {
        separate()
        bytes.append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        needsComma = true
    }

    private mutating func appendDigits<Number: FixedWidthInteger>(_ value: Number) {
        let start = bytes.count
        var rest = value.magnitude
        repeat {
            let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: remainder))
            rest = quotient
        } while rest != 0
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        bytes[start...].reverse()
    }

    /// Escapes what JSON demands and nothing more; UTF-8 goes through as it is.
    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x20...: bytes.append(byte)
            case 0x0A: escape("n")
            case 0x0D: escape("r")
            case 0x09: escape("t")
            case 0x08: escape("b")
            case 0x0C: escape("f")
            default:
                bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0")])
                bytes.append(hexDigit(byte >> 4))
                bytes.append(hexDigit(byte & 15))
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ letter: Unicode.Scalar) {
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(UInt8(ascii: letter))
    }

    private mutating func uuid(high: UInt64, low: UInt64) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: UUIDText.length) { room in
            room.initialize(repeating: 0)
            if let start = room.baseAddress { UUIDText.write(high: high, low: low, start) }
            bytes.append(contentsOf: room)
        }
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }
}
