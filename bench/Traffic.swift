import Inputs
import Kafka
import Model

/// Brings the reference workload where it will be read from, and computes the right answer on the way.
enum Traffic {
    static func workload(_ options: BenchOptions, partitions: Int32 = BenchOptions.partitions) -> ReferenceWorkload {
        ReferenceWorkload(seed: options.seed, rate: options.rate, partitions: partitions, start: BenchOptions.start)
    }

    /// Batches of some 220 records, however many partitions share the traffic and however fast this machine fills them: what a reader
    /// pays for a record depends on how many come with it.
    private static let batches = ["linger.ms": "1000", "batch.size": "65536"]

    /// A new topic with all events; returns the truth about them.
    static func fill(
        _ topic: String, of bootstrap: String, _ options: BenchOptions, partitions: Int32 = BenchOptions.partitions
    ) throws(Fault) -> Truth {
        let settings = KafkaSettings(KafkaPlan(bootstrap: bootstrap, client: batches), clientID: "weir-bench")
        let queries = try KafkaQueries(settings)
        defer { queries.close(within: .seconds(5)) }
        // The workload's times are its own: no broker may delete it for its age.
        try queries.createTopic(
            topic, partitions: partitions, settings: ["retention.ms": "-1"], within: .seconds(30))
        _ = try queries.partitions(of: [topic], within: .seconds(30))
        let producer = try KafkaProducer(settings) { _ in }
        defer { producer.close(within: .seconds(5)) }
        var truth = Truth(partitions: partitions)
        var workload = workload(options, partitions: partitions)
        let batch = WorkloadBatch()
        while batch.fill(from: &workload, end: options.events) > 0 {
            for at in 0..<batch.count {
                let value = UnsafeRawBufferPointer(start: batch.payloads[at], count: batch.lengths[at])
                try producer.send(
                    topic: topic, partition: batch.partitions[at],
                    key: UnsafeRawBufferPointer(start: batch.keys[at], count: batch.keyLengths[at]), value: value,
                    timestamp: batch.timestamps[at], within: .seconds(60))
                try truth.add(value, partition: batch.partitions[at])
            }
        }
        let report = producer.flush(within: .seconds(120))
        guard report.isComplete else {
            throw report.failures.first?.fault ?? failure("\(report.pending) records were not acknowledged.")
        }
        return truth
    }

    /// A file for each partition; returns the glob that names them.
    static func write(into directory: String, _ options: BenchOptions) throws(Fault) -> String {
        var workload = workload(options)
        _ = try workload.write(events: options.events, to: "\(directory)/events.ndjson", perPartition: true)
        return "\(directory)/events-*.ndjson"
    }
}
