public import Freshness
public import Model

/// What `/ready` answers: whether input is read and committed now, and if not, why. A stopped partition does not make the whole
/// unready, since the others go on; it is told beside. Where all of them stopped, nothing is read.
public struct Readiness: Equatable, Sendable {
    public var isReady: Bool
    /// `running`, or the word for what it waits for.
    public var reason: String
    public var fault: Fault?
    public var stoppedPartitions: Int

    public init(_ facts: Facts) {
        stoppedPartitions = facts.partitions.count { $0.fault != nil }
        isReady = false
        reason = facts.state.word
        switch facts.state {
        case .running where facts.isBrokerUp == false: reason = "broker_away"
        case .running where stoppedPartitions > 0 && stoppedPartitions == facts.partitions.count: reason = "partitions_stopped"
        case .running: isReady = true
        case .waiting(let fault):
            reason = fault.code
            self.fault = fault
        case .starting, .stopping, .ended: break
        }
    }

    var json: [UInt8] {
        var text = JSONText()
        text.beginObject()
        text.member("ready", isReady)
        text.member("reason", reason)
        if let fault {
            text.key("fault")
            text.fault(fault)
        }
        text.member("stopped_partitions", stoppedPartitions)
        text.endObject()
        return text.bytes + [UInt8(ascii: "\n")]
    }
}

extension JSONText {
    mutating func fault(_ fault: Fault) {
        beginObject()
        member("code", fault.code)
        member("what", fault.what)
        if !fault.place.isEmpty { member("place", fault.place) }
        member("next", fault.next)
        endObject()
    }
}
