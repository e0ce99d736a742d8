public import Kafka
public import Model
import Synchronization

/// What tests do with topics.
extension KafkaCluster {
    /// A name that no other test has.
    public static func freshTopic(_ hint: String) -> String {
        "\(hint)-\(ownProcess)-\(counter.add(1, ordering: .relaxed).newValue)"
    }
    private static let counter = Atomic<Int>(0)
    private static let limit = TimeSpan.seconds(20)

    /// Creates a topic with a fresh name.
    public func createTopic(
        _ hint: String, partitions: Int32 = 1, settings: [String: String] = [:]
    ) throws(Fault) -> String {
        let name = Self.freshTopic(hint)
        try create(name, partitions: partitions, settings: settings)
        return name
    }

    public func create(_ name: String, partitions: Int32 = 1, settings: [String: String] = [:]) throws(Fault) {
        let queries = try KafkaQueries(KafkaSettings(plan))
        defer { queries.close(within: Self.limit) }
        do throws(Fault) {
            try queries.createTopic(name, partitions: partitions, settings: settings, within: Self.limit)
        } catch {
            // On a busy machine an answer can be lost in a time-out, though the topic is there or can be made.
            guard error.isTransient else { throw error }
            if (try? queries.partitions(of: [name], within: Self.limit)) != nil { return }
            try queries.createTopic(name, partitions: partitions, settings: settings, within: Self.limit)
        }
        _ = try queries.partitions(of: [name], within: Self.limit)
    }

    /// Writes records and waits for the broker's word.
    public func produce(_ records: [OutgoingRecord]) throws(Fault) {
        let producer = try KafkaProducer(KafkaSettings(plan)) { _ in }
        defer { producer.close(within: Self.limit) }
        try producer.send(records, within: Self.limit)
        let report = producer.flush(within: Self.limit)
        if let failure = report.failures.first { throw failure.fault }
        if report.pending > 0 { throw Self.broken("\(report.pending) records were not acknowledged") }
    }

    /// The same for texts, for tests that know nothing of the client.
    public func produce(to topic: String, _ records: [(partition: Int32, text: String, timestamp: Int64)]) throws(Fault) {
        try produce(
            records.map {
                OutgoingRecord(topic: topic, partition: $0.partition, value: Array($0.text.utf8), timestamp: $0.timestamp)
            })
    }

    /// Every committed record from the start of each partition to its end.
    public func readAll(_ topic: String) throws(Fault) -> [PartitionID: [StoredRecord]] {
        let queries = try KafkaQueries(KafkaSettings(plan))
        defer { queries.close(within: Self.limit) }
        let consumer = try KafkaConsumer(
            KafkaSettings(plan), queues: QueueShare(budget: .mebibytes(32), partitions: 1)
        ) { _ in }
        defer { consumer.close(within: Self.limit) }
        var found: [PartitionID: [StoredRecord]] = [:]
        let ids = try queries.partitions(of: [topic], within: Self.limit)
        for (id, range) in try queries.watermarks(of: ids, within: Self.limit) {
            let input = try consumer.partition(id)
            try input.open(at: range.lowerBound) {}
            defer { input.close() }
            var records: [StoredRecord] = []
            var turnsLeft = 20_000
            while (input.caughtUpOffset ?? -1) < range.upperBound, turnsLeft > 0 {
                switch input.take(limit: 1_000) {
                case .records(let batch): records += batch.stored
                case .nothing:
                    rest(milliseconds: 1)
                    turnsLeft -= 1
                case .end: turnsLeft = 0
                case .failed(let fault): throw fault
                }
            }
            if turnsLeft == 0 { throw Self.broken("\(id) was not read to its end") }
            found[id] = records
        }
        return found
    }

    public func delete(_ topic: String) throws(Fault) { try tool("topics", ["--delete", "--topic", topic]) }

    /// Deletes a topic and makes it anew, empty, under the same name.
    public func recreate(_ topic: String, partitions: Int32 = 1) throws(Fault) {
        try delete(topic)
        var tries = 50
        while true {
            do throws(Fault) {
                try create(topic, partitions: partitions)
                return
            } catch {
                // The name is free only when the deletion is through.
                tries -= 1
                if tries == 0 || error.code != "topic_exists" { throw error }
                rest(milliseconds: 100)
            }
        }
    }

    /// Removes every record before `offset`, as retention does.
    public func deleteRecords(_ id: PartitionID, before offset: Int64) throws(Fault) {
        let directory = try temporaryDirectory("weir-offsets")
        defer { try? Command.start(["/bin/rm", "-rf", directory]) }
        let json = #"{"version":1,"partitions":[{"topic":"\#(id.topic)","partition":\#(id.number),"offset":\#(offset)}]}"#
        let file = "\(directory)/offsets.json"
        try Command.start(["/bin/sh", "-c", "printf %s \"$1\" > \"$2\"", "sh", json, file])
        try tool("delete-records", ["--offset-json-file", file])
    }
}

/// A record as a test compares it.
public struct StoredRecord: Equatable, Sendable {
    public var offset: Int64
    /// nil: a tombstone.
    public var value: [UInt8]?
    public var timestamp: Int64
    public init(offset: Int64, value: [UInt8]?, timestamp: Int64) {
        self.offset = offset
        self.value = value
        self.timestamp = timestamp
    }
}

extension RecordBatch {
    /// Copies that outlive the batch.
    public var stored: [StoredRecord] {
        (0..<count).map { i in
            StoredRecord(
                offset: offsets[i], value: payloads[i].map { Array(UnsafeRawBufferPointer(start: $0, count: lengths[i])) },
                timestamp: timestamps[i])
        }
    }
}

extension KafkaCluster {
    /// Changes bytes in a partition's log on disk, as a failing disk does. `folder` is `TOPIC-PARTITION`; both texts are of one length
    /// and of plain letters.
    public func spoil(_ folder: String, replacing old: String, with new: String) throws(Fault) {
        guard let directory else { throw Self.broken("not a broker of our own") }
        // In place: the broker has the file open.
        let script =
            #"at=$(grep -abo "$1" "$3" | head -1 | cut -d: -f1); printf %s "$2" | dd of="$3" bs=1 seek="$at" conv=notrunc"#
        try Command.start(["/bin/sh", "-c", script, "sh", old, new, "\(directory)/1/data/\(folder)/00000000000000000000.log"])
    }
}
