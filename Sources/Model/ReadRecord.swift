/// A record that was read again by its place.
public struct ReadRecord: Equatable, Sendable {
    /// nil is a tombstone.
    public var payload: [UInt8]?
    /// `RecordBatch.noTimestamp` where it has none.
    public var timestamp: Int64
    public init(payload: [UInt8]?, timestamp: Int64) {
        self.payload = payload
        self.timestamp = timestamp
    }
}
