/// The bytes by which a row is known (S16): its window and its group, the same for the same values on every machine and in
/// every version. Tables are keyed by them, so that a null in a group is a value like any other.
///
/// The window's end comes first: bytes compare as the ends do, which makes "all rows that ended before" one range.
public enum CanonicalKey {
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

    /// Window end, window start, then each group value with its type and length: no two groups share their bytes.
    public static func bytes(windowStart: EventTime, windowEnd: EventTime, group: [Value]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16 + group.count * 24)
        append(windowStart: windowStart, windowEnd: windowEnd, group: group, to: &bytes)
        return bytes
    }

    /// The same behind other bytes.
    public static func append(windowStart: EventTime, windowEnd: EventTime, group: [Value], to bytes: inout [UInt8]) {
        append(windowEnd, to: &bytes)
        append(windowStart, to: &bytes)
        for value in group { append(value, to: &bytes) }
    }

    /// What every key of a window ending at or after `end` is not less than.
    public static func lowest(windowEnd end: EventTime) -> [UInt8] {
        var bytes: [UInt8] = []
        append(end, to: &bytes)
        return bytes
    }

    private static func append(_ time: EventTime, to bytes: inout [UInt8]) {
        append(UInt64(bitPattern: time.milliseconds) ^ (1 << 63), to: &bytes)
    }

    private static func append<I: FixedWidthInteger>(_ bits: I, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: bits.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private static func head(_ tag: Tag, _ length: Int, to bytes: inout [UInt8]) {
        bytes.append(tag.rawValue)
        append(UInt32(length), to: &bytes)
    }

    private static func append(_ value: Value, to bytes: inout [UInt8]) {
        switch value {
        case .null: head(.null, 0, to: &bytes)
        case .bool(let flag):
            head(.bool, 1, to: &bytes)
            bytes.append(flag ? 1 : 0)
        case .int(let n):
            head(.int, 8, to: &bytes)
            append(UInt64(bitPattern: n) ^ (1 << 63), to: &bytes)
        case .wide(let n):
            // One number, one spelling: how wide a sum was kept says nothing about which group it is.
            if let narrow = Int64(exactly: n) { return append(.int(narrow), to: &bytes) }
            head(.wide, 16, to: &bytes)
            append(UInt128(bitPattern: n) ^ (1 << 127), to: &bytes)
        case .double(let number):
            head(.double, 8, to: &bytes)
            // -0.0 equals 0.0, and every NaN is the same NaN.
            let plain = number == 0 ? 0 : (number.isNaN ? Double.nan : number)
            let bits = plain.bitPattern
            append(bits >> 63 == 0 ? bits ^ (1 << 63) : ~bits, to: &bytes)
        case .string(let text):
            head(.string, text.utf8.count, to: &bytes)
            bytes.append(contentsOf: text.utf8)
        case .uuid(let high, let low):
            head(.uuid, 16, to: &bytes)
            append(high, to: &bytes)
            append(low, to: &bytes)
        case .time(let time):
            head(.time, 8, to: &bytes)
            append(time, to: &bytes)
        case .list, .counted: preconditionFailure("no group has a list in it")
        }
    }
}
