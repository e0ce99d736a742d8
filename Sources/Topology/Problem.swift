import Model

/// A place in a file: lines and columns count from 1, columns in Unicode scalars.
public struct Place: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var file: String
    public var line: Int
    public var column: Int
    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }
    public var description: String { "\(file):\(line):\(column)" }
    public static func < (a: Place, b: Place) -> Bool { (a.file, a.line, a.column) < (b.file, b.line, b.column) }
}

/// Something wrong or doubtful in a topology, as facts. It never carries the value of a secret or of a variable.
public struct Problem: Equatable, Sendable {
    public enum Severity: String, Sendable {
        case error, warning
        /// Worth knowing, and right as it may be: `--strict` lets it pass.
        case note
    }

    /// The stable words for machines. A warning's word is also the name by which `check: {accept: […]}` takes it.
    public enum Code: String, CaseIterable, Sendable {
        case unreadableFile = "unreadable_file"
        case tooLarge = "too_large"
        case tooDeep = "too_deep"
        case encoding, yaml
        case duplicateKey = "duplicate_key"
        case variable
        case literalSecret = "literal_secret"
        case unknownKey = "unknown_key"
        case missingKey = "missing_key"
        case wrongKind = "wrong_kind"
        case badValue = "bad_value"
        case contradiction
        case notBuilt = "not_built"
        case unknownField = "unknown_field"
        case expression
        case constantError = "constant_error"
        case typeMismatch = "type_mismatch"
        case nameTaken = "name_taken"
        case cellTooLarge = "cell_too_large"
        case loop
        case deliveryWithoutKafka = "delivery_without_kafka"
        case dedupBuckets = "dedup_buckets"
        case memory
        case ownerMissing = "owner_missing"
        case lateCopies = "late_copies"
        case keyWithDefault = "key_with_default"
        case filesApart = "files_apart"
        case neverTrue = "never_true"
        case neverFalse = "never_false"
        case freshnessUnmet = "freshness_unmet"
        case rollUp = "roll_up"
        case wideGroup = "wide_group"
        case personalRows = "personal_rows"
        case topicCollision = "topic_collision"
        case sharedTopic = "shared_topic"
        case unusedField = "unused_field"
        case samePath = "same_path"
        case idleUnmet = "idle_unmet"
        case memoryShort = "memory_short"
        case memoryTight = "memory_tight"
        case objectiveUnmet = "objective_unmet"
        case lateKeep = "late_keep"
        case unusedAcceptance = "unused_acceptance"

        /// The warnings that a topology can accept by name.
        public static let acceptable: [Code] = [
            .lateCopies, .keyWithDefault, .filesApart, .neverTrue, .neverFalse, .freshnessUnmet, .wideGroup, .personalRows,
            .sharedTopic, .unusedField, .samePath, .idleUnmet, .memoryShort, .memoryTight,
            .objectiveUnmet, .lateKeep,
        ]
    }

    public var place: Place
    /// The key's path, `aggregates.clicks.window`; empty where the file as a whole is meant.
    public var path: String
    public var code: Code
    public var severity: Severity
    /// What is wrong.
    public var what: String
    /// What to do.
    public var next: String
    /// The line of the file, for a person at a terminal; nil where it could show a secret, or there is none.
    public var sourceLine: String?

    public init(
        place: Place, path: String, code: Code, severity: Severity, what: String, next: String, sourceLine: String? = nil
    ) {
        self.place = place
        self.path = path
        self.code = code
        self.severity = severity
        self.what = what
        self.next = next
        self.sourceLine = sourceLine
    }

    /// `file:line:column: error: path: what; next`, on one line; with `caret` the source line and a mark below it.
    public func text(caret: Bool = false) -> String {
        let subject = path.isEmpty ? "" : "\(path): "
        var text = Self.printable("\(place): \(severity.rawValue): \(subject)\(what); \(next) [\(code.rawValue)]")
        guard caret, let sourceLine else { return text }
        let excerpt = SourceExcerpt(Self.printable(sourceLine), column: place.column)
        let number = String(place.line)
        let margin = String(repeating: " ", count: number.count)
        text += "\n  \(number) | \(excerpt.line)\n  \(margin) | \(excerpt.pad)^"
        return text
    }

    /// What a file quotes can't steer a terminal: control characters are shown as replaced, one for one; tabs stay.
    private static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "\u{fffd}" : $0 }))
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control && scalar != "\t" || scalar.properties.isBidiControl
    }

    /// By file, line and column; the order of files is the order in which they were given.
    public static func sorted(_ problems: [Problem], files: [String]) -> [Problem] {
        var rank: [String: Int] = [:]
        for (index, file) in files.enumerated() where rank[file] == nil { rank[file] = index }
        func key(_ p: Problem) -> (Int, Int, Int, String) {
            (rank[p.place.file] ?? files.count, p.place.line, p.place.column, p.code.rawValue + p.path + p.what)
        }
        return problems.sorted { key($0) < key($1) }
    }
}

extension Problem {
    /// One object per problem: `{"problems":[{file, line, column, path, code, severity, what, next}, …]}`.
    public static func json(_ problems: [Problem]) -> String {
        var json = JSONText()
        json.beginObject()
        json.key("problems")
        json.beginArray()
        for problem in problems {
            json.beginObject()
            json.member("file", problem.place.file)
            json.member("line", problem.place.line)
            json.member("column", problem.place.column)
            json.member("path", problem.path)
            json.member("code", problem.code.rawValue)
            json.member("severity", problem.severity.rawValue)
            json.member("what", problem.what)
            json.member("next", problem.next)
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return json.text
    }
}

/// Where the problems of one reading are gathered.
final class ProblemList {
    private(set) var all: [Problem] = []

    var hasErrors: Bool { all.contains { $0.severity == .error } }

    func error(_ code: Problem.Code, at place: Place, _ path: String, _ what: String, next: String) {
        add(Problem(place: place, path: path, code: code, severity: .error, what: what, next: next))
    }

    func warn(
        _ code: Problem.Code, at place: Place, _ path: String, _ what: String, next: String, isNote: Bool = false
    ) {
        add(Problem(place: place, path: path, code: code, severity: isNote ? .note : .warning, what: what, next: next))
    }

    /// Drops the warnings and notes that the topology accepts by name, tells of acceptances that accept nothing, and makes errors of the
    /// rest where that was asked for.
    func settleWarnings(accepted: Item?, isStrict: Bool, isComplete: Bool) {
        for item in accepted?.list ?? [] {
            guard let code = item.word.flatMap(Problem.Code.init(rawValue:)) else { continue }
            if all.contains(where: { $0.code == code && $0.severity != .error }) {
                all.removeAll { $0.code == code && $0.severity != .error }
            } else if isComplete, !hasErrors {
                warn(
                    .unusedAcceptance, at: item.place, item.path, "nothing here warns of `\(code.rawValue)`", next: "leave it out"
                )
            }
        }
        guard isStrict else { return }
        for index in all.indices where all[index].severity == .warning { all[index].severity = .error }
    }

    /// One fact reached on two ways (an alias used twice) is one problem.
    private func add(_ problem: Problem) {
        guard all.count < TopologyLimits.problems, !all.contains(problem) else { return }
        all.append(problem)
    }
}
