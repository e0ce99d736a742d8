internal import Model
internal import Topology

extension TestFileReader {
    private static let subjects = ["rows", "latest", "outcomes", "late", "dead_letters", "watermark", "freshness"]
    private static let outcomes = [
        "read", "aggregated", "duplicate", "late", "filtered", "rejected", "partly_late", "unidentified",
        "duplicate_observed", "redelivered",
    ]
    /// Kinds of duplicates that comparing their content would tell.
    private static let plannedOutcomes = ["exact", "retimed", "conflicting"]
    private static let rowWords = ["revision", "final", "as_of"]
    private static let lateColumns = [
        "output", "topic", "partition", "offset", "window_start", "window_end", "watermark", "late_by",
    ]
    private static let deadColumns = ["topic", "partition", "offset", "reason", "field"]

    private enum Kind {
        case whole, instant, span
        var example: String {
            switch self {
            case .whole: "a whole number of at least 0"
            case .instant: "RFC 3339 with its zone, milliseconds, or null"
            case .span: "a span such as 45s, or null"
            }
        }
    }

    mutating func expectation(_ node: Node, _ path: String) -> Expected? {
        guard let keys = keys(node, path, Self.subjects, required: []) else { return nil }
        if case .map(let entries) = node.content, entries.isEmpty {
            error(
                .badValue, node.place, path, "nothing is expected, so nothing can fail",
                next: "name \(Spelling.list(Self.subjects))")
            return nil
        }
        var expectation = Expected()
        if let rows = keys["rows"] { expectation.rows = self.rows(rows, "\(path).rows") }
        if let rows = keys["latest"] { expectation.latest = self.rows(rows, "\(path).latest") }
        if let late = keys["late"] {
            expectation.late = lines(late, "\(path).late") { _ in Self.lateColumns }
            settleLate(&expectation.late, "\(path).late")
        }
        if let dead = keys["dead_letters"] {
            expectation.deadLetters = lines(dead, "\(path).dead_letters") { _ in Self.deadColumns }
            for row in expectation.deadLetters ?? [] {
                guard let reason = row["reason"]?.text else { continue }
                let words = RejectReason.allCases.map(\.word)
                if !words.contains(reason) {
                    unknown(.badValue, row.place, "\(path).dead_letters", "`\(reason)` is no reason", reason, words)
                }
            }
        }
        if let outcomes = keys["outcomes"] {
            let built = refusePlanned(outcomes, "\(path).outcomes")
            expectation.outcomes = cells(built, "\(path).outcomes", Self.outcomes, .whole)
        }
        if let watermark = keys["watermark"] {
            expectation.watermark = expected(watermark, "\(path).watermark")
            if let value = expectation.watermark { demand(value, .instant, watermark.place, "\(path).watermark") }
        }
        if let freshness = keys["freshness"] { self.freshness(freshness, "\(path).freshness", &expectation) }
        return expectation
    }

    /// Tells of outcomes that are not built; gives the rest.
    private mutating func refusePlanned(_ node: Node, _ path: String) -> Node {
        guard case .map(let entries) = node.content else { return node }
        for entry in entries where Self.plannedOutcomes.contains(entry.key) {
            error(
                .notBuilt, entry.keyPlace, path, "`\(entry.key)` is not counted yet",
                next: "leave it out; `duplicate` has them all")
        }
        let built = entries.filter { !Self.plannedOutcomes.contains($0.key) }
        guard !built.isEmpty || entries.isEmpty else { return node }
        var rest = node
        rest.content = .map(built)
        return rest
    }

    private mutating func freshness(_ node: Node, _ path: String, _ expectation: inout Expected) {
        let clocks = ["watermark_lag", "event_lag", "queue_age"]
        guard let keys = keys(node, path, clocks + ["outputs"], required: []) else { return }
        if keys.isEmpty { error(.badValue, node.place, path, "nothing is named", next: "name \(Spelling.list(clocks))") }
        var clockNode = node
        if case .map(let entries) = node.content {
            clockNode.content = .map(entries.filter { clocks.contains($0.key) })
            if entries.contains(where: { clocks.contains($0.key) }) {
                expectation.freshness = cells(clockNode, path, clocks, .span)
            }
        }
        guard let outputs = keys["outputs"] else { return }
        guard case .map(let entries) = outputs.content, !entries.isEmpty else {
            return error(.wrongKind, outputs.place, "\(path).outputs", "no output is named", next: "write {OUTPUT: {…}}")
        }
        for entry in entries {
            let inner = "\(path).outputs.\(entry.key)"
            checkOutput(entry.key, entry.keyPlace, inner)
            let found = cells(entry.value, inner, ["complete_through", "final_through"], .instant)
            expectation.outputs.append((entry.key, found))
        }
    }

