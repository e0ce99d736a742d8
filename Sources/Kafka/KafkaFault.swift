import CRdKafka
import Model

/// The words for everything that can go wrong with a broker. The only file that turns librdkafka's codes into faults.
enum KafkaFault {
    /// `doing` completes "The broker refused to …". Places are `topic`, `topic/partition` or `topic/partition@offset`.
    static func of(_ code: rd_kafka_resp_err_t, doing: String, place: String = "") -> Fault {
        let name = String(cString: rd_kafka_err2name(code))
        switch code {
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
            return topicMissing(place)
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            return Fault(
                "partition_missing", "The topic has no such partition.", place: place,
                next: "Compare the partition count with `kafka-topics --describe`.", exit: .broker)
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            return Fault(
                "topic_forbidden", "The broker refused to \(doing): no right on the topic.", place: place,
                next: "Grant the user Read on topics it reads and Write on topics it writes.", exit: .broker)
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
            return forbidden(KafkaRight(.read, .group, place, why: doing), place: place)
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            return Fault(
                "cluster_forbidden", "The broker refused to \(doing): no right on the cluster.", place: place,
                next: "Use a user with that right, or have an administrator do this step.", exit: .broker)
        case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return forbidden(KafkaRight(.write, .transactionalID, place, why: "write transactions"), place: place)
        case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
            return instanceFenced(place)
        case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
            RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
            return Fault(
                "login_refused", "The broker did not accept the login (\(name)).", place: place,
                next: "Check user, password and mechanism under kafka.sasl.", exit: .broker)
        case RD_KAFKA_RESP_ERR__SSL:
            return Fault(
                "tls_failed", "No TLS connection to the broker could be made (\(name)).", place: place,
                next: "Check kafka.tls: the CA must have signed the broker's certificate, and its name must match.", exit: .broker
            )
        case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
            return Fault(
                "offset_out_of_range", "The next offset is no longer, or not yet, in the log.", place: place,
                next: "Choose where to go on: `weir run --resume TOPIC:P=earliest` (or latest, or an offset).",
                exit: .choiceNeeded)
        case RD_KAFKA_RESP_ERR__BAD_MSG, RD_KAFKA_RESP_ERR__BAD_COMPRESSION, RD_KAFKA_RESP_ERR_INVALID_MSG:
            return Fault(
                "batch_unreadable", "The record batch can't be read: its checksum or compression is broken (\(name)).",
                place: place,
                next: "Look at the batch with kafka-dump-log, then step over it with `weir run --resume TOPIC:P=OFFSET`.",
                exit: .choiceNeeded)
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
            return Fault(
                "record_too_large", "The record is larger than the topic's max.message.bytes.", place: place,
                next: "Raise max.message.bytes of the topic.", exit: .broker)
        case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
            RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP:
            return groupActive(place)
        case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
            return Fault(
                "topic_exists", "The topic exists already.", place: place, next: "Use it as it is, or choose another name.",
                exit: .broker)
        case RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
            return Fault(
                "producer_fenced", "A newer producer took over.", place: place, next: "Start anew.", exit: .fenced)
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__RESOLVE,
            RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
            RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
            RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
            return Fault(
                "broker_unreachable", "No broker answered in time to \(doing) (\(name)).", place: place,
                next: "Check kafka.bootstrap, the network and the brokers.", exit: .broker, isTransient: true)
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
            return Fault(
                "producer_full", "The broker takes records more slowly than they are made.", place: place,
                next: "Wait; if it lasts, look at the brokers.", exit: .broker, isTransient: true)
        case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, RD_KAFKA_RESP_ERR__WAIT_CACHE, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
            return Fault(
                "leader_missing", "The partition has no leader that can \(doing) now (\(name)).", place: place,
                next: "Wait; if it lasts, look at the brokers.", exit: .broker, isTransient: true)
        case RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE,
            RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
            RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING,
            RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
            return Fault(
                "transaction_unsettled",
                "The brokers are still ending an earlier transaction, or have lost track of this one (\(name)).", place: place,
                next: "Wait; the work is done again under a new producer.", exit: .broker, isTransient: true)
        default:
            return Fault(
                "broker_error", "The broker or client failed to \(doing): \(name).", place: place,
                next: "Look up the code in Kafka's protocol documentation.", exit: .broker)
        }
    }

    static func topicMissing(_ place: String) -> Fault {
        Fault(
            "topic_missing", "The topic does not exist.", place: place,
            next: "Create it, or correct its name in the topology.", exit: .broker)
    }

    static func groupActive(_ group: String) -> Fault {
        Fault(
            "group_active", "The consumer group has members, so somebody else reads under its name.", place: group,
            next: "Stop them, or choose another source.group.", exit: .broker)
    }

