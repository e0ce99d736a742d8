import Dispatch
import Kafka
import Model
import Observe
import Pipeline
import State

/// Whose a unit is, and how it comes here and goes (S20, S23).
extension GroupCommitter {
    /// In their order. What comes behind one that failed is not lost: somebody waits for its answer.
    func handle(_ letters: [GroupMailbox.Letter]) throws(Fault) {
        for (index, letter) in letters.enumerated() {
            do throws(Fault) {
                try handle(letter)
            } catch {
                mailbox.putBack(letters[(index + 1)...])
                throw error
            }
        }
    }

    private func handle(_ letter: GroupMailbox.Letter) throws(Fault) {
        switch letter {
        case .assigned(let partitions, let identity): try take(over: partitions, as: identity)
        case .revoked(let isLost, let settled):
            defer { settled.give(()) }
            try settle(isLost: isLost)
            FaultPoint.hit(.beforeRevokeAnswer)
        // The run itself ends by it.
        case .failed: break
        }
    }

    // MARK: Away

    /// Drains and commits what can be in time, then stands still: the group decides whose the units are.
    private func settle(isLost: Bool) throws(Fault) {
        FaultPoint.hit(.duringRevoke)
        for restore in restores.values { restore.close() }
        restores = [:]
        for lane in units.keys.sorted() where units[lane]?.standing == .restoring { forget(lane) }
        if isLost {
            dropAll()
        } else if Mutant.commitAfterRevoke.isOn {
            pauseAll(true)
            identity = nil
            return
        } else {
            do throws(Fault) {
                try tick(last: true)
            } catch {
                // Whoever is next restores what is committed; here it is known no more.
                identity = nil
                startOver()
                if !error.isTransient, error.exit != .fenced { throw error }
                parts.onEvent(.startedOver(error))
                try renewProducer()
            }
            pauseAll(true)
            for lane in units.keys { units[lane]?.standing = .parked }
        }
        identity = nil
        parts.onEvent(.revoked(units: units.count, isLost: isLost))
    }

    /// Forgets everything in memory; SQLite keeps what is committed.
    func dropAll() {
        for restore in restores.values { restore.close() }
        restores = [:]
        for lane in units.keys.sorted() { forget(lane) }
        mergeFault = nil
    }

    /// After a commit of unknown end: memory goes, and so does what was said of time, which may never have been heard.
    func startOver() {
        dropAll()
        replica.restart()
        cycle = GroupCycle(plan: plan, writer: replica.writer)
    }

    private func forget(_ lane: LaneNumber) {
        guard let unit = units.removeValue(forKey: lane) else { return }
        if layout.isMerge(lane) {
            if let merge = merges.removeValue(forKey: lane) {
                let closed = DispatchSemaphore(value: 0)
                merge.run {
                    $0.close()
                    closed.signal()
                }
                closed.wait()
            }
            mergeReports[lane] = nil
        } else {
            crew.remove(lane)
            cycle.remove(lane: lane)
        }
        parts.source.release(unit.partition)
    }

    // MARK: Here

    private func take(over partitions: [PartitionID], as identity: GroupIdentity) throws(Fault) {
        if Mutant.commitAfterRevoke.isOn {
            self.identity = identity
            try tick(last: true)
        }
        var mine: Set<LaneNumber> = []
        for partition in partitions {
            guard let lane = layout.lane(of: partition) else { throw Self.added(partition) }
            mine.insert(lane)
        }
        for lane in units.keys.sorted() where !mine.contains(lane) { forget(lane) }
        let kept = try untouched(units.keys.filter { units[$0]?.standing == .parked })
        for lane in units.keys.sorted() where !kept.contains(lane) { forget(lane) }
        self.identity = identity
        FaultPoint.hit(.beforeAssignResume)
        for lane in kept { resume(lane) }
        pauseAll(false)
        let new = mine.subtracting(kept).sorted()
        for lane in new { begin(lane) }
        parts.onEvent(.assigned(units: mine.count, kept: kept.count))
    }

    /// Parked units that nobody has committed since: their changelog ends where we left it.
    private func untouched(_ lanes: [LaneNumber]) throws(Fault) -> Set<LaneNumber> {
        guard !lanes.isEmpty else { return [] }
        let ends = try parts.restores.queries.watermarks(
            of: lanes.map(layout.changelog(of:)), within: RuntimeLimits.questionLimit)
        return Set(lanes.filter { ends[layout.changelog(of: $0)]?.upperBound == units[$0]?.changelogEnd })
    }

    private func resume(_ lane: LaneNumber) { units[lane]?.standing = .running }

    /// The unit is ours from now on; nothing of it is processed before its state is here.
    func begin(_ lane: LaneNumber) { units[lane] = GroupUnit(lane: lane, partition: layout.partition(of: lane)) }

    /// Goes on with what is being restored, for a moment; the other units' commits go on in between.
    func restoreSome() throws(Fault) {
        // At least as long as a commit takes: where those are slow, whoever waits for state gets half of the time.
        let deadline = clock.monotonic() + max(RuntimeLimits.restoreSlice, lastTook)
        var waiting = units.values.filter { $0.standing == .restoring }.map(\.lane).sorted()
        guard !waiting.isEmpty else { return }
        while !waiting.isEmpty {
            for lane in waiting where restores.count < RuntimeLimits.restoresAtOnce || restores[lane] != nil {
                try restoreSome(of: lane)
                if clock.monotonic() >= deadline || !mailbox.isEmpty { return tellProgress() }
            }
            waiting = waiting.filter { units[$0]?.standing == .restoring }
        }
        tellProgress()
    }

