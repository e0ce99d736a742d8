import CRdKafka
import Model
import Testing

@testable import Kafka

private let limit = TimeSpan.seconds(20)

/// What each refusal by a broker leads to, shown on the client's mock broker.
@Suite struct TransactionLadderTests {
    struct Refusal: Sendable, CustomTestStringConvertible {
        var request: RawMock.Request
        var errors: [Int32]
        /// `committed`, or the outcome's name and its fault's code.
        var outcome: String
        var isDoubtful: Bool
        var testDescription: String { "\(request) \(errors)" }
    }

    @Test(arguments: [
        Refusal(request: .end, errors: [], outcome: "committed", isDoubtful: false),
        // What cures itself is not seen.
        Refusal(request: .end, errors: [15, 16, 14, 51], outcome: "committed", isDoubtful: false),
        // A connection that breaks may have carried the commit.
        Refusal(request: .end, errors: [-195], outcome: "committed", isDoubtful: true),
        Refusal(request: .end, errors: [90], outcome: "fenced producer_fenced", isDoubtful: true),
        Refusal(request: .end, errors: [47], outcome: "fenced producer_fenced", isDoubtful: true),
        Refusal(request: .end, errors: [48], outcome: "doubtful transaction_unsettled", isDoubtful: true),
        Refusal(request: .end, errors: [53], outcome: "doubtful transactional_id_forbidden", isDoubtful: true),
        Refusal(request: .end, errors: [-1], outcome: "aborted broker_error", isDoubtful: false),
        Refusal(request: .addPartitions, errors: [29], outcome: "aborted topic_forbidden", isDoubtful: false),
        Refusal(request: .addPartitions, errors: [90], outcome: "fenced producer_fenced", isDoubtful: true),
        Refusal(request: .addOffsets, errors: [30], outcome: "aborted group_forbidden", isDoubtful: false),
        Refusal(request: .addOffsets, errors: [51, 51], outcome: "committed", isDoubtful: false),
        Refusal(request: .commitOffsets, errors: [22], outcome: "aborted member_stale", isDoubtful: false),
        Refusal(request: .commitOffsets, errors: [25], outcome: "aborted member_stale", isDoubtful: false),
        Refusal(request: .commitOffsets, errors: [82], outcome: "fenced instance_fenced", isDoubtful: false),
        Refusal(request: .commitOffsets, errors: [29], outcome: "aborted topic_forbidden", isDoubtful: false),
    ])
    func aRefusalLeadsToItsOutcome(refusal: Refusal) throws {
        let mock = try RawMock(topic: "rows")
        let member = try Member(mock.plan, group: "g", instance: "one", topics: ["rows"])
        defer { member.close(leaving: true) }
        let (ids, identity) = try member.owns(2)
        let producer = try transactions(mock.plan, "t-1", warming: ["rows"], clock: TestClock(isFrozen: true))
        defer { producer.close(within: limit) }
        mock.answer(refusal.request, with: refusal.errors.map { rd_kafka_resp_err_t(rawValue: $0) })
        try producer.begin()
        try producer.write(["a"], to: "rows")
        let outcome = producer.commit(offsets: [ids[0]: 5], as: identity)
        #expect(Self.words(outcome) == refusal.outcome)
        #expect(producer.isDoubtful == refusal.isDoubtful)
        guard !refusal.isDoubtful else { return }
        try producer.begin()
        try producer.write(["b"], to: "rows")
        #expect(producer.commit(offsets: [ids[0]: 6], as: identity) == .committed)
    }

    @Test(arguments: [(Int32(53), "transactional_id_forbidden"), (90, "producer_fenced")])
    func aProducerThatMayNotPrepareSaysWhy(error: Int32, code: String) throws {
        let mock = try RawMock(topic: "rows")
        mock.answer(.initProducer, with: [rd_kafka_resp_err_t(rawValue: error)])
        let fault = #expect(throws: Fault.self) { try transactions(mock.plan, "t-1", warming: ["rows"]) }
        #expect(fault?.code == code)
        #expect(fault?.place == "t-1")
    }

    @Test func aProducerWithoutABrokerSaysSoWhenItsTimeIsUp() throws {
        let producer = try KafkaTransactions(
            KafkaSettings(KafkaPlan(bootstrap: "127.0.0.1:1")), transactionalID: "t-1", clock: TestClock()
        ) { _ in }
        defer { producer.close(within: limit) }
        let fault = #expect(throws: Fault.self) { try producer.prepare(warming: [], within: .milliseconds(300)) }
        #expect(fault?.code == "broker_unreachable")
        #expect(fault?.isTransient == true)
    }

    private static func words(_ outcome: TransactionOutcome) -> String {
        switch outcome {
        case .committed: "committed"
        case .aborted(let fault): "aborted \(fault.code)"
        case .doubtful(let fault): "doubtful \(fault.code)"
        case .fenced(let fault): "fenced \(fault.code)"
        }
    }
}
