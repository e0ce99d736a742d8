/// A topology that is proposed, before it is text.
struct Draft {
    struct Field {
        enum Kind: Equatable {
            case string, int, double, bool, uuid, json
            case time(TimeForm)
        }
        var name: String
        var kind: Kind
        var keys: [String]
        var isRequired = false
        var isPersonal = false
        /// What was seen, as a comment.
        var note = ""
    }
    struct Horizons {
        var outOfOrderness: Int64 = 5_000
        var idleAfter: Int64 = 30_000
        var maxFuture: Int64 = 600_000
        var window: Int64 = 60_000
        var lateness: Int64 = 600_000
        var within: Int64 = 900_000
        /// By key of the topology: why the value is what it is.
        var notes: [String: [String]] = [:]
    }
    var name: String
    var owner: String
    var source: DraftSource
    var fields: [Field]
    /// nil: the record's own timestamp.
    var time: String?
    /// What tells copies; empty: nothing does.
    var key: [String]
    var groups: [String]
    var measures: [(name: String, expression: String)]
    var horizons = Horizons()
    /// Lines at the head of the file.
    var head: [String] = []
}

/// Where the records of a drafted topology come from.
public enum DraftSource: Sendable {
    case topic(String, bootstrap: String)
    case files([String])
}

/// What `weir init` proposes: texts, and what was found for people and machines.
public struct Proposal: Sendable {
    public var topology: String
    public var test: String
    public var compose: String
    public var records: Int
    public var undecodable: Int
    /// Names in the topology.
    public var fields: [String]
    public var time: String?
    public var key: [String]
    /// In milliseconds, by the topology's key.
    public var horizons: [(name: String, milliseconds: Int64)]
}
