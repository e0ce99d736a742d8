/// Why a record was rejected: a closed list (S2). The raw values are stored; never renumber.
public enum RejectReason: UInt8, CaseIterable, Sendable {
    case undecodable = 0
    case missingField = 1
    case wrongType = 2
    case badTime = 3
    case futureTime = 4
    case contract = 5
    case tombstone = 6
    case oversize = 7

    /// The word in metrics, ledgers and dead letters.
    public var word: String {
        switch self {
        case .undecodable: "undecodable"
        case .missingField: "missing_field"
        case .wrongType: "wrong_type"
        case .badTime: "bad_time"
        case .futureTime: "future_time"
        case .contract: "contract"
        case .tombstone: "tombstone"
        case .oversize: "oversize"
        }
    }
}

/// The one outcome of a record that was read (S1).
public enum Outcome: Hashable, Sendable {
    case aggregated, filtered, duplicate, late
    /// Of an input partition alone, with `scope: topic`: a re-keyed one says what became of it.
    case rekeyed
    case rejected(RejectReason)
}

/// The books of one input partition: what became of every record read. Part of the committed state (S1).
public struct Books: Equatable, Sendable {
    public var read: Int64 = 0
    public var aggregated: Int64 = 0
    public var filtered: Int64 = 0
    public var duplicate: Int64 = 0
    public var late: Int64 = 0
    /// Handed on to a re-keyed partition, whose books say what became of them (S7).
    public var rekeyed: Int64 = 0
    /// By `RejectReason.rawValue`.
    public var rejectedByReason: [Int64] = Array(repeating: 0, count: RejectReason.allCases.count)

    // Beside the books: they say more about records already counted above, or about records not read at all.
    /// Records dropped because their offset was below the next one; not in `read`.
    public var redelivered: Int64 = 0
    /// Records without an identity, which can't be duplicates (S9).
    public var unidentified: Int64 = 0
    /// Aggregated records that missed some of their windows (S12).
    public var partlyLate: Int64 = 0
    /// Copies that `observe: true` let pass (S9).
    public var duplicateObserved: Int64 = 0
    /// Entries of the late ledger that were applied again; kept beside the books, so a lane knows nothing of it.
    public var reapplied: Int64 = 0
    /// Entries of the late ledger by output index (S13).
    public var lateRefusals: [Int64]
    /// Records for which an expression met an error, by `ExpressionPlaces.names`; empty: none did. Counted since the process
    /// began, and not part of the committed state.
    public var expressionErrors: [Int64] = []

    public init(outputs: Int) { lateRefusals = Array(repeating: 0, count: outputs) }

    public var rejected: Int64 { rejectedByReason.reduce(0, +) }
    /// S1: what is true at every commit.
    public var balances: Bool { read == aggregated + filtered + duplicate + late + rejected + rekeyed }

    /// Of a sum over input and re-keyed partitions: what was handed on stands in it twice, and then once.
    public var joined: Books {
        var joined = self
        joined.read -= rekeyed
        joined.rekeyed = 0
        return joined
    }

    public static func + (a: Books, b: Books) -> Books {
        var sum = a
        sum.read += b.read
        sum.aggregated += b.aggregated
        sum.filtered += b.filtered
        sum.duplicate += b.duplicate
        sum.late += b.late
        sum.rekeyed += b.rekeyed
        for i in sum.rejectedByReason.indices { sum.rejectedByReason[i] += b.rejectedByReason[i] }
        sum.redelivered += b.redelivered
        sum.unidentified += b.unidentified
        sum.partlyLate += b.partlyLate
        sum.reapplied += b.reapplied
        sum.duplicateObserved += b.duplicateObserved
        for i in b.lateRefusals.indices where i < sum.lateRefusals.count { sum.lateRefusals[i] += b.lateRefusals[i] }
        let missing = b.expressionErrors.count - sum.expressionErrors.count
        if missing > 0 { sum.expressionErrors += Array(repeating: 0, count: missing) }
        for i in b.expressionErrors.indices { sum.expressionErrors[i] += b.expressionErrors[i] }
        return sum
    }
}
