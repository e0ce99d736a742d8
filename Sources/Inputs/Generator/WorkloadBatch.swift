/// Generated events as columns, in memory that is used again with each fill: what a producer takes its messages from.
///
/// ```swift
/// var workload = ReferenceWorkload(start: start)
/// let batch = WorkloadBatch()
/// batch.fill(from: &workload, end: 2_000_000)
/// for i in 0..<batch.count { produce(batch.partitions[i], batch.keys[i], batch.keyLengths[i], …) }
/// ```
/// Not Sendable: whoever makes it fills and reads it.
public final class WorkloadBatch {
    public let capacity: Int
    public private(set) var count = 0
    /// The pointers are valid until the next fill.
    public let keys: UnsafeMutablePointer<UnsafeRawPointer>
    public let keyLengths: UnsafeMutablePointer<Int>
    public let payloads: UnsafeMutablePointer<UnsafeRawPointer?>
    /// In bytes.
    public let lengths: UnsafeMutablePointer<Int>
    /// Record timestamps, ms.
    public let timestamps: UnsafeMutablePointer<Int64>
    public let partitions: UnsafeMutablePointer<Int32>
    public let isCopy: UnsafeMutablePointer<Bool>
    public let isLate: UnsafeMutablePointer<Bool>
    private let arena: UnsafeMutableRawPointer

    /// Takes about 600 bytes an event.
    public init(capacity: Int = 4_096) {
        precondition(capacity > 0, "a batch holds at least one event")
        self.capacity = capacity
        keys = .allocate(capacity: capacity)
        keyLengths = .allocate(capacity: capacity)
        payloads = .allocate(capacity: capacity)
        lengths = .allocate(capacity: capacity)
        timestamps = .allocate(capacity: capacity)
        partitions = .allocate(capacity: capacity)
        isCopy = .allocate(capacity: capacity)
        isLate = .allocate(capacity: capacity)
        arena = .allocate(byteCount: capacity * (InputLimits.eventBytes + InputLimits.keyBytes), alignment: 64)
    }

    deinit {
        keys.deallocate()
        keyLengths.deallocate()
        payloads.deallocate()
        lengths.deallocate()
        timestamps.deallocate()
        partitions.deallocate()
        isCopy.deallocate()
        isLate.deallocate()
        arena.deallocate()
    }

    /// The next events of all partitions, up to `limit` and the capacity, none at position `end` or later, and none that is due
    /// after `dueBy` (ms; for a paced run). Returns how many.
    @discardableResult public func fill(
        from workload: inout ReferenceWorkload, limit: Int = .max, end: Int64 = .max, dueBy: Int64 = .max
    ) -> Int {
        clear()
        let most = min(limit, capacity)
        while count < most && workload.position < end && workload.nextDue <= dueBy { append(workload.next(), of: workload) }
        return count
    }

    func clear() { count = 0 }

    @inline(__always) func append(_ event: WorkloadEvent, of workload: borrowing ReferenceWorkload) {
        let i = count
        // Packed one behind the other, so that a batch touches no more memory than its events take.
        let key = i == 0 ? arena : UnsafeMutableRawPointer(mutating: payloads[i - 1]! + lengths[i - 1])
        let value = key + InputLimits.keyBytes
        let written = workload.write(event, key: key, value: value)
        keys[i] = UnsafeRawPointer(key)
        keyLengths[i] = written.key
        payloads[i] = UnsafeRawPointer(value)
        lengths[i] = written.value
        timestamps[i] = event.timestamp
        partitions[i] = event.partition
        isCopy[i] = event.isCopy
        isLate[i] = event.isLate
        count = i + 1
    }
}
