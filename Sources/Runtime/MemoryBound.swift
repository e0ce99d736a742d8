import Model
import Observe

/// What keys and windows may take. Beyond it they go to disk and come back on demand; what can't leave memory, and does not fit, stops
/// the process and says so: nothing is forgotten early (S8).
struct MemoryBound {
    let budget: ByteCount

    init(_ plan: Plan) {
        budget = ByteCount(plan.memoryShares.state)
    }

    /// What one lane's state takes.
    struct Use: Equatable, Sendable {
        var used: Int
        /// Of it, what can't leave memory.
        var fixed: Int
    }

    /// What a lane is told about it.
    struct Share: Equatable, Sendable {
        /// It lets go of what is beyond this; nil: everything may stay.
        var target: Int?
        /// Above this it takes no input.
        var ceiling: Int
    }

    /// Before anything is known of the lanes.
    var firstCeiling: Int { Int(budget.bytes / 4) }
    /// What each of so many lanes brings back into memory at a start.
    func restored(lanes: Int) -> Int { Int(budget.bytes / 8 * 5) / max(lanes, 1) }

    /// By lane. Near the bound the largest go down to one level, so that all together have room again. `other`: what the merge takes.
    func shares(_ lanes: [LaneNumber: Use], other: Int64) -> [LaneNumber: Share] {
        if lanes.isEmpty { return [:] }
        let limit = max(Int(budget.bytes / 8 * 7 - other), 0)
        let total = lanes.values.reduce(0) { $0 + $1.used }
        if total <= limit / 4 * 3 {
            let room = (limit - total) / lanes.count
            return lanes.mapValues { Share(target: nil, ceiling: $0.used + room) }
        }
        let goal = limit / 8 * 5
        let level = Self.level(lanes.values.map(\.used), sum: goal)
        let room = (limit - goal) / lanes.count
        return lanes.mapValues { Share(target: $0.used > level ? level : nil, ceiling: min($0.used, level) + room) }
    }

    /// The height to which the largest are cut so that all together come to `sum`.
    static func level(_ uses: [Int], sum: Int) -> Int {
        var left = sum
        let sorted = uses.sorted()
        for (at, use) in sorted.enumerated() {
            let even = left / (sorted.count - at)
            if use >= even { return even }
            left -= use
        }
        return sorted.last ?? 0
    }

    /// Stops where what can't leave memory, by what it is, does not fit, or where it `isStuck`: nothing leaves, and there is no room.
    func check(_ fixed: [(what: String, bytes: Int64)], isStuck: Bool, _ onEvent: (OperationalEvent) -> Void) throws(Fault) {
        let used = fixed.reduce(0) { $0 + $1.bytes }
        guard used > budget.bytes || isStuck else { return }
        onEvent(.memoryBound(used: ByteCount(used), budget: budget))
        let parts = fixed.filter { $0.bytes >> 20 > 0 }.map { "\($0.what) \($0.bytes >> 20) MiB" }.joined(separator: ", ")
        throw Fault(
            "memory_bound",
            "What has to stay in memory takes \(used >> 20) MiB\(parts.isEmpty ? "" : " (\(parts))"); state.memory leaves it \(budget.bytes >> 20) MiB. Nothing is lost.",
            place: "state.memory", next: "Raise state.memory, shorten deduplicate.within, or group by fewer values.", exit: .state
        )
    }
}
