import CRdKafka
import Dispatch
import Glibc
import Model
import Synchronization

/// The owner of one `rd_kafka_t`: destroys it once, on a thread of its own, because a destroy can hang when a topic was deleted
/// under a client.
///
/// `@unchecked Sendable` is true because: librdkafka's handle may be used from any thread, and everything else is immutable or in a
/// `Mutex`.
final class KafkaHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    /// Kept for the log and error callbacks as long as the handle lives.
    private let ears: Unmanaged<KafkaEars>
    private let destroyed = Mutex(false)

    init(_ settings: KafkaSettings, role: KafkaSettings.Role, onEvent: @escaping @Sendable (KafkaEvent) -> Void) throws(Fault) {
        let configuration = try settings.configuration(for: role)
        let ears = Unmanaged.passRetained(KafkaEars(onEvent))
        rd_kafka_conf_set_opaque(configuration, ears.toOpaque())
        rd_kafka_conf_set_log_cb(configuration, kafkaLog)
        rd_kafka_conf_set_error_cb(configuration, kafkaError)
        switch role {
        case .producer: rd_kafka_conf_set_dr_msg_cb(configuration, kafkaDelivered)
        case .transactions: rd_kafka_conf_set_dr_msg_cb(configuration, kafkaTransactionDelivered)
        case .membership: rd_kafka_conf_set_rebalance_cb(configuration, kafkaRebalanced)
        case .consumer, .queries, .offsets: break
        }
        let type = role.writes ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER
        var text = [CChar](repeating: 0, count: 512)
        guard let pointer = rd_kafka_new(type, configuration, &text, text.count) else {
            let words = text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
            rd_kafka_conf_destroy(configuration)
            ears.release()
            throw KafkaFault.client(words)
        }
        self.pointer = pointer
        self.ears = ears
    }

    /// What the callbacks heard.
    var heard: KafkaEars { ears.takeUnretainedValue() }

    /// Before librdkafka 2.2 a broker's thread looks at full queues again only when something wakes it up, else after a second; setting
    /// the credentials anew is the one call that wakes all of them, asks nothing of the network and changes nothing.
    func wakeFetchers(_ settings: KafkaSettings) {
        guard Self.needsWaking else { return }
        if let error = rd_kafka_sasl_set_credentials(
            pointer, settings.plan.sasl?.user ?? "-", settings.plan.sasl?.password ?? "-")
        {
            rd_kafka_error_destroy(error)
        }
    }

    private static let needsWaking = !KafkaLibrary.linked.hasQueueBackoff

    /// Destroys the handle on a thread of its own and waits for at most `limit`. False: it still hangs, and is left behind. All
    /// messages, queues and topics of it must be gone. Runs once; later calls return true.
    @discardableResult
    func destroy(within limit: TimeSpan) -> Bool {
        let first = destroyed.withLock { done in
            defer { done = true }
            return !done
        }
        guard first else { return true }
        let gone = DispatchSemaphore(value: 0)
        let doomed = Doomed(handle: pointer, ears: ears)
        SideThread.start {
            // A consumer without a group has nothing to leave, and the close that destroy makes by itself may block.
            rd_kafka_destroy_flags(doomed.handle, Int32(RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE))
            doomed.ears.release()
            gone.signal()
        }
        return gone.wait(timeout: .now() + .milliseconds(Int(limit.milliseconds))) == .success
    }

    deinit { destroy(within: .zero) }
}

/// `@unchecked Sendable` is true because: it is made to be handed to exactly one thread.
private struct Doomed: @unchecked Sendable {
    let handle: OpaquePointer
    let ears: Unmanaged<KafkaEars>
}

/// What the callbacks of one handle report to. Called on librdkafka's threads and on those that poll.
final class KafkaEars: Sendable {
    private struct Heard {
        var problem: rd_kafka_resp_err_t?
        var allDown = false
        var brokenConnections = 0
        var refusedPartition = ""
    }

    private let onEvent: @Sendable (KafkaEvent) -> Void
    private let heard = Mutex(Heard())
    /// What answers rebalances; set once, before the first poll of a member's handle.
    let rebalance = Mutex<RebalanceAnswer?>(nil)
    /// Outcomes of produced records; only a producer's handle fills it.
    let deliveries = Mutex(Deliveries())

    init(_ onEvent: @escaping @Sendable (KafkaEvent) -> Void) { self.onEvent = onEvent }

    func logged(level: Int32, facility: String, text: String) {
        if facility == "ADDPARTS" { heard.withLock { $0.refusedPartition = text } }
        onEvent(.log(level: level, facility: facility, text: text))
    }

    /// What was last said of a partition that could not become part of a transaction: its name is told nowhere else.
    var refusedPartition: String { heard.withLock { $0.refusedPartition } }

    func failed(_ code: rd_kafka_resp_err_t, _ reason: String) {
        heard.withLock {
            if Self.isBreak(code, reason) { $0.brokenConnections += 1 }
            if code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN {
                $0.allDown = true
            } else if $0.problem == nil || !Self.isConsequence(code) {
                $0.problem = code
            }
        }
    }

    /// A connection that breaks after its TLS or login was refused says nothing of why.
    private static func isConsequence(_ code: rd_kafka_resp_err_t) -> Bool {
        code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__RESOLVE || code == RD_KAFKA_RESP_ERR__TIMED_OUT
    }

    /// Requests may have been on their way when it broke. A connection that never came about carried none.
    private static func isBreak(_ code: rd_kafka_resp_err_t, _ reason: String) -> Bool {
        switch code {
        case RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE: true
        case RD_KAFKA_RESP_ERR__TRANSPORT: !reason.contains("Connect to ")
        default: false
        }
    }

    /// How many connections broke so far while they were in use.
    var brokenConnections: Int { heard.withLock { $0.brokenConnections } }

    /// The last error since the last call that tells a cause, other than that all brokers are down.
    func takeProblem() -> rd_kafka_resp_err_t? {
        heard.withLock { heard in
            defer { heard.problem = nil }
            return heard.problem
        }
    }

    /// Whether the library said since the last call that all brokers are down.
    func takeAllDown() -> Bool {
        heard.withLock { heard in
            defer { heard.allDown = false }
            return heard.allDown
        }
    }
}

/// A thread for what may block without end; nobody joins it.
enum SideThread {
    private final class Work {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    static func start(_ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let work = Unmanaged.passRetained(Work(body))
        let failed = pthread_create(
            &thread, &attributes,
            { argument in
                Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        if failed != 0 {
            // No thread left: better late on a pool thread than never.
            let body = work.takeRetainedValue().body
            DispatchQueue.global().async { body() }
        }
    }
}

private func kafkaLog(
    _ handle: OpaquePointer?, _ level: Int32, _ facility: UnsafePointer<CChar>?, _ text: UnsafePointer<CChar>?
) {
    guard let handle, let opaque = rd_kafka_opaque(handle), let facility, let text else { return }
    Unmanaged<KafkaEars>.fromOpaque(opaque).takeUnretainedValue()
        .logged(level: level, facility: String(cString: facility), text: String(cString: text))
}

private func kafkaError(
    _ handle: OpaquePointer?, _ code: Int32, _ reason: UnsafePointer<CChar>?, _ opaque: UnsafeMutableRawPointer?
) {
    guard let opaque else { return }
    Unmanaged<KafkaEars>.fromOpaque(opaque).takeUnretainedValue().failed(
        rd_kafka_resp_err_t(rawValue: code), reason.map { String(cString: $0) } ?? "")
}
