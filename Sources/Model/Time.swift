/// A length of time in whole milliseconds. Written in topologies with its unit (`500ms`, `10m`).
public struct TimeSpan: Hashable, Comparable, Sendable {
    public var milliseconds: Int64
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }
    public static func milliseconds(_ n: Int64) -> TimeSpan { TimeSpan(milliseconds: n) }
    public static func seconds(_ n: Int64) -> TimeSpan { TimeSpan(milliseconds: n * 1_000) }
    public static func minutes(_ n: Int64) -> TimeSpan { TimeSpan(milliseconds: n * 60_000) }
    public static func hours(_ n: Int64) -> TimeSpan { TimeSpan(milliseconds: n * 3_600_000) }
    public static func days(_ n: Int64) -> TimeSpan { TimeSpan(milliseconds: n * 86_400_000) }
    public static let zero = TimeSpan(milliseconds: 0)
    public static func < (a: TimeSpan, b: TimeSpan) -> Bool { a.milliseconds < b.milliseconds }
    public static func + (a: TimeSpan, b: TimeSpan) -> TimeSpan { TimeSpan(milliseconds: a.milliseconds + b.milliseconds) }
}

/// When something happened, by the record's own account: milliseconds since the Unix epoch, UTC (S3).
public struct EventTime: Hashable, Comparable, Sendable {
    public var milliseconds: Int64
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }
    public static func < (a: EventTime, b: EventTime) -> Bool { a.milliseconds < b.milliseconds }
    public static func + (a: EventTime, b: TimeSpan) -> EventTime { EventTime(milliseconds: a.milliseconds + b.milliseconds) }
    public static func - (a: EventTime, b: TimeSpan) -> EventTime { EventTime(milliseconds: a.milliseconds - b.milliseconds) }
    public static func - (a: EventTime, b: EventTime) -> TimeSpan { TimeSpan(milliseconds: a.milliseconds - b.milliseconds) }
}

/// The machine's wall clock: milliseconds since the Unix epoch, UTC. It can jump; nothing about an outcome depends on it (S17).
public struct WallTime: Hashable, Comparable, Sendable {
    public var milliseconds: Int64
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }
    public static func < (a: WallTime, b: WallTime) -> Bool { a.milliseconds < b.milliseconds }
    /// Saturates: a record's timestamp is whatever its producer wrote.
    public static func - (a: WallTime, b: EventTime) -> TimeSpan { a - WallTime(milliseconds: b.milliseconds) }
    /// Saturates: a record's timestamp is whatever its producer wrote.
    public static func - (a: WallTime, b: WallTime) -> TimeSpan {
        let (span, overflow) = a.milliseconds.subtractingReportingOverflow(b.milliseconds)
        return TimeSpan(milliseconds: overflow ? (b.milliseconds < 0 ? .max : .min) : span)
    }
}

/// A clock that never goes back, in nanoseconds from an origin of its own. Silences and paces are measured with it (S6).
public struct MonotonicTime: Hashable, Comparable, Sendable {
    public var nanoseconds: Int64
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    public static func < (a: MonotonicTime, b: MonotonicTime) -> Bool { a.nanoseconds < b.nanoseconds }
    public static func - (a: MonotonicTime, b: MonotonicTime) -> TimeSpan {
        TimeSpan(milliseconds: (a.nanoseconds - b.nanoseconds) / 1_000_000)
    }
    public static func + (a: MonotonicTime, b: TimeSpan) -> MonotonicTime {
        MonotonicTime(nanoseconds: a.nanoseconds + b.milliseconds * 1_000_000)
    }
}

/// What tells the time. One file of the product reads the machine's clocks; everyone else is handed one of these.
public protocol Clock: Sendable {
    func wall() -> WallTime
    func monotonic() -> MonotonicTime
}

/// A number of bytes. Written in topologies with its unit (`1MiB`).
public struct ByteCount: Hashable, Comparable, Sendable {
    public var bytes: Int64
    public init(_ bytes: Int64) { self.bytes = bytes }
    public static func mebibytes(_ n: Int64) -> ByteCount { ByteCount(n << 20) }
    public static func < (a: ByteCount, b: ByteCount) -> Bool { a.bytes < b.bytes }
}

/// Rounds towards minus infinity, so that times before 1970 fall into the right window (S10).
@inlinable @inline(__always)
public func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
    let q = a / b
    return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q
}
