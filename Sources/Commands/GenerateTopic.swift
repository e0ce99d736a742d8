internal import Glibc
internal import Inputs
internal import Kafka
internal import Model
internal import Runtime
internal import Synchronization

/// The workload on its way into a topic.
struct GenerateTopic {
    private let topic: String
    private let settings: KafkaSettings
    private let console: Console

    init(topic: String, bootstrap: String, console: Console) {
        self.topic = topic
        self.console = console
        settings = KafkaSettings(KafkaPlan(bootstrap: bootstrap), clientID: "weir-generate")
    }

    /// Blocks its thread until everything is acknowledged, or until it is stopped: then what was sent is.
    func write(_ job: GenerateJob, _ state: GenerateProgress, _ clock: SystemClock) throws(Fault) -> WorkloadSummary {
        try prepare(partitions: job.partitions)
        let console = console
        let producer = try KafkaProducer(settings) { event in
            switch event {
            case .brokersAway(let fault): console.error("weir: \(fault.code): \(fault.what); waiting for it\n")
            case .brokersBack: console.error("weir: the broker answers again\n")
            case .refused(let fault): console.tell(fault, asJSON: false)
            case .reopened, .log: break
            }
        }
        defer { producer.close(within: .seconds(5)) }
        var workload = job.workload
        let batch = WorkloadBatch()
        var summary = WorkloadSummary()
        while !state.isStopped.load(ordering: .relaxed) {
            let end = job.events ?? .max
            if workload.position >= end { break }
            batch.fill(from: &workload, end: end, dueBy: job.isTimed ? clock.wall().milliseconds : .max)
            if batch.count == 0 {
                // Nothing is due yet. A flush also hands on what lingers and hears of reports.
                try check(producer.flush(within: .zero), isEnd: false)
                poll(nil, 0, 5)
                continue
            }
            try send(batch, producer)
            for i in 0..<batch.count {
                summary.bytes += Int64(batch.lengths[i])
                if batch.isCopy[i] { summary.copies += 1 }
                if batch.isLate[i] { summary.late += 1 }
            }
            summary.events += Int64(batch.count)
            state.written.store(summary.events, ordering: .relaxed)
        }
        try check(producer.flush(within: .milliseconds(CommandsLimits.sendMilliseconds)), isEnd: true)
        return summary
    }

    private func send(_ batch: WorkloadBatch, _ producer: KafkaProducer) throws(Fault) {
        for i in 0..<batch.count {
            try producer.send(
                topic: topic, partition: batch.partitions[i],
                key: UnsafeRawBufferPointer(start: batch.keys[i], count: batch.keyLengths[i]),
                value: UnsafeRawBufferPointer(start: batch.payloads[i], count: batch.lengths[i]), timestamp: batch.timestamps[i],
                within: .milliseconds(CommandsLimits.sendMilliseconds))
        }
    }

    private func check(_ report: DeliveryReport, isEnd: Bool) throws(Fault) {
        if let failure = report.failures.first { throw failure.fault }
        guard isEnd, report.pending > 0 else { return }
        throw Fault(
            "broker_unreachable", "\(report.pending) events were not acknowledged in time", place: topic,
            next: "Check that the broker is up; the events may or may not be in the topic.", exit: .broker, isTransient: true)
    }

    /// Makes the topic, or checks that it has the workload's partitions.
    private func prepare(partitions: Int32) throws(Fault) {
        let queries = try KafkaQueries(settings)
        defer { queries.close(within: .seconds(5)) }
        let limit = TimeSpan.milliseconds(CommandsLimits.queryMilliseconds)
        let found: [PartitionID]
        do throws(Fault) {
            found = try queries.partitions(of: [topic], within: limit)
        } catch {
            guard error.code == "topic_missing" else { throw error }
            return try queries.createTopic(topic, partitions: partitions, within: limit)
        }
        guard found.count == Int(partitions) else {
            throw Fault(
                "topic_partitions", "the topic has \(found.count) partitions, the workload \(partitions)", place: topic,
                next: "Name another topic, or --partitions \(found.count).", exit: .usage)
        }
    }
}
