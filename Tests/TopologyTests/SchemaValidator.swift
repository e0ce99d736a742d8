import Foundation

@testable import Topology

/// The keywords of JSON Schema that the language's schema uses. One that it doesn't know is a problem, not a pass.
struct SchemaValidator {
    struct Broken: Error {}
    private let root: [String: Any]

    init(_ text: String) throws {
        guard let root = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else { throw Broken() }
        self.root = root
    }

    func problems(yaml: String) throws -> [String] {
        guard let node = YAMLReader.read(Array(yaml.utf8), file: "t.yaml", problems: ProblemList())?.root else { throw Broken() }
        return problems(node, root, "")
    }

    private func problems(_ node: Node, _ schema: [String: Any], _ path: String) -> [String] {
        schema.flatMap { keyword, rule in problems(node, keyword, rule, schema, path) }
    }

    private func fits(_ node: Node, _ schema: [String: Any]) -> Bool { problems(node, schema, "").isEmpty }

    private func problems(_ node: Node, _ keyword: String, _ rule: Any, _ schema: [String: Any], _ path: String) -> [String] {
        func unless(_ holds: Bool) -> [String] { holds ? [] : ["\(path): \(keyword)"] }
        let keys = node.entries.map(\.key)
        switch (keyword, rule) {
        case ("$schema", _), ("title", _), ("description", _), ("default", _), ("$defs", _): return []
        case ("type", let type as String): return unless(node.types.contains(type))
        case ("type", let types as [String]): return unless(!node.types.isDisjoint(with: types))
        case ("enum", let values as [Any]): return unless(values.contains { Self.isEqual(node, $0) })
        case ("pattern", let pattern as String):
            guard node.types.contains("string"), let text = node.text else { return [] }
            return unless(text.range(of: pattern, options: .regularExpression) != nil)
        case ("minLength", let least as Int): return unless(!node.types.contains("string") || node.text?.count ?? 0 >= least)
        case ("minimum", let least as Int64): return unless(node.number.map { $0 >= Double(least) } ?? true)
        case ("maximum", let most as Int64): return unless(node.number.map { $0 <= Double(most) } ?? true)
        case ("minItems", let least as Int): return unless(node.items.map { $0.count >= least } ?? true)
        case ("minProperties", let least as Int): return unless(!node.types.contains("object") || keys.count >= least)
        case ("required", let names as [String]): return unless(!node.types.contains("object") || Set(names).isSubset(of: keys))
        case ("dependentRequired", let needs as [String: [String]]):
            return unless(needs.allSatisfy { !keys.contains($0.key) || Set($0.value).isSubset(of: keys) })
        case ("anyOf", let branches as [[String: Any]]): return unless(branches.contains { fits(node, $0) })
        case ("oneOf", let branches as [[String: Any]]): return unless(branches.count { fits(node, $0) } == 1)
        case ("$ref", "#/$defs/reference" as String):
            guard let target = (root["$defs"] as? [String: Any])?["reference"] as? [String: Any] else { return unless(false) }
            return problems(node, target, path)
        case ("items", let item as [String: Any]): return (node.items ?? []).flatMap { problems($0, item, path + "[]") }
        case ("properties", let properties as [String: [String: Any]]):
            return node.entries.flatMap { entry in
                properties[entry.key].map { problems(entry.value, $0, "\(path).\(entry.key)") } ?? []
            }
        case ("propertyNames", let rule as [String: String]):
            return unless(keys.allSatisfy { $0.range(of: rule["pattern"] ?? "", options: .regularExpression) != nil })
        case ("additionalProperties", let other as [String: Any]):
            return node.entries.flatMap { problems($0.value, other, "\(path).\($0.key)") }
        case ("additionalProperties", _ as Bool):
            let known = (schema["properties"] as? [String: Any]) ?? [:]
            return unless(keys.allSatisfy { known[$0] != nil })
        default: return ["\(path): the keyword \(keyword) is unknown"]
        }
    }

    private static func isEqual(_ node: Node, _ value: Any) -> Bool {
        if let text = value as? String { return node.types.contains("string") && node.text == text }
        return node.types.contains("boolean") && (value as? Bool).map { String($0) == node.text } ?? false
    }
}

/// As YAML's core schema types plain scalars.
extension Node {
    fileprivate var entries: [Entry] { if case .map(let entries) = content { entries } else { [] } }
    fileprivate var items: [Node]? { if case .list(let items) = content { items } else { nil } }
    fileprivate var text: String? { if case .scalar(let scalar) = content { scalar.text } else { nil } }
    fileprivate var number: Double? { types.contains("number") ? text.flatMap(Double.init) : nil }
    fileprivate var types: Set<String> {
        switch content {
        case .list: return ["array"]
        case .map: return ["object"]
        case .scalar(let scalar):
            guard scalar.style == .plain else { return ["string"] }
            if ["", "~", "null"].contains(scalar.text) { return ["null"] }
            if ["true", "false"].contains(scalar.text) { return ["boolean"] }
            if Int64(scalar.text) != nil { return ["integer", "number"] }
            return Double(scalar.text) != nil ? ["number"] : ["string"]
        }
    }
}
