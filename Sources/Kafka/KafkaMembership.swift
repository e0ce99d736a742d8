import CRdKafka
import Dispatch
public import Model
import Synchronization

/// What a member hears of its group.
public enum GroupChange: Sendable {
    /// These partitions are the member's now, instead of any it had; there may be none. The identity is that of this assignment: commit
    /// under it, and under no other, all that is done with these partitions. Must be handled at once: work that takes its time belongs
    /// elsewhere.
    case assigned([PartitionID], GroupIdentity)
    /// All partitions are taken away; the group waits for the handler to return, which it must within `KafkaLimits.answerWithin`.
    /// `lost`: somebody else may have them already, so nothing can be committed for them any more.
    case revoked([PartitionID], lost: Bool)
    /// The membership is over or never came about; after a transient fault a new one is worth a try. Told once for each cause.
    case failed(Fault)
}

/// A member of a consumer group that reads nothing: it only learns which partitions are its own. It answers heartbeats and rebalances
/// on a thread of its own, whatever the lanes do, and stays a member under its instance's name when it closes.
///
/// `@unchecked Sendable` is true because: the handle may be used from any thread and all else is immutable or behind a `Mutex`.
public final class KafkaMembership: @unchecked Sendable {
    private enum Ending {
        case stay, leave
    }

    private let handle: KafkaHandle
    private let group: String
    private let instance: String?
    private let onEvent: @Sendable (KafkaEvent) -> Void
    private let onChange: @Sendable (GroupChange) -> Void
    private let clock: any Clock
    /// When a broker's connection was last heard to fail.
    let brokenAt = Mutex<MonotonicTime?>(nil)
    private let ending = Mutex<Ending?>(nil)
    private let ended = DispatchSemaphore(value: 0)

    /// `instance`: a name that outlives the process (S20); nil: a member that is new with each start. `session`: how long it may be
    /// silent. `onChange` is called on the membership's thread, one call at a time; `onEvent` there and on librdkafka's threads.
    public init(
        _ settings: KafkaSettings, group: String, instance: String?, session: TimeSpan = KafkaLimits.session, clock: any Clock,
        onEvent: @escaping @Sendable (KafkaEvent) -> Void, onChange: @escaping @Sendable (GroupChange) -> Void
    ) throws(Fault) {
        self.group = group
        self.instance = instance
        self.clock = clock
        self.onEvent = onEvent
        self.onChange = onChange
        handle = try KafkaHandle(
            settings, role: .membership(group: group, instance: instance, session: session), onEvent: onEvent)
        // From now on the one poll of the thread serves everything.
        rd_kafka_poll_set_consumer(handle.pointer)
        handle.heard.rebalance.withLock { $0 = RebalanceAnswer { [unowned self] in answer($0, $1) } }
        SideThread.start { [self] in run() }
    }

    /// Joins the group for these topics, all of which must exist; the first assignment follows by itself.
    public func join(_ topics: [String]) throws(Fault) {
        let list = PartitionList(topics.sorted().map { (PartitionID(topic: $0, number: -1), Int64(RD_KAFKA_OFFSET_INVALID)) })
        let code = list.lend { rd_kafka_subscribe(handle.pointer, $0) }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaFault.of(code, doing: "join the group", place: group) }
    }

    /// Ends the membership; a last `revoked` may come, so settle everything before. `leaving`: the others get the partitions at once;
    /// else a named member keeps them until its session is over, and one that comes back in time finds them untouched. Waits for at
    /// most `limit`; false: the client hangs and is left behind.
    @discardableResult
    public func close(leaving: Bool, within limit: TimeSpan) -> Bool {
        ending.withLock { if $0 == nil { $0 = leaving ? .leave : .stay } }
        guard ended.wait(timeout: .now() + .milliseconds(Int(limit.milliseconds))) == .success else { return false }
        ended.signal()
        return handle.destroy(within: limit)
    }
}

// MARK: Its thread

extension KafkaMembership {
    private func run() {
        var told: Set<Int32> = []
        while ending.withLock({ $0 }) == nil { poll(&told) }
        if ending.withLock({ $0 }) == .leave { leave(&told) }
        rd_kafka_consumer_close(handle.pointer)
        handle.heard.rebalance.withLock { $0 = nil }
        ended.signal()
    }

