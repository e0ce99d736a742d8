public import Model
public import State

/// What a service can be told while it runs. A command is one line of JSON, `{"command":"commit"}`, on the socket in the state
/// directory; what it does is part of a commit and stands in the table `decisions` (docs/operations.md, "Commands").
///
/// Another command is another case: its word and members here, what it does in `Committer.perform` and in `RestingService`.
public enum Command: Equatable, Sendable {
    /// What was taken so far is made durable at once.
    case commit
    /// Late events are read again by their place and counted in their windows (S13). At most `StateLimits.lateEntries` entries, and as many
    /// as 64 MiB of records: the answer's `next` says where another command goes on.
    case reapplyLate(LateSelection)
    /// Copies pass, or are dropped, or what the topology says holds again (S9): in each lane from the end of its part of the commit on.
    case observe(Observing)

    public enum Observing: String, CaseIterable, Sendable {
        case on, off, reset

        init(_ order: ObserveOrder) {
            self = order.observe.map { $0 ? .on : .off } ?? .reset
        }

        /// nil: what the topology says.
        public var observe: Bool? {
            switch self {
            case .on: true
            case .off: false
            case .reset: nil
            }
        }
    }

    /// How it is called on the line and in `decisions`.
    public var word: String {
        switch self {
        case .commit: "commit"
        case .reapplyLate: "late_reapply"
        case .observe: Self.observing
        }
    }

    static let observing = "observe"

    /// As a decision of a commit. `result`: what it did, as JSON.
    func decision(_ result: [UInt8]) -> Decision {
        .commanded(
            word: word, asked: String(decoding: line, as: UTF8.self), result: String(decoding: result, as: UTF8.self))
    }

    /// What it was asked for, as it is written on the line and kept in `decisions`.
    public var line: [UInt8] {
        var json = JSONText()
        json.beginObject()
        json.member("command", word)
        switch self {
        case .commit: break
        case .reapplyLate(let selection): selection.write(to: &json)
        case .observe(let what): json.member("observe", what.rawValue)
        }
        json.endObject()
        return json.bytes
    }

    /// Errors: `command_unreadable`, `command_unknown` (exit 2).
    public init(line: some Sequence<UInt8>) throws(Fault) {
        guard let tree = JSONTree(line), let word = tree["command"]?.text else {
            throw Fault(
                "command_unreadable", "A command is one line: a JSON object with the member `command`.",
                next: #"Write {"command":"commit"}, for example."#, exit: .usage)
        }
        switch word {
        case "commit": self = .commit
        case "late_reapply": self = .reapplyLate(LateSelection(tree))
        case Self.observing:
            guard let what = tree["observe"]?.text.flatMap(Observing.init(rawValue:)) else {
                throw Fault(
                    "command_unreadable", "`observe` is told to be `on`, `off`, or `reset` to what the topology says.",
                    next: #"Write {"command":"observe","observe":"on"}, for example."#, exit: .usage)
            }
            self = .observe(what)
        default:
            throw Fault(
                "command_unknown", "There is no such command.", next: "See docs/operations.md for those that there are.",
                exit: .usage)
        }
    }
}

/// What became of a command: on the line `{"commit":…,"result":…}`, or `{"error":…}` for a fault.
public struct CommandAnswer: Equatable, Sendable {
    /// The commit that holds what it did.
    public var commit: Int64
    /// What it did, as JSON.
    public var result: JSONTree

    /// One line without its end.
    static func line(_ outcome: Result<Done, Fault>) -> [UInt8] {
        var json = JSONText()
        json.beginObject()
        switch outcome {
        case .success(let done):
            json.member("commit", done.commit)
            json.key("result")
            json.raw(done.result)
        case .failure(let fault):
            json.key("error")
            json.beginObject()
            for (name, text) in [("code", fault.code), ("what", fault.what), ("place", fault.place), ("next", fault.next)] {
                json.member(name, text)
            }
            json.member("exit", fault.exit.rawValue)
            json.member("transient", fault.isTransient)
            json.endObject()
        }
        json.endObject()
        return json.bytes
    }

    init(line: some Sequence<UInt8>) throws(Fault) { try self.init(JSONTree(line)) }

    init(_ tree: JSONTree?) throws(Fault) {
        if let error = tree?["error"] {
            throw Fault(
                error["code"]?.text ?? "command_unanswered", error["what"]?.text ?? "", place: error["place"]?.text ?? "",
                next: error["next"]?.text ?? "",
                exit: error["exit"]?.int.flatMap { ExitCode(rawValue: Int32(truncatingIfNeeded: $0)) } ?? .state,
                isTransient: error["transient"]?.flag ?? false)
        }
        guard let commit = tree?["commit"]?.int, let result = tree?["result"] else { throw ControlClient.unanswered("") }
        self.init(commit: commit, result: result)
    }

    init(commit: Int64, result: JSONTree) {
        self.commit = commit
        self.result = result
    }
}

extension LateSelection {
    fileprivate func write(to json: inout JSONText) {
        if !entries.isEmpty {
            json.key("entries")
            json.beginArray()
            for entry in entries { json.int(entry) }
            json.endArray()
        }
        if let output { json.member("output", output) }
        if let partition {
            json.member("topic", partition.topic)
            json.member("partition", partition.number)
        }
        if let since { json.member("since", since.milliseconds) }
        if after > 0 { json.member("after", after) }
        json.member("limit", limit)
    }

    fileprivate init(_ tree: JSONTree) {
        self.init(
            entries: (tree["entries"]?.items ?? []).compactMap(\.int), output: tree["output"]?.text,
            partition: tree["topic"]?.text.map {
                PartitionID(topic: $0, number: Int32(truncatingIfNeeded: tree["partition"]?.int ?? 0))
            },
            since: tree["since"]?.int.map(WallTime.init(milliseconds:)), after: tree["after"]?.int ?? 0,
            limit: min(Int(tree["limit"]?.int ?? Int64(StateLimits.lateEntries)), StateLimits.lateEntries))
    }
}

/// What a command did, once its commit is durable.
struct Done: Sendable {
    var commit: Int64
    var result: [UInt8]
}
