import Dispatch
import Freshness
import Model
import Pipeline
import Synchronization

/// Everything of one input partition: takes batches from its input, computes, and is sealed at commits. All of it happens on
/// its own serial queue; it waits for nothing. Not taking is the back-pressure: the input's own queue fills up.
actor Lane {
    nonisolated let executor: LaneExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    nonisolated let number: LaneNumber
    nonisolated let partition: PartitionID
    /// Its input is the group's re-keyed topic: it is never idle by itself, and has no end but that of all inputs (S7).
    nonisolated let isRekeyed: Bool
    private let core: LaneCore
    private let input: any PartitionInput
    private let clock: any Clock
    /// Wakes whoever commits.
    private let bell: RunBell
    /// Where it is written down what is being computed; nil: nowhere.
    private let inHand: SlotInHand?
    /// A turn is scheduled already; another wake-up adds nothing.
    private nonisolated let isScheduled = Atomic<Bool>(false)

    private enum Phase: Equatable {
        case running
        /// The bound was reached: nothing more is taken.
        case finished
        case stopped(Fault)
    }
    private var phase = Phase.running {
        didSet { isRead.store(phase == .finished, ordering: .releasing) }
    }
    /// It has taken all that it may.
    nonisolated let isRead = Atomic<Bool>(false)
    /// The next offset not to be taken; nil: none.
    private let bound: Int64?
    /// Records below this offset only remember keys and move the watermark (S17).
    private let warmBelow: Int64
    /// A replay of times stops when the watermark has passed this.
    private let watermarkBound: EventTime?
    private var isPaused = false
    /// Idle by decision: it takes nothing until it is granted a turn (S6).
    private var isIdle: Bool
    private var isGranted = false
    private var wantsTurn = false
    private var spokenBefore = 0
    private var spokenAtGrant = 0
    private var silentSince: MonotonicTime
    private var retryAt: MonotonicTime?
    private var turnWaits = Histogram()
    private var stalled = false
    /// Bytes of state above which it takes nothing.
    private var ceiling = Int.max
    /// It waits until something has left its memory.
    private var isFull = false
    private var firstTakenAt: MonotonicTime?

    init(
        configuration: LaneConfiguration, core: LaneCore, input: any PartitionInput, clock: any Clock, isIdle: Bool,
        bound: Int64?,
        warmBelow: Int64, watermarkBound: EventTime?, inHand: SlotInHand?, bell: RunBell
    ) {
        executor = LaneExecutor("weir.lane.\(configuration.partition)")
        number = configuration.lane
        partition = configuration.partition
        if case .rekeyedByLog = configuration.role { isRekeyed = true } else { isRekeyed = false }
        self.core = core
        self.input = input
        self.clock = clock
        self.isIdle = isIdle
        self.bound = bound
        self.warmBelow = warmBelow
        self.watermarkBound = watermarkBound
        self.inHand = inHand
        self.bell = bell
        silentSince = clock.monotonic()
    }

    // MARK: From any thread

    /// Schedules a turn. Called by inputs when there may be something to take, and by the committer.
    nonisolated func wake() {
        guard !isScheduled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let asked = clock.monotonic()
        executor.queue.async { self.assumeIsolated { $0.turn(scheduledAt: asked) } }
    }

    /// Runs `body` on the lane's queue.
    nonisolated func run(_ body: @escaping @Sendable (isolated Lane) -> Void) {
        executor.queue.async { self.assumeIsolated { body($0) } }
    }

    // MARK: On the lane's queue

    func open(at offset: Int64) {
        if let bound, offset >= bound {
            phase = .finished
            return
        }
        do throws(Fault) {
            try input.open(at: offset, wake: { [weak self] in self?.wake() })
            wake()
        } catch {
            stop(error)
        }
    }

    func close() { input.close() }

    /// Of a re-keyed lane: the log of time after one of its records, in order.
    func note(_ state: TimeState) { core.note(state) }

    /// The choice cannot be made by itself, or the input is broken: this partition takes nothing more.
    func stop(_ fault: Fault) {
        if case .stopped = phase { return }
        phase = .stopped(fault)
        bell.hurry()
    }

    func pause(_ yes: Bool) {
        isPaused = yes
        // A silence during which we did not read proves nothing.
        if yes { silentSince = clock.monotonic() } else { wake() }
    }

    private func turn(scheduledAt asked: MonotonicTime) {
        isScheduled.store(false, ordering: .releasing)
        let now = clock.monotonic()
        turnWaits.record((now - asked).milliseconds)
        guard phase == .running, !isPaused else { return }
        if let retryAt, now < retryAt { return }
        if isIdle, !isGranted {
            wantsTurn = true
            bell.hurry()
            return
        }
        if core.wantsSeal {
            // Further ahead than a commit should be: goes on when it was sealed.
            stalled = true
            bell.hurry()
            return
        }
        if ceiling < .max, core.usedMemory > ceiling {
            // What may go is known when what was sealed is committed.
            if !isFull {
                isFull = true
                bell.hurry()
            }
            return
        }
        switch input.take(limit: isRekeyed ? RuntimeLimits.rekeyedBatch : RuntimeLimits.batch) {
        case .records(let batch):
            retryAt = nil
            if firstTakenAt == nil { firstTakenAt = now }
            take(batch, now)
        case .nothing:
            retryAt = nil
            // Behind the last record there may be only transaction markers up to the bound.
            if hasReachedBound { finish() }
        case .end: finish()
        case .failed(let fault):
            if fault.isTransient {
                retryAt = now + RuntimeLimits.nudgeEvery
            } else {
                stop(fault)
            }
        }
    }

    private func take(_ batch: RecordBatch, _ now: MonotonicTime) {
        var count = batch.count
        if let bound { while count > 0, batch.offsets[count - 1] >= bound { count -= 1 } }
        let isCut = count < batch.count
        do throws(Fault) {
            try process(batch, count)
            if FaultPoint.redelivers() { try process(batch, count) }
        } catch {
            input.release()
            stop(error)
            return
        }
        input.release()
        if core.spoken != spokenBefore {
            spokenBefore = core.spoken
            silentSince = now
        }
        if isCut || hasReachedBound {
            finish()
        } else if watermarkBound.map({ bound in core.watermark.map { $0 >= bound } ?? false }) ?? false {
            finish()
        } else {
            again()
        }
    }

    private func process(_ batch: RecordBatch, _ count: Int) throws(Fault) {
        guard let inHand, count > 0 else { return try compute(batch, count) }
        let (first, last) = (batch.offsets[0], batch.offsets[count - 1])
        if !inHand.isSuspect(first, last) {
            return try inHand.take(first, last) { () throws(Fault) in try compute(batch, count) }
        }
        for index in 0..<count {
            let offset = batch.offsets[index]
            if inHand.isGuilty(offset) {
                try quarantine(batch.slice(index, index + 1))
                inHand.reject(offset)
            } else {
                try inHand.take(offset, offset) { () throws(Fault) in try compute(batch.slice(index, index + 1), 1) }
            }
        }
    }

    /// Its payload may be what it died of, so nobody looks into it: what stands for it is no record of any format.
    private func quarantine(_ record: RecordBatch) throws(Fault) {
        let words = Array("quarantined: computing this record ended the process".utf8)
        // Decoders may read a word beyond the end.
        let padded = words + [UInt8](repeating: 0, count: 64)
        var fault: Fault?
        padded.withUnsafeBytes { bytes in
            var payload = bytes.baseAddress
            var length = words.count
            let stand = RecordBatch(
                count: 1, payloads: &payload, lengths: &length, offsets: record.offsets, timestamps: record.timestamps)
            do throws(Fault) { try compute(stand, 1) } catch { fault = error }
        }
        if let fault { throw fault }
    }

    private func compute(_ batch: RecordBatch, _ count: Int) throws(Fault) {
        FaultPoint.meet(batch, count)
        var warm = 0
        if warmBelow > .min { while warm < count, batch.offsets[warm] < warmBelow { warm += 1 } }
        if warm > 0 { try core.process(batch.slice(0, warm), warm: true) }
        if warm < count { try core.process(batch.slice(warm, count), warm: false) }
    }

    private var hasReachedBound: Bool {
        guard let bound else { return false }
        return core.nextOffset >= bound || (input.caughtUpOffset ?? .min) >= bound
    }

    /// Through the concurrent pool and back: a serial queue that enqueues itself would keep its thread and starve the others.
    private func again() {
        guard !isScheduled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let asked = clock.monotonic()
        let queue = executor.queue
        DispatchQueue.global().async { [self] in
            queue.async { self.assumeIsolated { $0.turn(scheduledAt: asked) } }
        }
    }

    private func finish() {
        guard phase == .running else { return }
        phase = .finished
        bell.ring()
    }

    // MARK: Commits

    /// Hands over what has changed. An idle lane that was granted a turn gives it back here: it spoke, or it stays idle.
    func seal(_ request: SealRequest) -> LaneReport {
        let spoke = isIdle && isGranted && core.spoken != spokenAtGrant
        if spoke { isIdle = false }
        isGranted = false
        var request = request
        if !isIdle { request.floor = nil }
        core.heed(&request)
        let oldest = core.oldestTimestamp
        let sealed = core.seal(request)
        if stalled {
            stalled = false
            wake()
        }
        if let retryAt, clock.monotonic() >= retryAt { wake() }
        return report(sealed, request, spoke: spoke, oldest: oldest)
    }

    private func report(_ sealed: SealedLane, _ request: SealRequest, spoke: Bool, oldest: WallTime?) -> LaneReport {
        // A bounded lane that took all it may has nothing to wait for.
        var fault: Fault?
        if case .stopped(let reason) = phase { fault = reason }
        return LaneReport(
            answer: CommitCycle.LaneAnswer(
                sealed: sealed, request: request, silentSince: silentSince, isFullyRead: false, spoke: spoke),
            endOffset: input.endOffset, share: input.share,
            confirmedEnd: isPaused || phase != .running ? nil : input.caughtUpOffset,
            isRekeyed: isRekeyed, isFinished: phase == .finished, fault: fault, oldest: oldest, keys: core.keys,
            keyMemory: core.keyMemory, oldestKey: core.oldestKey, wantsTurn: wantsTurn,
            turnWaits: turnWaits, deltaMemory: core.memory,
            // What was sealed is looked at when it is committed, and gone by then.
            use: .init(used: core.usedMemory - core.sealedMemory, fixed: core.fixedMemory),
            isFull: isFull, coldReads: core.coldReads, broken: core.coldFault, firstTakenAt: firstTakenAt)
    }

    /// What was sealed up to `settled` is in committed state; what is beyond the share goes there.
    func keep(_ share: MemoryBound.Share, settled: Int64) {
        core.settle(through: settled)
        if let target = share.target { core.spill(to: target) }
        ceiling = share.ceiling
        core.limitDelta(to: ceiling / RuntimeLimits.deltaShare)
        if isFull, core.usedMemory <= ceiling {
            isFull = false
            wake()
        }
    }

    /// Whether the lane has taken nothing that counts since `since`, and would be left out now.
    func isStillSilent(since: MonotonicTime) -> Bool { silentSince == since && phase == .running && !isPaused }

    func becomeIdle() { isIdle = true }

    /// Lets an idle lane take records, its watermark raised first (S6).
    func grant(_ watermark: EventTime?) {
        guard isIdle, wantsTurn else { return }
        wantsTurn = false
        isGranted = true
        spokenAtGrant = core.spoken
        if let watermark { core.raise(to: watermark) }
        wake()
    }

    /// For a timer: looks again where a failed input or a lost wake-up may have left something.
    func nudge() {
        guard phase == .running, !isPaused else { return }
        if hasReachedBound {
            finish()
            return
        }
        if let retryAt, clock.monotonic() < retryAt { return }
        if !isIdle || isGranted { wake() }
    }
}

/// A lane's answer to a seal, with what the committer and the facts want to know of it.
struct LaneReport: Sendable {
    var answer: CommitCycle.LaneAnswer
    var endOffset: Int64?
    var share: Double?
    /// The input's own word that there is nothing more up to here.
    var confirmedEnd: Int64?
    var isRekeyed: Bool
    var isFinished: Bool
    var fault: Fault?
    /// Record timestamp of the oldest record in this seal.
    var oldest: WallTime?
    var keys: Int
    var keyMemory: Int
    var oldestKey: EventTime?
    var wantsTurn: Bool
    var turnWaits: Histogram
    var deltaMemory: Int
    var use: MemoryBound.Use
    /// It takes nothing until something has left its memory.
    var isFull: Bool
    var coldReads: Int64
    /// What left its memory can't be read back: nothing of this report is of any use.
    var broken: Fault?
    /// When the lane took its first record.
    var firstTakenAt: MonotonicTime?
}

extension RecordBatch {
    func slice(_ from: Int, _ to: Int) -> RecordBatch {
        RecordBatch(
            count: to - from, payloads: payloads + from, lengths: lengths + from, offsets: offsets + from,
            timestamps: timestamps + from)
    }
}
