internal import Dispatch
public import Model
internal import Synchronization

/// The reference workload as input partitions. Deterministic by offset: a partition opened at offset n gives the records that
/// one opened at 0 gives from its n-th on.
public struct GeneratorInputs: Sendable {
    /// Runs a closure once, after a time; from any thread. Called by the lanes' queues.
    public typealias Alarm = @Sendable (TimeSpan, @escaping @Sendable () -> Void) -> Void

    public let partitions: [any PartitionInput]

    /// - Parameters:
    ///   - start: event time's now at the first event. Where the plan says nothing the caller takes its clock's wall time once
    ///     and keeps it in the state, or a restart would be another workload.
    ///   - clock: what a paced run is paced by; a run that is behind catches up at full speed.
    ///   - alarm: what wakes a paced partition; tests give their own.
    public init(
        _ plan: GeneratorPlan, start: EventTime, topic: String = "generator", users: Int32 = 200_000, clock: any Clock,
        alarm: @escaping Alarm = dispatchAlarm
    ) {
        let workload = ReferenceWorkload(
            seed: plan.seed, rate: plan.rate, users: users, partitions: plan.partitions, start: start)
        partitions = (0..<plan.partitions).map {
            GeneratorInput(
                id: PartitionID(topic: topic, number: $0), workload: workload, end: plan.events ?? .max,
                clock: plan.unpaced ? nil : clock, alarm: alarm)
        }
    }

    public static let dispatchAlarm: Alarm = { span, ring in
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(Int(span.milliseconds)), execute: ring)
    }
}

/// One partition of the generator.
///
/// `@unchecked Sendable` is true because: all calls come from its lane's queue, one at a time; what the alarm's thread touches is
/// atomic or never changes after `open`.
final class GeneratorInput: PartitionInput, @unchecked Sendable {
    let id: PartitionID
    private(set) var endOffset: Int64?
    private var sequence: PartitionSequence
    /// nil: as fast as they are taken.
    private let clock: (any Clock)?
    private let alarm: GeneratorInputs.Alarm
    private var nextOffset: Int64 = 0
    private var wake: @Sendable () -> Void = {}
    private var columns: Columns?
    /// An alarm is set. One at a time is enough.
    private let isWaiting = Atomic(false)
    private let isClosed = Atomic(false)

    init(
        id: PartitionID, workload: ReferenceWorkload, end: Int64, clock: (any Clock)?, alarm: @escaping GeneratorInputs.Alarm
    ) {
        self.id = id
        sequence = PartitionSequence(workload, partition: id.number, end: end)
        self.clock = clock
        self.alarm = alarm
    }

    /// Runs through the workload up to `offset`: about 30 ns for each event of any partition before it.
    func open(at offset: Int64, wake: @escaping @Sendable () -> Void) throws(Fault) {
        guard offset >= 0, sequence.skip(offset) else {
            throw Fault(
                "offset_out_of_range", "The generator's partition \(id.number) has fewer than \(offset) events.",
                place: "\(id)@\(offset)",
                next: "Set source.generator back to what the state was made with, or use another state directory.",
                exit: .state)
        }
        nextOffset = offset
        self.wake = wake
        columns = Columns()
    }

    func take(limit: Int) -> Taken {
        guard let columns, limit > 0 else { return .nothing }
        columns.batch.clear()
        let now = clock.map { $0.wall().milliseconds } ?? .max
        let rest = sequence.fill(columns.batch, limit: min(limit, columns.batch.capacity), dueBy: now)
        if columns.batch.count > 0 {
            let records = columns.records(from: nextOffset)
            nextOffset += Int64(columns.batch.count)
            return .records(records)
        }
        switch rest {
        case .ended:
            endOffset = nextOffset
            return .end
        case .waiting(let due), .scanned(let due):
            if due <= now { wake() } else { ring(at: due, now: now) }
            // What a later moment will bring is not there yet: for now this is the end of the log.
            if clock != nil { endOffset = nextOffset }
        case .full:
            break
        }
        return .nothing
    }

    var share: Double? { sequence.share }

    func release() {}

    func close() {
        isClosed.store(true, ordering: .releasing)
        columns = nil
    }

    private func ring(at due: Int64, now: Int64) {
        guard !isWaiting.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let pace = InputLimits.pace
        let wait = min(max(due - now, pace.lowerBound), pace.upperBound)
        alarm(.milliseconds(wait)) { [weak self, wake] in
            guard let self else { return }
            isWaiting.store(false, ordering: .releasing)
            if !isClosed.load(ordering: .acquiring) { wake() }
        }
    }
}

/// A batch with the offsets beside it.
private final class Columns {
    let batch = WorkloadBatch(capacity: InputLimits.recordsPerTake)
    private let offsets = UnsafeMutablePointer<Int64>.allocate(capacity: InputLimits.recordsPerTake)

    deinit { offsets.deallocate() }

    func records(from first: Int64) -> RecordBatch {
        for i in 0..<batch.count { offsets[i] = first &+ Int64(i) }
        return RecordBatch(
            count: batch.count, payloads: batch.payloads, lengths: batch.lengths, offsets: offsets, timestamps: batch.timestamps)
    }
}
