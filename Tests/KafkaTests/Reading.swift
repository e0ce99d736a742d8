import Kafka
import Model
import Synchronization
import Testing
import Testkit

/// What tests share: a broker, a consumer and loops that end.
struct Reader {
    let cluster: KafkaCluster
    let consumer: KafkaConsumer
    let events: Events

    init(
        _ cluster: KafkaCluster, plan: KafkaPlan? = nil, budget: ByteCount = .mebibytes(64), partitions: Int = 4
    ) throws {
        self.cluster = cluster
        let events = Events()
        self.events = events
        consumer = try KafkaConsumer(
            KafkaSettings(plan ?? cluster.plan), queues: QueueShare(budget: budget, partitions: partitions)
        ) { events.add($0) }
    }

    func open(_ topic: String, _ number: Int32 = 0, at offset: Int64 = 0) throws -> KafkaPartition {
        let partition = try consumer.partition(PartitionID(topic: topic, number: number))
        try partition.open(at: offset) {}
        return partition
    }

    func close() { consumer.close(within: .seconds(10)) }
}

/// Events as they came, without the client's log.
final class Events: Sendable {
    private let seen = Mutex<[KafkaEvent]>([])
    func add(_ event: KafkaEvent) {
        if case .log = event { return }
        seen.withLock { $0.append(event) }
    }
    var all: [KafkaEvent] { seen.withLock { $0 } }
}

extension KafkaPartition {
    /// Takes until `count` records came or the partition failed.
    func records(_ count: Int, limit: Int = 1_000, within seconds: Double = 30) throws -> [StoredRecord] {
        var found: [StoredRecord] = []
        _ = try eventually("\(count) records of \(id), got \(found.count)", within: seconds) {
            switch take(limit: limit) {
            case .records(let batch): found += batch.stored
            case .nothing, .end: break
            case .failed(let fault): throw fault
            }
            return found.count >= count ? true : nil
        }
        release()
        return found
    }

    /// Takes until the partition fails.
    func fault(within seconds: Double = 30) throws -> Fault {
        try eventually("a fault of \(id)", within: seconds) {
            if case .failed(let fault) = take(limit: 100) { return fault }
            return nil
        }
    }

    /// Takes until the broker said that there is no more.
    func caughtUp(_ body: (RecordBatch) -> Void = { _ in }) throws -> Int64 {
        try eventually("the end of \(id)") {
            if case .records(let batch) = take(limit: 1_000) {
                body(batch)
                return nil
            }
            return caughtUpOffset
        }
    }
}

/// `count` records with values `PREFIX-0`, `PREFIX-1`, … and growing timestamps.
func numbered(_ count: Int, topic: String, partition: Int32, from: Int = 0) -> [OutgoingRecord] {
    (from..<(from + count)).map {
        OutgoingRecord(
            topic: topic, partition: partition, value: Array("\(partition)-\($0)".utf8), timestamp: 1_700_000_000_000 + Int64($0))
    }
}

func stored(_ range: Range<Int>, partition: Int32) -> [StoredRecord] {
    range.map {
        StoredRecord(offset: Int64($0), value: Array("\(partition)-\($0)".utf8), timestamp: 1_700_000_000_000 + Int64($0))
    }
}

extension KafkaCluster {
    /// One uncompressed batch.
    func produceUncompressed(_ records: [OutgoingRecord]) throws {
        let producer = try KafkaProducer(
            KafkaSettings(KafkaPlan(bootstrap: bootstrap, client: ["compression.codec": "none", "linger.ms": "100"]))
        ) { _ in }
        defer { producer.close(within: .seconds(10)) }
        try producer.send(records, within: .seconds(10))
        guard producer.flush(within: .seconds(10)).isComplete else { throw RawClient.Failed(what: "not written") }
    }
}
