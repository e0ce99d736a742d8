import Kafka
import Model
import State

/// What a commit's rows and rejected records are on their topics.
struct GroupRows {
    let plan: Plan
    let layout: GroupLayout

    /// The rows of one unit, for topics.
    func owed(_ rows: [Row]) -> [OwedRow] {
        var owed: [OwedRow] = []
        for row in rows {
            let aggregate = plan.aggregates[row.output]
            for case .kafka(let topic) in aggregate.targets {
                owed.append(
                    OwedRow(
                        topic: topic, output: aggregate.name, key: RowJSON.key(row, of: aggregate, fields: plan.fields),
                        value: RowJSON.value(row, of: aggregate, fields: plan.fields)))
            }
        }
        return owed
    }

    /// The rows of one unit, for tables: through the results topic, so that every instance can have them.
    func tables(_ rows: [Row], of lane: LaneNumber) -> [OutgoingRecord] {
        let id = layout.results(of: lane)
        var records: [OutgoingRecord] = []
        for row in rows {
            for case .table(let name, _) in plan.aggregates[row.output].targets {
                records.append(
                    OutgoingRecord(
                        topic: id.topic, partition: id.number, key: ResultsRecord.key(row, table: name),
                        value: row.retracted ? nil : ResultsRecord.value(row)))
            }
        }
        return records
    }

    /// `key` as it lies in the results topic.
    func tombstone(_ key: [UInt8], of lane: LaneNumber) -> OutgoingRecord {
        let id = layout.results(of: lane)
        return OutgoingRecord(topic: id.topic, partition: id.number, key: key, value: nil)
    }

    /// The copies of one unit, for their topic.
    func duplicates(_ sealed: SealedLane, to topic: String) -> [OutgoingRecord] {
        sealed.duplicates.map { entry in
            let (key, value) = entry.json(of: sealed.partition)
            return GroupSender.record(OwedRow(topic: topic, output: "duplicates", key: key, value: value))
        }
    }

    /// The late records of one unit, for their topic.
    func late(_ sealed: SealedLane, to topic: String) -> [OutgoingRecord] {
        sealed.late.map { Self.record(LateOnTopic($0, of: $0.source ?? sealed.partition, plan: plan), to: topic) }
    }

    static func record(_ late: LateOnTopic, to topic: String) -> OutgoingRecord {
        OutgoingRecord(
            topic: topic, key: nil, value: late.record.payload,
            headers: late.headers.map { OutgoingRecord.Header($0.name, Array($0.text.utf8)) })
    }

    func letters(_ sealed: SealedLane, to topic: String) -> [OutgoingRecord] {
        sealed.deadLetters.map { letter in
            var headers: [OutgoingRecord.Header] = [
                .init("weir-reason", Array(letter.reason.word.utf8)), .init("weir-topic", Array(sealed.partition.topic.utf8)),
                .init("weir-partition", Array(String(sealed.partition.number).utf8)),
                .init("weir-offset", Array(String(letter.offset).utf8)), .init("weir-size", Array(String(letter.size).utf8)),
            ]
            if let timestamp = letter.timestamp { headers.append(.init("weir-timestamp", Array(String(timestamp).utf8))) }
            return OutgoingRecord(topic: topic, key: nil, value: letter.payload, headers: headers)
        }
    }
}