    /// A map of named values of one kind; one that names nothing is refused.
    private mutating func cells(_ node: Node, _ path: String, _ names: [String], _ kind: Kind) -> [ExpectedCell] {
        guard keys(node, path, names, required: []) != nil, case .map(let entries) = node.content else { return [] }
        if entries.isEmpty { error(.badValue, node.place, path, "nothing is named", next: "name \(Spelling.list(names))") }
        var cells: [ExpectedCell] = []
        for entry in entries where names.contains(entry.key) {
            guard let value = expected(entry.value, "\(path).\(entry.key)") else { continue }
            demand(value, kind, entry.value.place, "\(path).\(entry.key)")
            cells.append(ExpectedCell(name: entry.key, value: value))
        }
        return cells
    }

    private mutating func demand(_ value: ExpectedValue, _ kind: Kind, _ place: Place, _ path: String) {
        let isGood =
            switch kind {
            case .whole: !value.isNull && (value.number.map { $0 >= 0 && $0 == $0.rounded() } ?? false)
            case .instant: value.isNull || value.instant != nil
            case .span: value.isNull || value.span != nil
            }
        if !isGood { error(.badValue, place, path, "`\(value.shown)` can't be expected here", next: "write \(kind.example)") }
    }

    private mutating func settleLate(_ rows: inout [ExpectedRow]?, _ path: String) {
        for row in rows?.indices ?? 0..<0 {
            for cell in rows?[row].cells.indices ?? 0..<0 where rows?[row].cells[cell].name == "late_by" {
                guard let value = rows?[row].cells[cell].value, let place = rows?[row].place else { continue }
                if let span = value.span {
                    // Both sides are compared as the same text.
                    rows?[row].cells[cell].value.text = span.exactText
                } else {
                    demand(value, .span, place, "\(path).late_by")
                }
            }
            if let output = rows?[row]["output"]?.text, let place = rows?[row].place { checkOutput(output, place, path) }
        }
    }

    private mutating func checkOutput(_ name: String, _ place: Place, _ path: String) {
        guard let names = plan?.aggregates.map(\.name), !names.contains(name) else { return }
        unknown(.badValue, place, path, "there is no output `\(name)`", name, names)
    }

    private mutating func rows(_ node: Node, _ path: String) -> [ExpectedRow]? {
        let outputs = plan?.aggregates ?? []
        let columns = outputs.map { output in
            ["output", "window_start", "window_end"] + output.groupBy.compactMap { plan?.fields[$0].name }
                + output.measures.map(\.name) + Self.rowWords
        }
        let rows = lines(node, path) { name in
            // Without a topology nothing is known of its columns.
            if outputs.isEmpty { return nil }
            if let name { return outputs.firstIndex { $0.name == name }.map { columns[$0] } }
            return Array(Set(columns.joined())).sorted()
        }
        for row in rows ?? [] {
            if let output = row["output"]?.text { checkOutput(output, row.place, path) }
        }
        return rows
    }

    /// A list of rows. `columns` has the names that a row of this output may use; nil: any.
    private mutating func lines(_ node: Node, _ path: String, columns: (_ output: String?) -> [String]?) -> [ExpectedRow]? {
        guard let items = list(node, path) else { return nil }
        var rows: [ExpectedRow] = []
        for (index, item) in items.enumerated() {
            let inner = "\(path)[\(index)]"
            guard case .map(let entries) = item.content, !entries.isEmpty else {
                error(.wrongKind, item.place, inner, "a row has to name its columns", next: "write {column: value, …}")
                continue
            }
            var row = ExpectedRow(place: item.place, cells: [])
            for entry in entries {
                guard let value = expected(entry.value, "\(inner).\(entry.key)") else { continue }
                row.cells.append(ExpectedCell(name: entry.key, value: value))
            }
            if let names = columns(row["output"]?.text) {
                for entry in entries where !names.contains(entry.key) {
                    unknown(.unknownField, entry.keyPlace, inner, "there is no column `\(entry.key)`", entry.key, names)
                }
            }
            rows.append(row)
        }
        return rows
    }
}
