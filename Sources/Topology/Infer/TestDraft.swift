import Model

/// The test file of a draft: made-up values, never the sample's.
struct TestDraft {
    let draft: Draft
    /// 2026-01-01T00:00:00Z, where windows of minutes, hours and days begin.
    private static let start: Int64 = 1_767_225_600_000

    var text: String {
        let horizons = draft.horizons
        let row = "{output: \(draft.table), window_start: 2026-01-01T00:00:00Z, events: 1}"
        var lines = ["# Run it with: weir test \(draft.name).test.yaml", "topology: \(draft.name).yaml", "cases:"]
        lines += [
            "  - name: an event is counted", "    steps:", "      - feed:", feed(1, at: 0), "      - end", "      - expect:",
            "          latest: [\(row)]", "          outcomes: {read: 1, aggregated: 1, rejected: 0}",
        ]
        if !draft.key.isEmpty {
            lines += [
                "  - name: a copy of a known event is a duplicate", "    steps:", "      - feed:", feed(1, at: 0), feed(1, at: 0),
                "      - end", "      - expect:", "          latest: [\(row)]",
                "          outcomes: {read: 2, aggregated: 1, duplicate: 1}",
            ]
        }
        let beyond = horizons.window + horizons.lateness + horizons.outOfOrderness + 60_000
        lines += [
            "  - name: an event after its window's lateness is late", "    steps:", "      - feed:", feed(1, at: 0),
            feed(2, at: beyond), feed(3, at: 0), "      - expect:", "          outcomes: {read: 3, aggregated: 2, late: 1}",
            "  - name: a record that is no JSON is a dead letter", "    steps:", "      - feed:",
            "          - {partition: 0, raw: \"not json\", timestamp: 2026-01-01T00:00:00Z}", "      - expect:",
            "          outcomes: {read: 1, aggregated: 0, rejected: 1}",
            "          dead_letters: [{partition: 0, offset: 0, reason: undecodable}]",
            "  - name: a quiet stream finishes", "    steps:", "      - feed:", feed(1, at: 0),
            "      - advance: \(CanonicalText.span(horizons.idleAfter + horizons.window + horizons.lateness + 1_000))",
            "      - expect:", "          latest: [\(row)]",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    /// A record whose id is `number`, milliseconds after the start.
    private func feed(_ number: Int, at offset: Int64) -> String {
        let at = Self.start + offset
        var root = Tree()
        for field in draft.fields { root.put(value(field, number, at), field.keys[...]) }
        let stamp = draft.time == nil ? ", timestamp: \(SampleTime.text(at))" : ""
        return "          - {partition: 0, value: \(root.text)\(stamp)}"
    }

    private func value(_ field: Draft.Field, _ number: Int, _ at: Int64) -> String {
        let isKey = draft.key.contains(field.name)
        switch field.kind {
        case .string, .json: return isKey ? "\"\(field.name)-\(number)\"" : "\"a\""
        case .int: return "\(isKey ? number : 1)"
        case .double: return isKey ? "\(number).5" : "1.5"
        case .bool: return "true"
        case .uuid: return "\"6b1e0c52-4f1d-4c7a-9a53-00000000000\(isKey ? number : 0)\""
        case .time(.epoch(let unit)): return "\(unit.number(at))"
        case .time: return "\"\(SampleTime.text(at))\""
        }
    }
}

/// Objects inside one another, in the order in which they were put.
private struct Tree {
    var members: [(key: String, leaf: String?, below: [Tree])] = []

    mutating func put(_ value: String, _ keys: ArraySlice<String>) {
        guard let first = keys.first else { return }
        let place = members.firstIndex { $0.key == first }
        if keys.count == 1 {
            if place == nil { members.append((first, value, [])) }
            return
        }
        let at = place ?? members.count
        if place == nil { members.append((first, nil, [Tree()])) }
        guard members[at].leaf == nil else { return }
        members[at].below[0].put(value, keys.dropFirst())
    }

    var text: String {
        "{" + members.map { "\(Quoted.json($0.key)): \($0.leaf ?? $0.below[0].text)" }.joined(separator: ", ") + "}"
    }
}

extension SampleTime {
    /// RFC 3339 in UTC, of times from 2026 on.
    static func text(_ milliseconds: Int64) -> String {
        var days = milliseconds / 86_400_000
        let second = milliseconds / 1_000 % 86_400
        var year: Int64 = 1970
        while days >= (isLeap(year) ? 366 : 365) {
            days -= isLeap(year) ? 366 : 365
            year += 1
        }
        var month = 0
        let lengths: [Int64] = [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        while days >= lengths[month] {
            days -= lengths[month]
            month += 1
        }
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let part = milliseconds % 1_000
        let fraction = part == 0 ? "" : ".\(part < 100 ? "0" : "")\(two(part))"
        return
            "\(year)-\(two(Int64(month) + 1))-\(two(days + 1))T\(two(second / 3_600)):\(two(second / 60 % 60)):\(two(second % 60))\(fraction)Z"
    }

    private static func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
}
