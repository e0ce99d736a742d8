import Dispatch
import Freshness
import Model
import Observe
import Pipeline
import Synchronization

/// The lanes of one process as whoever commits sees them: asks them for their deltas and notes what they said. Everything is called
/// on the committer's queue.
///
/// `@unchecked Sendable` is true because: the run's queue is the only one to touch what changes; the mailbox is behind a `Mutex`.
final class LaneCrew: @unchecked Sendable {
    private let source: any Source
    private let idleAfter: TimeSpan
    private let clock: any Clock
    private let watch: EndWatch
    private let mailbox = Mutex<[LaneReport]>([])
    private(set) var lanes: [LaneNumber: Lane] = [:]
    /// Empty where inputs keep their records.
    private(set) var rekeyed = RekeyedCrew([])
    private(set) var reports: [LaneNumber: LaneReport] = [:]
    /// Asked, and not answered yet.
    private(set) var outstanding: Set<LaneNumber> = []
    /// Idle lanes that may take records.
    private(set) var granted: Set<LaneNumber> = []
    private(set) var isPaused = false
    /// Why a lane's answer can't be used: the run is over, and what was not committed is forgotten.
    private(set) var broken: Fault?
    /// The most bytes of state in memory after a commit.
    private(set) var mostState: Int64 = 0
    /// By lane: the last of its seals that is in committed state, and what it was told about memory.
    private var settled: [LaneNumber: Int64] = [:]
    private var shares: [LaneNumber: MemoryBound.Share] = [:]
    /// Lanes that wait for memory, what they took when they began or last got smaller, and for how many looks nothing left it.
    private var fullFor: [LaneNumber: (used: Int, looks: Int)] = [:]
    private var nextNudge: MonotonicTime?

    init(source: any Source, idleAfter: TimeSpan, clock: any Clock) {
        self.source = source
        self.idleAfter = idleAfter
        self.clock = clock
        watch = EndWatch(source)
    }

    /// `ceiling`: bytes of state above which it takes nothing, until it is told otherwise.
    func add(_ lane: Lane, ceiling: Int = .max) {
        lanes[lane.number] = lane
        settled[lane.number] = 0
        let share = MemoryBound.Share(target: nil, ceiling: ceiling)
        shares[lane.number] = share
        lane.run { $0.keep(share, settled: 0) }
    }

    /// Once, before the first commit.
    func add(rekeyed lanes: [RekeyedLane]) {
        rekeyed = RekeyedCrew(lanes)
        for lane in lanes { settled[lane.number] = 0 }
    }

    /// Ends a lane: what it has not handed over is forgotten.
    func remove(_ number: LaneNumber) {
        guard let lane = lanes.removeValue(forKey: number) else { return }
        ask(lane) { $0.close() }
        mailbox.withLock { $0.removeAll { $0.answer.sealed.lane == number } }
        reports[number] = nil
        outstanding.remove(number)
        granted.remove(number)
        settled[number] = nil
        shares[number] = nil
        fullFor[number] = nil
        watch.forget(number)
    }

    /// Partitions that appeared since the last look.
    func newPartitions() -> [PartitionID] {
        watch.newPartitions(known: Set(lanes.values.map(\.partition)), now: clock.monotonic())
    }

    /// Every lane that reads the input has said that it takes nothing more.
    var isOver: Bool {
        reports.count == lanes.count && outstanding.isEmpty
            && reports.values.allSatisfy { $0.isRekeyed || $0.isFinished || $0.fault != nil }
    }

    /// Every lane that reads the input has taken all that it may, and what it took last was not sealed yet.
    var isRead: Bool {
        !lanes.isEmpty && outstanding.isEmpty && !isOver
            && lanes.values.allSatisfy { $0.isRekeyed || $0.isRead.load(ordering: .acquiring) }
    }

    /// Of a group: a re-keyed lane that can't go on. Nobody else takes what is handed on to it.
    var rekeyedFault: Fault? { reports.values.filter(\.isRekeyed).compactMap(\.fault).first }

    /// Of a group: the log of time after one of its records, for re-keyed lanes.
    func note(_ state: TimeState) {
        for lane in lanes.values where lane.isRekeyed { lane.run { $0.note(state) } }
    }

    // MARK: Commits

