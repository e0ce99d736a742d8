import Dispatch
import Freshness
import Model
import Pipeline
import State
import Synchronization

/// One merge lane at work: takes partials from its partition of the partials topic, and is sealed at commits. All of it happens
/// on its own serial queue; it waits for nothing.
actor MergeUnit {
    nonisolated let executor: LaneExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    nonisolated let number: LaneNumber
    nonisolated let partition: PartitionID
    private let core: MergeLane
    private let input: any PartitionInput
    /// What closed windows held, as the last commit left it.
    private let closed: LaneReader
    private let clock: any Clock
    private let hurry: @Sendable () -> Void
    private nonisolated let isScheduled = Atomic<Bool>(false)
    private var isPaused = false
    private var fault: Fault?
    private var retryAt: MonotonicTime?

    init(
        number: LaneNumber, partition: PartitionID, core: sending MergeLane, input: any PartitionInput,
        closed: sending LaneReader,
        clock: any Clock, hurry: @escaping @Sendable () -> Void
    ) {
        executor = LaneExecutor("weir.merge.\(partition.number)")
        self.number = number
        self.partition = partition
        self.core = core
        self.input = input
        self.closed = closed
        self.clock = clock
        self.hurry = hurry
    }

    // MARK: From any thread

    nonisolated func wake() {
        guard !isScheduled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        executor.queue.async { self.assumeIsolated { $0.turn() } }
    }

    /// Runs `body` on the merge lane's queue.
    nonisolated func run(_ body: @escaping @Sendable (isolated MergeUnit) -> Void) {
        executor.queue.async { self.assumeIsolated { body($0) } }
    }

    // MARK: On its queue

    func open() {
        do throws(Fault) {
            try input.open(at: core.nextOffset, wake: { [weak self] in self?.wake() })
            wake()
        } catch {
            stop(error)
        }
    }

    func close() { input.close() }

    func pause(_ yes: Bool) {
        isPaused = yes
        if !yes { wake() }
    }

    func nudge() {
        if !isPaused, fault == nil { wake() }
    }

    /// The log of time after one of its records, in order.
    func note(_ state: TimeState) { core.note(state) }

    private func turn() {
        isScheduled.store(false, ordering: .releasing)
        guard !isPaused, fault == nil else { return }
        let now = clock.monotonic()
        if let retryAt, now < retryAt { return }
        retryAt = nil
        switch input.take(limit: RuntimeLimits.batch) {
        case .records(let batch): take(batch)
        case .nothing:
            // Behind the last record there may be markers only; what is told of the log up to here was taken.
            if let end = input.caughtUpOffset { core.reach(end) }
        case .end: break
        case .failed(let fault):
            if fault.isTransient { retryAt = now + RuntimeLimits.nudgeEvery } else { stop(fault) }
        }
    }

    private func take(_ batch: RecordBatch) {
        defer { input.release() }
        do throws(Fault) {
            for index in 0..<batch.count {
                try core.receive(
                    UnsafeRawBufferPointer(start: batch.payloads[index], count: batch.lengths[index]), at: batch.offsets[index])
            }
        } catch {
            stop(error)
            return
        }
        // Through the concurrent pool and back, as a lane does, so that the others have their turns.
        guard !isScheduled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let queue = executor.queue
        DispatchQueue.global().async { [self] in
            queue.async { self.assumeIsolated { $0.turn() } }
        }
    }

    private func stop(_ fault: Fault) {
        self.fault = self.fault ?? fault
        hurry()
    }

    /// What has changed since the last seal, whose commit is in SQLite.
    func seal() -> MergeReport {
        if let retryAt, clock.monotonic() >= retryAt { wake() }
        let sealed = core.seal { key, included throws(Fault) in try closed.last(before: key, included: included) }
        return MergeReport(lane: number, sealed: sealed, memory: core.memory, fault: fault)
    }
}

struct MergeReport: Sendable {
    var lane: LaneNumber
    var sealed: MergeLane.Sealed
    var memory: Int
    var fault: Fault?
}
