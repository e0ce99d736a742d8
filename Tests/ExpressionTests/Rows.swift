import Glibc
import Model

/// The fields of every random record, as a topology declares them.
enum Fields {
    static let plans = [
        FieldPlan(name: "at", type: .timestamp(.milliseconds)), FieldPlan(name: "seen", type: .timestamp(.milliseconds)),
        FieldPlan(name: "i", type: .int), FieldPlan(name: "j", type: .int), FieldPlan(name: "d", type: .double),
        FieldPlan(name: "e", type: .double), FieldPlan(name: "s", type: .string), FieldPlan(name: "t", type: .string),
        FieldPlan(name: "b", type: .bool), FieldPlan(name: "c", type: .bool), FieldPlan(name: "u", type: .uuid),
        FieldPlan(name: "v", type: .uuid),
    ]

    static let yaml = plans.map { field in
        let type =
            switch field.type {
            case .int: "int"
            case .double: "double"
            case .string: "string"
            case .bool: "bool"
            case .uuid: "uuid"
            default: "timestamp, unit: ms"
            }
        return "  \(field.name): {type: \(type)}"
    }.joined(separator: "\n")

    static func named(_ name: String) -> Int { plans.firstIndex { $0.name == name }! }
}

/// A record: a value or nothing per field.
struct Row: CustomStringConvertible {
    var cells: [Value]

    init(_ cells: [Value]) { self.cells = cells }

    /// The named fields; all others are null.
    init(_ named: [String: Value]) { cells = Fields.plans.map { named[$0.name] ?? .null } }

    var description: String { json }

    var json: String {
        let members = zip(Fields.plans, cells).compactMap { field, cell -> String? in
            switch cell {
            case .bool(let truth): "\"\(field.name)\":\(truth)"
            case .int(let number): "\"\(field.name)\":\(number)"
            case .double(let number): "\"\(field.name)\":\(number)"
            case .string(let text): "\"\(field.name)\":\(quoted(text))"
            case .time(let time): "\"\(field.name)\":\(time.milliseconds)"
            case .uuid(let high, let low): "\"\(field.name)\":\"\(uuidText(high, low))\""
            case .null, .wide, .list, .counted: nil
            }
        }
        return "{" + members.joined(separator: ",") + "}"
    }
}

private func hex(_ value: UInt64, _ digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: digits - text.count) + text
}

func uuidText(_ high: UInt64, _ low: UInt64) -> String {
    let digits = Array(hex(high, 16) + hex(low, 16))
    return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
}

/// RFC 3339, written by the C library, so that Weir's reader is not its own judge.
func instantText(_ milliseconds: Int64, hours: Int) -> String {
    let local = milliseconds + Int64(hours) * 3_600_000
    let rest = ((local % 1_000) + 1_000) % 1_000
    var seconds = time_t((local - rest) / 1_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let day = "\(parts.tm_year + 1_900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    let fraction = rest == 0 ? "" : "." + String(String(rest + 1_000).dropFirst())
    let zone = hours == 0 ? "Z" : "\(hours < 0 ? "-" : "+")\(two(Int32(abs(hours)))):00"
    return "\(day)T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))\(fraction)\(zone)"
}

private func quoted(_ text: String) -> String {
    var json = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": json += "\\\(scalar)"
        case _ where scalar.value < 0x20: json += "\\u\(hex(UInt64(scalar.value), 4))"
        default: json.unicodeScalars.append(scalar)
        }
    }
    return json + "\""
}
