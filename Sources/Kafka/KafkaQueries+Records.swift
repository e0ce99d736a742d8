import CRdKafka
public import Model

extension KafkaQueries {
    /// The records at exactly these offsets, hashed, by which recreated topics are recognised; all are read at the same time. Left out:
    /// where there is none (any more).
    public func fingerprints(
        at offsets: [PartitionID: Int64], within limit: TimeSpan
    ) throws(Fault) -> [PartitionID: RecordFingerprint] {
        guard let first = offsets.keys.min() else { return [:] }
        let queue: OpaquePointer = rd_kafka_queue_new(handle.pointer)
        defer { rd_kafka_queue_destroy(queue) }
        var open: [PartitionID: OpaquePointer] = [:]
        defer { for (id, topic) in open { rd_kafka_consume_stop(topic, id.number) } }
        for (id, offset) in offsets.sorted(by: { $0.key < $1.key }) {
            let topic = try topic(id.topic).pointer
            guard rd_kafka_consume_start_queue(topic, id.number, offset, queue) == 0 else {
                throw KafkaFault.of(rd_kafka_last_error(), doing: "read a record", place: "\(id)@\(offset)")
            }
            open[id] = topic
        }
        var found: [PartitionID: RecordFingerprint] = [:]
        var left = limit.milliseconds
        while !open.isEmpty {
            guard left > 0 else {
                let (id, offset) = (open.keys.min() ?? first, offsets[open.keys.min() ?? first] ?? 0)
                throw KafkaFault.of(RD_KAFKA_RESP_ERR__TIMED_OUT, doing: "read a record", place: "\(id)@\(offset)")
            }
            guard let message = rd_kafka_consume_queue(queue, Int32(KafkaLimits.controlPoll.milliseconds)) else {
                left -= KafkaLimits.controlPoll.milliseconds
                continue
            }
            defer { rd_kafka_message_destroy(message) }
            guard let id = partition(message), let offset = offsets[id], let topic = open[id] else { continue }
            guard try settle(message, id, offset, &found) else { continue }
            open[id] = nil
            rd_kafka_consume_stop(topic, id.number)
        }
        return found
    }

    private func partition(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> PartitionID? {
        message.pointee.rkt.map {
            PartitionID(topic: String(cString: rd_kafka_topic_name($0)), number: message.pointee.partition)
        }
    }

    /// False: it says nothing yet.
    private func settle(
        _ message: UnsafeMutablePointer<rd_kafka_message_t>, _ id: PartitionID, _ offset: Int64,
        _ found: inout [PartitionID: RecordFingerprint]
    ) throws(Fault) -> Bool {
        switch message.pointee.err {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            guard message.pointee.offset == offset else { return true }
            let bytes = UnsafeRawBufferPointer(start: message.pointee.payload, count: message.pointee.len)
            let timestamp = rd_kafka_message_timestamp(message, nil)
            found[id] = RecordFingerprint(
                offset: offset, timestamp: timestamp == -1 ? RecordBatch.noTimestamp : timestamp, hash: Hash64.of(bytes))
            return true
        case RD_KAFKA_RESP_ERR__PARTITION_EOF, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
            return true
        default:
            let fault = KafkaFault.of(message.pointee.err, doing: "read a record", place: "\(id)@\(offset)")
            if !fault.isTransient { throw fault }
            return false
        }
    }
}

extension KafkaQueries {
    /// The records at these offsets of one partition, in ascending order; left out: where there is none (any more). Reads on from one to
    /// the next where they lie close together. Stops before more than `bytes` of payload were read and says how many of `offsets` were
    /// settled. Faults: those of the broker; `broker_error` where it does not answer within `limit`.
    public func records(
        of id: PartitionID, at offsets: [Int64], bytes: Int, within limit: TimeSpan
    ) throws(Fault) -> (found: [Int64: ReadRecord], settled: Int) {
        guard let log = try watermarks(of: [id], within: limit)[id] else { return ([:], offsets.count) }
        let topic = try topic(id.topic).pointer
        let queue: OpaquePointer = rd_kafka_queue_new(handle.pointer)
        defer { rd_kafka_queue_destroy(queue) }
        var found: [Int64: ReadRecord] = [:]
        var read = 0
        var at = 0
        while at < offsets.count {
            guard log.contains(offsets[at]) else {
                at += 1
                continue
            }
            guard rd_kafka_consume_start_queue(topic, id.number, offsets[at], queue) == 0 else {
                throw KafkaFault.of(rd_kafka_last_error(), doing: "read a record", place: "\(id)@\(offsets[at])")
            }
            defer { rd_kafka_consume_stop(topic, id.number) }
            var left = limit.milliseconds
            reading: while at < offsets.count, log.contains(offsets[at]) {
                guard left > 0 else {
                    throw KafkaFault.of(RD_KAFKA_RESP_ERR__TIMED_OUT, doing: "read a record", place: "\(id)@\(offsets[at])")
                }
                guard let message = rd_kafka_consume_queue(queue, Int32(KafkaLimits.controlPoll.milliseconds)) else {
                    left -= KafkaLimits.controlPoll.milliseconds
                    continue
                }
                defer { rd_kafka_message_destroy(message) }
                switch message.pointee.err {
                case RD_KAFKA_RESP_ERR_NO_ERROR:
                    let offset = message.pointee.offset
                    // What compaction took lies between.
                    while at < offsets.count, offsets[at] < offset { at += 1 }
                    if at < offsets.count, offsets[at] == offset {
                        let record = Self.record(message)
                        read += record.payload?.count ?? 0
                        if read > bytes, !found.isEmpty { return (found, at) }
                        found[offset] = record
                        at += 1
                        left = limit.milliseconds
                    }
                    if at < offsets.count, offsets[at] - offset > KafkaLimits.skippedRecords { break reading }
                case RD_KAFKA_RESP_ERR__PARTITION_EOF, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
                    return (found, offsets.count)
                default:
                    let fault = KafkaFault.of(message.pointee.err, doing: "read a record", place: "\(id)@\(offsets[at])")
                    if !fault.isTransient { throw fault }
                }
            }
        }
        return (found, offsets.count)
    }

    private static func record(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> ReadRecord {
        let bytes = UnsafeRawBufferPointer(start: message.pointee.payload, count: message.pointee.len)
        let timestamp = rd_kafka_message_timestamp(message, nil)
        return ReadRecord(
            payload: message.pointee.payload == nil ? nil : Array(bytes),
            timestamp: timestamp == -1 ? RecordBatch.noTimestamp : timestamp)
    }
}
