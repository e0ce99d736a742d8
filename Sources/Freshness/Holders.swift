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
        /// It is ours, and its state is still to come.
        case restoring
        /// It is not assigned to this instance: another one of the group reads it, or none does.
        case unassigned
    }
    public var partition: PartitionID
    /// nil: it was never heard from.
    public var watermark: EventTime?
    public var reason: Reason
    /// For how long nothing of it has counted; nil: not known.
    public var silentFor: TimeSpan?
    /// Since when it holds, as this process saw it; nil: since just now.
    public var since: WallTime?
    public init(
        partition: PartitionID, watermark: EventTime?, reason: Reason, silentFor: TimeSpan? = nil, since: WallTime? = nil
    ) {
        self.partition = partition
        self.watermark = watermark
        self.reason = reason
        self.silentFor = silentFor
        self.since = since
    }

    var isStopped: Bool {
        if case .stopped = reason { return true }
        return false
    }
}

/// A partition of the group that this instance does not read now.
public struct ElsewhereFacts: Equatable, Sendable {
    public var id: PartitionID
    /// As the group's log of time has it; nil: it was never heard from.
    public var watermark: EventTime?
    /// By decision (S6).
    public var isIdle: Bool
    /// It is ours, and its state is still to come.
    public var isRestoring: Bool
    public init(id: PartitionID, watermark: EventTime?, isIdle: Bool, isRestoring: Bool) {
        self.id = id
        self.watermark = watermark
        self.isIdle = isIdle
        self.isRestoring = isRestoring
    }
}

extension Facts {
    /// The partitions that are not idle and were never heard from, or else those with the smallest watermark. Empty: all are idle,
    /// or there is none.
    public var holders: [Holder] {
        var counted = partitions.filter { !$0.isIdle }.map {
            Holder(
                partition: $0.id, watermark: $0.watermark, reason: $0.holding, silentFor: $0.silentFor,
                since: heldSince[$0.id])
        }
        counted += elsewhere.filter { !$0.isIdle }.map {
            Holder(
                partition: $0.id, watermark: $0.watermark, reason: $0.isRestoring ? .restoring : .unassigned,
                since: heldSince[$0.id])
        }
        let unspoken = counted.filter { $0.watermark == nil }
        if !unspoken.isEmpty { return unspoken }
        let smallest = counted.compactMap(\.watermark).min()
        return counted.filter { $0.watermark == smallest }
    }

    /// Notes at `now` who holds, and whether the combined watermark has moved since it stood at `before`: called whenever the
    /// partitions were looked at.
    public mutating func noteHolders(before: EventTime?, at now: WallTime) {
        if watermark != before { watermarkMovedAt = now }
        heldSince = Dictionary(
            holders.map { ($0.partition, heldSince[$0.partition] ?? now) }, uniquingKeysWith: { first, _ in first })
    }
}

extension PartitionFacts {
    var holding: Holder.Reason {
        if let fault { return .stopped(fault) }
        return isCaughtUp ? .silent : .behind(lag: lag)
    }
}
