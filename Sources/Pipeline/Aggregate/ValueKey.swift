import Model

/// A value as 128 bits, by which sets and counts tell values apart (as S9 does for identities): the value itself where it fits,
/// else its SipHash under a fixed key. The keys are stored: they must never change. −0 is 0.
enum ValueKey {
    private static let sipKey: SipHash.Key = (0x7765_6972_2e73_6574, 0x7661_6c75_652e_6b31)

    @inline(__always)
    static func of(_ source: borrowing Columns, _ column: Int, _ kind: ColumnKind, _ row: Int) -> Identity {
        switch kind {
        case .string, .json:
            let slice = source.slices(column)[row]
            return text(UnsafeRawBufferPointer(start: source.arena + Int(slice.offset), count: Int(slice.length)))
        case .uuid:
            let bits = source.uuid(column)[row]
            return Identity(high: bits.high, low: bits.low)
        case .double:
            let value = source.double(column)[row]
            return Identity(high: 0, low: (value == 0 ? 0 : value).bitPattern)
        case .int, .bool, .time: return Identity(high: 0, low: UInt64(bitPattern: source.int64(column)[row]))
        }
    }

    static func text(_ bytes: UnsafeRawBufferPointer) -> Identity { SipHash.hash128(key: sipKey, bytes) }

    /// The way back, of all kinds but texts.
    static func value(_ key: Identity, _ kind: ColumnKind) -> Value {
        switch kind {
        case .int: .int(Int64(bitPattern: key.low))
        case .bool: .bool(key.low != 0)
        case .time: .time(EventTime(milliseconds: Int64(bitPattern: key.low)))
        case .double: .double(Double(bitPattern: key.low))
        case .uuid: .uuid(high: key.high, low: key.low)
        case .string, .json: .null
        }
    }

    /// The order of values of one type: texts by their bytes, false before true.
    static func precedes(_ a: Value, _ b: Value) -> Bool {
        switch (a, b) {
        case (.int(let a), .int(let b)): a < b
        case (.double(let a), .double(let b)): a < b
        case (.time(let a), .time(let b)): a < b
        case (.bool(let a), .bool(let b)): !a && b
        case (.string(let a), .string(let b)): a.utf8.lexicographicallyPrecedes(b.utf8)
        case (.uuid(let a, let b), .uuid(let c, let d)): (a, b) < (c, d)
        default: false
        }
    }
}
