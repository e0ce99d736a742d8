/// Lays one file over another: maps merge key by key, everything else is replaced. Places stay those of the file a value
/// came from.
enum Overlay {
    static func merge(_ base: Node, with over: Node) -> Node {
        guard case .map(var entries) = base.content, case .map(let others) = over.content else { return over }
        for other in others {
            if let index = entries.firstIndex(where: { $0.key == other.key }) {
                entries[index].value = merge(entries[index].value, with: other.value)
                // A replaced value takes its key's place along, so that a problem points at the line that is in force.
                if case .map = entries[index].value.content {} else { entries[index].keyPlace = other.keyPlace }
            } else {
                entries.append(other)
            }
        }
        return Node(content: .map(entries), place: base.place)
    }
}
