import Kafka
import Model
import Observe

/// What keys and windows may take. Keys are never forgotten early to save memory: a process that can't keep them stops and says
/// so (S8).
struct MemoryBound {
    let budget: ByteCount

    init(_ plan: Plan) {
        let memory = plan.state.memory
        // The queues of the client are part of it.
        if case .kafka = plan.source.kind {
            budget = ByteCount(memory.bytes - QueueShare.budget(of: memory).bytes)
        } else {
            budget = memory
        }
    }

    func check(used: Int64, _ onEvent: (OperationalEvent) -> Void) throws(Fault) {
        guard used > budget.bytes else { return }
        onEvent(.memoryBound(used: ByteCount(used), budget: budget))
        throw Fault(
            "memory_bound",
            "Keys and windows take \(used >> 20) MiB; state.memory leaves them \(budget.bytes >> 20) MiB. Nothing is lost.",
            place: "state.memory", next: "Raise state.memory, shorten deduplicate.within, or group by fewer values.", exit: .state
        )
    }
}
