import Kafka
import Model
import Synchronization

/// The partitions of one or more topics, assigned by ourselves: the embedded commit joins no group (S22). What the group's
/// offsets say is for lag tools only.
final class KafkaSource: Source {
    private let topics: [String]
    private let start: SourcePlan.StartPosition
    private let consumer: KafkaConsumer
    let queries: KafkaQueries
    private let limit = RuntimeLimits.questionLimit

    init(
        _ plan: Plan, topics: [String], group: String, start: SourcePlan.StartPosition,
        onEvent: @escaping @Sendable (KafkaEvent) -> Void
    ) throws(Fault) {
        self.topics = topics.sorted()
        self.start = start
        let settings = KafkaSettings(plan.kafka)
        try settings.check()
        queries = try KafkaQueries(settings, group: group, onEvent: { _ in })
        let first = RuntimeLimits.firstQuestionLimit
        let found = try queries.partitions(of: self.topics, within: first)
        // A group's own instances are its members.
        if !plan.delivery.isGroup { try queries.checkNoMembers(of: group, within: first) }
        // A merge lane reads a partition beside each input.
        let handedOn = plan.isRekeyed ? plan.rekeyedPartitions(inputs: found.count).count : 0
        let count = plan.delivery.isGroup ? found.count * 2 + handedOn : found.count
        consumer = try KafkaConsumer(
            settings, queues: QueueShare(budget: QueueShare.budget(of: plan.state.memory), partitions: count), onEvent: onEvent)
    }

    func partitions() throws(Fault) -> [PartitionID] {
        let found = try consumer.discover(topics, within: limit)
        // So that the other client can be asked for the offsets of those that are new.
        _ = try queries.partitions(of: topics, within: limit)
        return found
    }
    func input(_ id: PartitionID) throws(Fault) -> any PartitionInput { try consumer.partition(id) }
    var grows: Bool { true }
    /// A partition that another process takes over; its lane has closed it.
    func release(_ id: PartitionID) { consumer.release(id) }

    func order(of id: PartitionID) -> Int64? { Self.order(of: id, among: topics) }

    /// Without a source; nil: the plan's is none of topics.
    static func order(of id: PartitionID, in plan: Plan) -> Int64? {
        guard case .kafka(let topics, _, _) = plan.source.kind else { return nil }
        return order(of: id, among: topics.sorted())
    }

    private static func order(of id: PartitionID, among topics: [String]) -> Int64 {
        Int64(topics.firstIndex(of: id.topic) ?? topics.count) << 32 | Int64(id.number)
    }

    func firstOffset(of id: PartitionID) throws(Fault) -> Int64 {
        let range = try range(id)
        return try firstOffsets(of: [id: range])[id] ?? range.upperBound
    }

    /// Where partitions begin that nobody has read yet, all asked for together; `ranges`: what their logs hold.
    func firstOffsets(of ranges: [PartitionID: Range<Int64>]) throws(Fault) -> [PartitionID: Int64] {
        switch start {
        case .earliest: return ranges.mapValues(\.lowerBound)
        case .latest: return ranges.mapValues(\.upperBound)
        case .timestamp(let time):
            let told = try queries.offsets(of: ranges.keys.sorted(), from: time, within: limit)
            return ranges.mapValues(\.upperBound).merging(told) { $1 }
        }
    }

    func offset(of id: PartitionID, _ position: ResumeChoice.Position) throws(Fault) -> Int64 {
        let range = try range(id)
        switch position {
        case .earliest: return range.lowerBound
        case .latest: return range.upperBound
        case .offset(let offset):
            guard offset >= range.lowerBound, offset <= range.upperBound else {
                throw Fault(
                    "resume_refused", "The log holds offsets \(range.lowerBound) to \(range.upperBound).",
                    place: "\(id)@\(offset)",
                    next: "Name an offset in that range, or earliest, or latest.", exit: .usage)
            }
            return offset
        }
    }

    /// A position outside the log, or a last record that is another one now, is told and never jumped over (S2).
    func check(_ id: PartitionID, position: Int64?, lastRecord: RecordFingerprint?) throws(Fault) {
        guard let position else { return }
        let range = try range(id)
        try Self.check(id, position: position, in: range)
        guard let lastRecord, range.contains(lastRecord.offset) else { return }
        try Self.check(id, lastRecord: lastRecord, found: try queries.fingerprint(id, at: lastRecord.offset, within: limit))
    }

    static func check(_ id: PartitionID, position: Int64, in range: Range<Int64>) throws(Fault) {
        guard position >= range.lowerBound, position <= range.upperBound else {
            throw Fault(
                "offset_out_of_range",
                "The next offset is \(position), but the log holds \(range.lowerBound) to \(range.upperBound).",
                place: "\(id)@\(position)",
                next: "Choose where to go on: weir run --resume \(id.topic):\(id.number)=earliest (or latest, or an offset).",
                exit: .choiceNeeded)
        }
    }

    /// `found`: what is at the last record's place now; nil: nothing.
    static func check(_ id: PartitionID, lastRecord: RecordFingerprint, found: RecordFingerprint?) throws(Fault) {
        guard let found, found != lastRecord else { return }
        throw Fault(
            "topic_recreated", "The record at offset \(lastRecord.offset) is not the one that was read: the topic was recreated.",
            place: "\(id)@\(lastRecord.offset)",
            next:
                "Start with another state directory, or go on in the new log: weir run --resume \(id.topic):\(id.number)=earliest.",
            exit: .choiceNeeded)
    }

    func ends(of ids: [PartitionID]) throws(Fault) -> [PartitionID: Int64]? {
        try queries.watermarks(of: ids, within: limit).mapValues(\.upperBound)
    }

    func offsets(of ids: [PartitionID], from time: WallTime) throws(Fault) -> [PartitionID: Int64]? {
        try queries.offsets(of: ids, from: time, within: limit)
    }

    func timestamp(of id: PartitionID, at offset: Int64) throws(Fault) -> WallTime? {
        let range = try range(id)
        guard range.contains(offset), let there = try queries.fingerprint(id, at: offset, within: limit) else { return nil }
        return there.timestamp == RecordBatch.noTimestamp ? nil : WallTime(milliseconds: there.timestamp)
    }

    func confirmedEnds(of ids: [PartitionID]) throws(Fault) -> [PartitionID: Int64]? { try ends(of: ids) }

    func note(committed: [PartitionID: Int64]) {
        // For lag tools only: the truth is in the state, so what fails here is told again with the next offsets.
        try? queries.commit(committed, within: .seconds(1))
    }

    func close() {
        consumer.close(within: RuntimeLimits.closeLimit)
        queries.close(within: RuntimeLimits.closeLimit)
    }

    private func range(_ id: PartitionID) throws(Fault) -> Range<Int64> {
        guard let range = try queries.watermarks(of: [id], within: limit)[id] else {
            throw Fault(
                "partition_missing", "The broker does not tell this partition's offsets.", place: "\(id)",
                next: "Check that the topic still has this partition.", exit: .broker, isTransient: true)
        }
        return range
    }
}
