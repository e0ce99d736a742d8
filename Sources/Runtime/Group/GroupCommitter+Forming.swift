import Dispatch
import Kafka
import Model
import Pipeline
import State
import Synchronization

/// A commit before it is written.
struct FormedCommit {
    var content: GroupTransaction.Content
    /// The sealed deltas of input lanes, and everything emitted: for those who watch.
    var sealed: [SealedLane] = []
    var rows: [Row] = []
    /// Rows of tables that are past their time, by unit.
    var tombstones: [LaneNumber: [[UInt8]]] = [:]
    var time: TimeRecord? { content.time }
}

/// What one commit of an instance holds.
extension GroupCommitter {
    /// The log of time as far as it has come: merge lanes follow it record by record.
    func followTime() throws(Fault) {
        let merges = merges
        try replica.poll { state in
            crew.note(state)
            for merge in merges.values { merge.run { $0.note(state) } }
        }
    }

    /// nil: nothing happened that needs a commit.
    func form(last: Bool, now: MonotonicTime) throws(Fault) -> FormedCommit? {
        let time = replica.time
        var asked = cycle.request(
            time, isRead: end.isFinished(isRead: crew.isRead, isEnded: false) && layout.rekeyed.isEmpty, now: now)
        asked.observing = orders?.observing
        let request = asked
        let answers = crew.seal(wait: last) { _ in request }
        cadence.note(
            answers.map { answer in
                let sealed = answer.sealed
                return CommitCadence.Lane(
                    number: sealed.lane, nextOffset: sealed.nextOffset, endOffset: crew.reports[sealed.lane]?.endOffset)
            })
        mergeFault = mergeFault ?? crew.rekeyedFault
        let waiting = Set(crew.waiting)
        let spoken = answers.map { answer in
            let lane = answer.sealed.lane
            return GroupCycle.Answer(
                lane: answer, wantsTurn: waiting.contains(lane),
                isFinished: end.isFinished(
                    isRead: crew.reports[lane]?.isFinished ?? false, isEnded: units[lane]?.head?.isEnded ?? false))
        }
        let leaving = crew.leave(cycle.candidates(spoken, now: now), answers)
        sealMerges(wait: last)
        let late = try applyLate(answers.map(\.sealed.lane), time)
        var formed = FormedCommit(content: GroupTransaction.Content(at: clock.wall()))
        let route = MergeRoute(plan, storedOutputs: store.outputIDs.map { UInt16(truncatingIfNeeded: $0) }, layout: layout)
        formed.content.partials += Partials.encode(
            answers.map(\.sealed).sorted { $0.lane < $1.lane }, isMerged: isMerged, partition: route.partition(ofKey:))
        formed.content.partials += partials(of: late, route)
        let record = cycle.form(spoken, leaving: leaving, log: time, now: now)
        handOn(answers, record, to: &formed)
        // Where partials and re-keyed records end must be told with them.
        if record.isWorthACommit || record.snapshot != nil || !formed.content.partials.isEmpty || !formed.content.handedOn.isEmpty
        {
            formed.content.time = record
        }
        let told = Set(record.reports.map(\.lane))
        let asOfEnd = request.closesAll ? time.state(with: record).asOf : nil
        for answer in answers {
            let lane = answer.sealed.lane
            add(answer, isTold: told.contains(lane), leaving, time, asOfEnd, late[lane], to: &formed)
        }
        for report in mergeReports.values.sorted(by: { $0.lane < $1.lane }) where report.sealed.isChanged {
            add(report, to: &formed)
        }
        mergeReports = [:]
        try retire(&formed)
        if formed.content.units.isEmpty {
            guard formed.time != nil || !formed.tombstones.isEmpty else { return nil }
            // The transaction must name a position, so that a group that has moved on refuses it (S23).
            guard var head = units.values.filter({ $0.standing == .running }).compactMap(\.head).min(by: { $0.lane < $1.lane })
            else { return nil }
            head.sequence += 1
            head.at = formed.content.at
            formed.content.units.append(UnitCommit(head: head, changes: StateLog(), owed: units[head.lane]?.owed ?? []))
        }
        return formed
    }

