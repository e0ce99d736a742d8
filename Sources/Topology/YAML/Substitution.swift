/// Puts the values of `${NAME}`, `${NAME:-default}` and `${file:PATH}` into scalars; `$${` stands for `${`.
struct Substitution {
    let environment: (String) -> String?
    /// The bytes of a file, or nil where it can't be read.
    let file: (String) -> [UInt8]?
    let problems: ProblemList

    func apply(_ node: Node, path: String = "") -> Node {
        var result = node
        switch node.content {
        case .scalar(let scalar):
            guard scalar.text.contains("${") else { return node }
            result.content = .scalar(substituted(scalar, at: node.place, path))
        case .list(let items): result.content = .list(items.enumerated().map { apply($1, path: "\(path)[\($0)]") })
        case .map(let entries):
            result.content = .map(
                entries.map { Node.Entry(key: $0.key, keyPlace: $0.keyPlace, value: apply($0.value, path: path.key($0.key))) })
        }
        return result
    }

    private func substituted(_ scalar: Scalar, at place: Place, _ path: String) -> Scalar {
        var result = scalar
        var text = ""
        var rest = Substring(scalar.text)
        while let dollar = rest.firstIndex(of: "$") {
            text += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                text += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                guard let close = rest.firstIndex(of: "}") else {
                    problems.error(
                        .variable, at: place, path, "`${` has no closing `}`", next: "close it, or write `$${` for the text `${`")
                    result.isBroken = true
                    return result
                }
                let inner = rest[rest.index(rest.startIndex, offsetBy: 2)..<close]
                // It would end at the first `}`, and leave the rest of what was meant as text.
                guard !inner.contains("{") else {
                    problems.error(
                        .variable, at: place, path, "\(inner.hasPrefix("file:") ? "a path" : "a default") can't hold `{`",
                        next: "write it out, or put it into a variable of its own")
                    result.isBroken = true
                    return result
                }
                guard let value = value(String(inner), at: place, path) else {
                    result.isBroken = true
                    return result
                }
                text += value
                rest = rest[rest.index(after: close)...]
            } else {
                text += "$"
                rest = rest.dropFirst()
            }
        }
        result.text = text + rest
        return result
    }

    private func value(_ inner: String, at place: Place, _ path: String) -> String? {
        if inner.hasPrefix("file:") { return contents(String(inner.dropFirst(5)), at: place, path) }
        var name = Substring(inner)
        var fallback: String?
        if let mark = inner.range(ofFirst: ":-") {
            name = inner[..<mark]
            fallback = String(inner[inner.index(mark, offsetBy: 2)...])
        }
        guard let first = name.utf8.first, !(0x30...0x39).contains(first), name.utf8.allSatisfy(Self.isNameByte) else {
            problems.error(
                .variable, at: place, path, "what stands between `${` and `}` names no variable",
                next: "write ${NAME}, ${NAME:-default} or ${file:PATH}")
            return nil
        }
        // As in a shell, a variable that is set but empty takes the default of `:-`.
        let found = environment(String(name))
        if let found, !found.isEmpty || fallback == nil { return found }
        if let fallback { return fallback }
        problems.error(
            .variable, at: place, path, "the variable \(name) is not set", next: "set it, or give a default: ${\(name):-…}")
        return nil
    }

    private func contents(_ name: String, at place: Place, _ path: String) -> String? {
        guard let bytes = file(name) else {
            problems.error(
                .variable, at: place, path, "the file \(name) can't be read",
                next: "check that it exists and may be read")
            return nil
        }
        guard bytes.count <= TopologyLimits.referencedFileBytes else {
            problems.error(
                .variable, at: place, path, "the file \(name) has \(bytes.count) bytes",
                next: "keep it under \(TopologyLimits.referencedFileBytes) bytes")
            return nil
        }
        guard var text = String(validating: bytes, as: UTF8.self) else {
            problems.error(.variable, at: place, path, "the file \(name) is not UTF-8", next: "save it as UTF-8")
            return nil
        }
        // Editors and `echo` end a file with a line end that is not part of the secret.
        if text.last == "\n" || text.last == "\r\n" { text.removeLast() }
        return text
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x5f
    }
}

extension String {
    /// The path of a key inside this one.
    func key(_ name: String) -> String { isEmpty ? name : "\(self).\(name)" }
}

extension String {
    /// The index where `part` stands first.
    fileprivate func range(ofFirst part: String) -> Index? {
        indices.first { self[$0...].hasPrefix(part) }
    }
}
