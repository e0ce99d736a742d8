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
        if let measured { note(log: measured.walBytes, now) }
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
            freeDisk: isMeasured ? parts.directory.freeBytes : nil, reapplied: units.mapValues(\.late.counted), waiting: nil,
            sinkFault: nil, elsewhere: elsewhere(state),
            wall: clock.wall(), now: now)
        try crew.keep(MemoryBound(plan), merge: Int64(mergeMemory), parts.onEvent)
    }

    private func note(log bytes: Int64, _ now: MonotonicTime) {
        let change = log.look(bytes, file: parts.directory.stateFile, now: now, readers: parts.directory.logReaders)
        parts.board.set(logHolders: log.holders.map(\.words))
        switch change {
        case .filled(let fault):
            pauseAll(true)
            parts.board.set(state: .waiting(fault))
            parts.onEvent(.failed(fault))
        case .freed(let after):
            pauseAll(false)
            parts.board.set(state: .running)
            parts.onEvent(.commitBack(after: after))
        case nil: break
        }
    }

    /// The group's partitions that no lane of ours reads.
    private func elsewhere(_ state: TimeState) -> [ElsewhereFacts] {
        guard replica.time.isExact else { return [] }
        return state.lanes.enumerated().compactMap { number, lane in
            let number = LaneNumber(number)
            if crew.reports[number] != nil { return nil }
            return ElsewhereFacts(
                id: layout.partition(of: number), watermark: lane.watermark, isIdle: lane.standing == .idle,
                isRestoring: units[number]?.standing == .restoring)
        }
    }

    /// How far the restores have come, for those who wait.
    func tellProgress() {
        let now = clock.monotonic()
        let progress = RestoreProgress(
            left: units.values.count { $0.standing == .restoring }, units: units.count,
            done: arrivals.values.reduce(0) { $0 + $1.progress.done },
            total: arrivals.values.reduce(0) { $0 + $1.progress.total },
            elapsed: arrivals.values.compactMap(\.began).min().map { now - $0 } ?? .zero)
        parts.board.noteGroup { group in
            group.units = progress.units
            group.restoring = progress.left
            group.missing = progress.missing
        }
        guard progress.left > 0 else {
            toldProgress = nil
            parts.board.set(state: .running)
            return
        }
        if let told = toldProgress, now - told >= RuntimeLimits.tellRestoreEvery {
            toldProgress = now
            parts.onEvent(.restoring(units: progress.left, share: progress.percent ?? 0, left: progress.timeLeft))
        } else if toldProgress == nil {
            toldProgress = now
        }
        parts.board.set(
            state: .waiting(
                unanswered?.fault
                    ?? Fault(
                        "restoring", progress.words, place: layout.topics.changelog, next: "Wait; input goes on by itself.",
                        exit: .state, isTransient: true)))
    }

    /// By output: as far as all units here have told it (S25).
    private var progress: [OutputProgress] {
        plan.aggregates.indices.map { index in
            let id = store.outputIDs[index]
            let mine = units.values.filter {
                !layout.isRekeyed($0.lane) && layout.isMerge($0.lane) != plan.aggregates[index].isKeyed
            }
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
