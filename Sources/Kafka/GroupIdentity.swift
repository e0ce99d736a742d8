import CRdKafka

/// Which member of which generation of a group somebody is. Offsets are committed under it: brokers refuse those of a generation that
/// is over, so it must be the one that was true when the partitions were assigned, and never a newer one (S23).
///
/// `@unchecked Sendable` is true because: it never changes after it was made, and librdkafka only reads it.
public final class GroupIdentity: @unchecked Sendable {
    private let pointer: OpaquePointer
    /// Counts the group's rebalances. nil: this library does not tell.
    public let generation: Int32?
    public let member: String
    public let group: String

    /// Nobody in a group, whom brokers do not ask for a generation: for the mistake that a test makes on purpose.
    public init?(nobodyIn group: String) {
        guard let pointer = rd_kafka_consumer_group_metadata_new(group) else { return nil }
        self.pointer = pointer
        self.group = group
        generation = nil
        member = ""
    }

    /// The handle's present one. Only the rebalance callback knows that it is the assignment's.
    init?(of handle: OpaquePointer, group: String) {
        self.group = group
        guard let pointer = rd_kafka_consumer_group_metadata(handle) else { return nil }
        self.pointer = pointer
        generation = Self.generation(of: pointer)
        if let text = rd_kafka_memberid(handle) {
            member = String(cString: text)
            rd_kafka_mem_free(handle, text)
        } else {
            member = ""
        }
    }

    /// Good during the call only.
    func lend<R>(_ body: (OpaquePointer) -> R) -> R { withExtendedLifetime(self) { body(pointer) } }

    deinit { rd_kafka_consumer_group_metadata_destroy(pointer) }

    /// The library has no question for it before 2.11, so it is taken from the bytes it would hand to another process.
    private static func generation(of pointer: OpaquePointer) -> Int32? {
        var buffer: UnsafeMutableRawPointer?
        var size = 0
        if let error = rd_kafka_consumer_group_metadata_write(pointer, &buffer, &size) {
            rd_kafka_error_destroy(error)
            return nil
        }
        defer { rd_kafka_mem_free(nil, buffer) }
        let magic = Array("CGMDv2:".utf8)
        let bytes = UnsafeRawBufferPointer(start: buffer, count: size)
        guard bytes.count >= magic.count + 4, bytes.prefix(magic.count).elementsEqual(magic) else { return nil }
        return bytes.loadUnaligned(fromByteOffset: magic.count, as: Int32.self)
    }
}
