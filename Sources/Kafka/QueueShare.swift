public import Model

/// How one byte budget for prefetch queues is shared out over the partitions: the only place that does so. librdkafka counts
/// keys and values only, while a queued record costs its bookkeeping too, so the budget is divided between both and a margin for
/// what one more response brings (docs/decisions/0001-queue-limits.md).
public struct QueueShare: Equatable, Sendable {
    /// Counted bytes a partition may hold, in units of 1,000.
    public var kilobytes: Int64
    /// Records a partition may hold.
    public var records: Int64
    /// Bytes asked of one partition in one fetch.
    public var fetchBytes: Int64
    /// Bytes of one response.
    public var responseBytes: Int64

    init(kilobytes: Int64, records: Int64, fetchBytes: Int64, responseBytes: Int64) {
        self.kilobytes = kilobytes
        self.records = records
        self.fetchBytes = fetchBytes
        self.responseBytes = responseBytes
    }

    public init(budget: ByteCount, partitions: Int) {
        let each = max(budget.bytes, 0) / Int64(max(partitions, 1))
        let counted = each / 3
        kilobytes = (counted / 1_000).clamped(to: KafkaLimits.queueKilobytes)
        records = (counted / KafkaLimits.queuedRecordOverhead).clamped(to: KafkaLimits.queueRecords)
        fetchBytes = (kilobytes * 1_000 / 4).clamped(to: KafkaLimits.fetchBytes)
        responseBytes = fetchBytes * min(KafkaLimits.fetchPartitions, Int64(max(partitions, 1)))
    }

    /// The part of a topology's `state.memory` that belongs to prefetch queues.
    public static func budget(of memory: ByteCount) -> ByteCount { ByteCount(memory.bytes / StatePlan.queueShare) }
}

extension Int64 {
    func clamped(to range: ClosedRange<Int64>) -> Int64 { Swift.min(Swift.max(self, range.lowerBound), range.upperBound) }
}
