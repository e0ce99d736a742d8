import CRdKafka
public import Model

extension KafkaQueries {
    /// Makes sure that topics of Weir's own are there and as they have to be: those that are missing are made, with the brokers' default
    /// number of replicas, the others looked at. `limit` is for each question. Faults, whose next step is a command: `topic_not_created`
    /// (no right to), `topic_settings`, `partitions_changed`, `topic_forbidden`.
    public func ensure(_ topics: [InternalTopic], within limit: TimeSpan) throws(Fault) {
        for topic in topics {
            let found: Int
            do throws(Fault) {
                found = try partitions(of: [topic.name], within: limit).count
            } catch {
                guard error.code == "topic_missing" else { throw error }
                if try create(topic, within: limit) { continue }
                found = try partitions(of: [topic.name], within: limit).count
            }
            guard found == Int(topic.partitions) else { throw KafkaFault.partitionsDiffer(topic, found: found) }
            let values = try settings(of: topic.name, within: limit)
            let wrong = topic.settings.filter { setting in values[setting.name].map { !setting.allows($0) } ?? false }
            guard wrong.isEmpty else { throw KafkaFault.settingsDiffer(topic, wrong, found: values) }
        }
    }

    /// False: somebody else was faster.
    private func create(_ topic: InternalTopic, within limit: TimeSpan) throws(Fault) -> Bool {
        var settings: [String: String] = [:]
        for setting in topic.settings { settings[setting.name] = setting.value }
        do throws(Fault) {
            try createTopic(topic.name, partitions: topic.partitions, settings: settings, within: limit)
            return true
        } catch {
            switch error.code {
            case "topic_exists":
                // The broker asked may not know yet what the controller has made for another instance.
                try awaitTopic(topic.name, within: limit)
                return false
            case "topic_forbidden", "cluster_forbidden": throw KafkaFault.notCreated(topic)
            default: throw error
            }
        }
    }

    /// A topic's settings, the brokers' defaults among them.
    public func settings(of topic: String, within limit: TimeSpan) throws(Fault) -> [String: String] {
        let doing = "tell the topic's settings"
        var resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic)
        defer { rd_kafka_ConfigResource_destroy(resource) }
        let event = try request(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, doing, topic, limit) { handle, options, replies in
            rd_kafka_DescribeConfigs(handle, &resource, 1, options, replies)
        }
        defer { rd_kafka_event_destroy(event) }
        var count = 0
        guard let result = rd_kafka_event_DescribeConfigs_result(event),
            let resources = rd_kafka_DescribeConfigs_result_resources(result, &count), count == 1
        else { return [:] }
        let code = rd_kafka_ConfigResource_error(resources[0])
        if code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED {
            throw KafkaFault.forbidden(KafkaRight(.describeConfigs, .topic, topic, why: doing), place: topic)
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaFault.of(code, doing: doing, place: topic) }
        var entries = 0
        guard let told = rd_kafka_ConfigResource_configs(resources[0], &entries) else { return [:] }
        var found: [String: String] = [:]
        for index in 0..<entries {
            guard let name = rd_kafka_ConfigEntry_name(told[index]), let value = rd_kafka_ConfigEntry_value(told[index]) else {
                continue
            }
            found[String(cString: name)] = String(cString: value)
        }
        return found
    }
}