    private func isMerged(_ stored: UInt16) -> Bool {
        for (index, id) in store.outputIDs.enumerated() where id == Int32(stored) { return !plan.aggregates[index].isKeyed }
        return false
    }

    /// In the order of the lanes; what a lane says of its time goes to every re-keyed partition, behind its records (S7).
    private func handOn(_ answers: [CommitCycle.LaneAnswer], _ record: TimeRecord, to formed: inout FormedCommit) {
        if layout.rekeyed.isEmpty { return }
        let reports = Dictionary(uniqueKeysWithValues: record.reports.map { ($0.lane, $0) })
        for sealed in answers.map(\.sealed).sorted(by: { $0.lane < $1.lane }) where sealed.lane < layout.inputs.count {
            formed.content.handedOn += HandedOn.encode(
                sealed, report: reports[sealed.lane], partitions: layout.rekeyed.count)
        }
    }

    // MARK: Input lanes

    private func add(
        _ answer: CommitCycle.LaneAnswer, isTold: Bool, _ leaving: [LaneNumber], _ time: TimeLog, _ asOfEnd: EventTime?,
        _ late: LateDone?,
        to formed: inout FormedCommit
    ) {
        let sealed = answer.sealed
        guard let unit = units[sealed.lane] else { return }
        var emitted: [Row] = []
        var progress = unit.head?.progress ?? [:]
        var isEnded = unit.head?.isEnded ?? false
        let isClosed = answer.request.closesAll
        // Until the log of time is read again, the last commit's is the newest that is known.
        let combined = knownCombined(unit, time)
        var closed = ClosedChanges()
        if let keyed = unit.keyed {
            let step = keyed.step(
                sealed, floor: answer.request.floor,
                asOf: isClosed ? asOfEnd : combined, ended: isClosed)
            emitted = step.rows
            progress.merge(keyed.progress) { $1 }
            step.changes.replay { sealed.changes.append($0, $1, $2) }
            closed = step.closed
        }
        if unit.isLateChanged {
            LateStanding.key.withUnsafeBytes { key in unit.late.bytes.withUnsafeBytes { sealed.changes.put(key, $0) } }
            units[sealed.lane]?.isLateChanged = false
        }
        let willEnd = isClosed && !isEnded
        isEnded = isEnded || isClosed
        guard isTold || willEnd || !emitted.isEmpty || !closed.isEmpty || isChanged(sealed, unit) else { return }
        let head = UnitHead(
            lane: sealed.lane, partition: sealed.partition, sequence: (unit.head?.sequence ?? 0) + 1, at: formed.content.at,
            books: sealed.books, watermark: sealed.watermark, newestEventTime: sealed.newestEventTime,
            nextOffset: sealed.nextOffset, lastRecord: sealed.lastRecord, largestClose: sealed.largestClose,
            isIdle: cycle.isIdle(sealed.lane), isEnded: isEnded, combined: combined, closedThrough: nil, progress: progress)
        var commit = UnitCommit(head: head, changes: Mutant.partialLost.isOn ? StateLog() : sealed.changes)
        commit.closed = closed
        if let late { record(late, in: &commit, &formed.content.records) }
        switch plan.late {
        case .count: break
        case .ledger: commit.late = sealed.late
        case .topic(let topic): formed.content.records += rows.late(sealed, to: topic)
        }
        switch plan.deadLetters {
        case .table: commit.deadLetters = sealed.deadLetters
        case .topic(let topic): formed.content.records += rows.letters(sealed, to: topic)
        }
        switch plan.deduplicate?.duplicates ?? .count {
        case .count: break
        case .ledger: commit.duplicates = sealed.duplicates
        case .topic(let topic): formed.content.records += rows.duplicates(sealed, to: topic)
        }
        commit.decisions += sealed.heeded.map(GroupOrders.decision)
        if leaving.contains(sealed.lane) { commit.decisions.append(.idle(lane: sealed.lane)) }
        emit(emitted, of: &commit, to: &formed)
        formed.sealed.append(sealed)
        formed.content.units.append(commit)
    }

