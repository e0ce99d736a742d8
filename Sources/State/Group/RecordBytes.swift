import Model

/// What is wrong with a record's bytes.
enum RecordDamage: Error, Equatable {
    /// Not what any version writes.
    case damaged
    /// What a newer version may have written.
    case newer(version: UInt8)

    func fault(at place: String) -> Fault {
        switch self {
        case .damaged:
            Fault(
                "changelog_damaged", "A record of an internal topic is not one that Weir wrote, or is damaged.", place: place,
                next: "Find who else writes to the topic; with its records gone, start again on an empty state directory.",
                exit: .state)
        case .newer(let version):
            Fault(
                "state_newer_format",
                "A record of an internal topic was written by a newer Weir (format \(version); this one knows \(RecordWriter.version)).",
                place: place, next: "Run the newer version on every instance of the group.", exit: .state)
        }
    }
}

/// Writes a value of an internal topic: a version, then numbers of variable length, texts and bytes.
struct RecordWriter {
    /// 2: a unit's state may hold pages of cells, which an older program does not know.
    static let version: UInt8 = 2

    private(set) var bytes: [UInt8]

    init(capacity: Int) {
        bytes = []
        bytes.reserveCapacity(capacity)
        bytes.append(RecordWriter.version)
    }

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    /// Small ones take one byte, whatever their sign.
    mutating func number(_ value: Int64) {
        var rest = UInt64(bitPattern: value << 1 ^ value >> 63)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func number(_ value: Int64?) {
        byte(value == nil ? 0 : 1)
        if let value { number(value) }
    }

    mutating func time(_ value: EventTime?) { number(value?.milliseconds) }

    /// A hash: eight bytes whatever it is.
    mutating func word(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }

    mutating func text(_ value: String) {
        number(Int64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    mutating func bytes(_ value: [UInt8]) {
        number(Int64(value.count))
        bytes += value
    }
}

/// Reads what `RecordWriter` wrote. The bytes come from the network: nothing in them is trusted.
struct RecordReader {
    private let source: UnsafeRawBufferPointer
    private var at = 0

    init(_ source: UnsafeRawBufferPointer) throws(RecordDamage) {
        self.source = source
        let version = try byte()
        guard version <= RecordWriter.version else { throw .newer(version: version) }
        guard version > 0 else { throw .damaged }
    }

    mutating func byte() throws(RecordDamage) -> UInt8 {
        guard at < source.count else { throw .damaged }
        defer { at += 1 }
        return source[at]
    }

    mutating func flag() throws(RecordDamage) -> Bool {
        switch try byte() {
        case 0: false
        case 1: true
        default: throw .damaged
        }
    }

    mutating func number() throws(RecordDamage) -> Int64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            guard shift < 63 || next < 2 else { throw .damaged }
            value |= UInt64(next & 0x7F) << shift
            if next < 0x80 { break }
            shift += 7
        }
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    mutating func narrow() throws(RecordDamage) -> Int32 {
        guard let value = Int32(exactly: try number()) else { throw .damaged }
        return value
    }

    mutating func optionalNumber() throws(RecordDamage) -> Int64? { try flag() ? try number() : nil }

    mutating func optionalTime() throws(RecordDamage) -> EventTime? { try optionalNumber().map(EventTime.init(milliseconds:)) }

    mutating func time() throws(RecordDamage) -> EventTime { EventTime(milliseconds: try number()) }

    mutating func word() throws(RecordDamage) -> UInt64 {
        guard source.count - at >= 8 else { throw .damaged }
        defer { at += 8 }
        return UInt64(littleEndian: source.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    /// How many of something follow; each takes a byte at least.
    mutating func count() throws(RecordDamage) -> Int {
        let count = try number()
        guard count >= 0, count <= Int64(source.count - at) else { throw .damaged }
        return Int(count)
    }

    mutating func bytes() throws(RecordDamage) -> [UInt8] {
        let count = try count()
        defer { at += count }
        return Array(source[at..<at + count])
    }

    mutating func text() throws(RecordDamage) -> String { String(decoding: try bytes(), as: UTF8.self) }

    /// What follows after all that was read.
    mutating func rest() -> UnsafeRawBufferPointer {
        defer { at = source.count }
        return UnsafeRawBufferPointer(rebasing: source[at...])
    }

    var isAtEnd: Bool { at == source.count }

    func end() throws(RecordDamage) { if at != source.count { throw .damaged } }
}
