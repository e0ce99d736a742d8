import Model

/// A draft as the text of a topology file.
struct TopologyDraft {
    let draft: Draft

    var text: String {
        let horizons = draft.horizons
        var lines = draft.head.map { "# \($0)" }
        lines += ["name: \(draft.name)", "owner: \(Quoted.yaml(draft.owner))", ""]
        switch draft.source {
        case .topic(let topic, let bootstrap):
            lines += [
                "kafka: {bootstrap: \"${KAFKA_BOOTSTRAP:-\(bootstrap)}\"}",
                "source: {topics: [\(Quoted.yaml(topic))], group: \(draft.name)}",
            ]
        case .files(let paths):
            lines.append("source: {files: [\(paths.map(Quoted.yaml).joined(separator: ", "))]}")
        }
        lines += ["", "fields:"]
        for field in draft.fields { lines.append(line(field)) }
        lines.append("")
        let time = draft.time.map { "field: \($0)" } ?? "record: timestamp"
        for key in ["out_of_orderness", "idle_after", "max_future"] { lines += comments(key, indent: "") }
        lines.append(
            "event_time: {\(time), out_of_orderness: \(span(horizons.outOfOrderness)), "
                + "idle_after: \(span(horizons.idleAfter)), max_future: \(span(horizons.maxFuture))}")
        lines.append("")
        if draft.key.isEmpty {
            lines.append("# No field looks like an event's id, so copies are not recognised.")
        } else {
            lines += comments("deduplicate", indent: "") + comments("within", indent: "")
            lines.append("deduplicate: {key: [\(draft.key.joined(separator: ", "))], within: \(span(horizons.within))}")
        }
        lines += ["", "aggregates:", "  \(draft.table):"]
        lines += comments("window", indent: "    ")
        lines.append("    window: {tumbling: \(span(horizons.window))}")
        lines += comments("allowed_lateness", indent: "    ")
        lines.append("    allowed_lateness: \(span(horizons.lateness))")
        if !draft.groups.isEmpty { lines.append("    group_by: [\(draft.groups.joined(separator: ", "))]") }
        lines += ["    measures:", "      events: count()"]
        for measure in draft.measures { lines.append("      \(measure.name): \(measure.expression)") }
        lines += ["    emit: on_time", "    to: [{table: \(draft.table)}]", "", "late: ledger"]
        lines.append("state: {directory: \"${WEIR_STATE:-./state}\"}")
        lines.append("http: {listen: \"${WEIR_LISTEN:-127.0.0.1:8080}\"}")
        lines += acceptances
        return lines.joined(separator: "\n") + "\n"
    }

    /// What the draft means as it says it, with the reason.
    private var acceptances: [String] {
        let isApart = draft.isSplit && !draft.key.isEmpty
        let unread = draft.fields.filter { field in
            !field.isRequired && field.name != draft.time && !draft.key.contains(field.name)
                && !draft.groups.contains(field.name) && !draft.measures.contains { $0.expression.contains("(\(field.name))") }
        }
        var codes: [String] = []
        var lines: [String] = []
        if isApart {
            codes.append("files_apart")
            lines.append("# Copies in other files count.")
        }
        if !unread.isEmpty {
            codes.append("unused_field")
            lines.append("# Personal fields are declared, though nothing reads them yet, so that it is known what they are.")
        }
        return codes.isEmpty ? [] : lines + ["check: {accept: [\(codes.joined(separator: ", "))]}"]
    }

    private func span(_ milliseconds: Int64) -> String { CanonicalText.span(milliseconds) }

    private func comments(_ key: String, indent: String) -> [String] {
        draft.horizons.notes[key, default: []].enumerated().map { number, note in
            let label = number == 0 && key != "deduplicate" ? "\(key): " : ""
            return "\(indent)# \(label)\(note)"
        }
    }

    private func line(_ field: Draft.Field) -> String {
        var parts: [String]
        switch field.kind {
        case .string: parts = ["type: string"]
        case .int: parts = ["type: int"]
        case .double: parts = ["type: double"]
        case .bool: parts = ["type: bool"]
        case .uuid: parts = ["type: uuid"]
        case .json: parts = ["type: json"]
        case .time(.epoch(let unit)): parts = ["type: timestamp", "unit: \(unit.rawValue)"]
        case .time(.zoned): parts = ["type: timestamp"]
        case .time(.zoneless): parts = ["type: timestamp", "zone: UTC"]
        }
        if field.keys != [field.name] { parts.append("path: \(Quoted.yaml(field.keys.joined(separator: ".")))") }
        if field.isRequired { parts.append("required: true") }
        if field.isPersonal { parts.append("class: personal") }
        return "  \(field.name): {\(parts.joined(separator: ", "))}" + (field.note.isEmpty ? "" : "   # \(field.note)")
    }
}

extension Draft {
    var table: String {
        switch horizons.window {
        case 60_000: "events_per_minute"
        case 3_600_000: "events_per_hour"
        default: "events_per_day"
        }
    }

    /// Copies can lie in different files.
    var isSplit: Bool {
        guard case .files(let paths) = source else { return false }
        return paths.count > 1 || paths.contains { $0.contains { "*?[".contains($0) } }
    }
}

/// Texts in YAML.
enum Quoted {
    /// Plain where that is safe, else in double quotes as JSON has them, which YAML reads alike.
    static func yaml(_ text: String) -> String {
        let isPlain = text.first.map { $0.isASCII && $0.isLetter } ?? false
        let words: Set<String> = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        if isPlain, !words.contains(text.lowercased()),
            text.utf8.allSatisfy({ byte in
                byte < 0x80
                    && (Character(Unicode.Scalar(byte)).isLetter || Character(Unicode.Scalar(byte)).isNumber
                        || "_-./".utf8.contains(byte))
            })
        {
            return text
        }
        return json(text.replacing("${", with: "$${"))
    }

    static func json(_ text: String) -> String {
        var json = JSONText()
        json.string(text)
        return json.text
    }

    /// A name in a comment: one line, whatever it holds.
    static func comment(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map {
                    $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) || $0.value == 0x2028 || $0.value == 0x2029 ? "?" : $0
                }))
    }
}
