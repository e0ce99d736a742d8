/// Copies that are still to come, the soonest first: a binary heap that orders equal positions as `java.util.PriorityQueue`
/// does, because the reference workload's bytes depend on it. Bounded by the workload: about one event in twenty waits at
/// most 30,000 positions.
struct PendingCopies: Sendable {
    private struct Entry {
        var due: Int64
        var event: WorkloadEvent
    }
    private var heap: [Entry] = []
    /// The position of the soonest copy; `Int64.max` if none waits.
    private(set) var soonest = Int64.max

    init() { heap.reserveCapacity(4_096) }

    mutating func insert(_ event: WorkloadEvent, due: Int64) {
        let entry = Entry(due: due, event: event)
        var at = heap.count
        heap.append(entry)
        while at > 0 {
            let parent = (at - 1) / 2
            if due >= heap[parent].due { break }
            heap[at] = heap[parent]
            at = parent
        }
        heap[at] = entry
        soonest = heap[0].due
    }

    mutating func removeSoonest() -> WorkloadEvent {
        let first = heap[0].event
        let moved = heap.removeLast()
        let count = heap.count
        if count > 0 {
            var at = 0
            while at < count / 2 {
                var child = 2 * at + 1
                if child + 1 < count && heap[child].due > heap[child + 1].due { child += 1 }
                if moved.due <= heap[child].due { break }
                heap[at] = heap[child]
                at = child
            }
            heap[at] = moved
        }
        soonest = count > 0 ? heap[0].due : .max
        return first
    }
}
