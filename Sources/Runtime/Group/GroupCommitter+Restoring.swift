import Dispatch
import Freshness
import Kafka
import Model
import Observe
import Pipeline
import State

/// How the state of units comes here (S20), beside the commits of those that run. Brokers are asked about all of them at once and on
/// another thread, and their changelogs come at the same time: what takes the run's thread is SQLite and memory alone.
extension GroupCommitter {
    /// A unit is ours, and its state is not here.
    var isRestoring: Bool { units.values.contains { $0.standing == .restoring } }

    func dropArrivals() {
        for arrival in arrivals.values { arrival.close() }
        arrivals = [:]
        survey = nil
        lastRecords = nil
        unanswered = nil
    }

    /// Until the next commit is due; at least as long as a commit takes, so that whoever waits for state gets half of the time
    /// where those are slow.
    func restoreSome(until due: MonotonicTime) throws(Fault) {
        guard isRestoring else { return }
        let fair = clock.monotonic() + max(RuntimeLimits.restoreSlice, lastTook)
        let isOver = { [self] in
            bell.isStopping || !mailbox.isEmpty || clock.monotonic() >= (bell.isHurried ? fair : max(fair, due))
        }
        repeat {
            if try !restoreStep(isOver), isRestoring { bell.wait(atMost: RuntimeLimits.restoreWait) }
        } while isRestoring && !isOver()
        tellProgress()
    }

    /// False: nothing had come.
    private func restoreStep(_ isOver: () -> Bool) throws(Fault) -> Bool {
        try takeSurvey()
        askForMore()
        try beginReading()
        var hasMoved = false
        for lane in arrivals.keys.sorted() {
            guard case .reading(let restore) = arrivals[lane] else { continue }
            if try step(restore) { hasMoved = true }
            if isOver() { return true }
        }
        try compare()
        for lane in arrivals.keys.sorted() {
            guard case .ready(let restore) = arrivals[lane] else { continue }
            try open(restore)
            hasMoved = true
            if isOver() { return true }
        }
        return hasMoved
    }

    // MARK: What brokers say

    private func askForMore() {
        let new = units.values.filter { $0.standing == .restoring && arrivals[$0.lane] == nil }.map(\.lane).sorted()
        guard survey == nil, !new.isEmpty, unanswered.map({ clock.monotonic() >= $0.again }) ?? true else { return }
        for lane in new { arrivals[lane] = .asked }
        let (layout, source) = (layout, parts.source)
        survey = desk.ask { () throws(Fault) in try UnitFacts.ask(new, layout, source) }
    }

    private func takeSurvey() throws(Fault) {
        guard let asked = survey else { return }
        do throws(Fault) {
            guard let facts = try asked.look() else { return }
            survey = nil
            unanswered = nil
            for (lane, facts) in facts { if case .asked = arrivals[lane] { arrivals[lane] = .surveyed(facts) } }
        } catch {
            survey = nil
            for (lane, arrival) in arrivals { if case .asked = arrival { arrivals[lane] = nil } }
            try wait(after: error)
        }
    }

    /// Asked again after a while: the units that run need not suffer for it.
    private func wait(after fault: Fault) throws(Fault) {
        let now = clock.monotonic()
        let since = unanswered?.since ?? now
        guard fault.isTransient, now - since < RuntimeLimits.restorePatience else { throw fault }
        unanswered = (fault, since, now + RuntimeLimits.retryEvery)
    }

    // MARK: The changelog

    private func beginReading() throws(Fault) {
        for lane in arrivals.keys.sorted() {
            guard arrivals.values.count(where: \.isReading) < RuntimeLimits.restoresAtOnce else { return }
            guard case .surveyed(let facts) = arrivals[lane] else { continue }
            let restore = try UnitRestore(lane, facts, parts.restores, wake: { [bell] in bell.ring() })
            arrivals[lane] = .reading(restore)
            tell(restore.wiped, of: lane)
        }
    }

    private func step(_ restore: UnitRestore) throws(Fault) -> Bool {
        let wiped = restore.wiped
        let hasMoved = try restore.step()
        if wiped == nil { tell(restore.wiped, of: restore.lane) }
        guard restore.isDone else { return hasMoved }
        do throws(Fault) {
            try restore.finish()
            arrivals[restore.lane] = .read(restore)
        } catch {
            try begin(again: restore, after: error)
        }
        return true
    }

    /// Units of which the store found nothing that can be used.
    func tellUnreadable() {
        for lane in store.unreadable {
            tellWiped(lane, "what it says of itself can't be read")
        }
    }

    private func tell(_ reason: RestoreVerdict.Reason?, of lane: LaneNumber) {
        if let reason { tellWiped(lane, reason.rawValue) }
    }

    private func tellWiped(_ lane: LaneNumber, _ reason: String) {
        parts.board.noteGroup { $0.wiped += 1 }
        parts.onEvent(.stateWiped(layout.changelog(of: lane), reason: reason))
    }

