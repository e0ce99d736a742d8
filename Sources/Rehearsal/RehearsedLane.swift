import Model
import Pipeline
import Runtime

/// One partition: its log, which outlives restarts as a broker's does, and the lane that reads it, which does not.
final class RehearsedLane {
    struct Record {
        var offset: Int64
        var payload: [UInt8]?
        var timestamp: Int64
    }
    let id: PartitionID
    let number: LaneNumber
    let order: Int64
    /// Each offset once, in their order, whatever was delivered again.
    private(set) var log: [Record] = []
    /// Fed, not yet taken.
    private var waiting: [Record] = []
    /// Of the log.
    private(set) var nextOffset: Int64 = 0
    /// From here on nothing is committed, by the last commit's own word.
    var committedOffset: Int64 = 0
    var core: LaneCore
    var silentSince: MonotonicTime
    /// What the lanes of earlier processes reached.
    private(set) var reachBefore: [LaneReach] = []
    private var spokenBefore = 0
    private var spokenAtSeal = 0

    init(_ id: PartitionID, number: LaneNumber, order: Int64, core: LaneCore, silentSince: MonotonicTime) {
        self.id = id
        self.number = number
        self.order = order
        self.core = core
        self.silentSince = silentSince
        core.beginReach()
    }

    /// Where a new process reads is what the store says, as in a service: too low or too high an offset shows in the counts.
    func restart(_ core: LaneCore, now: MonotonicTime) {
        if let reach = self.core.reach { reachBefore.append(reach) }
        core.beginReach()
        self.core = core
        committedOffset = core.nextOffset
        waiting = log.filter { $0.offset >= core.nextOffset }
        silentSince = now
        spokenBefore = 0
        spokenAtSeal = 0
    }

    func feed(_ record: Record) {
        waiting.append(record)
        guard record.offset >= nextOffset else { return }
        log.append(record)
        nextOffset = record.offset + 1
    }

    var isCommitted: Bool { committedOffset >= nextOffset }

    var hasSpoken: Bool { core.spoken != spokenAtSeal }

    /// Gives the lane what waits, as one batch. `floor`: the combined watermark, for an idle lane (S6).
    func read(floor: EventTime?, now: MonotonicTime) throws(Fault) {
        guard !waiting.isEmpty else { return }
        if let floor { core.raise(to: floor) }
        let records = waiting
        waiting = []
        try core.process(records.map(\.payload), offsets: records.map(\.offset), timestamps: records.map(\.timestamp))
        if core.spoken != spokenBefore {
            spokenBefore = core.spoken
            silentSince = now
        }
    }

    func seal(_ request: SealRequest, isIdle: Bool) -> CommitCycle.LaneAnswer {
        let spoke = isIdle && hasSpoken
        spokenAtSeal = core.spoken
        var request = request
        if !isIdle || spoke { request.floor = nil }
        return CommitCycle.LaneAnswer(sealed: core.seal(request), silentSince: silentSince, isFullyRead: true, spoke: spoke)
    }
}

/// One re-keyed partition (S7).
final class RehearsedRekeyed {
    let core: LaneCore
    /// What the lanes of earlier processes reached.
    let reachBefore: [LaneReach]

    /// `before`: the one of the process that ended.
    init(_ core: LaneCore, after before: RehearsedRekeyed?) {
        self.core = core
        reachBefore = (before?.reachBefore ?? []) + [before?.core.reach].compactMap(\.self)
        core.beginReach()
    }
}
