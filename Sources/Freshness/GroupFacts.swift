/// What an instance of a consumer group knows of its share (S20).
public struct GroupFacts: Equatable, Sendable {
    /// Input and merge partitions that are its own.
    public var units = 0
    /// Those of them whose state is still to come.
    public var restoring = 0
    /// Offsets of the changelog that these lack, as far as it is known.
    public var missing: Int64 = 0
    /// Assignments heard by this process.
    public var assignments: Int64 = 0
    /// Local copies of a unit's state that could not be used, in this process.
    public var wiped: Int64 = 0

    public init() {}
}
