import CRdKafka
import Model

/// The owner of one `rd_kafka_topic_partition_list_t`.
final class PartitionList {
    private let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    init(_ entries: [(id: PartitionID, offset: Int64)]) {
        pointer = rd_kafka_topic_partition_list_new(Int32(entries.count))
        for entry in entries {
            rd_kafka_topic_partition_list_add(pointer, entry.id.topic, entry.id.number).pointee.offset = entry.offset
        }
    }

    /// The list is good during the call only: the owner may be gone after its last mention.
    func lend<R>(_ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> R) -> R {
        withExtendedLifetime(self) { body(pointer) }
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    /// What was answered, or the first partition's fault.
    func offsets(doing: String) throws(Fault) -> [PartitionID: Int64] {
        var found: [PartitionID: Int64] = [:]
        for i in 0..<Int(pointer.pointee.cnt) {
            let element = pointer.pointee.elems[i]
            let id = PartitionID(topic: String(cString: element.topic), number: element.partition)
            guard element.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
                throw KafkaFault.of(element.err, doing: doing, place: id.description)
            }
            found[id] = element.offset
        }
        return found
    }

    /// What it names.
    static func ids(_ pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> [PartitionID] {
        guard let pointer else { return [] }
        return (0..<Int(pointer.pointee.cnt)).map {
            PartitionID(topic: String(cString: pointer.pointee.elems[$0].topic), number: pointer.pointee.elems[$0].partition)
        }
    }
}
