import Model
import Testkit

/// A record as values: what the oracle judges, and what the bytes for the lane are written from.
struct PlainRecord {
    enum Body {
        case tombstone
        /// Bytes that are no JSON object.
        case undecodable(String)
        /// Padded with as many spaces as make it too large.
        case oversize
        case object([Field])
    }

    enum Field: Equatable {
        case missing
        case null
        /// Not of the field's type; the text as it stands in the record.
        case wrong(String)
        case badTime(String)
        case value(Value)
    }

    var body: Body
    var offset: Int64
    /// nil: the record has none.
    var timestamp: Int64?

    func bytes(_ fields: [FieldPlan], maxRecord: Int64) -> BenchRecord {
        var text: String?
        switch body {
        case .tombstone: text = nil
        case .undecodable(let garbage): text = garbage
        case .oversize: text = "{" + String(repeating: " ", count: Int(maxRecord)) + "}"
        case .object(let values):
            let members = zip(fields, values).compactMap { plan, field -> String? in
                switch field {
                case .missing: nil
                case .null: "\"\(plan.name)\":null"
                case .wrong(let text), .badTime(let text): "\"\(plan.name)\":\(text)"
                case .value(let value): "\"\(plan.name)\":\(json(value))"
                }
            }
            text = "{" + members.joined(separator: ",") + "}"
        }
        return BenchRecord(text.map { Array($0.utf8) }, offset: offset, timestamp: timestamp ?? RecordBatch.noTimestamp)
    }
}

/// Texts are written as they are: tests use none that need escapes.
func json(_ value: Value) -> String {
    switch value {
    case .null: return "null"
    case .bool(let truth): return truth ? "true" : "false"
    case .int(let number): return "\(number)"
    case .wide(let number): return "\(number)"
    case .double(let number): return "\(number)"
    case .string(let text): return "\"\(text)\""
    case .uuid(let high, let low):
        let digits = Array(hex(high) + hex(low))
        let parts = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }
        return "\"\(parts.joined(separator: "-"))\""
    case .time(let time): return "\(time.milliseconds)"
    case .list, .counted: return JSONText.of(value)
    }
}

private func hex(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
