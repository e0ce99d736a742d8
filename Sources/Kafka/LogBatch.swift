import CRdKafka
public import Model

/// Committed records of one partition, in their order, as they lie in the client's memory: good during the call they are handed to.
public struct LogBatch {
    let messages: UnsafePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
    public let count: Int

    public func offset(_ index: Int) -> Int64 { message(index).pointee.offset }

    /// Milliseconds; `RecordBatch.noTimestamp` where it has none.
    public func timestamp(_ index: Int) -> Int64 {
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let timestamp = rd_kafka_message_timestamp(message(index), &type)
        return timestamp == -1 ? RecordBatch.noTimestamp : timestamp
    }

    /// nil: it has none.
    public func key(_ index: Int) -> UnsafeRawBufferPointer? {
        let message = message(index)
        return message.pointee.key.map { UnsafeRawBufferPointer(start: $0, count: message.pointee.key_len) }
    }

    /// nil: a tombstone.
    public func value(_ index: Int) -> UnsafeRawBufferPointer? {
        let message = message(index)
        return message.pointee.payload.map { UnsafeRawBufferPointer(start: $0, count: message.pointee.len) }
    }

    private func message(_ index: Int) -> UnsafeMutablePointer<rd_kafka_message_t> { messages[index].unsafelyUnwrapped }
}

/// Why a log gives nothing although its end is not reached.
public enum LogWait: Equatable, Sendable {
    /// A transaction there is still open; how long nothing has come because of it.
    case openTransaction(TimeSpan)
    /// The brokers give nothing; for how long.
    case silence(TimeSpan)
}