    /// Whether something happened to the lane that a commit must tell, whatever the log of time is told.
    private func isChanged(_ sealed: SealedLane, _ unit: GroupUnit) -> Bool {
        !sealed.changes.isEmpty || !sealed.partials.isEmpty || !sealed.late.isEmpty || !sealed.deadLetters.isEmpty
            || unit.head?.nextOffset != sealed.nextOffset || unit.head?.books.redelivered != sealed.books.redelivered
    }

    // MARK: Merge lanes

    private func sealMerges(wait: Bool) {
        let arrived = Mutex<[MergeReport]>([])
        let group = DispatchGroup()
        for merge in merges.values where units[merge.number]?.standing == .running {
            group.enter()
            merge.run { merge in
                let report = merge.seal()
                arrived.withLock { $0.append(report) }
                group.leave()
            }
        }
        // A merge lane waits for nothing: what is under way before it is one batch.
        group.wait()
        for report in arrived.withLock({ $0 }) {
            mergeReports[report.lane] = report
            mergeFault = mergeFault ?? report.fault ?? report.sealed.fault
        }
        mergeMemory = mergeReports.values.reduce(0) { $0 + $1.memory }
    }

    private func add(_ report: MergeReport, to formed: inout FormedCommit) {
        guard let unit = units[report.lane] else { return }
        let sealed = report.sealed
        let head = UnitHead(
            lane: report.lane, partition: unit.partition, sequence: (unit.head?.sequence ?? 0) + 1, at: formed.content.at,
            books: Books(outputs: plan.aggregates.count), watermark: nil, newestEventTime: nil, nextOffset: sealed.nextOffset,
            lastRecord: nil, largestClose: nil, isIdle: false, isEnded: sealed.isEnded,
            combined: sealed.combined, closedThrough: sealed.closedThrough,
            progress: sealed.progress)
        var commit = UnitCommit(head: head, changes: sealed.changes)
        commit.closed = sealed.closed
        record(refused: sealed.refused, of: report.lane, in: &commit)
        emit(sealed.rows, of: &commit, to: &formed)
        formed.content.units.append(commit)
    }

    private func emit(_ emitted: [Row], of commit: inout UnitCommit, to formed: inout FormedCommit) {
        guard !emitted.isEmpty else { return }
        formed.rows += emitted
        let owed = rows.owed(emitted)
        if plan.delivery == .atLeastOnce {
            commit.owed = owed
        } else if Mutant.rowsOutsideTransaction.isOn {
            _ = try? parts.sender?.send(owed)
        } else {
            formed.content.records += owed.map(GroupSender.record)
        }
        formed.content.records += rows.tables(emitted, of: commit.head.lane)
    }

    /// Tombstones for rows of tables past their `keep`; before the rows of this commit, one of which may be a late revision of the same.
    private func retire(_ formed: inout FormedCommit) throws(Fault) {
        guard let feed = parts.feed else { return }
        let running = units.values.filter { $0.standing == .running }.map(\.lane).sorted()
        formed.tombstones = try feed.tombstones(owned: running, watermark: replica.time.state.combined)
        let records = formed.tombstones.sorted { $0.key < $1.key }.flatMap { lane, keys in
            keys.map { rows.tombstone($0, of: lane) }
        }
        formed.content.records.insert(contentsOf: records, at: 0)
    }

    // MARK: After it

    /// Idle lanes whose turn it is.
    func grant() {
        for (lane, floor) in cycle.turns(replica.time, unanswered: crew.outstanding) { crew.grant(lane, floor) }
    }

    /// Sends what the last commit owes (S21). What can't be sent stays owed.
    func settleOwed() throws(Fault) {
        guard let sender = parts.sender else { return }
        for lane in units.keys.sorted() {
            guard let owed = units[lane]?.owed, !owed.isEmpty else { continue }
            guard try sender.send(owed) else { return }
            units[lane]?.owed = []
        }
    }
}
