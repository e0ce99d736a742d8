public import Pipeline

/// The committed state of one lane, as a lane reads it.
public final class KeyedColdState: ColdState {
    private let state: () -> KeyedState
    private var found: [(key: [UInt8], value: [UInt8])] = []
    private var at = 0
    private let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 8)

    public init(_ state: @escaping () -> KeyedState) { self.state = state }

    deinit { bytes.deallocate() }

    public func begin() {}
    public func end() {}

    public func value(of key: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard let value = state().entries[Array(key)] else { return nil }
        return copy(value, at: 0)
    }

    public func scan(from: UnsafeRawBufferPointer, to: UnsafeRawBufferPointer) {
        let (from, to) = (Array(from), Array(to))
        found = state().entries.filter { !$0.key.lexicographicallyPrecedes(from) && $0.key.lexicographicallyPrecedes(to) }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key, $0.value) }
        at = 0
    }

    public func next() -> (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? {
        guard at < found.count else { return nil }
        defer { at += 1 }
        return (copy(found[at].key, at: 0), copy(found[at].value, at: found[at].key.count))
    }

    private func copy(_ source: [UInt8], at offset: Int) -> UnsafeRawBufferPointer {
        let target = UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<(offset + source.count)])
        target.copyBytes(from: source)
        return UnsafeRawBufferPointer(target)
    }
}