    /// Asks every lane for its delta and waits a moment; a lane that is late keeps its partials, watermark and offsets until
    /// the next commit.
    func seal(wait: Bool, _ request: (LaneNumber) -> SealRequest) -> [CommitCycle.LaneAnswer] {
        let group = DispatchGroup()
        var closesAll = false
        for (number, lane) in lanes where !outstanding.contains(number) {
            outstanding.insert(number)
            let request = request(number)
            closesAll = closesAll || request.closesAll
            group.enter()
            lane.run { lane in
                let report = lane.seal(request)
                self.mailbox.withLock { $0.append(report) }
                group.leave()
            }
        }
        if closesAll {
            // Nothing comes after the end, so nobody may be missing.
            group.wait()
        } else {
            let limit = wait ? RuntimeLimits.lastSealWait : RuntimeLimits.sealWait
            _ = group.wait(timeout: .now() + .milliseconds(Int(limit.milliseconds)))
        }
        let answered = mailbox.withLock { box in
            defer { box = [] }
            return box
        }
        broken = broken ?? answered.compactMap(\.broken).first
        let arrived = answered.filter { $0.broken == nil }
        var silent: [(lane: LaneNumber, partition: PartitionID, silence: MonotonicTime)] = []
        let now = clock.monotonic()
        for report in arrived {
            let sealed = report.answer.sealed
            outstanding.remove(sealed.lane)
            granted.remove(sealed.lane)
            if !report.isRekeyed, let end = report.confirmedEnd, end >= sealed.nextOffset,
                now - report.answer.silentSince >= idleAfter
            {
                silent.append((sealed.lane, sealed.partition, report.answer.silentSince))
            }
        }
        let confirmed = source.grows ? watch.confirmations(of: silent, now: now) : nil
        return arrived.map { report in
            var report = report
            let lane = report.answer.sealed.lane
            if silent.contains(where: { $0.lane == lane }) {
                if let confirmed {
                    report.answer.isFullyRead = confirmed[lane].map { $0 <= report.confirmedEnd ?? .min } ?? false
                    if confirmed[lane] != nil, !report.answer.isFullyRead { watch.forget(lane) }
                } else {
                    report.answer.isFullyRead = true
                }
            }
            reports[lane] = report
            return report.answer
        }
    }

    /// Of the lanes that could be left out, those that confirm that they still are silent; they take nothing from now on.
    func leave(_ candidates: [LaneNumber], _ answers: [CommitCycle.LaneAnswer]) -> [LaneNumber] {
        let answered = Dictionary(uniqueKeysWithValues: answers.map { ($0.sealed.lane, $0.silentSince) })
        return candidates.filter { number in
            guard let since = answered[number], let lane = lanes[number] else { return false }
            return ask(lane) { lane in
                guard lane.isStillSilent(since: since) else { return false }
                lane.becomeIdle()
                return true
            }
        }
    }

    func ship(_ number: LaneNumber, _ request: SealRequest) -> CommitCycle.LaneAnswer? {
        guard let lane = lanes[number], !outstanding.contains(number) else { return nil }
        let report = ask(lane) { $0.seal(request) }
        if let fault = report.broken {
            broken = broken ?? fault
            return nil
        }
        reports[number]?.answer = report.answer
        return report.answer
    }

    /// Idle lanes with a record that waits to be taken.
    var waiting: [LaneNumber] { reports.filter { $0.value.wantsTurn && !outstanding.contains($0.key) }.map(\.key).sorted() }

    /// Lets an idle lane take records, from `watermark` on (S6).
    func grant(_ number: LaneNumber, _ watermark: EventTime?) {
        guard let lane = lanes[number] else { return }
        granted.insert(number)
        reports[number]?.wantsTurn = false
        lane.run { $0.grant(watermark) }
    }

    // MARK: Memory

    /// These deltas are in committed state: what a report holds of them is not needed any more.
    func settle(_ sealed: [SealedLane]) {
        for lane in sealed where settled[lane.lane] != nil {
            settled[lane.lane] = max(settled[lane.lane] ?? 0, lane.seal)
            if reports[lane.lane]?.answer.sealed.seal == lane.seal { reports[lane.lane]?.answer.sealed.letGo() }
        }
        rekeyed.settle()
    }

