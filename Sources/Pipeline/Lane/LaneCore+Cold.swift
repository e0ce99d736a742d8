public import Model

/// State that is larger than memory: what left it, and when it may. Called on the lane's queue.
extension LaneCore {
    /// From where cold state is read. Without it nothing leaves memory.
    public func attach(_ cold: any ColdState) { state.cold.state = cold }

    /// Before a restore: what is found past so many bytes stays where it is.
    public func restore(within bytes: Int) {
        state.room = bytes
        state.isFull = state.usedBytes > bytes
    }

    /// The lane's seals up to this one (`SealedLane.seal`) are in what `attach` named.
    public func settle(through seal: Int64) {
        state.cold.settled = max(state.cold.settled, seal)
        if state.cold.settled >= state.cold.seals { state.cold.sealedBytes = 0 }
        state.dedup?.pointee.settle(watermark: state.watermark, state.cold)
    }

    /// Lets what was not touched for long go, as far as it is committed, until no more than `bytes` are used.
    public func spill(to bytes: Int) {
        guard state.cold.state != nil, state.cold.fault == nil else { return }
        let excess = state.usedBytes - bytes
        if excess > 0 { state.spill(excess, isAll: bytes == 0) }
    }

    /// A delta of so many bytes asks to be sealed, if it does not before.
    public func limitDelta(to bytes: Int) {
        state.cold.deltaLimit = min(max(bytes, PipelineLimits.leastDeltaBytes), PipelineLimits.deltaBytes)
    }

    /// What can't be read of the lane's cold state: nothing that it computed since its last seal is of any use.
    public var coldFault: Fault? { state.cold.fault }
    /// Bytes in use, about, without places kept free for more.
    public var usedMemory: Int { state.usedBytes }
    /// Of them, those of the last seal, until it is in committed state.
    public var sealedMemory: Int { state.cold.sealedBytes }
    /// Of them, those that can't leave memory.
    public var fixedMemory: Int { state.fixedBytes }
    /// Cells that are in committed state alone, and how often such ones were asked for.
    public var coldCells: Int { state.coldCells }
    public var coldReads: Int64 { state.cold.reads }
}

extension LaneState {
    /// What the next seal will write is part of it: it is held twice until it is in committed state.
    var usedBytes: Int {
        var bytes = deltaBytes + cold.sealedBytes + (dedup?.pointee.neededBytes ?? 0)
        for index in 0..<outputCount {
            bytes += outputs[index].usedBytes
            if let sessions = outputs[index].sessions { bytes += sessions.pointee.usedBytes }
        }
        return bytes
    }

    var fixedBytes: Int {
        var bytes = ledgerBytes + (dedup?.pointee.fixedBytes ?? 0)
        for index in 0..<outputCount { bytes += outputs[index].fixedBytes }
        return bytes
    }

    var coldCells: Int { (0..<outputCount).reduce(0) { $0 + outputs[$1].coldCells } }

    mutating func spill(_ excess: Int, isAll: Bool) {
        var left = excess
        if let dedup, isAll || dedup.pointee.neededBytes > usedBytes / 4 {
            dedup.pointee.spill(isAll ? .max : excess, cold)
            // They leave with the commit after the next; cells can go at once.
            if !isAll { left = excess - min(excess, dedup.pointee.neededBytes / 2) }
        }
        for index in 0..<outputCount where left > 0 { left -= (outputs + index).pointee.spill(left, cold) }
    }
}
