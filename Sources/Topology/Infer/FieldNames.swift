/// Names of fields: what they hint at, and how they become identifiers.
enum FieldNames {
    /// `messageId` → `message_id`, `$lib-version` → `lib_version`.
    static func snake(_ key: String) -> String {
        var out = ""
        var wasSmall = false
        for scalar in key.unicodeScalars {
            switch scalar {
            case "A"..."Z":
                if wasSmall { out += "_" }
                out.unicodeScalars.append(Unicode.Scalar(scalar.value + 32) ?? scalar)
                wasSmall = false
            case "a"..."z", "0"..."9":
                out.unicodeScalars.append(scalar)
                wasSmall = true
            default:
                if !out.isEmpty, !out.hasSuffix("_") { out += "_" }
                wasSmall = false
            }
        }
        while out.hasSuffix("_") { out.removeLast() }
        return out
    }

    /// An identifier that is not in `taken`, near the path's last key; the parent's key helps where that is taken.
    static func identifier(_ keys: [String], taken: Set<String>) -> String {
        let parts = keys.map(snake)
        var name = parts.last ?? ""
        if taken.contains(name) || name.isEmpty { name = parts.suffix(2).filter { !$0.isEmpty }.joined(separator: "_") }
        if name.isEmpty { name = "field" }
        if reserved.contains(name) { name += "_value" }
        if let first = name.utf8.first, (0x30...0x39).contains(first) { name = "f" + name }
        name = String(name.prefix(40))
        var unique = name
        var number = 2
        while taken.contains(unique) {
            unique = "\(name)_\(number)"
            number += 1
        }
        return unique
    }

    /// The language can say it: no dot in a key, no variable, nothing that doesn't print.
    static func isPath(_ keys: [String]) -> Bool {
        keys.count <= TopologyLimits.pathKeys
            && keys.allSatisfy { key in
                !key.isEmpty && !key.contains(".") && !key.contains("${")
                    && key.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) && $0 != "\u{feff}" }
            }
    }

    /// Columns that every row has, and words of expressions.
    private static let reserved: Set<String> = [
        "window_start", "window_end", "revision", "final", "as_of", "retracted", "reason", "row_key", "events", "and", "or",
        "not", "in", "is", "like", "between", "null", "true", "false", "case", "when", "then", "else", "end", "where", "cast",
        "as", "escape", "if", "interval",
    ]

    static let ids = [
        "event_id", "message_id", "insert_id", "event_uuid", "uuid", "id", "msg_id", "record_id", "guid", "transaction_id",
        "request_id", "order_id", "trace_id",
    ]
    static let times = [
        "event_time", "occurred_at", "event_timestamp", "happened_at", "event_ts", "ts", "timestamp", "time", "event_date",
        "datetime", "created_at", "created", "date",
    ]
    static let laterTimes = ["sent_at", "received_at", "ingested_at", "processed_at", "updated_at", "loaded_at"]
    static let events = ["event", "event_name", "event_type", "type", "action", "kind", "name", "topic", "status"]
    private static let personal: Set<String> = [
        "email", "e_mail", "mail", "ip", "ip_address", "ipaddress", "client_ip", "remote_addr", "user_id", "userid", "uid",
        "user", "username", "user_name", "name", "first_name", "last_name", "full_name", "surname", "phone", "phone_number",
        "mobile", "address", "street", "ssn", "birthday", "birth_date", "date_of_birth", "distinct_id", "anonymous_id",
        "customer_id", "device_id", "latitude", "longitude", "iban", "login",
    ]

    static func isTime(_ snake: String) -> Bool {
        times.contains(snake) || laterTimes.contains(snake) || snake.contains("time") || snake.hasSuffix("_at")
            || snake.hasSuffix("_ts") || snake.contains("date")
    }

    static func isPersonal(_ snake: String) -> Bool {
        personal.contains(snake)
            || ["_email", "_ip", "_phone", "_user_id", "_ip_address", "_address"].contains { snake.hasSuffix($0) }
    }

    static func isMeasure(_ snake: String) -> Bool {
        [
            "duration", "amount", "price", "latency", "bytes", "size", "value", "total", "revenue", "cost", "elapsed", "_ms",
            "quantity", "score", "temperature", "weight", "distance",
        ].contains { snake.contains($0) }
    }
}
