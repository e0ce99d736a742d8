internal import Model
internal import Topology

extension TestFileReader {
    mutating func error(_ code: Problem.Code, _ place: Place, _ path: String, _ what: String, next: String) {
        problems.append(
            Problem(
                place: place, path: path, code: code, severity: .error, what: what, next: next,
                sourceLine: document.line(place.line)))
    }

    /// A name that is none of `names`, with the nearest.
    mutating func unknown(
        _ code: Problem.Code, _ place: Place, _ path: String, _ what: String, _ name: String, _ names: [String]
    ) {
        let near = Spelling.nearest(to: name, among: names).map { "did you mean `\($0)`?" }
        error(code, place, path, what, next: near ?? "write one of \(Spelling.list(names))")
    }

    /// The values by key; unknown and missing ones are told. nil: not a map.
    mutating func keys(_ node: Node, _ path: String, _ names: [String], required: [String]) -> [String: Node]? {
        guard case .map(let entries) = node.content else {
            error(
                .wrongKind, node.place, path, "\(node.kind) stands where a map is due",
                next: "its keys are \(Spelling.list(names))")
            return nil
        }
        var values: [String: Node] = [:]
        for entry in entries {
            if names.contains(entry.key) {
                values[entry.key] = entry.value
            } else {
                unknown(.unknownKey, entry.keyPlace, path, "the key `\(entry.key)` is not known", entry.key, names)
            }
        }
        for name in required where values[name] == nil {
            error(.missingKey, node.place, path, "`\(name)` is missing", next: "add it")
        }
        return values
    }

    mutating func list(_ node: Node, _ path: String) -> [Node]? {
        if case .list(let items) = node.content { return items }
        error(.wrongKind, node.place, path, "\(node.kind) stands where a list is due", next: "write [ … ] or lines with `-`")
        return nil
    }

    mutating func text(_ node: Node, _ path: String) -> String? {
        if case .scalar(let scalar) = node.content, !scalar.isEmpty { return scalar.text }
        error(.wrongKind, node.place, path, "\(node.kind) stands where a single value is due", next: "write one value")
        return nil
    }

    mutating func whole(_ node: Node, _ path: String, _ range: ClosedRange<Int64>) -> Int64? {
        guard let text = text(node, path) else { return nil }
        if let number = Int64(text), range.contains(number) { return number }
        error(
            .badValue, node.place, path, "`\(text)` is not a whole number from \(range.lowerBound) to \(range.upperBound)",
            next: "write one")
        return nil
    }

    mutating func expected(_ node: Node, _ path: String) -> ExpectedValue? {
        switch node.content {
        case .scalar(let scalar): return ExpectedValue(text: scalar.text, isNull: JSONValue.isNull(node))
        case .list(let nodes):
            let items = nodes.enumerated().map { item($1, "\(path)[\($0)]") }
            guard items.allSatisfy({ $0 != nil }) else { return nil }
            return ExpectedValue(
                text: String(decoding: JSONValue.bytes(node), as: UTF8.self), isNull: false, items: items.compactMap(\.self))
        case .map:
            error(.wrongKind, node.place, path, "\(node.kind) stands where a single value is due", next: "write one value")
            return nil
        }
    }

    /// An entry of a list: a value, or `{value: …, count: …}`.
    private mutating func item(_ node: Node, _ path: String) -> ExpectedItem? {
        func scalar(_ node: Node) -> ExpectedValue? {
            guard case .scalar(let scalar) = node.content else { return nil }
            return ExpectedValue(text: scalar.text, isNull: JSONValue.isNull(node))
        }
        if let value = scalar(node) { return ExpectedItem(value: value, count: nil) }
        if case .map(let entries) = node.content, Set(entries.map(\.key)) == ["value", "count"] {
            let values = Dictionary(entries.map { ($0.key, scalar($0.value)) }) { first, _ in first }
            if case .some(.some(let value)) = values["value"], case .some(.some(let count)) = values["count"] {
                return ExpectedItem(value: value, count: count)
            }
        }
        error(
            .wrongKind, node.place, path, "an entry of a list is a value, or a value with its count",
            next: "write `5`, or `{value: 5, count: 2}`")
        return nil
    }
}
