public import Model
public import Pipeline
public import State

/// From the store's last commit back into memory: the same for the service's start and for a rehearsal's restart.
extension LaneCore {
    /// `offset`: where the lane goes on if nothing of it was committed. Error: `state_damaged`.
    public func restore(_ restored: RestoredLane, at offset: Int64, from store: StateStore) throws(Fault) {
        restore(
            books: restored.books, watermark: restored.watermark, newestEventTime: restored.newestEventTime,
            nextOffset: restored.nextOffset ?? offset, lastRecord: restored.lastRecord)
        try store.forEachState(lane: restored.lane) { key, value throws(Fault) in
            if !restore(key: key, value: value) { throw damaged(restored.partition.description) }
        }
    }
}

extension MergeCore {
    /// Error: `state_damaged`.
    public func restore(from store: StateStore) throws(Fault) {
        try store.forEachState(lane: mergeLane) { key, value throws(Fault) in
            if !restore(key: key, value: value) { throw damaged("merge") }
        }
        let range = Self.closedInMemory
        try store.forEachState(lane: closedLane, from: range.from, to: range.to) { key, value throws(Fault) in
            if !restoreClosed(key: key, value: value) { throw damaged("closed windows") }
        }
        beginClosed(store.head.time.ended ? EventTime(milliseconds: .max) : store.head.time.watermark)
    }
}

private func damaged(_ place: String) -> Fault {
    Fault(
        "state_damaged", "An entry of the state does not belong to this topology.", place: place,
        next: "Restore the state directory from a backup, or start with another one.", exit: .state)
}
