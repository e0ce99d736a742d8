public import Model
public import Runtime
public import Topology

/// One `*.test.yaml` as read and checked: a topology and its cases.
public struct TestFile: Sendable {
    public var file: String
    /// Where the topology stands: its own file, or this one.
    public var topology: String
    public var plan: Plan
    /// Input partitions that exist; nil: those that appear.
    public var partitions: Int?
    public var cases: [Case]

    public struct Case: Sendable {
        public var name: String
        public var place: Place
        public var steps: [Step]
        /// A case that has any `commit` commits only there.
        public var commitsOnlyWhenTold: Bool
    }

    public struct Step: Sendable {
        public var place: Place
        public var action: Action
    }

    public enum Action: Sendable {
        case feed([FedRecord])
        case advance(TimeSpan)
        case restart(Restart)
        case commit
        case recut([Int])
        case end
        /// Late events are applied again: all, or those named.
        case reapply(output: String?, partition: Int32?, offset: Int64?)
        /// An operator's order of copies.
        case observe(Command.Observing)
        case expect(Expected)
    }
}

/// What an `expect` names. nil: not named, so not looked at.
public struct Expected: Sendable {
    public var rows: [ExpectedRow]?
    public var latest: [ExpectedRow]?
    public var late: [ExpectedRow]?
    public var deadLetters: [ExpectedRow]?
    /// Names and values in written order: outcomes, watermark and freshness.
    public var outcomes: [ExpectedCell] = []
    public var watermark: ExpectedValue?
    public var freshness: [ExpectedCell] = []
    public var outputs: [(output: String, cells: [ExpectedCell])] = []
}

/// One line of a list: the columns it names.
public struct ExpectedRow: Sendable {
    public var place: Place
    public var cells: [ExpectedCell]
    public subscript(_ name: String) -> ExpectedValue? { cells.first { $0.name == name }?.value }
}

public struct ExpectedCell: Sendable {
    public var name: String
    public var value: ExpectedValue
}

/// A scalar of the file, or a list of them. The column it is compared with decides what it means, so that it may be quoted.
public struct ExpectedValue: Sendable {
    public var text: String
    /// An unquoted `null`, `~` or nothing.
    public var isNull: Bool
    /// A list, as `top` and `largest` give; nil: a single value.
    public var items: [ExpectedItem]?
    public init(text: String, isNull: Bool, items: [ExpectedItem]? = nil) {
        self.text = text
        self.isNull = isNull
        self.items = items
    }
}

/// One entry of an expected list: a value, and with it how often it came where the list is `top`'s.
public struct ExpectedItem: Sendable {
    public var value: ExpectedValue
    public var count: ExpectedValue?
}
