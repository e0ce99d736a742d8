internal import Model
internal import Observe
internal import State

/// Entries of the late ledger as people and machines read them.
enum LateText {
    static func table(_ entries: [LateLedgerEntry]) -> String {
        if entries.isEmpty { return "no late events\n" }
        var table = TextTable([
            ("number", .right), ("output", .left), ("window", .left), ("event time", .left), ("late by", .right),
            ("place", .left), ("applied again", .left),
        ])
        for entry in entries {
            table.row([
                String(entry.number), entry.output, TimeText.utc(entry.windowStart), TimeText.utc(entry.eventTime),
                TimeText.span(entry.lateBy), "\(entry.partition)@\(entry.offset)", entry.reapplied?.rawValue ?? "",
            ])
        }
        return table.text
    }

    static func json(_ entries: [LateLedgerEntry], next: Int64?) -> String {
        var json = JSONText()
        json.beginObject()
        json.key("entries")
        json.beginArray()
        for entry in entries {
            json.beginObject()
            members(entry, &json)
            json.endObject()
        }
        json.endArray()
        json.key("next")
        if let next { json.int(next) } else { json.null() }
        json.endObject()
        return json.text + "\n"
    }

    static func json(_ entry: LateLedgerEntry, _ record: ReadRecord?, isHidden: Bool, _ plan: Plan) -> String {
        var json = JSONText()
        json.beginObject()
        members(entry, &json)
        json.key("record")
        if let record {
            json.beginObject()
            json.member("timestamp", stamp(record).map(Value.int) ?? .null)
            json.member("size", record.payload?.count ?? 0)
            json.member("hidden", isHidden)
            json.key("payload")
            if let payload = record.payload, !isHidden { json.string(shown(payload)) } else { json.null() }
            json.endObject()
        } else {
            json.null()
        }
        json.endObject()
        return json.text + "\n"
    }

    private static func members(_ entry: LateLedgerEntry, _ json: inout JSONText) {
        json.member("number", entry.number)
        json.member("recorded_at", entry.at.milliseconds)
        json.member("output", entry.output)
        json.member("topic", entry.partition.topic)
        json.member("partition", entry.partition.number)
        json.member("offset", entry.offset)
        json.member("event_time", entry.eventTime.milliseconds)
        json.member("window_start", entry.windowStart.milliseconds)
        json.member("window_end", entry.windowEnd.milliseconds)
        json.member("watermark", entry.watermark.milliseconds)
        json.member("late_by", entry.lateBy.milliseconds)
        json.member("identity", entry.identity.map { Value.string(hex($0)) } ?? .null)
        json.member("reapplied", entry.reapplied.map { Value.string($0.rawValue) } ?? .null)
        json.member("reapplied_in", entry.reappliedIn.map(Value.int) ?? .null)
    }

    static func page(_ entry: LateLedgerEntry, _ record: ReadRecord?, isHidden: Bool, _ plan: Plan) -> String {
        var lines = [
            ("entry", String(entry.number)), ("recorded", TimeText.utc(entry.at)), ("output", entry.output),
            ("place", "\(entry.partition)@\(entry.offset)"), ("event time", TimeText.utc(entry.eventTime)),
            ("last window", "\(TimeText.utc(entry.windowStart)) to \(TimeText.utc(entry.windowEnd))"),
            ("watermark", "\(TimeText.utc(entry.watermark)), before the record"),
            ("late by", TimeText.span(entry.lateBy)), ("identity", entry.identity.map(hex) ?? "none"),
        ]
        switch (entry.reapplied, entry.reappliedIn) {
        case (.counted, let commit): lines.append(("applied again", "in commit \(commit.map(String.init) ?? "?")"))
        case (.copy, _): lines.append(("applied again", "no: a copy of an event that was"))
        case (nil, _): lines.append(("applied again", "no"))
        }
        if let record {
            if let stamp = stamp(record) { lines.append(("timestamp", TimeText.utc(stamp))) }
            let payload = record.payload.map { isHidden ? "hidden: fields are personal (--personal)" : shown($0) } ?? "none"
            lines.append(("record", payload))
        } else {
            lines.append(("record", "gone: the log no longer has it"))
        }
        let width = lines.map(\.0.count).max() ?? 0
        return lines.map { "\($0)\(String(repeating: " ", count: width - $0.count))  \(printable($1))\n" }.joined()
    }

    private static func stamp(_ record: ReadRecord) -> Int64? {
        record.timestamp == RecordBatch.noTimestamp ? nil : record.timestamp
    }

    /// Text as it is; bytes that are none as hex digits.
    private static func shown(_ payload: [UInt8]) -> String { String(validating: payload, as: UTF8.self) ?? "x'\(hex(payload))'" }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
