import Freshness
import Model
import Observe
import Pipeline
import State

/// What this instance shows of itself.
extension GroupCommitter {
    func look(_ formed: FormedCommit?, _ now: MonotonicTime) throws(Fault) {
        crew.nudge(now)
        let isMeasured = nextMeasure.map { now >= $0 } ?? true
        if isMeasured {
            nextMeasure = now + RuntimeLimits.measureEvery
            for merge in merges.values { merge.run { $0.nudge() } }
        }
        if let fault = mergeFault { throw fault }
        let measured = isMeasured ? try store.measurements() : nil
        let state = replica.time.state
        let time = CombinedTime(
            watermark: replica.time.isExact ? state.combined : nil, idle: Set(crew.lanes.keys.filter(cycle.isIdle)),
            ended: replica.time.isExact && state.isAllClosed)
        let commit = formed.map { formed in
            Commit(
                number: number, at: formed.content.at, lanes: formed.sealed, merge: StateLog(), rows: formed.rows, decisions: [],
                time: time, progress: progress)
        }
        parts.board.update(
            reports: crew.reports, time: time, commit: commit, measured: measured,
            freeDisk: isMeasured ? parts.directory.freeBytes : nil, waiting: nil, sinkFault: nil, wall: clock.wall(), now: now)
        let used = crew.reports.values.reduce(Int64(mergeMemory)) { $0 + Int64($1.deltaMemory) }
        try MemoryBound(plan).check(used: used, parts.onEvent)
    }

    /// How far the restores have come, for those who wait.
    func tellProgress() {
        let left = units.values.filter { $0.standing == .restoring }.count
        guard left > 0 else {
            parts.board.set(state: .running)
            return
        }
        let open = restores.values.map(\.progress)
        let done = open.reduce(0) { $0 + $1.done }
        let total = open.reduce(0) { $0 + $1.total }
        var words = "State is being restored: \(left) of \(units.count) units are to come"
        if total > 0 { words += ", \(done * 100 / total) % of those under way" }
        if done > 0, let began = restores.values.map(\.began).min() {
            let left = (clock.monotonic() - began).milliseconds * (total - done) / done / 1_000
            words += ", about \(left) s left for them"
        }
        parts.board.set(
            state: .waiting(
                Fault(
                    "restoring", words + ".", place: layout.topics.changelog, next: "Wait; input goes on by itself.",
                    exit: .state, isTransient: true)))
    }

    /// By output: as far as all units here have told it (S25).
    private var progress: [OutputProgress] {
        plan.aggregates.indices.map { index in
            let id = store.outputIDs[index]
            let mine = units.values.filter { layout.isMerge($0.lane) != plan.aggregates[index].isKeyed }
            let told = mine.map { $0.head?.progress[id] ?? OutputProgress() }
            return OutputProgress(
                completeThrough: Self.least(told.map(\.completeThrough)), finalThrough: Self.least(told.map(\.finalThrough)))
        }
    }

    /// nil where one of them has told nothing yet.
    private static func least(_ times: [EventTime?]) -> EventTime? {
        times.contains { $0 == nil } ? nil : times.compactMap(\.self).min()
    }
}
