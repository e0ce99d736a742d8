import Dispatch
import Freshness
import Kafka
import Model
import Observe
import Pipeline

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
        dropArrivals()
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
        dropArrivals()
        for lane in units.keys.sorted() { forget(lane) }
        mergeFault = nil
    }

    /// After a commit of unknown end: memory goes, and so does what was said of time, which may never have been heard.
    func startOver() {
        dropAll()
        replica.restart()
        orders?.close()
        cycle = GroupCycle(plan: plan, writer: replica.writer)
        toldTime = 0
    }

    private func forget(_ lane: LaneNumber) {
        guard let unit = units.removeValue(forKey: lane) else { return }
        arrivals.removeValue(forKey: lane)?.close()
        lateWork[lane] = nil
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
        parts.board.noteGroup {
            $0.assignments += 1
            $0.units = mine.count
        }
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

    private static func added(_ partition: PartitionID) -> Fault {
        Fault(
            "partitions_changed", "The group assigns \(partition), which did not exist when the group began.",
            place: "\(partition)",
            next:
                "A key's partition changes with their number: start anew under another source.group, or take added partitions back.",
            exit: .state)
    }
}
