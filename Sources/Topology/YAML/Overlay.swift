/// Lays one file over another. It may set every key: maps merge key by key, a value or a list takes the place of the one below as
/// a whole. Where exactly one of several keys can stand, the overlay's takes the place of the other, and what goes with that one
/// alone goes too. No key is taken away otherwise. Places stay those of the file a value came from.
enum Overlay {
    /// `shape`: what the language says of this place; nil: an unknown key.
    static func merge(_ base: Node, with over: Node, by shape: Shape? = .section(Language.topology)) -> Node {
        guard case .map(var entries) = base.content, case .map(let others) = over.content else { return over }
        let section = shape?.section
        if let section { takeAway(from: &entries, section, chosen: Set(others.map(\.key))) }
        for other in others {
            if let index = entries.firstIndex(where: { $0.key == other.key }) {
                let inner = section.map { section in section.keys.first { $0.name == other.key }?.shape } ?? shape?.ofEach
                entries[index].value = merge(entries[index].value, with: other.value, by: inner)
                // A replaced value takes its key's place along, so that a problem points at the line that is in force.
                if case .map = entries[index].value.content {} else { entries[index].keyPlace = other.keyPlace }
            } else {
                entries.append(other)
            }
        }
        return Node(content: .map(entries), place: base.place)
    }

    /// Alternatives that the overlay decides against, and what says nothing without them.
    private static func takeAway(from entries: inout [Node.Entry], _ section: Section, chosen: Set<String>) {
        guard section.oneOf.contains(where: chosen.contains) else { return }
        let gone = Set(section.oneOf).subtracting(chosen)
        entries.removeAll { entry in
            guard !chosen.contains(entry.key) else { return false }
            let partner = section.keys.first { $0.name == entry.key }?.goesWith
            return gone.contains(entry.key) || partner.map { gone.contains($0) } ?? false
        }
    }
}

extension Shape {
    /// What a map at this place is read by.
    fileprivate var section: Section? {
        switch self {
        case .section(let section), .short(_, let section): section
        default: nil
        }
    }

    /// What stands under each key that the topology names itself.
    fileprivate var ofEach: Shape? { if case .named(let shape, _, _) = self { shape } else { nil } }
}
