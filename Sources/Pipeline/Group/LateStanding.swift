public import Model

/// How far an input lane of a group has applied late events again (S13): an entry of its state, written in the same commit as what it
/// did.
public struct LateStanding: Equatable, Sendable {
    /// The number of the last such order that the lane has acted on; 0: none.
    public var heeded: Int64 = 0
    /// Entries of its ledger that were counted after all.
    public var counted: Int64 = 0
    /// Windows that closed by then are not kept by the merge lanes for certain; nil: none is.
    public var since: EventTime?

    public init() {}

    public static let key: [UInt8] = [StateKey.late]

    public var bytes: [UInt8] {
        var bytes: [UInt8] = [since == nil ? 0 : 1]
        for number in [heeded, counted, since?.milliseconds ?? 0] {
            withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
        }
        return bytes
    }

    /// nil: damaged.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 25, bytes[0] <= 1 else { return nil }
        func number(_ at: Int) -> Int64 {
            Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 1 + 8 * at, as: Int64.self))
        }
        heeded = number(0)
        counted = number(1)
        if bytes[0] == 1 { since = EventTime(milliseconds: number(2)) }
    }
}
