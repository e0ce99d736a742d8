import CRdKafka
import Dispatch
public import Model
import Synchronization

/// A client that reads the committed records of topics of Weir's own, with their keys: to restore state from them, and to follow them. It
/// joins no group.
///
/// `@unchecked Sendable` is true because: the handle may be used from any thread and all else is immutable or behind a `Mutex`.
public final class KafkaLog: @unchecked Sendable {
    private struct State {
        var topics: [String: Shared] = [:]
        var readers: [LogReader] = []
        var isClosed = false
    }

    let handle: KafkaHandle
    let queues: QueueShare
    private let settings: KafkaSettings
    private let state = Mutex(State())

    /// `memory` is for the client's queues, shared out over as many partitions as are read at one time.
    public init(
        _ settings: KafkaSettings, memory: ByteCount, partitions: Int, onEvent: @escaping @Sendable (KafkaEvent) -> Void
    ) throws(Fault) {
        self.settings = settings
        queues = QueueShare(budget: memory, partitions: partitions)
        handle = try KafkaHandle(settings, role: .consumer(queues), onEvent: onEvent)
    }

    /// Starts to read a partition, which nobody else may read through this client at that time. `wake` is called on librdkafka's threads
    /// when records come after there were none; it must only schedule the reading.
    public func reader(of id: PartitionID, from offset: Int64, wake: (@Sendable () -> Void)? = nil) throws(Fault) -> LogReader {
        let topic = try topic(id.topic)
        let reader = try LogReader(id, topic: topic.pointer, from: offset, log: self, wake: wake)
        state.withLock { $0.readers.append(reader) }
        return reader
    }

    /// Ends all readers, none of which may be in use, and destroys the client; waits for at most `limit`. False: it hangs and is left
    /// behind.
    @discardableResult
    public func close(within limit: TimeSpan) -> Bool {
        let (readers, topics): ([LogReader], [Shared]) = state.withLock { state in
            defer { state = State(isClosed: true) }
            return (state.readers, Array(state.topics.values))
        }
        let done = DispatchSemaphore(value: 0)
        SideThread.start {
            for reader in readers { reader.stop() }
            for topic in topics { rd_kafka_topic_destroy(topic.pointer) }
            done.signal()
        }
        guard done.wait(timeout: .now() + .milliseconds(Int(limit.milliseconds))) == .success else { return false }
        return handle.destroy(within: limit)
    }

    func forget(_ reader: LogReader) { state.withLock { state in state.readers.removeAll { $0 === reader } } }

    func wakeFetchers() { handle.wakeFetchers(settings) }

    private func topic(_ name: String) throws(Fault) -> Shared {
        try state.withLock { state throws(Fault) in
            if state.isClosed { throw KafkaFault.spent("read") }
            if let known = state.topics[name] { return known }
            guard let made = rd_kafka_topic_new(handle.pointer, name, nil) else {
                throw KafkaFault.of(rd_kafka_last_error(), doing: "open the topic", place: name)
            }
            state.topics[name] = Shared(pointer: made)
            return Shared(pointer: made)
        }
    }
}
