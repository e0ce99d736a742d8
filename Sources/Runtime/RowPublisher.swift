import Dispatch
import Kafka
import Model
import Observe
import State

/// Sends rows and dead letters from the outboxes to their topics, at least once and in order (S22): what the broker has
/// confirmed is deleted with the next commit. Called on the committer's queue.
final class RowPublisher {
    private let store: StateStore
    private let settings: KafkaSettings
    private let onEvent: @Sendable (OperationalEvent) -> Void
    private var producer: KafkaProducer
    private var rows = Cursor()
    private var letters = Cursor()
    private var late = Cursor()
    /// Why nothing is delivered at the moment, as it was told.
    private(set) var fault: Fault?
    private let clock: any Clock
    /// Since when the broker has owed its word on something.
    private var owedSince: MonotonicTime?

    /// How far one outbox was handed to the client, and what is on its way.
    private struct Cursor {
        var sent: Int64 = 0
        var confirmed: Int64 = 0
    }

    init(_ plan: Plan, store: StateStore, clock: any Clock, onEvent: @escaping @Sendable (OperationalEvent) -> Void) throws(Fault)
    {
        self.store = store
        self.clock = clock
        self.onEvent = onEvent
        settings = KafkaSettings(plan.kafka)
        try settings.check()
        producer = try KafkaProducer(settings, onEvent: { _ in })
    }

    static func isNeeded(_ plan: Plan) -> Bool { !topics(plan).isEmpty }

    /// Every topic that rows or dead letters go to, once each.
    private static func topics(_ plan: Plan) -> [String] {
        var topics: Set<String> = []
        if case .topic(let name) = plan.deadLetters { topics.insert(name) }
        if case .topic(let name)? = plan.deduplicate?.duplicates { topics.insert(name) }
        if case .topic(let name) = plan.late { topics.insert(name) }
        for aggregate in plan.aggregates { for case .kafka(let name) in aggregate.targets { topics.insert(name) } }
        return topics.sorted()
    }

    /// Looks at the topics beside the run and tells of one that is missing or forbidden: a producer finds out only after
    /// half a minute, and a dead-letter topic may not be written to for weeks.
    func lookAtTopics(_ plan: Plan) {
        let settings = settings
        let onEvent = onEvent
        DispatchQueue(label: "weir.topics").async { @Sendable in
            guard let queries = try? KafkaQueries(settings) else { return }
            for topic in Self.topics(plan) {
                do throws(Fault) {
                    _ = try queries.partitions(of: [topic], toWrite: true, within: RuntimeLimits.questionLimit)
                } catch {
                    if !error.isTransient { onEvent(.outboxStuck(output: topic, rows: 0, error)) }
                }
            }
            queries.close(within: RuntimeLimits.closeLimit)
        }
    }

    /// Hands over what waits and notes what arrived; waits at most `limit` for the broker. True: nothing waits any more.
    @discardableResult
    func publish(within limit: TimeSpan) throws(Fault) -> Bool {
        if producer.spent != nil { try renew() }
        let waiting = try store.pendingTopicRows(after: rows.sent, limit: RuntimeLimits.publishBatch)
        let buried = try store.pendingDeadLetters(after: letters.sent, limit: RuntimeLimits.publishBatch)
        let belated = try store.pendingLate(after: late.sent, limit: RuntimeLimits.publishBatch)
        do throws(Fault) {
            try producer.send(waiting.map(Self.record), within: limit)
            rows.sent = waiting.last?.sequence ?? rows.sent
            try producer.send(buried.map(Self.record), within: limit)
            letters.sent = buried.last?.sequence ?? letters.sent
            try producer.send(belated.map { GroupRows.record($0.late, to: $0.topic) }, within: limit)
            late.sent = belated.last?.sequence ?? late.sent
        } catch {
            tell(error)
            return false
        }
        let report = producer.flush(within: limit)
        if report.failed > 0 {
            // In order or not at all: everything unconfirmed goes again.
            rows.sent = rows.confirmed
            letters.sent = letters.confirmed
            late.sent = late.confirmed
            tell(report.failures.first?.fault ?? Self.refused)
            return false
        }
        if report.delivered > 0 || report.pending == 0 { owedSince = nil }
        guard report.pending == 0 else {
            let since = owedSince ?? clock.monotonic()
            owedSince = since
            if clock.monotonic() - since >= RuntimeLimits.rowsStuckAfter { tell(Self.unanswered) }
            return false
        }
        if rows.sent > rows.confirmed {
            store.topicRowsDelivered(through: rows.sent)
            rows.confirmed = rows.sent
        }
        if letters.sent > letters.confirmed {
            store.deadLettersDelivered(through: letters.sent)
            letters.confirmed = letters.sent
        }
        if late.sent > late.confirmed {
            store.lateDelivered(through: late.sent)
            late.confirmed = late.sent
        }
        if fault != nil, report.delivered > 0 {
            fault = nil
            onEvent(.outboxBack(output: "topics"))
        }
        return [waiting.count, buried.count, belated.count].allSatisfy { $0 < RuntimeLimits.publishBatch }
    }

    func close() { producer.close(within: RuntimeLimits.closeLimit) }

    private static let refused = Fault(
        "rows_refused", "The broker refused rows.", next: "See the broker's log.", exit: .broker, isTransient: true)

    private static let unanswered = Fault(
        "rows_unanswered", "The broker has not confirmed rows for a while; the state keeps them.", place: "kafka.bootstrap",
        next: "Check the network and the brokers; delivery goes on by itself.", exit: .broker, isTransient: true)

    private func renew() throws(Fault) {
        producer.close(within: RuntimeLimits.closeLimit)
        producer = try KafkaProducer(settings, onEvent: { _ in })
        rows.sent = rows.confirmed
        letters.sent = letters.confirmed
        late.sent = late.confirmed
    }

    private func tell(_ fault: Fault) {
        if self.fault?.code != fault.code { onEvent(.outboxStuck(output: fault.place, rows: 0, fault)) }
        self.fault = fault
    }

    private static func record(_ row: PendingRow) -> OutgoingRecord {
        OutgoingRecord(topic: row.topic, key: row.key, value: row.value, headers: [.init("weir-output", Array(row.output.utf8))])
    }

    private static func record(_ letter: PendingDeadLetter) -> OutgoingRecord {
        var headers: [OutgoingRecord.Header] = [
            .init("weir-reason", Array(letter.reason.utf8)), .init("weir-topic", Array(letter.partition.topic.utf8)),
            .init("weir-partition", Array(String(letter.partition.number).utf8)),
            .init("weir-offset", Array(String(letter.offset).utf8)), .init("weir-size", Array(String(letter.size).utf8)),
        ]
        if let timestamp = letter.timestamp { headers.append(.init("weir-timestamp", Array(String(timestamp).utf8))) }
        return OutgoingRecord(topic: letter.topic, key: nil, value: letter.payload, headers: headers)
    }
}
