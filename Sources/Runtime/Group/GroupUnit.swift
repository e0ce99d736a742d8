import Model
import Pipeline

/// A lane or merge lane that this instance owns, beside what computes for it: how far its changelog is committed, and what a
/// commit of it must carry on.
struct GroupUnit {
    enum Standing {
        /// Its state is being brought here; nothing of it is processed yet.
        case restoring
        case running
        /// The group is about to say whose it is; it takes nothing, and what it knows is good as long as nobody else commits it.
        case parked
    }

    let lane: LaneNumber
    let partition: PartitionID
    var standing = Standing.restoring
    /// What was committed of it last, by whoever it was; nil: nothing ever.
    var head: UnitHead?
    /// Where its changelog ends if nobody but us has written since: the high watermark.
    var changelogEnd: Int64 = 0
    /// Merges the outputs that close by their own partition (S14); nil: there are none, or this is a merge lane.
    var keyed: MergeCore?
    /// How far late events were applied again; of an input lane.
    var late = LateStanding()
    /// `late` is to be written with its next commit.
    var isLateChanged = false
    /// Nobody had worked on it before.
    var isNew = false
    /// Rows that its last commit owes (S21).
    var owed: [OwedRow] = []

    init(lane: LaneNumber, partition: PartitionID) {
        self.lane = lane
        self.partition = partition
    }
}
