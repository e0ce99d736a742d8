/// Every bound of this target, with its unit.
enum InputLimits {
    /// Records in one batch, at most.
    static let recordsPerTake = 4_096
    /// Bytes of a file held at once while its lines fit. One line longer than this makes the buffer grow, up to `max_record`.
    static let blockBytes = 1 << 20
    /// Bytes kept of a line longer than `max_record`: what a dead letter may carry.
    static let oversizePrefixBytes = 64 << 10
    /// Bytes of compressed data read or written at once.
    static let compressedBytes = 128 << 10
    /// Bytes at each end of a file that its fingerprint covers.
    static let fingerprintBytes = 64 << 10
    /// Room for one generated event. The longest is about 340 bytes.
    static let eventBytes = 512
    /// Room for one generated key, `u` and a number.
    static let keyBytes = 16
    /// Generated events of other partitions that one take passes over, so that a take stays short where a partition has few.
    static let eventsScannedPerTake = 100_000
    /// Milliseconds between two looks at the clock, at least and at most: events that are due soon are handed over together, and a
    /// clock that was set is noticed.
    static let pace = Int64(10)...Int64(1_000)
    /// Events between two reports of progress.
    static let eventsPerReport = Int64(1 << 16)
}
