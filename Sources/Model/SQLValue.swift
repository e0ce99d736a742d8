/// A value as SQLite knows it: what queries over state take and give.
public enum SQLValue: Equatable, Sendable {
    case null
    case int(Int64)
    case double(Double)
    case text(String)
    case blob([UInt8])
}

/// A function that queries over state can call, with as many arguments as it says. It answers with a value, or says what is wrong.
public struct SQLFunction: Sendable {
    public struct Refusal: Error {
        public var what: String
        public init(_ what: String) { self.what = what }
    }
    public var name: String
    public var arguments: Int
    public var call: @Sendable ([SQLValue]) throws(Refusal) -> SQLValue
    public init(_ name: String, arguments: Int, _ call: @escaping @Sendable ([SQLValue]) throws(Refusal) -> SQLValue) {
        self.name = name
        self.arguments = arguments
        self.call = call
    }
}

/// A function over all rows of a group: each value is folded into what came before.
public struct SQLAggregate: Sendable {
    public var name: String
    /// `nil`: no row yet.
    public var fold: @Sendable (_ total: SQLValue?, _ value: SQLValue) throws(SQLFunction.Refusal) -> SQLValue
    public init(
        _ name: String,
        _ fold: @escaping @Sendable (_ total: SQLValue?, _ value: SQLValue) throws(SQLFunction.Refusal) -> SQLValue
    ) {
        self.name = name
        self.fold = fold
    }
}
