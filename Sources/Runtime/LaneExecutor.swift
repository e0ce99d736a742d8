import Dispatch

/// Runs an actor on a serial queue of its own: Linux has no `DispatchSerialQueue` that does.
final class LaneExecutor: SerialExecutor {
    let queue: DispatchQueue
    init(_ label: String) { queue = DispatchQueue(label: label) }

    func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        queue.async { unowned.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
