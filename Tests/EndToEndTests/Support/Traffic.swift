import Glibc
import Inputs
import Kafka
import Model
import Testkit

/// One record as a producer writes it.
struct Sent: Sendable {
    var partition: Int32
    var key: [UInt8]?
    var value: [UInt8]?
    var timestamp: Int64
}

/// The reference workload in memory: `count` events, `rate` of them in a second of event time.
func workload(
    _ count: Int, rate: Double = 50, partitions: Int32 = 4, seed: UInt64 = 1, start: Int64 = 1_767_225_600_000
) -> [Sent] {
    var workload = ReferenceWorkload(
        seed: seed, rate: rate, partitions: partitions, start: EventTime(milliseconds: start))
    let batch = WorkloadBatch()
    var all: [Sent] = []
    all.reserveCapacity(count)
    while batch.fill(from: &workload, end: Int64(count)) > 0 {
        for i in 0..<batch.count {
            all.append(
                Sent(
                    partition: batch.partitions[i], key: bytes(batch.keys[i], batch.keyLengths[i]),
                    value: batch.payloads[i].map { bytes($0, batch.lengths[i]) }, timestamp: batch.timestamps[i]))
        }
    }
    return all
}

private func bytes(_ start: UnsafeRawPointer, _ count: Int) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: start, count: count))
}

extension KafkaCluster {
    func produce(_ records: ArraySlice<Sent>, to topic: String) throws {
        var at = records.startIndex
        while at < records.endIndex {
            let next = min(at + 20_000, records.endIndex)
            try produce(
                records[at..<next].map {
                    OutgoingRecord(topic: topic, partition: $0.partition, key: $0.key, value: $0.value, timestamp: $0.timestamp)
                })
            at = next
        }
    }

    func produce(_ records: [Sent], to topic: String) throws { try produce(records[...], to: topic) }

    /// Small JSON records, in order, all into one partition; timestamps a second apart.
    func produce(_ texts: [String], to topic: String, partition: Int32 = 0, timestamp: Int64? = nil) throws {
        try produce(
            texts.map {
                OutgoingRecord(topic: topic, partition: partition, value: Array($0.utf8), timestamp: timestamp)
            })
    }
}

extension [Sent] {
    func of(_ partition: Int32) -> [Sent] { filter { $0.partition == partition } }
    /// As the lines of a file.
    var lines: [UInt8] { flatMap { ($0.value ?? []) + [10] } }
}
