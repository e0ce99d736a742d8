/// How `state.memory` is shared out: what the process takes is part of it, so that it can be believed. Bytes.
public struct MemoryShares: Equatable, Sendable {
    /// The Kafka client's prefetch queues.
    public let queues: Int64
    /// Records that are handed on between lanes.
    public let handedOn: Int64
    /// SQLite's pages of state.db and results.db for who writes them, and for all who read back what left memory.
    public let statePages: Int64
    public let resultsPages: Int64
    public let coldPages: Int64
    /// The program itself, its threads, and what they compute with.
    public let program: Int64
    /// The rest: keys, windows, deltas, and what waits to be merged.
    public let state: Int64

    public var pages: Int64 { statePages + resultsPages + coldPages }

    fileprivate init(_ plan: Plan) {
        let memory = plan.state.memory.bytes
        if case .kafka = plan.source.kind { queues = memory / StatePlan.queueShare } else { queues = 0 }
        handedOn = plan.isRekeyed ? memory / RekeyLimits.memoryShare : 0
        statePages = min(memory / 16, 32 << 20)
        resultsPages = min(memory / 64, 8 << 20)
        coldPages = min(memory / 32, 64 << 20)
        program = min(memory / 16, 32 << 20)
        state = memory - queues - handedOn - statePages - resultsPages - coldPages - program
    }
}

extension Plan {
    public var memoryShares: MemoryShares { MemoryShares(self) }
}
