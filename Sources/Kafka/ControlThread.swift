import CRdKafka
import Model

/// The consumer's own thread: serves errors, does what lanes must not wait for, and asks again about what is doubtful. It ends when
/// the consumer closes.
struct ControlThread {
    private let consumer: KafkaConsumer
    private let onEvent: @Sendable (KafkaEvent) -> Void
    private var presence = BrokerPresence()
    private var watch = TopicWatch()

    init(_ consumer: KafkaConsumer, _ onEvent: @escaping @Sendable (KafkaEvent) -> Void) {
        self.consumer = consumer
        self.onEvent = onEvent
    }

    consuming func run() {
        let handle = consumer.handle
        let pollsPerProbe = Int(KafkaLimits.probeEvery.milliseconds / KafkaLimits.controlPoll.milliseconds)
        var pollsToProbe = pollsPerProbe
        while let jobs = consumer.takeJobs() {
            for job in jobs { perform(job) }
            rd_kafka_poll(handle.pointer, Int32(KafkaLimits.controlPoll.milliseconds))
            if let code = handle.heard.takeProblem(), let event = presence.heard(code) { onEvent(event) }
            // One broker lost can look like all of them lost, so the word "all brokers down" is only a reason to ask.
            if handle.heard.takeAllDown() { presence.doubt() }
            pollsToProbe -= 1
            guard pollsToProbe <= 0 else { continue }
            pollsToProbe = pollsPerProbe
            if presence.isDoubtful {
                let code = KafkaMetadata.probe(handle, within: KafkaLimits.probeTimeout)
                if let event = presence.probed(code) { onEvent(event) }
            }
            if !presence.isDoubtful { askTopics() }
        }
        consumer.controlEnds()
    }

    private mutating func perform(_ job: KafkaConsumer.Job) {
        switch job {
        case .reopen(let partition, let offset):
            partition.reopen(at: offset)
            onEvent(.reopened(partition.id, at: offset))
        case .halt(let partition): partition.stop()
        case .doubt(let partition): watch.doubt(partition.id.topic)
        }
    }

    /// librdkafka tells a partition nothing when its topic is deleted or its rights are taken away, so the topics are asked for.
    private mutating func askTopics() {
        let open = consumer.openPartitions
        let silent = open.filter { $0.endOffset == nil }.map(\.id.topic)
        for topic in watch.due(of: Set(open.map(\.id.topic)), silent: Set(silent)) {
            let answer: TopicWatch.Answer
            do throws(Fault) {
                answer = .partitions(Set(try consumer.discover([topic], within: KafkaLimits.probeTimeout)))
            } catch {
                answer = .fault(error)
            }
            let inTopic = open.filter { $0.id.topic == topic }
            for (id, fault) in watch.judge(topic, inTopic.map(\.id), answer) {
                for partition in inTopic where partition.id == id { partition.fail(fault) }
            }
        }
    }
}

/// When to ask for a topic, and when to believe that it is gone. A value that decides; the control thread acts.
struct TopicWatch {
    enum Answer {
        case partitions(Set<PartitionID>)
        case fault(Fault)
    }

    private var misses: [String: Int] = [:]
    private var turn = 0

    mutating func doubt(_ topic: String) { misses[topic, default: 0] += 0 }

    /// Each turn those in doubt and those that have given nothing yet; all of them once in a while.
    mutating func due(of open: Set<String>, silent: Set<String>) -> [String] {
        misses = misses.filter { open.contains($0.key) }
        turn += 1
        if turn % KafkaLimits.probesPerTopicCheck == 0 { return open.sorted() }
        return open.filter { misses[$0] != nil || silent.contains($0) }.sorted()
    }

    /// The partitions that can't go on. Metadata flaps, so a topic must be missing several times in a row.
    mutating func judge(_ topic: String, _ open: [PartitionID], _ answer: Answer) -> [(PartitionID, Fault)] {
        let gone: [PartitionID]
        switch answer {
        case .partitions(let there): gone = open.filter { !there.contains($0) }
        case .fault(let fault) where fault.code == "topic_missing": gone = open
        case .fault(let fault) where fault.isTransient: return []
        case .fault(let fault): return open.map { ($0, fault) }
        }
        guard !gone.isEmpty else {
            misses[topic] = nil
            return []
        }
        misses[topic, default: 0] += 1
        guard misses[topic] ?? 0 >= KafkaLimits.missingTopicProbes else { return [] }
        return gone.map { ($0, KafkaFault.topicMissing($0.description)) }
    }
}

/// Whether any broker answers, told once each time it changes. A value that decides; the control thread acts.
struct BrokerPresence {
    private var isAway = false
    private var told: Set<Int32> = []
    /// True while probes should go on.
    private(set) var isDoubtful = false

    mutating func doubt() { isDoubtful = true }

    /// An error callback. nil: nothing new.
    mutating func heard(_ code: rd_kafka_resp_err_t) -> KafkaEvent? {
        let fault = KafkaFault.of(code, doing: "accept the connection", place: "kafka.bootstrap")
        isDoubtful = true
        guard !fault.isTransient, told.insert(code.rawValue).inserted else { return nil }
        return .refused(fault)
    }

    /// The answer to a probe.
    mutating func probed(_ code: rd_kafka_resp_err_t) -> KafkaEvent? {
        if code == RD_KAFKA_RESP_ERR_NO_ERROR {
            isDoubtful = false
            told = []
            defer { isAway = false }
            return isAway ? .brokersBack : nil
        }
        isDoubtful = true
        defer { isAway = true }
        return isAway ? nil : .brokersAway(KafkaFault.of(code, doing: "answer", place: "kafka.bootstrap"))
    }
}
