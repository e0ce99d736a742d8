import Kafka
import Model
import Observe
import Pipeline
import State

/// An order that a lane here is to act on, with what is read for it off the run's thread.
struct LateWork {
    let order: LateOrder
    let supplies: Answer<Supplies>

    struct Supplies: Sendable {
        var candidates: [LateReader.Candidate]
        var next: Int64?
        /// Where the log of time ended then: who has read as far knows by what the merge lanes may have closed and forgotten.
        var time: Int64
    }
}

/// What a lane's next commit does of an order.
struct LateDone {
    var order: LateOrder
    var outcome: Result<LateReapply.Outcome, Fault>
    var next: Int64?
    /// For merge lanes, by entry and output.
    var partials: [(entry: Int64, output: Int, log: StateLog)] = []
    var entries: [ReappliedEntry] = []
}

/// The windows of one input lane: its own where they close by its own partition, else those of merge lanes, which it knows by the time.
struct LaneLateWindows: LateWindows {
    let plan: Plan
    let keyed: MergeCore?
    let merged: MergeCore
    /// Windows that close later than this are held by the merge lanes.
    let since: EventTime
    var partials: [(entry: Int64, output: Int, log: StateLog)] = []
    var entries: [ReappliedEntry] = []

    func fit(output: Int, time: EventTime) -> MergeCore.Fit {
        guard plan.aggregates[output].isKeyed else { return merged.fit(output: output, time: time, since: since) }
        return keyed?.fit(output: output, time: time) ?? .past
    }

    mutating func reapply(
        _ partials: [(output: Int, log: StateLog)], entries: [ReappliedEntry], _ lookup: ClosedLookup
    ) throws(Fault) {
        self.entries += entries
        guard let entry = entries.first?.entry else { return }
        for part in partials {
            if plan.aggregates[part.output].isKeyed {
                try keyed?.reapply(part.log, output: part.output, lookup)
            } else {
                self.partials.append((entry, part.output, part.log))
            }
        }
    }
}

/// Late events that are applied again (S13). The owner of their partition acts on an order once, in one commit: it marks the entries, counts
/// where windows are its own, and sends the rest to the merge lanes, which count it in the commit in which they have read it.
extension GroupLayout {
    /// Where the records lie that the unit's ledger names, and their inputs' order: of a re-keyed one, in all inputs.
    func lateSources(of lane: LaneNumber) -> [PartitionID: (lane: LaneNumber, order: Int64)] {
        let inputs = isRekeyed(lane) ? Array(inputs.enumerated()) : [(Int(lane), partition(of: lane))]
        return Dictionary(uniqueKeysWithValues: inputs.map { ($1, (lane, Int64($0))) })
    }
}

extension GroupCommitter {
    /// Begins to read what orders name, for the lanes here that have not acted on them.
    func prepareLate() {
        guard let orders, plan.keepsClosedForLate else { return }
        for (lane, unit) in units where unit.standing == .running && !layout.isMerge(lane) && lateWork[lane] == nil {
            guard !(unit.head?.isEnded ?? false),
                let order = orders.late.first(where: { $0.number > unit.late.heeded && $0.unit == lane })
            else { continue }
            let (plan, layout, queries) = (plan, layout, parts.restores.queries)
            lateWork[lane] = LateWork(
                order: order,
                supplies: desk.ask { () throws(Fault) in
                    let ledger = try LateLedger(directory: plan.state.directory)
                    defer { ledger.close() }
                    var selection = LateSelection(
                        entries: order.entries, includesReapplied: true, limit: order.entries.count + 1)
                    selection.isAcrossPartitions = plan.isRekeyed
                    let (candidates, next) = try LateReader(plan, ledger).candidates(selection)
                    let time = try queries.watermarks(of: [layout.watermarks], within: RuntimeLimits.questionLimit)
                    return LateWork.Supplies(
                        candidates: candidates, next: next, time: time[layout.watermarks]?.upperBound ?? 0)
                })
        }
    }

    /// What is read is applied in the commit that is formed, for lanes that are sealed for it. Error: `state_damaged`.
    func applyLate(_ lanes: [LaneNumber], _ time: TimeLog) throws(Fault) -> [LaneNumber: LateDone] {
        var all: [LaneNumber: LateDone] = [:]
        for lane in lanes {
            guard units[lane] != nil else { continue }
            noteKeeping(lane, time)
            guard let work = lateWork[lane], let unit = units[lane] else { continue }
            var done = LateDone(order: work.order, outcome: .success([]))
            do throws(Fault) {
                guard let found = try work.supplies.look(), replica.isCurrent, time.position >= found.time else { continue }
                done.next = found.next
                try apply(found.candidates, of: unit, time, &done)
            } catch {
                // A broker that does not answer now is asked again; what no retry cures is the answer.
                if error.code == Self.damagedCode { throw error }
                if error.isTransient {
                    lateWork[lane] = nil
                    continue
                }
                done.outcome = .failure(error)
            }
            lateWork[lane] = nil
            units[lane]?.late.heeded = work.order.number
            units[lane]?.late.counted += Int64(done.entries.count { $0.kind == .counted })
            units[lane]?.isLateChanged = true
            all[lane] = done
        }
        return all
    }