    /// Shares out what state may take among the lanes, and stops where what must stay in memory does not fit. `merge`: what waits to be
    /// merged.
    func keep(_ bound: MemoryBound, merge: Int64, _ onEvent: (OperationalEvent) -> Void) throws(Fault) {
        var uses = reports.mapValues(\.use)
        for report in rekeyed.reports { uses[report.sealed.lane] = report.use }
        mostState = max(mostState, uses.values.reduce(merge) { $0 + Int64($1.used) })
        for (number, report) in reports {
            let before = fullFor[number]
            let isStill = report.isFull && report.use.used >= before?.used ?? 0
            fullFor[number] = isStill ? (report.use.used, (before?.looks ?? 0) + 1) : nil
        }
        let isStuck = fullFor.values.contains { $0.looks > RuntimeLimits.looksWhenFull }
        let fixed = uses.values.reduce(0) { $0 + Int64(isStuck ? $1.used : $1.fixed) }
        try bound.check([("keys and windows", fixed), ("what waits to be merged", merge)], isStuck: isStuck, onEvent)
        var all = bound.shares(uses, other: merge)
        let isOver = rekeyed.reports.contains { $0.use.used > all[$0.sealed.lane]?.ceiling ?? .max }
        // Only the inputs can wait: they take nothing until something has left the re-keyed lanes.
        if isOver { for number in lanes.keys { all[number]?.ceiling = -1 } }
        rekeyed.keep(all, settled: settled)
        for (number, share) in all {
            guard let lane = lanes[number], let before = shares[number] else { continue }
            let isFar = abs(share.ceiling - before.ceiling) > before.ceiling / 8
            guard share.target != nil || isFar || reports[number]?.isFull == true else { continue }
            shares[number] = share
            let settled = settled[number] ?? 0
            lane.run { $0.keep(share, settled: settled) }
        }
    }

    // MARK: All at once

    func pause(_ yes: Bool) {
        guard yes != isPaused else { return }
        isPaused = yes
        for lane in lanes.values { lane.run { $0.pause(yes) } }
    }

    /// Lets lanes look again where a wake-up may have been lost.
    func nudge(_ now: MonotonicTime) {
        guard nextNudge.map({ now >= $0 }) ?? true else { return }
        nextNudge = now + RuntimeLimits.nudgeEvery
        for lane in lanes.values { lane.run { $0.nudge() } }
    }

    func close() {
        let group = DispatchGroup()
        for lane in lanes.values {
            group.enter()
            lane.run {
                $0.close()
                group.leave()
            }
        }
        _ = group.wait(timeout: .now() + .milliseconds(Int(RuntimeLimits.closeLimit.milliseconds)))
    }

    // MARK: What they said

    var firstRecordAt: MonotonicTime? { reports.values.compactMap(\.firstTakenAt).min() }
    /// Of the lanes that are here.
    func books(_ plan: Plan) -> Books {
        let inputs = reports.values.reduce(Books(outputs: plan.aggregates.count)) { $0 + $1.answer.sealed.books }
        return rekeyed.reports.reduce(inputs) { $0 + $1.sealed.books }.joined
    }
    var coldReads: Int64 {
        reports.values.reduce(0) { $0 + $1.coldReads } + rekeyed.reports.reduce(0) { $0 + $1.coldReads }
    }
    var turnWaits: Histogram { reports.values.reduce(into: Histogram()) { $0.merge($1.turnWaits) } }
    var stopped: [PartitionID: Fault] {
        Dictionary(uniqueKeysWithValues: reports.values.compactMap { r in r.fault.map { (r.answer.sealed.partition, $0) } })
    }

    /// Asks a lane something that it answers between two turns. A lane waits for nothing, so this can't take long.
    private func ask<T: Sendable>(_ lane: Lane, _ body: @escaping @Sendable (isolated Lane) -> T) -> T {
        let reply = Reply<T>()
        lane.run { reply.give(body($0)) }
        return reply.wait()
    }
}

/// One answer from another queue.
final class Reply<T: Sendable>: Sendable {
    private let value = Mutex<T?>(nil)
    private let done = DispatchSemaphore(value: 0)

    func give(_ answer: T) {
        value.withLock { $0 = answer }
        done.signal()
    }

    func wait() -> T {
        while true {
            done.wait()
            if let answer = value.withLock({ $0 }) { return answer }
        }
    }
}
