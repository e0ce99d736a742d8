public import Model

/// By what a file is known again after a restart: its size and the bytes at both ends. Its time stamp is not trusted, since
/// copying changes it and an edit can keep it. A change in the middle that keeps the size is not seen.
public struct FileFingerprint: Equatable, Sendable {
    public let size: Int64
    /// Hashes of the first and the last 64 KiB (of all, where the file is shorter).
    public let head: Identity
    public let tail: Identity

    public init(size: Int64, head: Identity, tail: Identity) {
        self.size = size
        self.head = head
        self.tail = tail
    }

    /// What the state keeps: 41 bytes, format 1. nil if they are not that.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 41, bytes[0] == 1 else { return nil }
        let words = bytes.withUnsafeBytes { raw in
            (0..<5).map { UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 1 + 8 * $0, as: UInt64.self)) }
        }
        size = Int64(bitPattern: words[0])
        head = Identity(high: words[1], low: words[2])
        tail = Identity(high: words[3], low: words[4])
    }

    public var bytes: [UInt8] {
        var bytes: [UInt8] = [1]
        for word in [UInt64(bitPattern: size), head.high, head.low, tail.high, tail.low] {
            for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * byte))) }
        }
        return bytes
    }

    /// Whether two stored fingerprints are of the same file: same size and hashes. Bytes that are no fingerprint are the same
    /// as nothing.
    public static func isSame(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard let a = FileFingerprint(bytes: a), let b = FileFingerprint(bytes: b) else { return false }
        return a == b
    }

    /// Reads both ends of an open file: 128 KiB at most.
    init(of file: PlainSource) throws(Fault) {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: InputLimits.fingerprintBytes, alignment: 8)
        defer { room.deallocate() }
        size = file.size
        let headCount = try file.read(into: room, at: 0)
        head = SipHash.hash128(key: (0, 0), UnsafeRawBufferPointer(rebasing: room[..<headCount]))
        let tailCount = try file.read(into: room, at: max(0, file.size - Int64(room.count)))
        tail = SipHash.hash128(key: (0, 0), UnsafeRawBufferPointer(rebasing: room[..<tailCount]))
    }
}
