/// What an operator said of copies while the service ran (S9). It stands until the next such order, whatever the topology says meanwhile.
public struct ObserveOrder: Equatable, Sendable {
    /// Later orders have higher numbers, and a lane heeds none that is older than the one it has: the commit that holds it; in a
    /// group its place in the control topic.
    public var number: Int64
    public var at: WallTime
    /// Copies pass; nil: what the topology says holds again.
    public var observe: Bool?
    public init(number: Int64, at: WallTime, observe: Bool?) {
        self.number = number
        self.at = at
        self.observe = observe
    }
}

/// Where a lane began to heed an order: the records from this offset on are judged by it.
public struct HeededOrder: Equatable, Sendable {
    public var order: ObserveOrder
    public var from: Int64
    public init(order: ObserveOrder, from: Int64) {
        self.order = order
        self.from = from
    }
}

extension Plan {
    /// With what holds for copies while `order` stands.
    public func heeding(_ order: ObserveOrder?) -> Plan {
        guard let observe = order?.observe else { return self }
        var plan = self
        plan.deduplicate?.observe = observe
        return plan
    }
}
