internal import Model
internal import Runtime
public import Topology

/// Reads a test file and its topology. All problems of both are told at once.
public struct TestFileReader {
    public struct Reading: Sendable {
        /// nil: something is wrong, and `problems` has it.
        public var test: TestFile?
        public var problems: [Problem]
    }

    let document: Document
    let surroundings: Topology.Surroundings
    var problems: [Problem] = []
    /// nil: it stands in the test file.
    private var topologyFile: String?
    /// nil: the topology is wrong, so names of outputs and columns can't be checked.
    var plan: Plan?

    /// `file`'s test, with a topology path taken relative to the file. Pure but for `surroundings`.
    public static func read(_ file: String, from surroundings: Topology.Surroundings = .machine) -> Reading {
        let document = Topology.document(file, from: surroundings)
        var reader = TestFileReader(document: document, surroundings: surroundings)
        let test = document.root.flatMap { reader.file($0) }
        let all = document.problems + reader.problems
        let isWrong = all.contains { $0.severity == .error }
        return Reading(test: isWrong ? nil : test, problems: Problem.sorted(all, files: [file]))
    }

    private init(document: Document, surroundings: Topology.Surroundings) {
        self.document = document
        self.surroundings = surroundings
    }

    private mutating func file(_ root: Node) -> TestFile? {
        guard let keys = keys(root, "", ["topology", "partitions", "cases"], required: ["topology", "cases"]) else { return nil }
        if let node = keys["topology"] { topology(node) }
        let partitions = keys["partitions"].flatMap { whole($0, "partitions", 1...Int64(RehearsalCaseLimits.partitions)) }
        var cases: [TestFile.Case] = []
        if let node = keys["cases"], let items = list(node, "cases") {
            if items.isEmpty { error(.badValue, node.place, "cases", "there is no case", next: "write at least one") }
            var names: [String: Place] = [:]
            for (index, item) in items.enumerated() {
                guard let one = testCase(item, "cases[\(index)]") else { continue }
                if let first = names[one.name] {
                    error(
                        .nameTaken, one.place, "cases[\(index)].name", "the name is that of the case in line \(first.line)",
                        next: "give each case its own")
                }
                names[one.name] = one.place
                cases.append(one)
            }
        }
        guard let plan else { return nil }
        return TestFile(
            file: document.file, topology: topologyFile ?? document.file, plan: plan, partitions: partitions.map { Int($0) },
            cases: cases)
    }

    private mutating func topology(_ node: Node) {
        let reading: Topology.Reading
        switch node.content {
        case .map: reading = Topology.rehearsed(node, in: document, from: surroundings)
        case .list:
            return error(.wrongKind, node.place, "topology", "this is a list", next: "write a path, or the topology itself")
        case .scalar(let scalar):
            guard !scalar.text.isEmpty else {
                return error(.badValue, node.place, "topology", "the path is empty", next: "write the path of a topology")
            }
            let folder = document.file.lastIndex(of: "/").map { String(document.file[...$0]) } ?? ""
            let path = scalar.text.hasPrefix("/") ? scalar.text : folder + scalar.text
            let other = Topology.document(path, from: surroundings)
            topologyFile = path
            problems += other.problems
            guard let root = other.root else { return }
            reading = Topology.rehearsed(root, in: other, from: surroundings)
        }
        problems += reading.problems
        plan = reading.plan
    }

    private mutating func testCase(_ node: Node, _ path: String) -> TestFile.Case? {
        guard let keys = keys(node, path, ["name", "steps"], required: ["name", "steps"]) else { return nil }
        let name = keys["name"].flatMap { text($0, "\(path).name") } ?? ""
        if let node = keys["name"], name.isEmpty {
            error(.badValue, node.place, "\(path).name", "the name is empty", next: "say what the case shows")
        }
        guard let stepsNode = keys["steps"], let items = list(stepsNode, "\(path).steps") else { return nil }
        let before = problems.count
        let steps = items.enumerated().compactMap { step($1, "\(path).steps[\($0)]") }
        let commits = steps.contains { if case .commit = $0.action { true } else { false } }
        let one = TestFile.Case(name: name, place: node.place, steps: steps, commitsOnlyWhenTold: commits)
        if problems.count == before { refuseVacuous(one, items, stepsNode.place, "\(path).steps") }
        return one
    }

