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
        if let raw = keys["raw"] { record.payload = self.raw(raw, "\(path).raw") }
        if let key = keys["key"], !JSONValue.isNull(key) { record.key = text(key, "\(path).key").map { Array($0.utf8) } }
        if let partition = keys["partition"] {
            record.partition = Int32(whole(partition, "\(path).partition", 0...Int64(RehearsalCaseLimits.partitions - 1)) ?? 0)
        }
        if let offset = keys["offset"] { record.offset = whole(offset, "\(path).offset", 0...RehearsalCaseLimits.offset) }
        if let topic = keys["topic"] {
            record.topic = text(topic, "\(path).topic")
            if let name = record.topic, let topics = plan.map(Rehearsal.topics), !topics.contains(name) {
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

    /// The bytes of `raw`: text as UTF-8, or `{hex: …}` for any.
    private mutating func raw(_ node: Node, _ path: String) -> [UInt8]? {
        guard case .map = node.content else { return text(node, path).map { Array($0.utf8) } }
        guard let hex = keys(node, path, ["hex"], required: ["hex"])?["hex"], let text = text(hex, "\(path).hex") else {
            return nil
        }
        let digits = text.utf8.filter { $0 != 0x20 && $0 != 0x0a }
        var bytes: [UInt8] = []
        for at in stride(from: 0, to: digits.count, by: 2) {
            guard at + 1 < digits.count, let high = Self.digit(digits[at]), let low = Self.digit(digits[at + 1]) else { break }
            bytes.append(high << 4 | low)
        }
        if bytes.count * 2 == digits.count { return bytes }
        error(
            .badValue, hex.place, "\(path).hex", "`\(text)` is no row of bytes",
            next: "write two hex digits a byte, such as 7b ff 7d")
        return nil
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}
