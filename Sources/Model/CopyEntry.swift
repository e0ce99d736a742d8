/// What is kept about copies one by one (S9).
public enum DuplicatesPlan: Equatable, Sendable {
    /// Numbers only.
    case count
    /// An entry each in the table `duplicates`.
    case ledger(keep: TimeSpan)
    /// A JSON object each on a topic.
    case topic(String)

    public static let keep = TimeSpan.days(1)
    /// Each key also knows the place of its event.
    public var keepsPlaces: Bool { self != .count }
}

/// One copy that was recognised: where it is, and where the event is that was kept. Both are in the lane's partition, unless one is
/// named.
public struct CopyEntry: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        case exact, retimed, conflicting
        /// There was nothing to compare it with.
        case uncompared
    }
    public var offset: Int64
    public var eventTime: EventTime
    /// As `CopyFigures` tell it.
    public var age: TimeSpan
    public var kind: Kind
    /// Of a conflicting copy, the one field that differs; nil: several do.
    public var field: String?
    /// The offset of the event that was kept; nil: it was remembered when places were not.
    public var keptOffset: Int64?
    public var identity: Identity
    /// Where the two lie; nil: in the lane's own partition (a re-keyed one has no log).
    public var source: PartitionID?
    public var keptSource: PartitionID?
    public init(
        offset: Int64, eventTime: EventTime, age: TimeSpan, kind: Kind, field: String?, keptOffset: Int64?, identity: Identity
    ) {
        self.offset = offset
        self.eventTime = eventTime
        self.age = age
        self.kind = kind
        self.field = field
        self.keptOffset = keptOffset
        self.identity = identity
    }

    /// The entry on its topic: key and value, compact JSON; the same entry gives the same bytes. The identity stays behind, since
    /// it may be a person's.
    public func json(of own: PartitionID) -> (key: [UInt8], value: [UInt8]) {
        let partition = source ?? own
        func begin(_ json: inout JSONText) {
            json.beginObject()
            json.member("topic", partition.topic)
            json.member("partition", Int64(partition.number))
            json.member("offset", offset)
        }
        var key = JSONText(capacity: 96)
        begin(&key)
        key.endObject()
        var value = JSONText(capacity: 192)
        begin(&value)
        if source != nil {
            value.member("kept_topic", keptSource.map { .string($0.topic) } ?? .null)
            value.member("kept_partition", keptSource.map { .int(Int64($0.number)) } ?? .null)
        }
        value.member("kept_offset", keptOffset.map(Value.int) ?? .null)
        value.member("event_time", eventTime.milliseconds)
        value.member("age_ms", age.milliseconds)
        value.member("kind", kind.rawValue)
        value.member("field", field.map(Value.string) ?? .null)
        value.endObject()
        return (key.bytes, value.bytes)
    }
}
