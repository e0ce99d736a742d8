public import Model

/// Reads topology files: the one way from YAML to a `Plan`.
public enum Topology {
    /// What the files say: a plan where no error was found, and every problem of all files, sorted.
    public struct Reading: Sendable {
        public var plan: Plan?
        public var problems: [Problem]
        /// The plan as one file again, every default in it and marked; empty without a plan. It reads back to the same plan.
        public var spelled = ""
        /// The same as one JSON object, without the marks.
        public var spelledJSON = ""
        /// What the file left out: paths with the value that holds, or in words what does.
        public var defaults: [(path: String, value: String)] = []
        public init(plan: Plan?, problems: [Problem]) {
            self.plan = plan
            self.problems = problems
        }
        /// What `weir check` ends with.
        public var exit: ExitCode {
            if problems.contains(where: { $0.code == .unreadableFile }) { return .usage }
            return plan == nil ? .topology : .done
        }
    }

    /// What reading needs from outside, so that tests need nothing.
    public struct Surroundings: Sendable {
        /// The bytes of a file; throws a `Fault` that says why not. Paths are as written.
        public var bytes: @Sendable (_ path: String) throws(Fault) -> [UInt8]
        public var environment: @Sendable (_ name: String) -> String?
        /// A time zone's history by its IANA name; throws a `Fault` that says why there is none.
        public var zone: @Sendable (_ name: String) throws(Fault) -> Zone
        public init(
            bytes: @escaping @Sendable (String) throws(Fault) -> [UInt8], environment: @escaping @Sendable (String) -> String?,
            zone: @escaping @Sendable (String) throws(Fault) -> Zone
        ) {
            self.bytes = bytes
            self.environment = environment
            self.zone = zone
        }
    }

    /// Reads `files[0]` with the others laid over it in order (`--with`). `strict` makes an error of every warning that the
    /// topology doesn't accept by name. `rate`: events a second that the source brings, where that is known. Pure but for `surroundings`; call it from anywhere. Costs milliseconds.
    public static func read(
        files: [String], strict: Bool = false, rate: Double? = nil, from surroundings: Surroundings = .machine
    ) -> Reading {
        let problems = ProblemList()
        var sources: [String: SourceText] = [:]
        var hidden: [Place] = []
        var merged: Node?
        var isWhole = !files.isEmpty
        for file in files {
            let start = Place(file: file, line: 1, column: 1)
            let bytes: [UInt8]
            do { bytes = try surroundings.bytes(file) } catch {
                problems.error(.unreadableFile, at: start, "", error.what, next: error.next)
                isWhole = false
                continue
            }
            let read = YAMLReader.read(bytes, file: file, problems: problems)
            sources[file] = read?.source
            guard let tree = read?.root else {
                isWhole = false
                continue
            }
            let substitution = Substitution(
                environment: surroundings.environment, file: { try? surroundings.bytes($0) }, problems: problems)
            let node = substitution.apply(tree)
            hidden += Secrets.check(node, Language.topology, problems)
            merged = merged.map { Overlay.merge($0, with: node) } ?? node
        }
        return finish(merged, isWhole: isWhole, files, sources, hidden, problems, isStrict: strict, rate: rate, surroundings)
    }

    /// From the merged tree to the plan and the sorted problems.
    static func finish(
        _ merged: Node?, isWhole: Bool, _ files: [String], _ sources: [String: SourceText], _ hidden: [Place],
        _ problems: ProblemList, isStrict strict: Bool, rate: Double? = nil, _ surroundings: Surroundings
    ) -> Reading {
        var plan: Plan?
        var whole: SectionItem?
        // A file that is missing would make errors of keys that only it has.
        if isWhole, let merged {
            let section = DeclarationReader(problems: problems).section(Language.topology, merged, path: "")
            if let section {
                var reader = PlanReader(
                    problems: problems, source: { sources[$0] }, zone: surroundings.zone, isStrict: strict, rate: rate)
                plan = reader.plan(section, at: merged.place)
                whole = plan.map { WorkedOut(plan: $0).added(to: section) }
                problems.settleWarnings(accepted: section.section("check")?["accept"], isStrict: strict, isComplete: plan != nil)
            }
        }
        if problems.hasErrors { plan = nil }
        let sorted = Problem.sorted(problems.all, files: files).map { problem in
            var shown = problem
            let isHidden = hidden.contains { $0.file == problem.place.file && $0.line == problem.place.line }
            let line = sources[problem.place.file]?.line(problem.place.line)
            shown.sourceLine = isHidden || line.map { Secrets.mayStand(in: $0) } ?? true ? nil : line
            return shown
        }
        var reading = Reading(plan: plan, problems: sorted)
        if plan != nil, let whole {
            reading.spelled = SpelledFile.text(whole)
            reading.spelledJSON = SpelledFile.json(whole)
            reading.defaults = SpelledFile.defaults(whole)
        }
        return reading
    }
}
