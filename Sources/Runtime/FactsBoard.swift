import Freshness
import Model
import State
import Synchronization

/// What is known now, for whoever asks: written by the committer once a tick, read from any thread.
final class FactsBoard: Sendable {
    private struct Board {
        var facts: Facts
        var lastRead: (count: Int64, at: MonotonicTime)?
        var idleSince: [LaneNumber: WallTime] = [:]
        var rowErrors: RowErrors
    }

    private let board: Mutex<Board>
    private let plan: Plan

    init(plan: Plan, version: String, startedAt: WallTime) {
        self.plan = plan
        var facts = Facts(plan: plan, version: version)
        facts.startedAt = startedAt
        if case .kafka = plan.source.kind { facts.isBrokerUp = false }
        board = Mutex(Board(facts: facts, rowErrors: RowErrors(plan)))
    }

    var facts: Facts { board.withLock { $0.facts } }

    func set(state: RunState) { board.withLock { $0.facts.state = state } }
    func set(brokerUp: Bool) { board.withLock { $0.facts.isBrokerUp = brokerUp } }
    func set(progress: [OutputProgress]) {
        board.withLock { board in
            for (index, one) in progress.enumerated() { board.facts.outputs[index].progress = one }
        }
    }

    /// Who keeps the state's write-ahead log from being cut.
    func set(logHolders: [String]) { board.withLock { $0.facts.commits.walHolders = logHolders } }

    /// By whose word copies pass or are dropped.
    func set(observing order: ObserveOrder?) {
        board.withLock { board in
            board.facts.dedup?.isObserving = plan.heeding(order).deduplicate?.observe ?? false
            board.facts.dedup?.ordered = order?.observe == nil ? nil : order?.at
        }
    }

    /// What an instance of a group tells of its share.
    func noteGroup(_ change: (inout GroupFacts) -> Void) {
        board.withLock { board in
            guard var group = board.facts.group else { return }
            change(&group)
            board.facts.group = group
        }
    }

    func committed(_ duration: TimeSpan) {
        board.withLock { board in
            board.facts.commits.lastDuration = duration
            board.facts.commits.durations.record(duration.milliseconds)
        }
    }

    func update(
        reports: [LaneNumber: LaneReport], rekeyed: [RekeyedReport] = [], time: CombinedTime, commit: Commit?,
        measured: StateMeasurements?, freeDisk: Int64?,
        reapplied: [LaneNumber: Int64] = [:], waiting: [String: Int64]?,
        sinkFault: Fault?, elsewhere: [ElsewhereFacts] = [], wall: WallTime, now: MonotonicTime
    ) {
        board.withLock { board in
            let before = board.facts.watermark
            board.facts.watermark = time.watermark
            board.facts.partitions = reports.values.filter { !$0.isRekeyed }.map { report in
                var fact = fact(report, time, wall, now, &board)
                fact.books.reapplied = reapplied[fact.lane] ?? 0
                return fact
            }.sorted { $0.id < $1.id }
            let handedOn = reports.values.filter(\.isRekeyed).map { report in
                var fact = fact(report, time, wall, now, &board)
                fact.books.reapplied = reapplied[fact.lane] ?? 0
                return fact
            }
            board.facts.rekeyed = (rekeyed.map { fact($0, now) } + handedOn).sorted { $0.id < $1.id }
            board.facts.elsewhere = elsewhere
            board.facts.noteHolders(before: before, at: wall)
            if var dedup = board.facts.dedup {
                let keys = reports.values.map { ($0.keys, $0.keyMemory) } + rekeyed.map { ($0.keys, $0.keyMemory) }
                dedup.keys = keys.reduce(0) { $0 + Int64($1.0) }
                dedup.bytes = ByteCount(keys.reduce(0) { $0 + Int64($1.1) })
                dedup.oldest = (reports.values.compactMap(\.oldestKey) + rekeyed.compactMap(\.oldestKey)).min()
                board.facts.dedup = dedup
            }
            if let commit {
                note(commit, reports, wall, &board.facts)
                board.rowErrors.note(commit.rows)
                board.facts.rowErrors = board.rowErrors.counts
            }
            for index in board.facts.outputs.indices { board.facts.outputs[index].sinkFault = sinkFault }
            if let waiting {
                for index in board.facts.outputs.indices {
                    board.facts.outputs[index].rowsWaiting = waiting[board.facts.outputs[index].name] ?? 0
                }
            }
            guard let measured else { return }
            board.facts.commits.stateBytes = ByteCount(measured.stateBytes)
            board.facts.commits.walBytes = ByteCount(measured.walBytes)
            board.facts.commits.freeDisk = freeDisk.map(ByteCount.init)
            let read = board.facts.books.read
            if let last = board.lastRead, now > last.at {
                board.facts.recordsPerSecond = Double(read - last.count) * 1e9 / Double(now.nanoseconds - last.at.nanoseconds)
            }
            board.lastRead = (read, now)
        }
    }

