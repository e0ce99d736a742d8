import Model

/// Writes a row's group as canonical bytes: for each column a tag (0: null) and the value; texts with their length before
/// them. Equal bytes are equal groups, and the bytes end by themselves.
struct GroupBytes: ~Copyable {
    private let columns: UnsafeMutablePointer<(index: Int, kind: ColumnKind)>
    private let count: Int
    private(set) var start: UnsafeMutableRawPointer
    private var capacity = 256

    init(_ groupBy: [Int], fields: [FieldPlan]) {
        count = groupBy.count
        columns = .allocate(capacity: max(count, 1))
        for (at, index) in groupBy.enumerated() {
            (columns + at).initialize(to: (index, ColumnKind(fields[index].type)))
        }
        start = .allocate(byteCount: capacity, alignment: 8)
    }

    deinit {
        columns.deallocate()
        start.deallocate()
    }

    /// The bytes of one row's group, valid until the next call.
    @inline(__always)
    mutating func write(_ source: borrowing Columns, _ row: Int) -> UnsafeRawBufferPointer {
        var length = 0
        for at in 0..<count {
            let (index, kind) = columns[at]
            if length + 24 > capacity { grow(length + 24) }
            if source.state(index)[row] != ColumnState.ok {
                start.storeBytes(of: 0, toByteOffset: length, as: UInt8.self)
                length += 1
                continue
            }
            start.storeBytes(of: kind.rawValue, toByteOffset: length, as: UInt8.self)
            length += 1
            switch kind {
            case .string, .json:
                let slice = source.slices(index)[row]
                let size = Int(slice.length)
                if length + 24 + size > capacity { grow(length + 24 + size) }
                start.storeBytes(of: slice.length, toByteOffset: length, as: UInt32.self)
                length += 4
                let from = UnsafeRawPointer(source.arena + Int(slice.offset))
                if size <= 16 {
                    // Slices can be read 16 bytes past their end: two loads beat a call for short words.
                    start.storeBytes(of: from.loadUnaligned(as: UInt64.self), toByteOffset: length, as: UInt64.self)
                    start.storeBytes(
                        of: from.loadUnaligned(fromByteOffset: 8, as: UInt64.self), toByteOffset: length + 8, as: UInt64.self)
                } else {
                    (start + length).copyMemory(from: from, byteCount: size)
                }
                length += size
            case .uuid:
                let bits = source.uuid(index)[row]
                start.storeBytes(of: bits.high, toByteOffset: length, as: UInt64.self)
                start.storeBytes(of: bits.low, toByteOffset: length + 8, as: UInt64.self)
                length += 16
            case .double:
                let value = source.double(index)[row]
                start.storeBytes(of: (value == 0 ? 0 : value).bitPattern, toByteOffset: length, as: UInt64.self)
                length += 8
            case .int, .bool, .time:
                start.storeBytes(of: source.int64(index)[row], toByteOffset: length, as: Int64.self)
                length += 8
            }
        }
        return UnsafeRawBufferPointer(start: start, count: length)
    }

    @inline(never)
    private mutating func grow(_ needed: Int) {
        let held = capacity
        start = start.grown(&capacity, to: needed, keeping: held)
    }

    /// Where each column's bytes stand; they may end early where the bytes are no group.
    static func parts(_ bytes: UnsafeRawBufferPointer) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        var at = 0
        while at < bytes.count {
            let start = at
            switch ColumnKind(rawValue: bytes[at]) {
            case nil: at += 1
            case .string, .json:
                guard at + 5 <= bytes.count else { return parts }
                at += 5 + Int(bytes.loadUnaligned(fromByteOffset: at + 1, as: UInt32.self))
            case .uuid: at += 17
            case .double, .int, .bool, .time: at += 9
            }
            guard at <= bytes.count else { return parts }
            parts.append(start..<at)
        }
        return parts
    }

    /// The values that canonical bytes stand for: the way back, for rows.
    static func values(_ bytes: UnsafeRawBufferPointer) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(4)
        var at = 0
        while at < bytes.count {
            let kind = ColumnKind(rawValue: bytes[at])
            at += 1
            switch kind {
            case nil: values.append(.null)
            case .string, .json:
                let length = Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
                values.append(
                    .string(
                        String(decoding: UnsafeRawBufferPointer(rebasing: bytes[(at + 4)..<(at + 4 + length)]), as: UTF8.self)))
                at += 4 + length
            case .uuid:
                values.append(
                    .uuid(
                        high: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self),
                        low: bytes.loadUnaligned(fromByteOffset: at + 8, as: UInt64.self)))
                at += 16
            case .double:
                values.append(.double(Double(bitPattern: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))))
                at += 8
            case .int, .bool, .time:
                let number = bytes.loadUnaligned(fromByteOffset: at, as: Int64.self)
                values.append(
                    kind == .bool ? .bool(number != 0) : kind == .time ? .time(EventTime(milliseconds: number)) : .int(number))
                at += 8
            }
        }
        return values
    }
}

/// A 64-bit hash of a group's bytes; equality is always checked on the bytes themselves.
@inline(__always)
func groupHash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    // The empty group may come with an address or without: it is the same group.
    guard let start = bytes.baseAddress, bytes.count > 0 else { return 0 }
    var hash = UInt64(bytes.count) &* 0xD6E8_FEB8_6659_FD93
    var at = 0
    while at &+ 8 <= bytes.count {
        hash = mixed(hash ^ start.loadUnaligned(fromByteOffset: at, as: UInt64.self))
        at &+= 8
    }
    if at > 0, at < bytes.count {
        // The last word overlaps the one before: no loop over single bytes.
        hash = mixed(hash ^ start.loadUnaligned(fromByteOffset: bytes.count &- 8, as: UInt64.self))
    } else if at < bytes.count {
        var tail: UInt64 = 0
        var shift: UInt64 = 0
        while at < bytes.count {
            tail |= UInt64(bytes[at]) &<< shift
            shift &+= 8
            at &+= 1
        }
        hash = mixed(hash ^ tail)
    }
    return hash
}

@inline(__always)
private func mixed(_ x: UInt64) -> UInt64 {
    let (high, low) = x.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return high ^ low ^ (x &>> 32)
}
