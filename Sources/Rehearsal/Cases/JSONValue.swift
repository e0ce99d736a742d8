internal import Model
internal import Topology

/// YAML values to JSON bytes by YAML 1.2's core schema: quoted scalars are strings, unquoted numbers stand exactly as written.
enum JSONValue {
    static func bytes(_ node: Node) -> [UInt8] {
        var json = JSONText()
        write(node, &json)
        return json.bytes
    }

    /// An unquoted `null`, `~` or nothing.
    static func isNull(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node.content, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.text)
    }

    private static func write(_ node: Node, _ json: inout JSONText) {
        switch node.content {
        case .list(let items):
            json.beginArray()
            for item in items { write(item, &json) }
            json.endArray()
        case .map(let entries):
            json.beginObject()
            for entry in entries {
                json.key(entry.key)
                write(entry.value, &json)
            }
            json.endObject()
        case .scalar(let scalar):
            guard scalar.style == .plain else { return json.string(scalar.text) }
            if isNull(node) { return json.null() }
            switch scalar.text {
            case "true", "True", "TRUE": json.bool(true)
            case "false", "False", "FALSE": json.bool(false)
            default: isNumber(scalar.text) ? json.raw(scalar.text.utf8) : json.string(scalar.text)
            }
        }
    }

    /// By JSON's grammar, so that what is written as a number is one for the reader too; `+1`, `.5`, `0x1f` are strings.
    static func isNumber(_ text: String) -> Bool {
        var rest = text.utf8[...]
        func digits() -> Int {
            let count = rest.prefix { (0x30...0x39).contains($0) }.count
            rest = rest.dropFirst(count)
            return count
        }
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let startsWithZero = rest.first == UInt8(ascii: "0")
        let whole = digits()
        guard whole == 1 || (whole > 1 && !startsWithZero) else { return false }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            guard digits() > 0 else { return false }
        }
        if let mark = rest.first, mark | 0x20 == UInt8(ascii: "e") {
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
            guard digits() > 0 else { return false }
        }
        return rest.isEmpty
    }
}
