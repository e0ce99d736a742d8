/// Puts and deletes of one lane's keyed state in the order they were made, in one buffer: what a commit writes and what a
/// restore replays. Keys are ordered as unsigned bytes.
///
/// `@unchecked Sendable` is true because: one lane appends until it seals; after that everyone only reads.
public final class StateLog: @unchecked Sendable {
    public enum Change: UInt8 {
        case put = 1
        case delete = 2
        /// Deletes every key in `[key, value)`.
        case deleteRange = 3
    }

    /// Entry: change (1 byte), key length (4), value length (4), key, value.
    private var buffer: UnsafeMutableRawPointer
    private var capacity: Int
    public private(set) var byteCount = 0
    public private(set) var entryCount = 0

    public init(capacity: Int = 4_096) {
        self.capacity = max(capacity, 64)
        buffer = .allocate(byteCount: self.capacity, alignment: 8)
    }

    deinit { buffer.deallocate() }

    public var isEmpty: Bool { entryCount == 0 }

    public func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) { append(.put, key, value) }
    public func delete(_ key: UnsafeRawBufferPointer) { append(.delete, key, UnsafeRawBufferPointer(start: nil, count: 0)) }
    public func deleteRange(from: UnsafeRawBufferPointer, to: UnsafeRawBufferPointer) { append(.deleteRange, from, to) }

    /// Appends a put whose value the caller writes in place: returns where, valid until the next call.
    public func put(_ key: UnsafeRawBufferPointer, valueLength: Int) -> UnsafeMutableRawPointer {
        let at = header(.put, key, valueLength)
        return buffer + at
    }

    public func append(_ change: Change, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        let at = header(change, key, value.count)
        if let source = value.baseAddress, value.count > 0 { (buffer + at).copyMemory(from: source, byteCount: value.count) }
    }

    /// Forgets the entries and keeps the memory, for the next commit.
    public func removeAll() {
        byteCount = 0
        entryCount = 0
    }

    /// In the order they were appended. The pointers are valid during the call only.
    public func replay<E: Error>(
        _ body: (Change, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(E) -> Void
    ) throws(E) {
        var at = 0
        while at < byteCount {
            let change = Change(rawValue: buffer.load(fromByteOffset: at, as: UInt8.self))!
            let keyLength = Int(buffer.loadUnaligned(fromByteOffset: at + 1, as: UInt32.self))
            let valueLength = Int(buffer.loadUnaligned(fromByteOffset: at + 5, as: UInt32.self))
            let key = UnsafeRawBufferPointer(start: buffer + (at + 9), count: keyLength)
            let value = UnsafeRawBufferPointer(start: buffer + (at + 9 + keyLength), count: valueLength)
            try body(change, key, value)
            at += 9 + keyLength + valueLength
        }
    }

    private func header(_ change: Change, _ key: UnsafeRawBufferPointer, _ valueLength: Int) -> Int {
        let size = 9 + key.count + valueLength
        if byteCount + size > capacity { grow(to: byteCount + size) }
        let at = byteCount
        buffer.storeBytes(of: change.rawValue, toByteOffset: at, as: UInt8.self)
        buffer.storeBytes(of: UInt32(key.count), toByteOffset: at + 1, as: UInt32.self)
        buffer.storeBytes(of: UInt32(valueLength), toByteOffset: at + 5, as: UInt32.self)
        if let source = key.baseAddress, key.count > 0 { (buffer + (at + 9)).copyMemory(from: source, byteCount: key.count) }
        byteCount += size
        entryCount += 1
        return at + 9 + key.count
    }

    private func grow(to needed: Int) { buffer = buffer.grown(&capacity, to: needed, keeping: byteCount) }
}
