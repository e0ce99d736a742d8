internal import Model
internal import Topology

extension TestFileReader {
    private static let recordKeys = ["topic", "partition", "offset", "key", "timestamp", "value", "raw"]

    mutating func feed(_ node: Node, _ path: String) -> [FedRecord]? {
        guard let items = list(node, path) else { return nil }
        if items.isEmpty {
            error(.badValue, node.place, path, "no record is fed", next: "write at least one, or leave the step out")
            return nil
        }
        let records = items.enumerated().compactMap { record($1, "\(path)[\($0)]") }
        return records.count == items.count ? records : nil
    }

    private mutating func record(_ node: Node, _ path: String) -> FedRecord? {
        guard let keys = keys(node, path, Self.recordKeys, required: []) else { return nil }
        let before = problems.count
        guard (keys["value"] == nil) != (keys["raw"] == nil) else {
            error(
                keys["value"] == nil ? .missingKey : .contradiction, node.place, path,
                keys["value"] == nil ? "the record has no payload" : "both `value` and `raw` stand here",
                next: "write `value: {…}`, `raw: \"…\"`, or `value: null` for a tombstone")
            return nil
        }
        var record = FedRecord(payload: nil)
        if let value = keys["value"], !JSONValue.isNull(value) { record.payload = JSONValue.bytes(value) }
        if let raw = keys["raw"] { record.payload = text(raw, "\(path).raw").map { Array($0.utf8) } }
        if let key = keys["key"], !JSONValue.isNull(key) { record.key = text(key, "\(path).key").map { Array($0.utf8) } }
        if let partition = keys["partition"] {
            record.partition = Int32(whole(partition, "\(path).partition", 0...Int64(RehearsalCaseLimits.partitions - 1)) ?? 0)
        }
        if let offset = keys["offset"] { record.offset = whole(offset, "\(path).offset", 0...(Int64.max - 1)) }
        if let topic = keys["topic"] {
            record.topic = text(topic, "\(path).topic")
            if let name = record.topic, case .kafka(let topics, _, _) = plan?.source.kind, !topics.contains(name) {
                unknown(.badValue, topic.place, "\(path).topic", "the source has no topic `\(name)`", name, topics)
            }
        }
        if let timestamp = keys["timestamp"], let text = text(timestamp, "\(path).timestamp") {
            if let milliseconds = ExpectedValue(text: text, isNull: false).instant {
                record.timestamp = WallTime(milliseconds: milliseconds)
            } else {
                error(
                    .badValue, timestamp.place, "\(path).timestamp", "`\(text)` is no instant",
                    next: "write RFC 3339 with its zone, to the millisecond, or milliseconds")
            }
        }
        return problems.count == before ? record : nil
    }
}
