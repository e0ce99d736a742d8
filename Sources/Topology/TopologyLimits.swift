/// Every bound of reading a topology, with its unit.
enum TopologyLimits {
    /// Bytes of one file.
    static let fileBytes = 10_000_000
    /// Maps and lists inside one another.
    static let depth = 64
    /// Nodes of one file after aliases were expanded.
    static let nodes = 100_000
    /// Nodes of a test file, whose cases are many.
    static let testNodes = 1_000_000
    /// Bytes of a file named by `${file:…}`.
    static let referencedFileBytes = 65_536
    /// Problems that one run reports.
    static let problems = 1_000
    /// Unicode scalars of one expression.
    static let expressionLength = 65_536
    /// Parentheses and operators inside one another.
    static let expressionDepth = 128
    /// Operators of one kind in a row.
    static let expressionParts = 1_000
    /// Fields and the columns that their expressions need, together: each takes 70 KB in a partition.
    static let columns = 1_000
    /// Characters of an identifier.
    static let nameLength = 63
    /// Characters of a Kafka topic's name, by Kafka's own rule.
    static let topicLength = 249
    /// Keys of a field's path.
    static let pathKeys = 64
    static let fields = 512
    static let aggregates = 64
    static let measures = 128
    static let groupFields = 32
    /// Windows that one event can fall into.
    static let windowsPerEvent: Int64 = 1_440
    /// Milliseconds of the longest span: a hundred years.
    static let spanMilliseconds: Int64 = 36_500 * 86_400_000
    /// Live time buckets of the dedup table (S7); two bytes of tag hold them.
    static let dedupBuckets: Int64 = 60_000
    /// Bytes that the process needs beside its client queues.
    static let baseMemory: Int64 = 64 << 20
    /// Events per second, and groups of an aggregate, under which memory is called tight.
    static let tightRate = 10.0
    static let tightGroups = 1_000.0
    /// Bytes of a slot of the dedup table.
    static let keyBytes = 18.0
    /// Bytes more, where copies are compared; and where the places of kept events are.
    static let noteBytes = 8.0
    /// Events per second of the generator.
    static let rate = 10_000_000.0
}
