import Model
import Pipeline
import Testkit

@testable import Runtime
@testable import State

/// Late events that are applied again.
extension SimulatedProcess {
    /// As the last commit left it.
    func lookup(_ unit: LaneNumber) -> ClosedLookup {
        let state = group.units[unit]?.state
        return { key, included in
            var found: (key: [UInt8], value: [UInt8])?
            state?.eachEntry { next, value in
                guard next[0] == key[0] || next[0] < key[0] else { return }
                let next = Array(next)
                let isBefore = next.lexicographicallyPrecedes(key) || (included && next == key)
                if isBefore, found.map({ $0.key.lexicographicallyPrecedes(next) }) ?? true { found = (next, Array(value)) }
            }
            return found
        }
    }

    /// Some of what the lane's ledger holds is applied again; true: some was. In a group that is well it is all of it.
    func applyLate(
        _ unit: LaneNumber, _ lane: InputLane, isLast: Bool, _ commit: inout OpenCommit, _ record: inout TimeRecord
    ) -> Bool {
        guard group.shape.late, !isLast, group.units[unit]?.isEnded != true, group.isFair || group.ids.oneIn(3) else {
            return false
        }
        let sources = group.layout.lateSources(of: unit)
        let own = group.layout.partition(of: unit)
        let entries = (group.ledger[unit] ?? []).enumerated().filter { group.marked[unit]?.contains($0.offset) != true }
        let chosen = entries.filter { _ in group.isFair || group.ids.oneIn(2) }
        if chosen.isEmpty { return false }
        let candidates = chosen.map { at, entry in
            let source = entry.source ?? own
            return LateReader.Candidate(
                entry: LateLedgerEntry(
                    number: Int64(at), at: WallTime(milliseconds: 0), output: group.plan.aggregates[entry.output].name,
                    partition: source, offset: entry.offset, eventTime: entry.eventTime, windowStart: entry.windowStart,
                    windowEnd: entry.windowEnd, watermark: entry.watermark, lateBy: entry.lateBy, identity: nil, reapplied: nil,
                    reappliedIn: nil, hasCounted: false),
                record: ReadRecord(
                    payload: group.input[Int(sources[source]?.order ?? 0)][Int(entry.offset)].payload,
                    timestamp: RecordBatch.noTimestamp))
        }
        var windows = LaneLateWindows(
            plan: group.plan, keyed: lane.keyed,
            merged: MergeCore(plan: group.plan, storedOutputs: group.stored, choice: .notKeyed),
            since: EventTime(milliseconds: .min))
        let reapply = LateReapply(group.plan, storedOutputs: group.stored, lanes: sources)
        do throws(Fault) {
            let outcome = try reapply.apply(candidates, to: &windows, lookup(unit))
            if !isZombie, outcome.contains(where: { $0.became != .counted }) { group.fail("not applied again: \(outcome)") }
        } catch {
            if !isZombie { group.fail("\(error)") }
        }
        commit.marks[unit] = chosen.map(\.offset)
        let route = MergeRoute(group.plan, storedOutputs: group.stored, layout: group.layout)
        for (entry, output, log) in windows.partials {
            for partials in Partials.encode(
                late: entry, log, of: unit, isMerged: { Int($0) == output + 1 }, partition: route.partition(ofKey:))
            {
                let at = Int(partials.partition)
                record.ends[partials.partition] = group.partials[at].append(partials.bytes, transaction: commit.transaction) + 1
                commit.partials.insert(at)
            }
        }
        return true
    }
}
