public import Model
public import State

/// The order of copies that stands (S9): how it comes into a commit, and how a start finds it.
extension Command {
    /// From the decisions that hold such orders; nil: none was ever given. Errors: what reading the state gives.
    public static func observing(in store: StateStore) throws(Fault) -> ObserveOrder? {
        guard let last = try store.lastCommand(observing), case .observe(let what)? = try? Command(line: last.asked.utf8) else {
            return nil
        }
        return ObserveOrder(number: last.commit, at: last.at, observe: what.observe)
    }

    /// Error: `observe_no_deduplicate`.
    static func checkObserves(_ plan: Plan) throws(Fault) {
        if plan.deduplicate != nil { return }
        throw Fault(
            "observe_no_deduplicate", "The topology drops no duplicates, so there are none to let pass.", place: "deduplicate",
            next: "Give it `deduplicate: {key: …, within: …}`.", exit: .answerIsNo)
    }
}

extension CommitCycle {
    /// Takes the order into the next commit. What it changed, as JSON.
    mutating func observe(_ what: Command.Observing) -> [UInt8] {
        var json = JSONText()
        json.beginObject()
        json.member("before", isObserving)
        observe(what.observe)
        json.member("observe", isObserving)
        json.endObject()
        return json.bytes
    }

    /// The same, written down: for who drives no commands. Error: `observe_no_deduplicate`.
    public mutating func order(_ what: Command.Observing, _ plan: Plan) throws(Fault) {
        try Command.checkObserves(plan)
        record(Command.observe(what).decision(observe(what)))
    }
}
