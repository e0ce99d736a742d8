import CRdKafka
import Kafka
import Model
import Testkit

/// librdkafka's own mock broker: it answers a request with the errors it was given, as often as it was given them.
final class RawMock {
    /// Kafka's numbers of requests.
    enum Request: Int16, Sendable {
        case heartbeat = 12
        case initProducer = 22
        case addPartitions = 24
        case addOffsets = 25
        case end = 26
        case commitOffsets = 28
    }

    private let owner: OpaquePointer
    private let mock: OpaquePointer

    init(topic: String) throws {
        owner = try RawClient.handle(RD_KAFKA_PRODUCER, [:])
        guard let mock = rd_kafka_mock_cluster_new(owner, 1) else { throw RawClient.Failed(what: "no mock cluster") }
        self.mock = mock
        rd_kafka_mock_topic_create(mock, topic, 2, 1)
    }

    deinit {
        rd_kafka_mock_cluster_destroy(mock)
        rd_kafka_destroy(owner)
    }

    var plan: KafkaPlan { KafkaPlan(bootstrap: String(cString: rd_kafka_mock_cluster_bootstraps(mock))) }

    func setAway(_ isAway: Bool) {
        if isAway { rd_kafka_mock_broker_set_down(mock, 1) } else { rd_kafka_mock_broker_set_up(mock, 1) }
    }

    func answer(_ request: Request, with errors: [rd_kafka_resp_err_t]) {
        rd_kafka_mock_push_request_errors_array(mock, request.rawValue, errors.count, errors)
    }
}
