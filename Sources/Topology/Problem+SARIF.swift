import Model

extension Problem {
    /// A SARIF 2.1.0 log, for what shows problems beside the lines of a change: one run, a rule for every code, a result for every
    /// problem. Columns count Unicode scalars; a region ends behind the word at its beginning, or,
    /// where no word stands there, with its line.
    ///
    /// Paths stay as they were given, percent-encoded: relative paths are relative to where the command ran.
    public static func sarif(_ problems: [Problem], version: String) -> String {
        var json = JSONText(capacity: 16_384)
        json.beginObject()
        json.member("$schema", "https://json.schemastore.org/sarif-2.1.0.json")
        json.member("version", "2.1.0")
        json.key("runs")
        json.beginArray()
        json.beginObject()
        json.key("tool")
        json.beginObject()
        json.key("driver")
        json.beginObject()
        json.member("name", "weir")
        json.member("version", version)
        json.key("rules")
        json.beginArray()
        for code in Code.allCases { rule(code, &json) }
        json.endArray()
        json.endObject()
        json.endObject()
        json.member("columnKind", "unicodeCodePoints")
        json.key("results")
        json.beginArray()
        for problem in problems { problem.result(&json) }
        json.endArray()
        json.endObject()
        json.endArray()
        json.endObject()
        return json.text
    }

    private static func rule(_ code: Code, _ json: inout JSONText) {
        json.beginObject()
        json.member("id", code.rawValue)
        json.key("shortDescription")
        message(code.summary, &json)
        json.key("help")
        message("\(code.summary) See docs/checks.md#\(code.rawValue).", &json)
        json.key("defaultConfiguration")
        json.beginObject()
        json.member("level", code.isNote ? "note" : code.isWarning ? "warning" : "error")
        json.endObject()
        json.endObject()
    }

    private func result(_ json: inout JSONText) {
        json.beginObject()
        json.member("ruleId", code.rawValue)
        json.member("ruleIndex", Code.allCases.firstIndex(of: code) ?? 0)
        json.member("level", severity.rawValue)
        json.key("message")
        Self.message("\(path.isEmpty ? "" : "\(path): ")\(what); \(next)", &json)
        json.key("locations")
        json.beginArray()
        json.beginObject()
        json.key("physicalLocation")
        json.beginObject()
        json.key("artifactLocation")
        json.beginObject()
        json.member("uri", Self.uri(place.file))
        json.endObject()
        json.key("region")
        json.beginObject()
        json.member("startLine", place.line)
        json.member("startColumn", place.column)
        if let end = endOfWord { json.member("endColumn", end) }
        json.endObject()
        json.endObject()
        json.endObject()
        json.endArray()
        json.endObject()
    }

    /// The column behind the word that begins at the place; nil where none does, or the line must not be shown.
    private var endOfWord: Int? {
        guard let sourceLine else { return nil }
        let word = sourceLine.unicodeScalars.dropFirst(place.column - 1).prefix {
            $0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "_"
        }
        return word.isEmpty ? nil : place.column + word.count
    }

    private static func message(_ text: String, _ json: inout JSONText) {
        json.beginObject()
        json.member("text", text)
        json.endObject()
    }

    /// RFC 3986: what is no unreserved character and no slash is written as `%` and two digits; an absolute path gets its scheme.
    private static func uri(_ path: String) -> String {
        var bytes = Array((path.hasPrefix("/") ? "file://" : "").utf8)
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Problem.Code {
    /// Doubts: the topology can run as it is.
    public var isWarning: Bool { Self.acceptable.contains(self) || self == .unusedAcceptance }

    /// Doubts that no `--strict` turns into errors; some others are notes where they may be right.
    public var isNote: Bool { self == .unusedField || self == .memoryTight }

    /// What the rule is about, in one sentence.
    public var summary: String {
        switch self {
        case .unreadableFile: "A file can't be opened or read."
        case .tooLarge: "Something is larger than Weir's limit for it."
        case .tooDeep: "Something is nested deeper than Weir's limit."
        case .encoding: "The file is no UTF-8 text."
        case .yaml: "The file is no YAML, or uses a part of YAML that topologies don't take."
        case .duplicateKey: "A key stands twice in one map."
        case .variable: "A `${…}` can't be replaced."
        case .literalSecret: "A secret stands in the file itself."
        case .unknownKey: "The language has no such key at this place."
        case .missingKey: "A key that is needed is missing."
        case .wrongKind: "A value is of the wrong kind, such as a list where a map is expected."
        case .badValue: "A value doesn't fit its key."
        case .contradiction: "Two keys exclude one another."
        case .notBuilt: "A part of the language that isn't built yet."
        case .unknownField: "A name that no field has."
        case .expression: "An expression can't be parsed."
        case .constantError: "A part of an expression is an error for every record."
        case .typeMismatch: "A field or literal is of a type that can't be used like this."
        case .nameTaken: "A name is in use already."
        case .cellTooLarge: "The measures of one group could need more than a record holds."
        case .loop: "A topic is both read and written."
        case .deliveryWithoutKafka: "A group of instances needs Kafka topics to share."
        case .dedupBuckets: "The horizon of duplicates is cut into too many buckets."
        case .memory: "The memory can't hold the process and its client queues."
        case .ownerMissing: "With --strict, a topology names who is told."
        case .lateCopies: "Keys of duplicates are forgotten while their window is open."
        case .keyWithDefault: "A field of the duplicates' key has a default."
        case .filesApart: "Copies in different files are not recognised."
        case .neverTrue: "A condition that no event can fulfil."
        case .neverFalse: "A condition that rules no value out."
        case .freshnessUnmet: "A promise of freshness that the topology's own delays break."
        case .rollUp: "An aggregate can't be made of the results that it names."
        case .wideGroup: "A group for nearly every event."
        case .personalRows: "A personal field stands in rows."
        case .topicCollision: "Topics that differ only in `.` and `_`."
        case .sharedTopic: "Two outputs write to one topic."
        case .unusedField: "A field that nothing reads."
        case .samePath: "Two fields at one path, or one inside the other."
        case .idleUnmet: "A silent partition alone breaks the promise of freshness."
        case .memoryShort: "The keys of duplicates alone need more than the memory, even on disk."
        case .memoryTight: "The memory holds few events or groups; what it does not hold waits on disk."
        case .lateKeep: "Late events are forgotten while their windows are still kept for them."
        case .objectiveUnmet: "A promise of freshness that holds for a smaller share of time than promised."
        case .unusedAcceptance: "An acceptance of a warning that nothing gives."
        }
    }
}
