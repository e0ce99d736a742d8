public import Model

/// Who keeps the combined watermark where it is (S5).
public struct Holder: Equatable, Sendable {
    public enum Reason: Equatable, Sendable {
        /// It can't go on.
        case stopped(Fault)
        /// It has records that are not read yet; nil: how many is not known.
        case behind(lag: Int64?)
        /// Everything of it is read, and nothing newer came.
        case silent
    }
    public var partition: PartitionID
    /// nil: it has not spoken yet.
    public var watermark: EventTime?
    public var reason: Reason
    public init(partition: PartitionID, watermark: EventTime?, reason: Reason) {
        self.partition = partition
        self.watermark = watermark
        self.reason = reason
    }

    var isStopped: Bool {
        if case .stopped = reason { return true }
        return false
    }
}

extension Facts {
    /// The partitions that are not idle and have not spoken, or else those with the smallest watermark. Empty: all are idle, or
    /// there is none.
    public var holders: [Holder] {
        let counted = partitions.filter { !$0.isIdle }
        let unspoken = counted.filter { $0.watermark == nil }
        let holding: [PartitionFacts]
        if unspoken.isEmpty {
            let smallest = counted.compactMap(\.watermark).min()
            holding = counted.filter { $0.watermark == smallest }
        } else {
            holding = unspoken
        }
        return holding.map { Holder(partition: $0.id, watermark: $0.watermark, reason: $0.holding) }
    }
}

extension PartitionFacts {
    var holding: Holder.Reason {
        if let fault { return .stopped(fault) }
        return isCaughtUp ? .silent : .behind(lag: lag)
    }
}
