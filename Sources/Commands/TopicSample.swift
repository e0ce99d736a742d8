internal import Glibc
internal import Kafka
internal import Model
internal import Runtime
internal import Topology

/// A bounded look at a topic. It joins no group and commits nothing, so nobody's reading is disturbed.
struct TopicSample {
    let topic: String
    let kafka: KafkaPlan
    /// Of each partition, at most.
    let records: Int64
    /// From the start of the log and not up to its end.
    let isOldest: Bool

    /// Blocks until every partition is read as far as asked. Faults: those of a broker; `sample_slow` where no record came in time.
    func read(_ clock: SystemClock) throws(Fault) -> Sample {
        let settings = KafkaSettings(kafka, clientID: "weir-init")
        try settings.check()
        let limit = TimeSpan.milliseconds(CommandsLimits.queryMilliseconds)
        let queries = try KafkaQueries(settings)
        defer { queries.close(within: .seconds(5)) }
        let ids = try queries.partitions(of: [topic], within: limit)
        let ranges = try queries.watermarks(of: ids, within: limit)
        // One partition after the other has the queue to itself.
        let consumer = try KafkaConsumer(settings, queues: QueueShare(budget: .mebibytes(16), partitions: 1)) { _ in }
        defer { consumer.close(within: .seconds(5)) }
        _ = try consumer.discover([topic], within: limit)
        var sample = Sample(partitions: ids.count, kind: isOldest ? .oldest : .newest)
        let deadline = clock.monotonic() + .milliseconds(CommandsLimits.sampleMilliseconds)
        for (number, id) in ids.enumerated() {
            guard let range = ranges[id], !range.isEmpty else { continue }
            let wanted =
                isOldest
                ? range.lowerBound..<min(range.upperBound, range.lowerBound + records)
                : max(range.lowerBound, range.upperBound - records)..<range.upperBound
            if wanted != range { sample.cut() }
            let input = try consumer.partition(id)
            try input.open(at: wanted.lowerBound) {}
            defer { input.close() }
            try take(from: input, wanted, &sample, number, clock, deadline)
        }
        return sample
    }

    /// Up to the range's end, which may lie at a transaction's mark that is no record.
    private func take(
        from input: KafkaPartition, _ wanted: Range<Int64>, _ sample: inout Sample, _ number: Int, _ clock: SystemClock,
        _ deadline: MonotonicTime
    ) throws(Fault) {
        var isFull = false
        while !isFull, (input.caughtUpOffset ?? -1) < wanted.upperBound {
            switch input.take(limit: 1_000) {
            case .records(let batch):
                for i in 0..<batch.count {
                    if batch.offsets[i] >= wanted.upperBound { return }
                    let bytes = batch.payloads[i].map { UnsafeRawBufferPointer(start: $0, count: batch.lengths[i]) }
                    let timestamp = batch.timestamps[i] == RecordBatch.noTimestamp ? nil : batch.timestamps[i]
                    isFull = !sample.add(bytes, timestamp: timestamp, partition: number)
                    if isFull || batch.offsets[i] == wanted.upperBound - 1 { return }
                }
            case .nothing: poll(nil, 0, 1)
            case .end: return
            case .failed(let fault): throw fault
            }
            if clock.monotonic() < deadline { continue }
            throw Fault(
                "sample_slow", "The records asked for did not come within \(CommandsLimits.sampleMilliseconds / 1_000) s.",
                place: input.id.description, next: "Ask for fewer with --records, or look at the broker.", exit: .broker,
                isTransient: true)
        }
    }
}
