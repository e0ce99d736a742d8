internal import Model
internal import Topology

extension TestFileReader {
    private static let subjects = ["rows", "latest", "outcomes", "late", "dead_letters", "watermark", "freshness"]
    /// What each `expect` begins anew.
    static let lists = ["rows", "late", "dead_letters"]
    /// Kinds of copies that only comparing their content tells.
    private static let comparedOutcomes = ["exact", "retimed", "conflicting"]

    mutating func expectation(_ node: Node, _ path: String) -> Expected? {
        guard let keys = keys(node, path, Self.subjects, required: []) else { return nil }
        if case .map(let entries) = node.content, entries.isEmpty {
            error(
                .badValue, node.place, path, "nothing is expected, so nothing can fail",
                next: "name \(Spelling.list(Self.subjects))")
            return nil
        }
        var expectation = Expected()
        let rows = plan.map(ExpectedColumn.rows) ?? []
        if let node = keys["rows"] { expectation.rows = lines(node, "\(path).rows", rows) }
        if let node = keys["latest"] { expectation.latest = lines(node, "\(path).latest", rows) }
        if let node = keys["late"] { expectation.late = late(node, "\(path).late") }
        if let node = keys["dead_letters"] {
            expectation.deadLetters = lines(node, "\(path).dead_letters", plan.map { [ExpectedColumn.deadLetters($0)] } ?? [])
        }
        if let node = keys["outcomes"] {
            refuseUncompared(node, "\(path).outcomes")
            expectation.outcomes = cells(node, "\(path).outcomes", ExpectedColumn.outcomes)
        }
        if let node = keys["watermark"] {
            expectation.watermark = expected(node, "\(path).watermark")
            if let value = expectation.watermark {
                let column = ExpectedColumn(name: "watermark", kind: .instant, canBeNull: true)
                if !column.takes(value) { refuse(value, column, node.place, "\(path).watermark") }
            }
        }
        if let node = keys["freshness"] { freshness(node, "\(path).freshness", &expectation) }
        return expectation
    }

    /// Without `compare` copies are of no kind.
    private mutating func refuseUncompared(_ node: Node, _ path: String) {
        guard let plan, plan.deduplicate?.compare == nil, case .map(let entries) = node.content else { return }
        for entry in entries where Self.comparedOutcomes.contains(entry.key) {
            error(
                .contradiction, entry.keyPlace, path, "this topology does not compare copies, so none is `\(entry.key)`",
                next: "write `compare: {}` under `deduplicate` there, or expect `duplicate`")
        }
    }

    private mutating func freshness(_ node: Node, _ path: String, _ expectation: inout Expected) {
        let clocks = ExpectedColumn.clocks.map(\.name)
        guard let keys = keys(node, path, clocks + ["outputs"], required: []) else { return }
        if keys.isEmpty { error(.badValue, node.place, path, "nothing is named", next: "name \(Spelling.list(clocks))") }
        var clockNode = node
        if case .map(let entries) = node.content {
            clockNode.content = .map(entries.filter { clocks.contains($0.key) })
            if entries.contains(where: { clocks.contains($0.key) }) {
                expectation.freshness = cells(clockNode, path, ExpectedColumn.clocks)
            }
        }
        guard let outputs = keys["outputs"] else { return }
        guard case .map(let entries) = outputs.content, !entries.isEmpty else {
            return error(.wrongKind, outputs.place, "\(path).outputs", "no output is named", next: "write {OUTPUT: {…}}")
        }
        for entry in entries {
            let inner = "\(path).outputs.\(entry.key)"
            if let names = plan?.aggregates.map(\.name), !names.contains(entry.key) {
                unknown(.badValue, entry.keyPlace, inner, "there is no output `\(entry.key)`", entry.key, names)
            }
            expectation.outputs.append((entry.key, cells(entry.value, inner, ExpectedColumn.progress)))
        }
    }

    /// A map of named values; one that names nothing is refused.
    private mutating func cells(_ node: Node, _ path: String, _ columns: [ExpectedColumn]) -> [ExpectedCell] {
        let names = columns.map(\.name)
        guard keys(node, path, names, required: []) != nil, case .map(let entries) = node.content else { return [] }
        if entries.isEmpty { error(.badValue, node.place, path, "nothing is named", next: "name \(Spelling.list(names))") }
        var cells: [ExpectedCell] = []
        for entry in entries {
            guard let column = columns.first(where: { $0.name == entry.key }),
                let value = expected(entry.value, "\(path).\(entry.key)")
            else { continue }
            if !column.takes(value) { refuse(value, column, entry.value.place, "\(path).\(entry.key)") }
            cells.append(ExpectedCell(name: entry.key, value: value))
        }
        return cells
    }