    private func apply(
        _ candidates: [LateReader.Candidate], of unit: GroupUnit, _ time: TimeLog, _ done: inout LateDone
    ) throws(Fault) {
        let lane = unit.lane
        let stored = store.outputIDs.map { UInt16(truncatingIfNeeded: $0) }
        var windows = LaneLateWindows(
            plan: plan, keyed: unit.keyed, merged: MergeCore(plan: plan, storedOutputs: stored, choice: .notKeyed),
            since: keptSince(unit, time))
        let reapply = LateReapply(plan.heeding(orders?.observing), storedOutputs: stored, lanes: layout.lateSources(of: lane))
        let store = store
        done.outcome = .success(
            try reapply.apply(candidates, to: &windows) { key, included throws(Fault) in
                try store.closedEntry(of: lane, before: key, included: included)
            })
        done.partials = windows.partials
        done.entries = windows.entries
    }

    /// The merge lanes hold windows that close later than this. They close by what is known here or less, and so they forget; one that began
    /// to keep windows later than this lane did refuses, and says so.
    private func keptSince(_ unit: GroupUnit, _ time: TimeLog) -> EventTime {
        guard let since = unit.late.since else { return EventTime(milliseconds: .max) }
        guard let combined = knownCombined(unit, time) else { return since }
        let (edge, overflow) = combined.milliseconds.subtractingReportingOverflow(plan.state.keepClosed.milliseconds)
        return overflow ? since : max(since, EventTime(milliseconds: edge))
    }

    func knownCombined(_ unit: GroupUnit, _ time: TimeLog) -> EventTime? {
        [time.isExact ? time.state.combined : nil, unit.head?.combined].compactMap(\.self).max()
    }

    /// From when on closed windows are kept: since the lane is there, or since this was asked for.
    private func noteKeeping(_ lane: LaneNumber, _ time: TimeLog) {
        guard let unit = units[lane], (unit.late.since != nil) != plan.keepsClosedForLate else { return }
        if unit.late.since != nil {
            units[lane]?.late.since = nil
        } else {
            guard replica.isCurrent else { return }
            units[lane]?.late.since =
                (unit.isNew ? nil : knownCombined(unit, time)) ?? EventTime(milliseconds: .min)
        }
        units[lane]?.isLateChanged = true
    }

    /// What the merge lanes are told.
    func partials(of done: [LaneNumber: LateDone], _ route: MergeRoute) -> [Partials.Record] {
        done.sorted { $0.key < $1.key }.flatMap { lane, done in
            done.partials.flatMap { entry, output, log in
                let stored = UInt16(truncatingIfNeeded: store.outputIDs[output])
                return Partials.encode(
                    late: entry, log, of: lane, isMerged: { $0 == stored }, partition: route.partition(ofKey:))
            }
        }
    }

    /// The order's part of the lane's commit.
    func record(_ done: LateDone, in commit: inout UnitCommit, _ records: inout [OutgoingRecord]) {
        commit.reapplied = done.entries
        let answer: Result<Done, Fault>
        switch done.outcome {
        case .success(let outcome):
            let command = Command.reapplyLate(LateSelection(entries: done.order.entries))
            commit.decisions.append(command.decision(LateReapply.result(outcome, next: nil, entries: false)))
            answer = .success(
                Done(commit: done.order.number, result: LateReapply.result(outcome, next: done.next, entries: true)))
            parts.onEvent(
                .commanded(command.word, asked: String(decoding: command.line, as: UTF8.self), commit: done.order.number))
        case .failure(let fault): answer = .failure(fault)
        }
        let place = layout.topics.controlPartition
        records.append(
            OutgoingRecord(
                topic: place.topic, partition: place.number, key: LateAnswer.key(commit.head.lane),
                value: LateAnswer.value(done.order.token, answer)))
    }

    /// Entries whose windows a merge lane does not hold: told, since their marks say that they were counted.
    func record(refused entries: [Int64], of lane: LaneNumber, in commit: inout UnitCommit) {
        guard !entries.isEmpty else { return }
        let command = Command.reapplyLate(LateSelection(entries: entries))
        commit.decisions.append(
            command.decision(LateReapply.result(entries.map { ($0, .past) }, next: nil, entries: false)))
        parts.onEvent(
            .failed(
                Fault(
                    "late_window_gone",
                    "Late events that were applied again met a window that is not kept: \(entries.count) (entry \(entries[0]) first).",
                    place: "\(layout.partition(of: lane))",
                    next: "Count the range again with a replay; give every instance the same state.keep_closed.",
                    exit: .answerIsNo)))
    }
}
