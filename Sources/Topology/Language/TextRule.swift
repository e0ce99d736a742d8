/// What a text must look like.
enum TextRule: Sendable {
    /// Anything that isn't empty.
    case any
    /// The topology's or a consumer group's name.
    case name
    /// The name of a field, an aggregate, a measure or a table.
    case identifier
    /// A name that is only looked up, so that the answer can be "unknown" with the nearest one.
    case reference
    case topic
    case path
    case bootstrap
    case zone
    /// Object keys with dots between them.
    case fieldPath
    case hours

    var words: String {
        switch self {
        case .any: "a text"
        case .name: "a name of letters, digits, `.`, `_` and `-`, at most \(TopologyLimits.nameLength) characters"
        case .identifier:
            "a name of small letters, digits and `_` that begins with no digit, at most \(TopologyLimits.nameLength) characters"
        case .reference: "a name"
        case .topic: "a topic's name: letters, digits, `.`, `_` and `-`, at most \(TopologyLimits.topicLength) characters"
        case .path: "a path"
        case .bootstrap: "brokers as `host:port`, with commas between them"
        case .zone: "a time zone such as `Europe/Berlin`"
        case .fieldPath: "up to \(TopologyLimits.pathKeys) keys with dots between them, such as `geo.country`"
        case .hours: "hours such as `Mon-Fri 08:00-20:00 Europe/Berlin`"
        }
    }

    func accepts(_ text: String) -> Bool {
        guard !text.isEmpty, !text.utf8.contains(0) else { return false }
        switch self {
        case .any, .reference, .path: return true
        case .name:
            return text.utf8.count <= TopologyLimits.nameLength && text.utf8.allSatisfy(Self.isTopicByte)
                && !text.hasPrefix(".") && !text.hasPrefix("-")
        case .identifier:
            guard let first = text.utf8.first, text.utf8.count <= TopologyLimits.nameLength else { return false }
            return !Self.isDigit(first) && text.utf8.allSatisfy { (0x61...0x7a).contains($0) || Self.isDigit($0) || $0 == 0x5f }
        case .topic:
            return text.utf8.count <= TopologyLimits.topicLength && text != "." && text != ".."
                && text.utf8.allSatisfy(Self.isTopicByte)
        case .bootstrap:
            return text.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { Scalars.listen(String($0)) != nil }
        case .zone:
            return text.utf8.count <= 64 && text.utf8.allSatisfy { Self.isTopicByte($0) || $0 == 0x2f || $0 == 0x2b }
        case .fieldPath:
            let keys = text.split(separator: ".", omittingEmptySubsequences: false)
            return keys.count <= TopologyLimits.pathKeys && keys.allSatisfy { !$0.isEmpty }
        case .hours: return Self.isHours(text)
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isTopicByte(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x2e || byte == 0x5f
            || byte == 0x2d
    }

    /// `DAYS HH:MM-HH:MM ZONE`; days are `Mon`, `Mon-Fri` or `Mon,Wed`.
    private static func isHours(_ text: String) -> Bool {
        let parts = text.split(separator: " ")
        guard parts.count == 3, TextRule.zone.accepts(String(parts[2])) else { return false }
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        let days = parts[0].split(separator: ",", omittingEmptySubsequences: false)
        let areDays = days.allSatisfy { day in
            let ends = day.split(separator: "-", omittingEmptySubsequences: false)
            return ends.count <= 2 && ends.allSatisfy { names.contains(String($0)) }
        }
        let times = parts[1].split(separator: "-", omittingEmptySubsequences: false)
        // From 08:00 to 08:00 could be no time or all day; 22:00-06:00 goes over midnight.
        return areDays && times.count == 2 && times[0] != times[1]
            && times.allSatisfy { time in
                let digits = Array(time.utf8)
                guard digits.count == 5, digits[2] == 0x3a, let hour = Int(time.prefix(2)), let minute = Int(time.suffix(2))
                else {
                    return false
                }
                return digits[0] != 0x2b && digits[3] != 0x2b && (hour < 24 && minute < 60 || hour == 24 && minute == 0)
            }
    }
}
