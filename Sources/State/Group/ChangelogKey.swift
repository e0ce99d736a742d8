public import Model

/// What the key of a changelog record says. State keys begin with a lower-case letter and are opaque here.
enum ChangelogKey: Equatable {
    case state
    /// The unit's head: one key, the last value counts.
    case head
    /// The topology that the unit's state was made by; written when it changes.
    case topology
    /// Entries of the ledgers, by their number in the unit.
    case late(Int64)
    case deadLetter(Int64)
    case decision(Int64)
    case copy(Int64)
    /// A row that is owed to a topic, by its place among those of the last commit (S21).
    case owed(UInt32)

    static let headKey: [UInt8] = [UInt8(ascii: "H")]
    static let topologyKey: [UInt8] = [UInt8(ascii: "T")]

    init(_ key: UnsafeRawBufferPointer) throws(RecordDamage) {
        guard let tag = key.first else { throw .damaged }
        switch tag {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): self = .state
        case UInt8(ascii: "H") where key.count == 1: self = .head
        case UInt8(ascii: "T") where key.count == 1: self = .topology
        case UInt8(ascii: "L"): self = .late(try ChangelogKey.entry(key))
        case UInt8(ascii: "D"): self = .deadLetter(try ChangelogKey.entry(key))
        case UInt8(ascii: "S"): self = .decision(try ChangelogKey.entry(key))
        case UInt8(ascii: "C"): self = .copy(try ChangelogKey.entry(key))
        case UInt8(ascii: "O") where key.count == 5:
            self = .owed(UInt32(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt32.self)))
        default: throw .damaged
        }
    }

    private static func entry(_ key: UnsafeRawBufferPointer) throws(RecordDamage) -> Int64 {
        guard key.count == 9 else { throw .damaged }
        let number = Int64(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: Int64.self))
        guard number > 0, number < UnitEntries.limit else { throw .damaged }
        return number
    }

    /// The key's bytes; none of a state key, which is not made here.
    func bytes() -> [UInt8] {
        func entry(_ tag: Unicode.Scalar, _ number: Int64) -> [UInt8] {
            [UInt8(ascii: tag)] + withUnsafeBytes(of: number.bigEndian, Array.init)
        }
        switch self {
        case .state: return []
        case .head: return ChangelogKey.headKey
        case .topology: return ChangelogKey.topologyKey
        case .late(let number): return entry("L", number)
        case .deadLetter(let number): return entry("D", number)
        case .decision(let number): return entry("S", number)
        case .copy(let number): return entry("C", number)
        case .owed(let place): return [UInt8(ascii: "O")] + withUnsafeBytes(of: place.bigEndian, Array.init)
        }
    }
}

/// How the entries of a unit are numbered in tables that hold those of all units: the unit above, its own count below.
enum UnitEntries {
    /// Entries that one unit can ever have.
    static let limit: Int64 = 1 << 40

    static func sequence(_ lane: LaneNumber, _ number: Int64) -> Int64 { Int64(lane) << 40 | number }
    static func number(_ sequence: Int64) -> Int64 { sequence & (limit - 1) }
    static func lane(_ sequence: Int64) -> LaneNumber { LaneNumber(truncatingIfNeeded: sequence >> 40) }
    static func range(_ lane: LaneNumber) -> Range<Int64> { Int64(lane) << 40..<(Int64(lane) + 1) << 40 }
}

/// One record of an internal topic, as it was written or read.
public struct ChangelogRecord {
    public var offset: Int64
    /// Milliseconds; `RecordBatch.noTimestamp` where it is not known.
    public var timestamp: Int64
    public var key: UnsafeRawBufferPointer
    /// nil: a tombstone.
    public var value: UnsafeRawBufferPointer?
    public init(offset: Int64, timestamp: Int64, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?) {
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
    }

    /// `changelog_damaged`: a record there is none that Weir wrote.
    public static func damaged(at place: String) -> Fault { RecordDamage.damaged.fault(at: place) }

    /// By which the record is known again. Cost: a pass over its bytes.
    public var fingerprint: RecordFingerprint {
        RecordFingerprint(offset: offset, timestamp: timestamp, hash: ChangelogRecord.hash(key, value))
    }

    static func hash(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) -> UInt64 {
        Hash64.of(key) &* 31 &+ (value.map { Hash64.of($0) } ?? 7)
    }
}
