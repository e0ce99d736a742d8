import Model

/// A row in the table outbox: the values of its columns in order, exactly, whatever the topology says later; lists as the JSON
/// that a table shows.
enum RowBytes {
    private enum Tag: UInt8 {
        case null = 0
        case bool = 1
        case int = 2
        case wide = 3
        case double = 4
        case string = 5
        case uuid = 6
        case time = 7
    }

    /// The columns between `row_key` and the end: window, group, measures, revision, final, as_of.
    static func columns(_ row: Row) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(5 + row.group.count + row.measures.count)
        values.append(.time(row.windowStart))
        values.append(.time(row.windowEnd))
        values += row.group
        values += row.measures
        values.append(.int(row.revision))
        values.append(.bool(row.final))
        values.append(row.asOf.map(Value.time) ?? .null)
        return values
    }

    static func encode(_ values: [Value]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(values.count * 9)
        for value in values { append(value, to: &bytes) }
        return bytes
    }

    /// The columns of `row` behind other bytes.
    static func append(_ row: Row, to bytes: inout [UInt8]) {
        append(.time, row.windowStart.milliseconds, to: &bytes)
        append(.time, row.windowEnd.milliseconds, to: &bytes)
        for value in row.group { append(value, to: &bytes) }
        for value in row.measures { append(value, to: &bytes) }
        append(.int, row.revision, to: &bytes)
        append(.bool(row.final), to: &bytes)
        append(row.asOf.map(Value.time) ?? .null, to: &bytes)
    }

    private static func append(_ value: Value, to bytes: inout [UInt8]) {
        switch value {
        case .null: bytes.append(Tag.null.rawValue)
        case .bool(let flag):
            bytes.append(Tag.bool.rawValue)
            bytes.append(flag ? 1 : 0)
        case .int(let n): append(.int, n, to: &bytes)
        case .wide(let n): append(.wide, n, to: &bytes)
        case .double(let number): append(.double, number.bitPattern, to: &bytes)
        case .string(let text):
            append(.string, UInt32(text.utf8.count), to: &bytes)
            bytes.append(contentsOf: text.utf8)
        case .uuid(let high, let low):
            append(.uuid, high, to: &bytes)
            withUnsafeBytes(of: low.littleEndian) { bytes.append(contentsOf: $0) }
        case .time(let time): append(.time, time.milliseconds, to: &bytes)
        // A table's column holds the JSON; Kafka's rows are written from the row itself.
        case .list, .counted: append(.string(JSONText.of(value)), to: &bytes)
        }
    }

    private static func append<I: FixedWidthInteger>(_ tag: Tag, _ value: I, to bytes: inout [UInt8]) {
        bytes.append(tag.rawValue)
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// One column's value; a text stands where it was written, and lasts as long as those bytes.
    enum Item {
        case value(Value)
        case text(UnsafeRawBufferPointer)
    }

    /// Hands out the values one by one and says how many; nil where the bytes are not what was written here.
    static func each(_ bytes: UnsafeRawBufferPointer, _ body: (_ at: Int, _ item: Item) -> Void) -> Int? {
        var at = 0
        func take<I: FixedWidthInteger>(_: I.Type) -> I? {
            guard at + MemoryLayout<I>.size <= bytes.count else { return nil }
            defer { at += MemoryLayout<I>.size }
            return I(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: I.self))
        }
        var count = 0
        while at < bytes.count {
            guard let tag = Tag(rawValue: bytes[at]) else { return nil }
            at += 1
            let value: Value?
            switch tag {
            case .null: value = .null
            case .bool: value = take(UInt8.self).map { .bool($0 != 0) }
            case .int: value = take(Int64.self).map(Value.int)
            case .wide: value = take(Int128.self).map(Value.wide)
            case .double: value = take(UInt64.self).map { .double(Double(bitPattern: $0)) }
            case .string:
                guard let length = take(UInt32.self).map(Int.init), at + length <= bytes.count else { return nil }
                body(count, .text(UnsafeRawBufferPointer(rebasing: bytes[at..<at + length])))
                at += length
                count += 1
                continue
            case .uuid:
                guard let high = take(UInt64.self), let low = take(UInt64.self) else { return nil }
                value = .uuid(high: high, low: low)
            case .time: value = take(Int64.self).map { .time(EventTime(milliseconds: $0)) }
            }
            guard let value else { return nil }
            body(count, .value(value))
            count += 1
        }
        return count
    }
}