    // MARK: Whether it fits

    /// The group's position and the input must be those that the state was left at.
    private func compare() throws(Fault) {
        try takeLastRecords()
        guard lastRecords == nil, unanswered.map({ clock.monotonic() >= $0.again }) ?? true else { return }
        var wanted: [PartitionID: Int64] = [:]
        for lane in arrivals.keys.sorted() {
            guard case .read(let restore) = arrivals[lane] else { continue }
            let partition = layout.partition(of: lane)
            let head = store.head(of: lane)
            if let fault = RestoreVerdict.check(
                committed: restore.facts.committed, head: head, input: partition, changelog: layout.changelog(of: lane))
            {
                throw fault
            }
            // What was handed on and is gone can't be read anywhere else.
            if layout.isRekeyed(lane) {
                try noPlaceToChoose { () throws(Fault) in
                    try KafkaSource.check(partition, position: head?.nextOffset ?? 0, in: restore.facts.input)
                }
            }
            guard let head, !layout.isMerge(lane), !layout.isRekeyed(lane) else {
                arrivals[lane] = .ready(restore)
                continue
            }
            try noPlaceToChoose { () throws(Fault) in
                try KafkaSource.check(partition, position: head.nextOffset, in: restore.facts.input)
            }
            if let last = head.lastRecord, restore.facts.input.contains(last.offset) {
                wanted[partition] = last.offset
                arrivals[lane] = .compared(restore)
            } else {
                arrivals[lane] = .ready(restore)
            }
        }
        guard !wanted.isEmpty else { return }
        let (queries, asked) = (parts.restores.queries, wanted)
        lastRecords = desk.ask { () throws(Fault) in
            try queries.fingerprints(at: asked, within: RuntimeLimits.questionLimit)
        }
    }

    /// The log goes on where the state was left. A single process lets somebody choose another place; what a group has merged holds
    /// for this one alone.
    private func noPlaceToChoose(_ body: () throws(Fault) -> Void) throws(Fault) {
        do throws(Fault) {
            try body()
        } catch {
            var fault = error
            if fault.exit == .choiceNeeded { fault.next = "To read the log as it is now, start anew under another source.group." }
            throw fault
        }
    }

    private func takeLastRecords() throws(Fault) {
        guard let asked = lastRecords else { return }
        do throws(Fault) {
            guard let found = try asked.look() else { return }
            lastRecords = nil
            unanswered = nil
            for (lane, arrival) in arrivals {
                guard case .compared(let restore) = arrival else { continue }
                let partition = layout.partition(of: lane)
                if let last = store.head(of: lane)?.lastRecord {
                    try noPlaceToChoose { () throws(Fault) in
                        try KafkaSource.check(partition, lastRecord: last, found: found[partition])
                    }
                }
                arrivals[lane] = .ready(restore)
            }
        } catch {
            lastRecords = nil
            for (lane, arrival) in arrivals { if case .compared(let restore) = arrival { arrivals[lane] = .read(restore) } }
            try wait(after: error)
        }
    }

    // MARK: Into memory

    /// Everything of the unit is here: from SQLite into memory, and on with the input.
    private func open(_ restore: UnitRestore) throws(Fault) {
        let lane = restore.lane
        let head = store.head(of: lane)
        if head != nil { try replica.checkNotLost() }
        let owed = try store.owed(of: lane)
        if let sender = parts.sender, !owed.isEmpty, try !sender.send(owed) { return }
        do throws(Fault) {
            if layout.isMerge(lane) { try openMerge(lane, head, restore.facts) } else { try openLane(lane, head, restore.facts) }
        } catch {
            try begin(again: restore, after: error)
            return
        }
        units[lane]?.head = head
        units[lane]?.owed = owed
        units[lane]?.changelogEnd = restore.target
        units[lane]?.standing = .running
        arrivals[lane] = nil
        parts.onEvent(
            .unitRestored(
                layout.partition(of: lane), records: restore.progress.total, took: clock.monotonic() - restore.began))
    }

    /// What the local copy holds is not this unit's state: once more, from the changelog alone.
    private func begin(again restore: UnitRestore, after fault: Fault) throws(Fault) {
        guard fault.code == Self.damagedCode || fault.code == "changelog_damaged", restore.hadCopy else { throw fault }
        try store.wipe(restore.lane)
        tellWiped(restore.lane, "an entry of it is not one of this topology")
        arrivals[restore.lane] = .surveyed(restore.facts)
    }

