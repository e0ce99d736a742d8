import CRdKafka
import Dispatch
public import Model
import Synchronization

/// The one reading client of a process. It assigns partitions by hand, each with a queue of its own, and joins no group. A
/// partition can be added at any time without touching the others, because each is started by itself and not as part of an
/// assignment.
///
/// Made and closed by the runtime; a thread of its own serves errors and looks after what is doubtful.
///
/// `@unchecked Sendable` is true because: the handle may be used from any thread and all else is behind a `Mutex`.
public final class KafkaConsumer: @unchecked Sendable {
    enum Job {
        /// A batch was broken: read again from `offset`, with a fresh queue.
        case reopen(KafkaPartition, offset: Int64)
        /// The broker said the topic or partition does not exist.
        case doubt(KafkaPartition)
        /// Its lane closed it, or knows that it failed for good: fetch no more for it.
        case halt(KafkaPartition)
    }

    private struct State {
        var partitions: [PartitionID: KafkaPartition] = [:]
        var topics: [String: OpaquePointer] = [:]
        var jobs: [Job] = []
        var isClosing = false
    }

    let handle: KafkaHandle
    private let settings: KafkaSettings
    private let onEvent: @Sendable (KafkaEvent) -> Void
    private let state = Mutex(State())
    private let controlEnded = DispatchSemaphore(value: 0)
    private let queues: QueueShare

    /// `onEvent` is called on librdkafka's threads and on the control thread; it must not call the consumer.
    public init(
        _ settings: KafkaSettings, queues: QueueShare, onEvent: @escaping @Sendable (KafkaEvent) -> Void
    ) throws(Fault) {
        self.settings = settings
        self.queues = queues
        self.onEvent = onEvent
        handle = try KafkaHandle(settings, role: .consumer(queues), onEvent: onEvent)
        SideThread.start { [self] in ControlThread(self, onEvent).run() }
    }

    /// The input of one partition; the same one each time. It reads nothing until it is opened, and is opened once in its life.
    public func partition(_ id: PartitionID) throws(Fault) -> KafkaPartition {
        try state.withLock { state throws(Fault) -> KafkaPartition in
            if state.isClosing { throw KafkaFault.spent("read") }
            if let known = state.partitions[id] { return known }
            let topic = try Self.topic(id.topic, &state, handle)
            let made = KafkaPartition(id, topic: topic, consumer: self, queues: queues)
            state.partitions[id] = made
            return made
        }
    }

    /// Ends a partition that another process takes over, so that it can be opened anew later. Its lane must have closed it. Waits for
    /// librdkafka's thread.
    public func release(_ id: PartitionID) { state.withLock { $0.partitions.removeValue(forKey: id) }?.retire() }

    /// Asks for the topics' partitions and makes them known to this client, so that a new one can be opened at once. Call it at
    /// most every 30 s, never on a lane's queue.
    public func discover(_ topics: [String], within limit: TimeSpan) throws(Fault) -> [PartitionID] {
        var found: [PartitionID] = []
        for name in topics {
            let topic = try state.withLock { state throws(Fault) in
                if state.isClosing { throw KafkaFault.spent("read") }
                return Shared(pointer: try Self.topic(name, &state, handle))
            }
            found += try KafkaMetadata.partitions(of: name, topic: topic.pointer, handle: handle, within: limit)
        }
        return found.sorted()
    }

    /// Stops all partitions and destroys the client; waits for at most `limit`. False: it hangs (a topic was deleted under it) and is
    /// left behind, so the process should end. The lanes must have closed or abandoned their partitions.
    @discardableResult
    public func close(within limit: TimeSpan) -> Bool {
        let (partitions, topics): ([KafkaPartition], [Shared]) = state.withLock { state in
            if state.isClosing { return ([], []) }
            state.isClosing = true
            defer {
                state.partitions = [:]
                state.topics = [:]
                state.jobs = []
            }
            return (Array(state.partitions.values), state.topics.values.map(Shared.init))
        }
        guard !topics.isEmpty || !partitions.isEmpty else {
            controlEnded.wait()
            controlEnded.signal()
            return handle.destroy(within: limit)
        }
        let done = DispatchSemaphore(value: 0)
        SideThread.start { [self] in
            controlEnded.wait()
            controlEnded.signal()
            for partition in partitions { partition.retire() }
            for topic in topics { rd_kafka_topic_destroy(topic.pointer) }
            done.signal()
        }
        guard done.wait(timeout: .now() + .milliseconds(Int(limit.milliseconds))) == .success else { return false }
        return handle.destroy(within: limit)
    }

    /// Called by a partition's lane once a quarter of its queue was taken.
    func wakeFetcher() { handle.wakeFetchers(settings) }

    /// For the control thread: what it was asked since the last call; nil: the consumer closes and the thread must end.
    func takeJobs() -> [Job]? {
        state.withLock { state in
            defer { state.jobs = [] }
            return state.isClosing ? nil : state.jobs
        }
    }

    /// For the control thread: its last word.
    func controlEnds() { controlEnded.signal() }

    /// For the control thread: the partitions that are read now.
    var openPartitions: [KafkaPartition] { state.withLock { $0.partitions.values.filter(\.isOpen) } }

    /// Called by partitions on their lanes' queues.
    func ask(_ job: Job) { state.withLock { $0.jobs.append(job) } }

    private static func topic(_ name: String, _ state: inout State, _ handle: KafkaHandle) throws(Fault) -> OpaquePointer {
        if let known = state.topics[name] { return known }
        guard let made = rd_kafka_topic_new(handle.pointer, name, nil) else {
            throw KafkaFault.of(rd_kafka_last_error(), doing: "open the topic", place: name)
        }
        state.topics[name] = made
        return made
    }
}

/// `@unchecked Sendable` is true because: librdkafka's topic objects may be used from any thread.
struct Shared: @unchecked Sendable {
    let pointer: OpaquePointer
}
