/// The events of one partition, in order. Each partition runs through the whole workload by itself and writes only its own
/// events: passing over another's costs about a tenth of writing it, and so partitions share nothing that could fill up,
/// lock or let a slow lane hold up the others.
struct PartitionSequence: Sendable {
    enum Rest {
        case full
        /// The partition's next event is due at this time, ms.
        case waiting(until: Int64)
        /// Other partitions' events were passed over up to one that is due at this time, ms; there may be more.
        case scanned(until: Int64)
        case ended
    }

    private var workload: ReferenceWorkload
    private let partition: Int32
    /// Positions from here on do not exist.
    private let end: Int64
    /// Decided on, but not due when it was.
    private var held: WorkloadEvent?

    init(_ workload: ReferenceWorkload, partition: Int32, end: Int64) {
        self.workload = workload
        self.partition = partition
        self.end = end
    }

    /// How much of a bounded workload was gone through, 0 to 1; nil: it has no end.
    var share: Double? { end == .max ? nil : end <= 0 ? 1 : min(Double(workload.position) / Double(end), 1) }

    /// Adds events to `batch` until it holds `limit` or no more are due; says why it stopped.
    mutating func fill(_ batch: WorkloadBatch, limit: Int, dueBy: Int64) -> Rest {
        var budget = InputLimits.eventsScannedPerTake
        while batch.count < limit {
            guard let event = held ?? workload.next(in: partition, before: end, budget: &budget) else {
                return workload.position < end ? .scanned(until: workload.nextDue) : .ended
            }
            let due = workload.due(at: workload.position &- 1)
            if due > dueBy {
                held = event
                return .waiting(until: due)
            }
            held = nil
            batch.append(event, of: workload)
        }
        return .full
    }

    /// Passes over the first `count` events. False if there are fewer.
    mutating func skip(_ count: Int64) -> Bool {
        for _ in 0..<count {
            var budget = Int.max
            if workload.next(in: partition, before: end, budget: &budget) == nil { return false }
        }
        return true
    }
}
