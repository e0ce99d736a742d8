public import Model

/// One case's run: the production lanes, merge, commits and state under a clock that only the case moves. Single-threaded.
public final class Rehearsal {
    /// Steps that feed leave the commit to `commit`, as a case that has such a step wants it.
    public var commitsOnlyWhenTold = false
    private let plan: Plan

    /// `partitions`: of each topic, those that exist before anything is fed; nil: those that appear.
    public init(plan: Plan, partitions: Int?) throws(Fault) { self.plan = plan }

    public func feed(_ records: [FedRecord]) throws(Fault) { throw Self.notYet }
    public func advance(_ span: TimeSpan) throws(Fault) { throw Self.notYet }
    public func commit() throws(Fault) { throw Self.notYet }
    public func recut(_ sizes: [Int]) {}
    public func end() throws(Fault) { throw Self.notYet }
    public func restart(_ kind: Restart) throws(Fault) { throw Self.notYet }
    public func observe() throws(Fault) -> Observation { throw Self.notYet }

    private static var notYet: Fault {
        Fault("state_closed", "Rehearsals do not run yet.", next: "Use a newer Weir.", exit: .state)
    }
}