    private mutating func refuse(_ value: ExpectedValue, _ column: ExpectedColumn, _ place: Place, _ path: String) {
        if case .name(let names, let what) = column.kind, !value.isNull {
            return unknown(.badValue, place, path, "there is no \(what) `\(value.text)`", value.text, names)
        }
        error(
            .badValue, place, path, "`\(value.shown)` can't be expected here: `\(column.name)` never is",
            next: "write \(column.advice)")
    }

    private mutating func late(_ node: Node, _ path: String) -> [ExpectedRow]? {
        if case .count? = plan?.late {
            error(
                .contradiction, node.place, path, "this topology only counts late records, so there are no entries to compare",
                next: "write `late: ledger` there, or expect `outcomes: {late: …}`")
        }
        var rows = lines(node, path, plan.map(ExpectedColumn.late) ?? [])
        for row in rows?.indices ?? 0..<0 {
            for cell in rows?[row].cells.indices ?? 0..<0 where rows?[row].cells[cell].name == "late_by" {
                // Both sides are compared as the same text.
                if let span = rows?[row].cells[cell].value.span { rows?[row].cells[cell].value.text = span.exactText }
            }
        }
        return rows
    }

    /// A list of rows, each of which must be one that some of the `candidates` can have. Without a topology nothing is known of
    /// them.
    private mutating func lines(_ node: Node, _ path: String, _ candidates: [[ExpectedColumn]]) -> [ExpectedRow]? {
        guard let items = list(node, path) else { return nil }
        var rows: [ExpectedRow] = []
        for (index, item) in items.enumerated() {
            let inner = "\(path)[\(index)]"
            guard case .map(let entries) = item.content, !entries.isEmpty else {
                error(.wrongKind, item.place, inner, "a row has to name its columns", next: "write {column: value, …}")
                continue
            }
            var row = ExpectedRow(place: item.place, cells: [])
            var places: [Place] = []
            for entry in entries {
                guard let value = expected(entry.value, "\(inner).\(entry.key)") else { continue }
                row.cells.append(ExpectedCell(name: entry.key, value: value))
                places.append(entry.value.place)
            }
            if !candidates.isEmpty, row.cells.count == entries.count { check(row, places, entries, inner, candidates) }
            rows.append(row)
        }
        return rows
    }

    private mutating func check(
        _ row: ExpectedRow, _ places: [Place], _ entries: [Node.Entry], _ path: String, _ candidates: [[ExpectedColumn]]
    ) {
        var fitting = candidates
        if let at = row.cells.firstIndex(where: { $0.name == "output" }) {
            let outputs = candidates.filter { $0.first { $0.name == "output" }?.takes(row.cells[at].value) ?? true }
            if outputs.isEmpty {
                let names = plan?.aggregates.map(\.name) ?? []
                let column = ExpectedColumn(name: "output", kind: .name(names, what: "output"))
                return refuse(row.cells[at].value, column, places[at], "\(path).output")
            }
            fitting = outputs
        }
        let known = Set(fitting.joined().map(\.name))
        let strangers = entries.filter { !known.contains($0.key) }
        for entry in strangers {
            unknown(
                .unknownField, entry.keyPlace, path, "there is no column `\(entry.key)`", entry.key,
                fitting.count == 1 ? fitting[0].map(\.name) : known.sorted())
        }
        if !strangers.isEmpty { return }
        let complete = fitting.filter { columns in row.cells.allSatisfy { cell in columns.contains { $0.name == cell.name } } }
        guard !complete.isEmpty else {
            return error(
                .unknownField, row.place, path, "no output has all of these columns", next: "name the columns of one output")
        }
        let wrong = complete.map { misfits(row, $0) }.min { $0.count < $1.count } ?? []
        for (at, column) in wrong { refuse(row.cells[at].value, column, places[at], "\(path).\(column.name)") }
    }

    /// The cells that rows of these columns never have.
    private func misfits(_ row: ExpectedRow, _ columns: [ExpectedColumn]) -> [(at: Int, column: ExpectedColumn)] {
        let start = row["window_start"]?.instant
        return row.cells.indices.compactMap { at in
            guard let column = columns.first(where: { $0.name == row.cells[at].name }) else { return nil }
            return column.takes(row.cells[at].value, start: start) ? nil : (at, column)
        }
    }
}