    private func fact(
        _ report: LaneReport, _ time: CombinedTime, _ wall: WallTime, _ now: MonotonicTime, _ board: inout Board
    ) -> PartitionFacts {
        let sealed = report.answer.sealed
        var fact = PartitionFacts(id: sealed.partition, lane: sealed.lane, books: sealed.books, nextOffset: sealed.nextOffset)
        fact.watermark = sealed.watermark
        fact.newestEventTime = sealed.newestEventTime
        fact.endOffset = report.endOffset
        fact.share = report.share
        fact.isIdle = time.idle.contains(sealed.lane)
        if fact.isIdle {
            fact.idleSince = board.idleSince[sealed.lane] ?? wall
            board.idleSince[sealed.lane] = fact.idleSince
        } else {
            board.idleSince[sealed.lane] = nil
        }
        // What a bounded run was asked to read, it has read.
        fact.isCaughtUp = report.isFinished || report.confirmedEnd.map { $0 >= sealed.nextOffset } ?? false
        // What waits in the log is at least as old as what was read last.
        if !fact.isCaughtUp, let last = sealed.lastRecord, last.timestamp != RecordBatch.noTimestamp {
            fact.oldestUncommitted = WallTime(milliseconds: last.timestamp)
        }
        fact.fault = report.fault
        fact.memory = ByteCount(Int64(report.deltaMemory))
        fact.figures = sealed.figures
        fact.silentFor = now - report.answer.silentSince
        return fact
    }

    private func fact(_ report: RekeyedReport, _ now: MonotonicTime) -> PartitionFacts {
        let sealed = report.sealed
        var fact = PartitionFacts(id: sealed.partition, lane: sealed.lane, books: sealed.books, nextOffset: sealed.nextOffset)
        fact.watermark = sealed.watermark
        fact.newestEventTime = sealed.newestEventTime
        fact.isCaughtUp = true
        fact.memory = ByteCount(Int64(report.memory))
        fact.figures = sealed.figures
        fact.silentFor = now - report.takenAt
        return fact
    }

    private func note(_ commit: Commit, _ reports: [LaneNumber: LaneReport], _ wall: WallTime, _ facts: inout Facts) {
        facts.commits.number = commit.number
        facts.commits.lastAt = commit.at
        for (index, progress) in commit.progress.enumerated() { facts.outputs[index].progress = progress }
        let newest = commit.lanes.compactMap { $0.lastRecord?.timestamp }.filter { $0 != RecordBatch.noTimestamp }.max()
        // An early row is as old as the newest event that it can hold.
        let newestEvent = commit.lanes.compactMap(\.newestEventTime).max()
        for row in commit.rows {
            facts.outputs[row.output].rowsEmitted += 1
            facts.outputs[row.output].latencyFromEvent.record(
                (wall - min(row.windowEnd, newestEvent ?? row.windowEnd)).milliseconds)
            if let newest {
                facts.outputs[row.output].latencyFromRecord.record((wall - WallTime(milliseconds: newest)).milliseconds)
            }
        }
        if !commit.rows.isEmpty {
            facts.latestRows = Array(
                (commit.rows.suffix(FreshnessLimits.latestRows).reversed() + facts.latestRows).prefix(FreshnessLimits.latestRows))
        }
    }
}