    private func restoreSome(of lane: LaneNumber) throws(Fault) {
        let restore: UnitRestore
        if let begun = restores[lane] {
            restore = begun
        } else {
            restore = try UnitRestore(lane, parts.restores)
            if let reason = restore.wiped { parts.onEvent(.stateWiped(layout.changelog(of: lane), reason: reason.rawValue)) }
            restores[lane] = restore
        }
        guard try restore.step(within: RuntimeLimits.restoreWait) else { return }
        try restore.finish()
        restores[lane] = nil
        try open(lane, end: restore.target)
        parts.onEvent(
            .unitRestored(
                layout.partition(of: lane), records: restore.progress.total, took: clock.monotonic() - restore.began))
    }

    /// Everything of the unit is here: from SQLite into memory, and on with the input.
    private func open(_ lane: LaneNumber, end: Int64) throws(Fault) {
        let partition = layout.partition(of: lane)
        let head = store.head(of: lane)
        let group = try parts.restores.queries.committedOffsets(of: [partition], within: RuntimeLimits.questionLimit)[partition]
        if let fault = RestoreVerdict.check(
            committed: group, head: head, input: partition, changelog: layout.changelog(of: lane))
        {
            throw fault
        }
        if head != nil { try replica.checkNotLost() }
        let owed = try store.owed(of: lane)
        if let sender = parts.sender, !owed.isEmpty, try !sender.send(owed) { return }
        units[lane]?.head = head
        units[lane]?.owed = owed
        units[lane]?.changelogEnd = end
        if layout.isMerge(lane) { try openMerge(lane, head) } else { try openLane(lane, head) }
        units[lane]?.standing = .running
    }

    private func openLane(_ lane: LaneNumber, _ head: UnitHead?) throws(Fault) {
        let partition = layout.partition(of: lane)
        let stored = store.outputIDs.map { UInt16(truncatingIfNeeded: $0) }
        let configuration = LaneConfiguration(
            plan: plan, lane: lane, partition: partition, partitionOrder: Int64(lane), storedOutputs: stored)
        let core = try LaneCore(configuration)
        var offset = head?.nextOffset ?? 0
        if let head {
            core.restore(
                books: head.books, watermark: head.watermark, newestEventTime: head.newestEventTime, nextOffset: head.nextOffset,
                lastRecord: head.lastRecord)
            core.restore(largestClose: head.lastOpenClose)
            try checkInput(partition, head)
        } else {
            offset = try parts.source.firstOffset(of: partition)
            core.jump(to: offset)
        }
        let keyed = MergeCore(plan: plan, storedOutputs: stored, choice: .keyed)
        keyed.add(lane: lane, order: Int64(lane))
        if let head { keyed.restore(progress: head.progress) }
        try store.eachEntry(of: lane) { key, value throws(Fault) in
            guard core.restore(key: key, value: value) || keyed.restore(key: key, value: value) else {
                throw Self.damaged(partition)
            }
        }
        nonisolated(unsafe) let handed = core
        let worker = Lane(
            configuration: configuration, core: handed, input: try parts.source.input(partition), clock: clock,
            isIdle: head?.isIdle ?? false, bound: parts.bounds?[partition], warmBelow: .min, watermarkBound: nil,
            hurry: { [weak self] in self?.hurry() })
        units[lane]?.keyed = keyed.isEmpty ? nil : keyed
        crew.add(worker)
        cycle.add(lane: lane, isIdle: head?.isIdle ?? false)
        if readBefore[lane] == nil { readBefore[lane] = head?.books.read ?? 0 }
        let start = Mutant.offsetBeforeWork.isOn ? offset + Int64(RuntimeLimits.batch) : offset
        worker.run { $0.open(at: start) }
    }

    /// The log goes on where the state was left. A single process lets somebody choose another place; what a group has merged holds
    /// for this one alone.
    private func checkInput(_ partition: PartitionID, _ head: UnitHead) throws(Fault) {
        do throws(Fault) {
            try parts.source.check(partition, position: head.nextOffset, lastRecord: head.lastRecord)
        } catch {
            var fault = error
            if fault.exit == .choiceNeeded { fault.next = "To read the log as it is now, start anew under another source.group." }
            throw fault
        }
    }

    private func openMerge(_ lane: LaneNumber, _ head: UnitHead?) throws(Fault) {
        let partition = layout.partition(of: lane)
        let core = MergeLane(
            plan: plan, storedOutputs: store.outputIDs.map { UInt16(truncatingIfNeeded: $0) }, partition: partition,
            lanes: layout.inputs.count)
        let start = if let head { head.nextOffset } else { try parts.source.offset(of: partition, .earliest) }
        core.restore(
            nextOffset: start, closedThrough: head?.closedThrough, combined: head?.combined, progress: head?.progress ?? [:],
            isEnded: head?.isEnded ?? false)
        try store.eachEntry(of: lane) { key, value throws(Fault) in
            if !core.restore(key: key, value: value) { throw Self.damaged(partition) }
        }
        if replica.time.isExact { core.note(replica.time.state) }
        nonisolated(unsafe) let handed = core
        let merge = MergeUnit(
            number: lane, partition: partition, core: handed, input: try parts.source.input(partition), clock: clock,
            hurry: { [weak self] in self?.hurry() })
        merges[lane] = merge
        merge.run { $0.open() }
    }

    private static func damaged(_ partition: PartitionID) -> Fault {
        Fault(
            "state_damaged", "An entry of the state does not belong to this topology.", place: "\(partition)",
            next: "Delete the state directory: the instance restores it from the changelog.", exit: .state)
    }

    private static func added(_ partition: PartitionID) -> Fault {
        Fault(
            "partitions_changed", "The group assigns \(partition), which did not exist when the group began.",
            place: "\(partition)",
            next:
                "A key's partition changes with their number: start anew under another source.group, or take added partitions back.",
            exit: .state)
    }
}
