public import Model

/// One YAML file read with places, for languages beside the topology's own, such as test files.
public struct Document: Sendable {
    public var file: String
    /// nil: there is no tree; `problems` say why.
    public var root: Node?
    public var problems: [Problem]
    fileprivate var source: SourceText?

    /// The text of a line, counted from 1.
    public func line(_ number: Int) -> String? { source?.line(number) }
}

extension Topology {
    /// Sections that say where a topology runs, not what it means. A test leaves them out, so that it needs no variable,
    /// secret or broker of theirs.
    private static let places: Set<String> = ["kafka", "http", "state"]

    /// What such a section says of what is counted nevertheless.
    private static let meant: Set<String> = ["keep_closed"]

    private static func meaning(_ entry: Node.Entry) -> Node.Entry? {
        guard places.contains(entry.key) else { return entry }
        guard case .map(let inner) = entry.value.content else { return nil }
        let kept = inner.filter { meant.contains($0.key) }
        var entry = entry
        entry.value.content = .map(kept)
        return kept.isEmpty ? nil : entry
    }

    /// Reads one YAML file; nothing in it is substituted. Call it from anywhere.
    public static func document(_ file: String, from surroundings: Surroundings = .machine) -> Document {
        let problems = ProblemList()
        var read: (root: Node?, source: SourceText)?
        do throws(Fault) {
            read = YAMLReader.read(try surroundings.bytes(file), file: file, problems: problems, limit: TopologyLimits.testNodes)
        } catch {
            problems.error(.unreadableFile, at: Place(file: file, line: 1, column: 1), "", error.what, next: error.next)
        }
        return Document(file: file, root: read?.root, problems: problems.all, source: read?.source)
    }

    /// The plan of a topology as a test runs it: `node` is the topology's tree within `document`. `kafka`, `http` and `state`
    /// are not looked at; variables elsewhere are substituted as always.
    public static func rehearsed(_ node: Node, in document: Document, from surroundings: Surroundings = .machine) -> Reading {
        let problems = ProblemList()
        var node = node
        if case .map(let entries) = node.content { node.content = .map(entries.compactMap(meaning)) }
        node = Substitution(
            environment: surroundings.environment, file: { try? surroundings.bytes($0) }, problems: problems
        ).apply(node)
        let hidden = Secrets.check(node, Language.topology, problems)
        var sources: [String: SourceText] = [:]
        if let source = document.source { sources[document.file] = source }
        return finish(node, isWhole: true, [document.file], sources, hidden, problems, isStrict: false, surroundings)
    }

    /// `45s`, `5m`: one whole number and one unit; nil: not a span.
    public static func span(_ text: String) -> TimeSpan? { Scalars.span(text) }
}
