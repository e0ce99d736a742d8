public import Model

/// A lane's committed state in memory: what a store would hold after the same changes.
public struct KeyedState: Equatable, Sendable {
    public private(set) var entries: [[UInt8]: [UInt8]] = [:]

    public init() {}

    /// Bytes of keys and values.
    public var byteCount: Int { entries.reduce(0) { $0 + $1.key.count + $1.value.count } }

    /// Puts and deletes in the order in which they were made.
    public mutating func apply(_ log: StateLog) {
        log.replay { change, key, value in
            switch change {
            case .put: entries[Array(key)] = Array(value)
            case .delete: entries[Array(key)] = nil
            case .deleteRange:
                let from = Array(key)
                let to = Array(value)
                let gone = entries.keys.filter { !$0.lexicographicallyPrecedes(from) && $0.lexicographicallyPrecedes(to) }
                for key in gone { entries[key] = nil }
            }
        }
    }

    /// In the order of the keys' bytes. The pointers are valid during the call only.
    public func eachEntry(_ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void) {
        for (key, value) in entries.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            key.withUnsafeBytes { key in value.withUnsafeBytes { value in body(key, value) } }
        }
    }
}
