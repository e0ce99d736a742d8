public import Model
public import State

/// The order of copies that stands (S9): how it comes into a commit, and how a start finds it.
extension Command {
    /// From the decisions that hold such orders; nil: none was ever given. Errors: what reading the state gives.
    public static func observing(in store: StateStore) throws(Fault) -> ObserveOrder? {
        order(try store.lastCommand(observing))
    }

    private static func order(_ stored: StoredCommand?) -> ObserveOrder? {
        guard let stored, case .observe(let what)? = try? Command(line: stored.asked.utf8) else { return nil }
        return ObserveOrder(number: stored.commit, at: stored.at, observe: what.observe)
    }

    /// As `observing`, for who only wants to know: from the state directory, or the group's control topic. Errors: `observe_no_deduplicate`,
    /// `inspect_no_state`, what brokers say.
    public static func standing(_ plan: Plan) throws(Fault) -> ObserveOrder? {
        try checkObserves(plan)
        if plan.delivery.isGroup { return try GroupOrders.standing(plan) }
        return order(try StoredCommand.last(observing, directory: plan.state.directory))
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
