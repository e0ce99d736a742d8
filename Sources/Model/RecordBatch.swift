/// Records of one input partition, in order, as columns. The memory belongs to the input that filled it and is valid
/// until that input's next `take` or `release`.
public struct RecordBatch {
    public var count: Int
    /// nil is a tombstone.
    public var payloads: UnsafePointer<UnsafeRawPointer?>
    /// In bytes.
    public var lengths: UnsafePointer<Int>
    /// Each record's own offset. They grow, but need not be dense; a redelivery can go back (S1).
    public var offsets: UnsafePointer<Int64>
    /// Record timestamps in milliseconds; `RecordBatch.noTimestamp` where the record has none.
    public var timestamps: UnsafePointer<Int64>

    public static let noTimestamp = Int64.min

    public init(
        count: Int, payloads: UnsafePointer<UnsafeRawPointer?>, lengths: UnsafePointer<Int>, offsets: UnsafePointer<Int64>,
        timestamps: UnsafePointer<Int64>
    ) {
        self.count = count
        self.payloads = payloads
        self.lengths = lengths
        self.offsets = offsets
        self.timestamps = timestamps
    }
}

/// Where records come from: a topic's partition, or a file (`topic` is its path, `number` 0), or a generator's partition.
public struct PartitionID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var topic: String
    public var number: Int32
    public init(topic: String, number: Int32) {
        self.topic = topic
        self.number = number
    }
    public var description: String { "\(topic)/\(number)" }
    public static func < (a: PartitionID, b: PartitionID) -> Bool { (a.topic, a.number) < (b.topic, b.number) }
}

/// What an input has for its lane now.
public enum Taken {
    case records(RecordBatch)
    /// Nothing at the moment; the input's wake-up tells when there is more.
    case nothing
    /// A bounded input is over: every record up to its end was taken.
    case end
    /// The partition can't go on (S2: never a silent jump); `isTransient` faults cure themselves.
    case failed(Fault)
}

/// One input partition as its lane sees it. All calls come from the lane's queue, one at a time.
public protocol PartitionInput: AnyObject, Sendable {
    var id: PartitionID { get }
    /// Starts reading at `offset` (the next to read). Called once, before the first `take`. `wake` may be called from any
    /// thread whenever there may be something to take.
    func open(at offset: Int64, wake: @escaping @Sendable () -> Void) throws(Fault)
    /// Up to `limit` records. Cost is per batch.
    func take(limit: Int) -> Taken
    /// Gives the memory of the last batch back.
    func release()
    /// The end of the partition as far as this input has seen it: the next offset that will be written, or nil if unknown.
    var endOffset: Int64? { get }
    /// The next offset, where the input has confirmed that there is nothing more for now; nil once newer records came.
    var caughtUpOffset: Int64? { get }
    /// The part of a bounded input that was taken, 0 to 1, for inputs that know no end offset; nil: not known.
    var share: Double? { get }
    func close()
}

extension PartitionInput {
    public var share: Double? { nil }
    /// For inputs that know their end only when they stand at it.
    public var caughtUpOffset: Int64? { endOffset }
}
