import Dispatch
import Model
import Synchronization

/// Asks, beside the lanes and the committer, whether silent partitions are fully read (S6), and which partitions are new.
final class EndWatch: Sendable {
    /// A broker's word that the log of a lane's partition ended at `end`, asked during the silence that began at `silence`.
    struct Confirmation: Equatable {
        var silence: MonotonicTime
        var end: Int64
    }

    private struct State {
        var confirmations: [LaneNumber: Confirmation] = [:]
        var found: [PartitionID] = []
        var isAsking = false
        var isLooking = false
        var nextAsk: MonotonicTime?
        var nextLook: MonotonicTime?
    }

    private let source: any Source
    private let queue = DispatchQueue(label: "weir.ends")
    private let state = Mutex(State())

    init(_ source: any Source) { self.source = source }

    /// What is known of these lanes; asks for those whose silence has no confirmation yet.
    func confirmations(
        of silent: [(lane: LaneNumber, partition: PartitionID, silence: MonotonicTime)], now: MonotonicTime
    ) -> [LaneNumber: Int64] {
        let (known, missing) = state.withLock { state in
            var known: [LaneNumber: Int64] = [:]
            var missing: [(lane: LaneNumber, partition: PartitionID, silence: MonotonicTime)] = []
            for one in silent {
                if let there = state.confirmations[one.lane], there.silence == one.silence {
                    known[one.lane] = there.end
                } else {
                    missing.append(one)
                }
            }
            if state.isAsking || (state.nextAsk.map { now < $0 } ?? false) { missing = [] }
            if !missing.isEmpty {
                state.isAsking = true
                state.nextAsk = now + RuntimeLimits.confirmEvery
            }
            return (known, missing)
        }
        if !missing.isEmpty {
            let asked = missing
            queue.async { self.ask(asked) }
        }
        return known
    }

    private func ask(_ lanes: [(lane: LaneNumber, partition: PartitionID, silence: MonotonicTime)]) {
        var ends: [PartitionID: Int64] = [:]
        // A broker that does not answer confirms nothing: such a partition is never idle.
        if let answer = try? source.confirmedEnds(of: lanes.map(\.partition)) { ends = answer }
        state.withLock { state in
            for one in lanes {
                if let end = ends[one.partition] { state.confirmations[one.lane] = Confirmation(silence: one.silence, end: end) }
            }
            state.isAsking = false
        }
    }

    /// Forgets a confirmation that a longer log has overtaken, so that it is asked for again.
    func forget(_ lane: LaneNumber) { state.withLock { $0.confirmations[lane] = nil } }

    /// Partitions that are not in `known`; looks for them from time to time.
    func newPartitions(known: Set<PartitionID>, now: MonotonicTime) -> [PartitionID] {
        guard source.grows else { return [] }
        let (found, look) = state.withLock { state in
            let found = state.found.filter { !known.contains($0) }
            state.found = []
            let isDue = state.nextLook.map { now >= $0 } ?? false
            if state.nextLook == nil || isDue { state.nextLook = now + RuntimeLimits.discoverEvery }
            let look = isDue && !state.isLooking
            if look { state.isLooking = true }
            return (found, look)
        }
        if look {
            queue.async {
                let all = (try? self.source.partitions()) ?? []
                self.state.withLock { state in
                    state.found = all
                    state.isLooking = false
                }
            }
        }
        return found
    }
}
