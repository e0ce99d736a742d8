/// Finds values that must come from outside and stand in the file.
enum Secrets {
    /// Reports them, and gives the places whose lines must not be shown.
    static func check(_ node: Node, _ section: Section, _ problems: ProblemList, path: String = "") -> [Place] {
        guard case .map(let entries) = node.content else { return [] }
        var hidden: [Place] = []
        for entry in entries {
            guard let key = section.keys.first(where: { $0.name == entry.key }) else { continue }
            let path = path.key(entry.key)
            if case .section(let inner) = key.shape { hidden += check(entry.value, inner, problems, path: path) }
            guard key.isSecret, case .scalar(let scalar) = entry.value.content, !scalar.isEmpty, !scalar.isReference else {
                continue
            }
            problems.error(
                .literalSecret, at: entry.value.place, path, "a secret stands here in clear text",
                next: "take it from outside, without a default: ${NAME} or ${file:PATH}")
            hidden += [entry.keyPlace, entry.value.place]
        }
        return hidden
    }
}
