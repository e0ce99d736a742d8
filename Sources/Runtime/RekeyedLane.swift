import Dispatch
import Freshness
import Model
import Pipeline

/// One re-keyed partition (S7): takes what the inputs handed on since the last commit, and is sealed in the same one. It has no log and
/// reads nothing by itself: what it takes and what comes of it are committed together, or forgotten together. All of it happens on its own
/// serial queue; the committer waits for it.
actor RekeyedLane {
    nonisolated let executor: LaneExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    nonisolated let number: LaneNumber
    nonisolated let partition: PartitionID
    private let core: LaneCore
    private let clock: any Clock
    private var takenAt: MonotonicTime

    init(_ configuration: LaneConfiguration, core: LaneCore, clock: any Clock) {
        executor = LaneExecutor("weir.lane.\(configuration.partition)")
        number = configuration.lane
        partition = configuration.partition
        self.core = core
        self.clock = clock
        takenAt = clock.monotonic()
    }

    /// Runs `body` on the lane's queue.
    nonisolated func run(_ body: @escaping @Sendable (isolated RekeyedLane) -> Void) {
        executor.queue.async { self.assumeIsolated { body($0) } }
    }

    // MARK: On the lane's queue

    /// `place`: which of the re-keyed partitions this is. Gives the largest close of its windows.
    func take(_ turns: [RekeyedTurn], place: Int) -> Result<EventTime?, Fault> {
        do throws(Fault) {
            for turn in turns where turn.records[place].count > 0 {
                try core.take(turn.records[place], held: turn.held)
                takenAt = clock.monotonic()
            }
            return .success(core.lastOpenClose)
        } catch {
            return .failure(error)
        }
    }

    /// Its watermark follows the combined one, which is formed of the same inputs and knows who is left out.
    func seal(_ request: SealRequest) -> RekeyedReport {
        if let floor = request.floor { core.raise(to: floor) }
        let sealed = core.seal(request)
        return RekeyedReport(
            sealed: sealed, keys: core.keys, keyMemory: core.keyMemory, oldestKey: core.oldestKey, memory: core.memory,
            use: .init(used: core.usedMemory - core.sealedMemory, fixed: core.fixedMemory), coldReads: core.coldReads,
            broken: core.coldFault,
            takenAt: takenAt)
    }

    /// As `Lane.keep`; that more comes than fits is for the inputs to heed.
    func keep(_ share: MemoryBound.Share, settled: Int64) {
        core.settle(through: settled)
        if let target = share.target { core.spill(to: target) }
    }
}

/// What a re-keyed lane said at its last seal.
struct RekeyedReport: Sendable {
    var sealed: SealedLane
    var keys: Int
    var keyMemory: Int
    var oldestKey: EventTime?
    var memory: Int
    var use: MemoryBound.Use
    var coldReads: Int64
    /// What left its memory can't be read back.
    var broken: Fault?
    /// When it took its last record.
    var takenAt: MonotonicTime
}

/// The re-keyed lanes of a process, in the order of their partitions. Called on the committer's queue.
final class RekeyedCrew {
    let lanes: [RekeyedLane]
    private(set) var reports: [RekeyedReport] = []
    /// Why they can't go on: the run is over, and what was not committed is forgotten.
    private(set) var broken: Fault?

    init(_ lanes: [RekeyedLane]) { self.lanes = lanes }

    /// Waits until all of them have taken it. No longer than the inputs took to gather it, about.
    func take(_ turns: [RekeyedTurn]) -> EventTime? {
        let answers = ask { lane, place in lane.take(turns, place: place) }
        var last: EventTime?
        for answer in answers {
            switch answer {
            case .success(let close?): last = max(last ?? close, close)
            case .success(nil): break
            case .failure(let fault): broken = broken ?? fault
            }
        }
        return last
    }

    func seal(_ request: SealRequest) -> [SealedLane] {
        reports = ask { lane, _ in lane.seal(request) }
        broken = broken ?? reports.compactMap(\.broken).first
        return reports.map(\.sealed)
    }

    /// What the reports hold of their deltas is in committed state.
    func settle() {
        for at in reports.indices { reports[at].sealed.letGo() }
    }

    func keep(_ shares: [LaneNumber: MemoryBound.Share], settled: [LaneNumber: Int64]) {
        for lane in lanes {
            guard let share = shares[lane.number] else { continue }
            let settled = settled[lane.number] ?? 0
            lane.run { $0.keep(share, settled: settled) }
        }
    }

    private func ask<T: Sendable>(_ body: @escaping @Sendable (isolated RekeyedLane, _ place: Int) -> T) -> [T] {
        let replies = lanes.enumerated().map { place, lane in
            let reply = Reply<T>()
            lane.run { reply.give(body($0, place)) }
            return reply
        }
        return replies.map { $0.wait() }
    }
}
