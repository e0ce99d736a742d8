import CRdKafka
import Model
import Testing

@testable import Kafka

@Suite struct ControlThreadTests {
    @Test func awayAndBackAreToldOnce() {
        var presence = BrokerPresence()
        let down = RD_KAFKA_RESP_ERR__TRANSPORT
        var told: [KafkaEvent] = []
        for code in [RD_KAFKA_RESP_ERR_NO_ERROR, down, down, RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_NO_ERROR, down] {
            if let event = presence.probed(code) { told.append(event) }
        }
        let away = KafkaEvent.brokersAway(KafkaFault.of(down, doing: "answer", place: "kafka.bootstrap"))
        #expect(told == [away, .brokersBack, away])
        #expect(presence.isDoubtful)
        #expect(presence.heard(RD_KAFKA_RESP_ERR__AUTHENTICATION) != nil)
        #expect(presence.heard(RD_KAFKA_RESP_ERR__AUTHENTICATION) == nil)
    }

    private let first = PartitionID(topic: "a", number: 0)
    private let second = PartitionID(topic: "a", number: 1)
    private let missing = TopicWatch.Answer.fault(KafkaFault.topicMissing("a"))

    @Test func aTopicIsGoneOnlyWhenItIsMissingSeveralTimesInARow() {
        var watch = TopicWatch()
        for _ in 1..<KafkaLimits.missingTopicProbes { #expect(watch.judge("a", [first], missing).isEmpty) }
        #expect(watch.judge("a", [first], .partitions([first])).isEmpty)
        for _ in 1..<KafkaLimits.missingTopicProbes { #expect(watch.judge("a", [first], missing).isEmpty) }
        #expect(watch.due(of: ["a", "b"], silent: []) == ["a"])
        let gone = watch.judge("a", [first, second], missing)
        #expect(gone.map(\.0) == [first, second])
        #expect(gone.map(\.1) == [KafkaFault.topicMissing("a/0"), KafkaFault.topicMissing("a/1")])
    }

    @Test func aForbiddenTopicFailsAtOnceAndAnUnansweredQuestionNever() {
        var watch = TopicWatch()
        let forbidden = KafkaFault.of(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, doing: "read", place: "a")
        #expect(watch.judge("a", [first], .fault(forbidden)).map(\.1) == [forbidden])
        let away = KafkaFault.of(RD_KAFKA_RESP_ERR__TRANSPORT, doing: "read", place: "a")
        for _ in 0..<10 { #expect(watch.judge("a", [first], .fault(away)).isEmpty) }
    }

    @Test func soundTopicsAreAskedForOnceInAWhileAndSilentOnesEachTime() {
        var watch = TopicWatch()
        let asked = (1...KafkaLimits.probesPerTopicCheck).map { _ in watch.due(of: ["a", "b"], silent: ["b"]) }
        #expect(asked.dropLast().allSatisfy { $0 == ["b"] })
        #expect(asked.last == ["a", "b"])
    }
}
