import Model

/// What the merge holds of a group.
extension SessionMerge {
    /// A session of one lane.
    struct Part {
        var lane: LaneNumber
        var order: Int64
        var start: Int64
        var end: Int64
        var cell: [UInt8]
        var isFresh: Bool
        /// Its lane holds it no more.
        var isOver: Bool
        var isStored = false
    }

    /// A session as rows show it, or will. `lane` is 0 where sessions of several lanes are joined.
    struct Session {
        var lane: LaneNumber
        var start: Int64
        var end: Int64
        /// Indexes of its parts, in the order in which they are joined.
        var parts: [Int] = []
        var revision: Int64 = 0
        var isPending = true
        /// What its last row showed; empty where there was none, or none can be taken back.
        var shown: [UInt8] = []
        var isStored = false
    }

    final class Group {
        let key: GroupKey
        var parts: [Part] = []
        var sessions: [Session] = []
        /// Parts that are in committed state and told of no more.
        var gone: [(lane: LaneNumber, start: Int64)] = []
        var isTouched = false
        var timer = Int64.max
        init(_ key: GroupKey) { self.key = key }
    }
}