    private static let steps = ["feed", "advance", "restart", "commit", "recut", "end", "reapply", "observe", "expect"]

    private mutating func step(_ node: Node, _ path: String) -> TestFile.Step? {
        func made(_ action: TestFile.Action?) -> TestFile.Step? { action.map { TestFile.Step(place: node.place, action: $0) } }
        if case .scalar(let scalar) = node.content {
            if scalar.text == "commit" { return made(.commit) }
            if scalar.text == "end" { return made(.end) }
            if scalar.text == "reapply" { return made(.reapply(output: nil, partition: nil, offset: nil)) }
            let what = Self.steps.contains(scalar.text) ? "`\(scalar.text)` needs a value" : "`\(scalar.text)` is no step"
            unknown(.unknownKey, node.place, path, what, scalar.text, Self.steps)
            return nil
        }
        guard let keys = keys(node, path, Self.steps, required: []) else { return nil }
        guard keys.count == 1, let (name, value) = keys.first else {
            if keys.count > 1 {
                error(.wrongKind, node.place, path, "more than one step stands here", next: "begin each step with its own `-`")
            }
            return nil
        }
        let inner = "\(path).\(name)"
        switch name {
        case "feed": return made(feed(value, inner).map(TestFile.Action.feed))
        case "advance":
            guard let text = text(value, inner) else { return nil }
            guard let span = Topology.span(text), span > .zero else {
                error(.badValue, value.place, inner, "`\(text)` is no span", next: "write a number and its unit, such as 45s")
                return nil
            }
            return made(.advance(span))
        case "restart":
            guard let text = text(value, inner) else { return nil }
            if let kind = Restart(rawValue: text) { return made(.restart(kind)) }
            unknown(.badValue, value.place, inner, "`\(text)` is no way to restart", text, Restart.allCases.map(\.rawValue))
            return nil
        case "recut":
            guard let items = list(value, inner) else { return nil }
            let sizes = items.enumerated().compactMap { whole($1, "\(inner)[\($0)]", 1...1_000_000) }
            return sizes.count == items.count ? made(.recut(sizes.map { Int($0) })) : nil
        case "reapply" where !JSONValue.isNull(value): return made(reapply(value, inner))
        case "observe":
            guard let text = text(value, inner) else { return nil }
            guard let what = Command.Observing(rawValue: text) else {
                let words = Command.Observing.allCases.map(\.rawValue)
                unknown(.badValue, value.place, inner, "`\(text)` is no way to treat copies", text, words)
                return nil
            }
            if plan?.deduplicate == nil, plan != nil {
                error(.badValue, value.place, inner, "the topology has no `deduplicate`", next: "leave the step out")
                return nil
            }
            return made(.observe(what))
        case "expect": return made(expectation(value, inner).map(TestFile.Action.expect))
        default:
            guard JSONValue.isNull(value) else {
                error(.wrongKind, value.place, inner, "`\(name)` takes no value", next: "write `- \(name)` alone")
                return nil
            }
            return made(
                name == "commit" ? .commit : name == "end" ? .end : .reapply(output: nil, partition: nil, offset: nil))
        }
    }

    private mutating func reapply(_ node: Node, _ path: String) -> TestFile.Action? {
        guard let keys = keys(node, path, ["output", "partition", "offset"], required: []) else { return nil }
        let before = problems.count
        let output = keys["output"].flatMap { text($0, "\(path).output") }
        if let output, let place = keys["output"]?.place, let names = plan?.aggregates.map(\.name), !names.contains(output) {
            unknown(.badValue, place, "\(path).output", "no output is called `\(output)`", output, names)
        }
        let partition = keys["partition"].flatMap {
            whole($0, "\(path).partition", 0...Int64(RehearsalCaseLimits.partitions - 1))
        }
        let offset = keys["offset"].flatMap { whole($0, "\(path).offset", 0...RehearsalCaseLimits.offset) }
        return problems.count == before
            ? .reapply(output: output, partition: partition.map { Int32($0) }, offset: offset) : nil
    }
}
