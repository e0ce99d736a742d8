import CRdKafka
import Dispatch
import Glibc
import Model
import Runtime
import Synchronization

/// Nothing but taking every record out of the client, 2,000 at a time: what a pipeline on the same client can't beat. The
/// client is set for throughput, without the checksums that the product insists on.
enum Drain {
    enum Style: String, CaseIterable {
        /// All partitions through the consumer's one queue, one thread.
        case one
        /// A queue and a thread for each partition.
        case each
    }

    static let settings = [
        "enable.auto.commit": "false", "auto.offset.reset": "earliest", "enable.partition.eof": "false",
        "queued.min.messages": "1000000", "queued.max.messages.kbytes": "131072", "fetch.message.max.bytes": "1048576",
        "fetch.wait.max.ms": "20",
    ]
    private static let batch = 2_000

    static func run(bootstrap: String, topic: String, events: Int64, style: Style) throws(Fault) {
        let clock = SystemClock()
        let consumer = try open(bootstrap, topic)
        let count = Count(events)
        switch style {
        case .one: take(Queue(pointer: rd_kafka_queue_get_consumer(consumer)), count, clock)
        case .each:
            let group = DispatchGroup()
            for number in 0..<BenchOptions.partitions {
                let queue = Queue(pointer: rd_kafka_queue_get_partition(consumer, topic, number))
                rd_kafka_queue_forward(queue.pointer, nil)
                let thread = DispatchQueue(label: "drain.\(number)")
                thread.async(group: group) { take(queue, count, clock) }
            }
            group.wait()
        }
        Child.tell("read", Double(count.taken.load(ordering: .relaxed)))
        Child.tell("first_record_ns", Double(count.first.load(ordering: .relaxed)))
        Child.tell("last_commit_ns", Double(clock.monotonic().nanoseconds))
    }

    private final class Count: Sendable {
        let events: Int64
        let taken = Atomic<Int64>(0)
        let first = Atomic<Int64>(0)
        init(_ events: Int64) { self.events = events }
    }

    /// `@unchecked Sendable` is true because: librdkafka's queues may be used from any thread.
    private struct Queue: @unchecked Sendable {
        let pointer: OpaquePointer?
    }

    private static func open(_ bootstrap: String, _ topic: String) throws(Fault) -> OpaquePointer {
        let configuration = rd_kafka_conf_new()
        var text = [CChar](repeating: 0, count: 512)
        for (name, value) in settings.merging(
            ["bootstrap.servers": bootstrap, "group.id": "bare-drain"], uniquingKeysWith: { $1 })
        where rd_kafka_conf_set(configuration, name, value, &text, text.count) != RD_KAFKA_CONF_OK {
            throw failure("The client refuses \(name).")
        }
        guard let consumer = rd_kafka_new(RD_KAFKA_CONSUMER, configuration, &text, text.count) else {
            throw failure("The client does not start.")
        }
        rd_kafka_poll_set_consumer(consumer)
        let list = rd_kafka_topic_partition_list_new(BenchOptions.partitions)
        defer { rd_kafka_topic_partition_list_destroy(list) }
        for number in 0..<BenchOptions.partitions { rd_kafka_topic_partition_list_add(list, topic, number).pointee.offset = 0 }
        guard rd_kafka_assign(consumer, list) == RD_KAFKA_RESP_ERR_NO_ERROR else { throw failure("The assignment is refused.") }
        return consumer
    }

    private static func take(_ queue: Queue, _ count: Count, _ clock: SystemClock) {
        let messages = UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>.allocate(capacity: batch)
        while count.taken.load(ordering: .relaxed) < count.events {
            let got = rd_kafka_consume_batch_queue(queue.pointer, 50, messages, batch)
            if got <= 0 { continue }
            if count.first.load(ordering: .relaxed) == 0 {
                _ = count.first.compareExchange(expected: 0, desired: clock.monotonic().nanoseconds, ordering: .relaxed)
            }
            var records: Int64 = 0
            for at in 0..<got {
                if messages[at]!.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR { records += 1 }
                rd_kafka_message_destroy(messages[at])
            }
            count.taken.add(records, ordering: .relaxed)
        }
        messages.deallocate()
    }
}
