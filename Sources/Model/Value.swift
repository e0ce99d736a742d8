/// One value of a declared field, a group or a measure. Not used per record: rows, literals and printing only.
public enum Value: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    /// Sums of integers are kept in 128 bits, so that they can't overflow.
    case wide(Int128)
    case double(Double)
    case string(String)
    case uuid(high: UInt64, low: UInt64)
    case time(EventTime)
    /// What `largest` gives: values in their order.
    case list([Value])
    /// What `top` gives: values and how often each came.
    case counted([ValueCount])
}

/// A value and how often it came.
public struct ValueCount: Hashable, Sendable {
    public var value: Value
    public var count: Int64
    public init(_ value: Value, _ count: Int64) {
        self.value = value
        self.count = count
    }
}

/// What a field holds. `json` is the raw text of whatever stands there.
public enum FieldType: Hashable, Sendable {
    case string, int, double, bool, uuid, json
    case timestamp(TimestampForm)
}

/// How a timestamp is written in a record (S3).
public enum TimestampForm: Hashable, Sendable {
    case seconds, milliseconds, microseconds, nanoseconds
    /// RFC 3339 text. `zone` is used for a text that states none; without it such a text can't be read.
    case text(zone: Zone?)
}
