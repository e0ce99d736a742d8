/// The lane number under which the cells of closed windows lie in state, for late events that are applied again: no restore reads
/// them.
public let closedLane: LaneNumber = -2

/// The lane number under which the merge knows what was applied again to windows that are still open in it.
public let reappliedLane: LaneNumber = -3

/// What a commit does to the cells of closed windows.
public struct ClosedChanges: Sendable {
    public var changes: StateLog
    /// Keys past their keep, `[from, to)`: they go a bounded number with each commit.
    public var past: [Past]
    public struct Past: Equatable, Sendable {
        public var from: [UInt8]
        public var to: [UInt8]
        public init(from: [UInt8], to: [UInt8]) {
            self.from = from
            self.to = to
        }
    }
    public init(changes: StateLog = StateLog(capacity: 64), past: [Past] = []) {
        self.changes = changes
        self.past = past
    }
    public var isEmpty: Bool { changes.isEmpty && past.isEmpty }
}

/// Where the cells of closed windows are looked up: the last entry before `key`, or at it where it is `included`; nil: there is none.
public typealias ClosedLookup = (_ key: [UInt8], _ included: Bool) throws(Fault) -> (key: [UInt8], value: [UInt8])?

extension Plan {
    /// Late events can be applied again: their places are known, and the windows that refused them are kept for a while.
    public var keepsClosedForLate: Bool {
        guard case .ledger = late else { return false }
        return state.keepClosed > .zero
    }
}

/// What became of an entry of the late ledger, in the transaction that did it (S13).
public struct ReappliedEntry: Equatable, Sendable {
    public enum Kind: String, Sendable {
        /// It is in its windows now.
        case counted
        /// An event with its identity is in them already.
        case copy
    }
    /// The entry's number.
    public var entry: Int64
    public var lane: LaneNumber
    public var output: Int
    public var kind: Kind
    public init(entry: Int64, lane: LaneNumber, output: Int, kind: Kind) {
        self.entry = entry
        self.lane = lane
        self.output = output
        self.kind = kind
    }
}
