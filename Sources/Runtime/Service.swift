public import Freshness
public import Model
public import Observe

/// One topology at work: opens its state, reads its inputs, commits, and ends as its options say.
public final class Service: Sendable {
    public let plan: Plan

    public init(
        plan: Plan, options: RunOptions, clock: any Clock, version: String,
        onEvent: @escaping @Sendable (OperationalEvent) -> Void
    ) {
        self.plan = plan
    }

    /// Blocks the calling thread until the run is over. Throws what kept it from starting or forced it to stop.
    public func run() throws(Fault) -> RunSummary {
        RunSummary(books: Books(outputs: 0), read: 0, commits: 0, rows: 0, stopped: [:], turnMedian: 0, turnWorst: 0)
    }

    /// Asks for an orderly end: drain, commit, leave. From any thread; `run` returns within seconds.
    public func stop() {}

    /// What is known now. From any thread.
    public var facts: Facts { Facts(plan: plan, version: "") }

    /// Where the status page listens; nil before it does, or without `http:`.
    public var address: (host: String, port: UInt16)? { nil }
}