    private func poll(_ told: inout Set<Int32>) {
        if let message = rd_kafka_consumer_poll(handle.pointer, Int32(KafkaLimits.controlPoll.milliseconds)) {
            judge(message, &told)
            rd_kafka_message_destroy(message)
        }
        let isAllDown = handle.heard.takeAllDown()
        let problem = handle.heard.takeProblem()
        if isAllDown || problem == RD_KAFKA_RESP_ERR__TRANSPORT { brokenAt.withLock { $0 = clock.monotonic() } }
        if let code = problem {
            let fault = KafkaFault.of(code, doing: "accept the connection", place: "kafka.bootstrap")
            if !fault.isTransient, told.insert(code.rawValue).inserted { onEvent(.refused(fault)) }
        }
    }

    /// A named member doesn't leave when its client closes; it does when it gives up its subscription.
    private func leave(_ told: inout Set<Int32>) {
        rd_kafka_unsubscribe(handle.pointer)
        for _ in 0..<KafkaLimits.pollsToLeave {
            poll(&told)
            // It loses its number when the request to leave is on its way; the close waits for the answer.
            guard let number = rd_kafka_memberid(handle.pointer) else { return }
            defer { rd_kafka_mem_free(handle.pointer, number) }
            if number.pointee == 0 { return }
        }
    }

    private func answer(_ code: rd_kafka_resp_err_t, _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) {
        let partitions = PartitionList.ids(list)
        switch code {
        case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
            // Asked for later, it would be that of a newer assignment.
            let identity = GroupIdentity(of: handle.pointer, group: group)
            // What is assigned to the client would be read by it.
            PartitionList([]).lend { _ = rd_kafka_assign(handle.pointer, $0) }
            if let identity { onChange(.assigned(partitions, identity)) }
        default:
            onChange(.revoked(partitions, lost: rd_kafka_assignment_lost(handle.pointer) != 0))
            rd_kafka_assign(handle.pointer, nil)
        }
    }

    private func judge(_ message: UnsafeMutablePointer<rd_kafka_message_t>, _ told: inout Set<Int32>) {
        var code = message.pointee.err
        if code == RD_KAFKA_RESP_ERR__FATAL {
            var text = [CChar](repeating: 0, count: 256)
            code = rd_kafka_fatal_error(handle.pointer, &text, text.count)
        }
        let fault: Fault
        var isOver = false
        switch code {
        case RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
            // The latter is followed by the loss of the partitions.
            return
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            // Metadata flaps. Who reads the topic finds out if it is gone.
            return
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
            fault = KafkaFault.of(code, doing: "join the group", place: group)
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            let topic = message.pointee.rkt.map { String(cString: rd_kafka_topic_name($0)) } ?? ""
            fault = KafkaFault.forbidden(.read(topic), place: topic)
        case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
            // Who was put out while brokers were away comes back under a new number, and an answer to the old one makes the library
            // believe in another process. The client is of no use any more, but there is nobody else.
            let isOwn = brokenAt.withLock { $0 }.map { clock.monotonic() - $0 < KafkaLimits.troubleRemembered } ?? false
            fault = isOwn ? KafkaFault.memberPutOut(instance ?? group) : KafkaFault.instanceFenced(instance ?? group)
            isOver = true
        case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
            fault = KafkaFault.groupProtocol(group)
        default:
            fault = KafkaFault.of(code, doing: "keep the membership", place: group)
        }
        if isOver || !fault.isTransient, told.insert(code.rawValue).inserted { onChange(.failed(fault)) }
    }
}

/// A struct around the closure: a bare one would be wrapped anew by each reading through the generic `Mutex`.
struct RebalanceAnswer: Sendable {
    var body: @Sendable (rd_kafka_resp_err_t, UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> Void
    init(_ body: @escaping @Sendable (rd_kafka_resp_err_t, UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> Void) {
        self.body = body
    }
}

/// Called by librdkafka from the poll and the close of the membership's thread.
func kafkaRebalanced(
    _ handle: OpaquePointer?, _ code: rd_kafka_resp_err_t, _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?,
    _ opaque: UnsafeMutableRawPointer?
) {
    guard let handle, let opaque else { return }
    let answer = Unmanaged<KafkaEars>.fromOpaque(opaque).takeUnretainedValue().rebalance.withLock { $0 }
    // A rebalance has to be answered, or the client can't close.
    guard let answer else {
        _ = rd_kafka_assign(handle, nil)
        return
    }
    answer.body(code, list)
}
