import Model

/// Appends numbers, lowest byte first, and ends with a sum of all bytes.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    mutating func put<T: FixedWidthInteger>(_ number: T) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ time: EventTime) { put(time.milliseconds) }

    mutating func put(_ source: UnsafeRawBufferPointer) { bytes.append(contentsOf: source) }

    /// What `ByteReader` checks first.
    consuming func sealed() -> [UInt8] {
        let sum = UInt32(truncatingIfNeeded: bytes.withUnsafeBytes { Hash64.of($0) })
        put(sum)
        return bytes
    }
}

/// Reads what `ByteWriter` wrote. Anything may arrive here: nil where the bytes end too early.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private var at = 0

    /// nil: the sum is wrong.
    init?(sealed: UnsafeRawBufferPointer) {
        let length = sealed.count - 4
        guard length >= 0 else { return nil }
        bytes = UnsafeRawBufferPointer(rebasing: sealed[0..<length])
        let sum = UInt32(littleEndian: sealed.loadUnaligned(fromByteOffset: length, as: UInt32.self))
        guard sum == UInt32(truncatingIfNeeded: Hash64.of(bytes)) else { return nil }
    }

    var isAtEnd: Bool { at == bytes.count }
    /// Bytes that are left: no list can have more entries.
    var rest: Int { bytes.count - at }

    mutating func take<T: FixedWidthInteger>(_ type: T.Type = T.self) -> T? {
        guard rest >= MemoryLayout<T>.size else { return nil }
        defer { at += MemoryLayout<T>.size }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: T.self))
    }

    /// nil also for what is no time of ours, so that one can reckon with those that are.
    mutating func time() -> EventTime? {
        guard let milliseconds = take(Int64.self), milliseconds.magnitude < 1 << 60 else { return nil }
        return EventTime(milliseconds: milliseconds)
    }

    mutating func take(count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, rest >= count else { return nil }
        defer { at += count }
        return UnsafeRawBufferPointer(rebasing: bytes[at..<(at + count)])
    }
}
