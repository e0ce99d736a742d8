import CRdKafka
import Model

/// Metadata requests on any handle. Each waits for at most its limit, on the caller's thread.
enum KafkaMetadata {
    /// The partitions of one topic. Asks again while the topic has no leader yet (it was just created).
    static func partitions(
        of name: String, topic: OpaquePointer, handle: KafkaHandle, toWrite: Bool = false, within limit: TimeSpan
    ) throws(Fault) -> [PartitionID] {
        var left = limit.milliseconds
        while true {
            var answer: UnsafePointer<rd_kafka_metadata>?
            let code = rd_kafka_metadata(handle.pointer, 0, topic, &answer, Int32(clamping: max(left, 1)))
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let answer else {
                throw refusal(handle, code, doing: "describe the topic", place: name)
            }
            defer { rd_kafka_metadata_destroy(answer) }
            guard answer.pointee.topic_cnt == 1, let first = answer.pointee.topics else {
                throw KafkaFault.topicMissing(name)
            }
            if first.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR, first.pointee.partition_cnt > 0 {
                let count = Int(first.pointee.partition_cnt)
                return (0..<count).map { PartitionID(topic: name, number: first.pointee.partitions[$0].id) }.sorted()
            }
            if first.pointee.err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED {
                let right = toWrite ? KafkaRight(.write, .topic, name, why: "write to the topic") : .read(name)
                throw KafkaFault.forbidden(right, place: name)
            }
            let fault = KafkaFault.of(first.pointee.err, doing: "describe the topic", place: name)
            guard fault.isTransient || first.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR, left > 0 else { throw fault }
            // Serves the handle meanwhile; a leader is elected in well under a second.
            rd_kafka_poll(handle.pointer, 50)
            left -= 50
        }
    }

    /// Whether any broker answers at all.
    static func probe(_ handle: KafkaHandle, within limit: TimeSpan) -> rd_kafka_resp_err_t {
        var answer: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(handle.pointer, 0, nil, &answer, Int32(clamping: limit.milliseconds))
        if let answer { rd_kafka_metadata_destroy(answer) }
        return code
    }

    /// The fault of a request that got no answer. The true cause (login, TLS) comes by the error callback, so it is fetched first.
    static func refusal(_ handle: KafkaHandle, _ code: rd_kafka_resp_err_t, doing: String, place: String) -> Fault {
        let fault = KafkaFault.of(code, doing: doing, place: place)
        guard fault.isTransient else { return fault }
        while rd_kafka_poll(handle.pointer, 0) > 0 {}
        guard let cause = handle.heard.takeProblem() else { return fault }
        let told = KafkaFault.of(cause, doing: doing, place: place)
        return told.isTransient ? fault : told
    }
}