    /// A step was refused for want of this right.
    static func forbidden(_ right: KafkaRight, place: String) -> Fault {
        let code =
            switch right.resource {
            case .topic: "topic_forbidden"
            case .group: "group_forbidden"
            case .transactionalID: "transactional_id_forbidden"
            }
        let name = right.name.isEmpty ? "" : " \(right.name)"
        return Fault(
            code,
            "The broker refused to \(right.why): the user has no right to \(right.operation.rawValue) \(right.resource)\(name).",
            place: place, next: "Grant it: \(right.command)", exit: .broker)
    }

    static func notCreated(_ topic: InternalTopic) -> Fault {
        Fault(
            "topic_not_created", "A topic of Weir's own is missing, and the user has no right to create it.", place: topic.name,
            next: "Create it: \(topic.createCommand)", exit: .broker)
    }

    static func partitionsDiffer(_ topic: InternalTopic, found: Int) -> Fault {
        Fault(
            "partitions_changed", "The topic has \(found) partitions and must have \(topic.partitions).", place: topic.name,
            next:
                "If the input topics got more partitions, begin anew under another source.group. If it was made by hand and never "
                + "used: kafka-topics --bootstrap-server ADDRESS --delete --topic \(topic.name)", exit: .state)
    }

    static func settingsDiffer(_ topic: InternalTopic, _ wrong: [InternalTopic.Setting], found: [String: String]) -> Fault {
        let words = wrong.map { setting in
            let least = setting.rule == .atLeast && setting.value != "-1" ? "at least " : ""
            return "\(setting.name) is \(found[setting.name] ?? "unset") and must be \(least)\(setting.value)"
        }
        return Fault(
            "topic_settings", "A topic of Weir's own has other settings than it needs: \(words.joined(separator: "; ")).",
            place: topic.name, next: topic.alterCommand(wrong), exit: .broker)
    }

    static func transactionTimedOut(_ id: String, _ limit: TimeSpan) -> Fault {
        Fault(
            "transaction_timed_out",
            "The broker ended a transaction that was open for more than \(limit.milliseconds / 1_000) s.",
            place: id, next: "Nothing is lost; if it happens again, look for what stops the process for so long.", exit: .broker,
            isTransient: true)
    }

    static func transactionPending(_ place: String) -> Fault {
        Fault(
            "transaction_pending", "The end of the log can't be read, because a transaction there does not end.", place: place,
            next: "Find who holds it with `kafka-transactions find-hanging`, and end it there.", exit: .broker, isTransient: true)
    }

    static func memberStale(_ place: String) -> Fault {
        Fault(
            "member_stale", "The group was shared out anew before this commit, which was dropped.", place: place,
            next: "Nothing is lost: whoever owns the partitions now does the work again.", exit: .broker, isTransient: true)
    }

    static func instanceFenced(_ instance: String) -> Fault {
        Fault(
            "instance_fenced", "Another process joined the group under this instance's name.", place: instance,
            next: "Let one of them run; each needs a state.instance of its own.", exit: .fenced)
    }

    static func memberPutOut(_ instance: String) -> Fault {
        Fault(
            "member_put_out", "The group put this instance out while brokers could not be reached.", place: instance,
            next: "Nothing is lost: it joins again, and goes on from what is committed.", exit: .broker, isTransient: true)
    }

    static func groupProtocol(_ group: String) -> Fault {
        Fault(
            "group_protocol", "Other members of the group share its partitions out by another rule than range.", place: group,
            next: "Stop them, or choose another source.group.", exit: .broker)
    }

    static func tooManyHeaders(_ topic: String) -> Fault {
        Fault(
            "too_many_headers", "A record has more than \(KafkaLimits.headers) headers.", place: topic, next: "Write fewer.",
            exit: .usage)
    }

    static func setting(_ name: String, _ text: String) -> Fault {
        Fault(
            "client_setting", "The Kafka client refused the setting: \(text)", place: "kafka.client.\(name)",
            next: "Correct or remove it.", exit: .topology)
    }

    static func settingReserved(_ name: String) -> Fault {
        Fault(
            "client_setting", "This setting of the Kafka client is Weir's own.", place: "kafka.client.\(name)",
            next: "Remove it.", exit: .topology)
    }

    static func scram(_ mechanism: String, version: String) -> Fault {
        Fault(
            "scram_unsupported",
            "librdkafka \(version) can't log in with \(mechanism): brokers since Kafka 4 refuse its handshake (fixed in 2.6.1).",
            place: "kafka.sasl.mechanism",
            next: "Use librdkafka 2.6.1 or later, or mechanism plain over TLS, or client certificates.",
            exit: .broker)
    }

    static func plainWithoutTLS() -> Fault {
        Fault(
            "password_in_clear", "PLAIN without TLS would send the password in clear.", place: "kafka.sasl.mechanism",
            next: "Add kafka.tls.", exit: .topology)
    }

    static func client(_ text: String) -> Fault {
        Fault(
            "client_failed", "The Kafka client could not be started: \(text)", place: "kafka",
            next: "Check the settings under kafka.",
            exit: .broker)
    }

    static func spent(_ doing: String) -> Fault {
        Fault(
            "client_closed", "The Kafka client is closed and can't \(doing).", next: "Open a new one.", exit: .broker)
    }
}
