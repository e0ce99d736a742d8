import CRdKafka
import Model

/// A topic as one transactional producer writes to it. Made by its producer, once for each name; used on its producer's thread.
public final class TransactionTopic {
    public let name: String
    let pointer: OpaquePointer
    private let deliveries: TransactionDeliveries
    /// By partition: the last offset that the broker has confirmed in this transaction; -1: none.
    private var last: [Int64] = []

    init(_ name: String, _ pointer: OpaquePointer, _ deliveries: TransactionDeliveries) {
        self.name = name
        self.pointer = pointer
        self.deliveries = deliveries
    }

    /// Where the last record of this transaction lies that the broker has confirmed. nil: there is none.
    public func lastOffset(in partition: Int32) -> Int64? {
        let index = Int(partition)
        return last.indices.contains(index) && last[index] >= 0 ? last[index] : nil
    }

    func begin() { for index in last.indices { last[index] = -1 } }

    func collect(into found: inout [PartitionID: Int64]) {
        for (number, offset) in last.enumerated() where offset >= 0 {
            found[PartitionID(topic: name, number: Int32(number))] = offset
        }
    }

    fileprivate func report(_ message: UnsafePointer<rd_kafka_message_t>) {
        deliveries.outstanding -= 1
        let partition = message.pointee.partition
        let code = message.pointee.err
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            // An abort throws away what was not sent: that is no cause of anything.
            guard code != RD_KAFKA_RESP_ERR__PURGE_QUEUE, code != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT else { return }
            if deliveries.failure == nil {
                deliveries.failure = .init(code: code, topic: name, place: partition >= 0 ? "\(name)/\(partition)" : name)
            }
            return
        }
        let index = Int(partition)
        while last.count <= index { last.append(-1) }
        last[index] = max(last[index], message.pointee.offset)
    }
}

/// What became of one transaction's records. Touched on the producer's thread only, which is the one that polls.
final class TransactionDeliveries {
    struct Failure {
        var code: rd_kafka_resp_err_t
        var topic: String
        var place: String
    }
    var outstanding = 0
    /// The first one.
    var failure: Failure?
}

/// Called by librdkafka from its polls, flushes, commits and aborts, so on the producer's own thread.
func kafkaTransactionDelivered(
    _ handle: OpaquePointer?, _ message: UnsafePointer<rd_kafka_message_t>?, _ opaque: UnsafeMutableRawPointer?
) {
    guard let message, let topic = message.pointee._private else { return }
    Unmanaged<TransactionTopic>.fromOpaque(topic)._withUnsafeGuaranteedRef { $0.report(message) }
}
