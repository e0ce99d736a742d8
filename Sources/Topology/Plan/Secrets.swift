/// Finds values that must come from outside and stand in the file.
enum Secrets {
    /// True of a line that could show one, also where the file is no YAML or the key stands in a wrong place.
    static func mayStand(in line: String) -> Bool { line.lowercased().contains("password") && !line.contains("${") }

    /// Reports them, and gives the places whose lines must not be shown.
    static func check(_ node: Node, _ section: Section, _ problems: ProblemList, path: String = "") -> [Place] {
        guard case .map(let entries) = node.content else { return [] }
        var hidden: [Place] = []
        for entry in entries {
            guard let key = section.keys.first(where: { $0.name == entry.key }) else { continue }
            let path = path.key(entry.key)
            if case .section(let inner) = key.shape { hidden += check(entry.value, inner, problems, path: path) }
            guard key.isSecret else { continue }
            if case .scalar(let scalar) = entry.value.content {
                if scalar.isEmpty || scalar.isReference { continue }
                problems.error(
                    .literalSecret, at: entry.value.place, path, "a secret stands here in clear text",
                    next: "take it from outside, without a default: ${NAME} or ${file:PATH}")
            }
            // Also where it is of the wrong kind, which is told elsewhere.
            hidden += [entry.keyPlace, entry.value.place]
        }
        return hidden
    }
}
