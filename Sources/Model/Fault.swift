/// The process's exit codes, the same for all verbs.
public enum ExitCode: Int32, Sendable {
    case done = 0
    case answerIsNo = 1
    case usage = 2
    case topology = 3
    case broker = 4
    case state = 5
    case disk = 6
    case fenced = 7
    case choiceNeeded = 8
}

/// Something that went wrong, as facts: what, where, and what to do next. It never carries payloads or secrets.
public struct Fault: Error, Equatable, Sendable {
    /// A stable word for machines, such as `topic_missing`.
    public var code: String
    /// One sentence: what is wrong.
    public var what: String
    /// `file:line:column`, `topic/partition@offset`, a path; empty where there is no place.
    public var place: String
    /// One sentence: what the reader should do.
    public var next: String
    public var exit: ExitCode
    /// True where waiting and trying again can cure it.
    public var isTransient: Bool

    public init(_ code: String, _ what: String, place: String = "", next: String, exit: ExitCode, isTransient: Bool = false) {
        self.code = code
        self.what = what
        self.place = place
        self.next = next
        self.exit = exit
        self.isTransient = isTransient
    }
}