    private func openLane(_ lane: LaneNumber, _ head: UnitHead?, _ facts: UnitFacts) throws(Fault) {
        let partition = layout.partition(of: lane)
        let stored = store.outputIDs.map { UInt16(truncatingIfNeeded: $0) }
        var configuration = LaneConfiguration(
            plan: plan, lane: lane, partition: partition, partitionOrder: Int64(lane), storedOutputs: stored)
        configuration.role = role(of: lane)
        let core = try LaneCore(configuration)
        let bound = MemoryBound(plan)
        core.attach(ColdReader(parts.directory, lane: lane, of: layout.inputs.count + layout.rekeyed.count, plan))
        core.restore(within: bound.restored(lanes: units.keys.count { !layout.isMerge($0) }))
        let offset = head?.nextOffset ?? facts.first
        if let head {
            core.restore(
                books: head.books, watermark: head.watermark, newestEventTime: head.newestEventTime, nextOffset: head.nextOffset,
                lastRecord: head.lastRecord)
            core.restore(largestClose: head.largestClose)
        } else {
            core.jump(to: offset)
        }
        let keyed = MergeCore(plan: plan, storedOutputs: stored, choice: .keyed)
        keyed.add(lane: lane, order: Int64(lane))
        if let head { keyed.restore(progress: head.progress) }
        units[lane]?.isNew = head == nil
        try store.eachEntry(of: lane, without: Self.closedChunks) { key, value throws(Fault) in
            if key.elementsEqual(LateStanding.key) {
                guard let late = LateStanding(value) else { throw Self.damaged(partition) }
                units[lane]?.late = late
                return
            }
            guard core.restore(key: key, value: value) || keyed.restore(key: key, value: value) else {
                throw Self.damaged(partition)
            }
        }
        if let orders {
            try orders.checkHolds(max(core.heeded, units[lane]?.late.heeded ?? 0))
            if let order = orders.observing { core.heed(order) }
        }
        keyed.beginClosed(head?.watermark)
        let isRekeyed = layout.isRekeyed(lane)
        if isRekeyed, replica.time.isExact { core.note(replica.time.state) }
        nonisolated(unsafe) let handed = core
        let worker = Lane(
            configuration: configuration, core: handed, input: try parts.source.input(partition), clock: clock,
            isIdle: head?.isIdle ?? false, bound: parts.bounds?[partition], warmBelow: .min, watermarkBound: nil,
            // An input lane has computed each of its records before.
            inHand: isRekeyed ? nil : parts.inHand?.slot(of: partition, next: offset),
            bell: bell)
        units[lane]?.keyed = keyed.isEmpty ? nil : keyed
        crew.add(worker, ceiling: bound.firstCeiling)
        cycle.add(lane: lane, isIdle: head?.isIdle ?? false, isRekeyed: isRekeyed)
        if readBefore[lane] == nil { readBefore[lane] = head?.books.read ?? 0 }
        let start = Mutant.offsetBeforeWork.isOn ? offset + Int64(RuntimeLimits.batch) : offset
        worker.run { $0.open(at: start) }
    }

    /// Which part of a record's way a lane goes.
    private func role(of lane: LaneNumber) -> LaneRole {
        if layout.rekeyed.isEmpty { return .whole }
        if layout.isRekeyed(lane), let end = layout.end(of: layout.partition(of: lane)) {
            return .rekeyedByLog(inputs: layout.inputs, end: end)
        }
        return .source(targets: layout.rekeyed.count, limit: plan.gathered(inputs: layout.inputs.count))
    }

    private func openMerge(_ lane: LaneNumber, _ head: UnitHead?, _ facts: UnitFacts) throws(Fault) {
        let partition = layout.partition(of: lane)
        let core = MergeLane(
            plan: plan, storedOutputs: store.outputIDs.map { UInt16(truncatingIfNeeded: $0) }, partition: partition,
            lanes: layout.sources)
        core.restore(
            nextOffset: head?.nextOffset ?? facts.input.lowerBound, closedThrough: head?.closedThrough, combined: head?.combined,
            progress: head?.progress ?? [:], isEnded: head?.isEnded ?? false)
        try store.eachEntry(of: lane, without: Self.closedChunks) { key, value throws(Fault) in
            if !core.restore(key: key, value: value) { throw Self.damaged(partition) }
        }
        if replica.time.isExact { core.note(replica.time.state) }
        nonisolated(unsafe) let handed = core
        let merge = MergeUnit(
            number: lane, partition: partition, core: handed, input: try parts.source.input(partition),
            closed: LaneReader(directory: parts.directory, lane: lane), clock: clock,
            hurry: { [bell] in bell.hurry() })
        merges[lane] = merge
        merge.run { $0.open() }
    }

    static let damagedCode = "state_damaged"

    private static var closedChunks: KeyRange {
        let cells = MergeCore.closedChunks
        return KeyRange(from: cells.from, to: cells.to)
    }

    private static func damaged(_ partition: PartitionID) -> Fault {
        Fault(
            damagedCode, "An entry of the state, as the changelog has it, does not belong to this topology.",
            place: "\(partition)",
            next: "Find who else writes to the changelog; start anew under another source.group.", exit: .state)
    }
}
