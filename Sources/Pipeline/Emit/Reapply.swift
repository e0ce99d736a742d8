public import Model

/// Late events that are applied again (S13): which of them fit, and what they add.
extension MergeCore {
    public enum Fit: Equatable, Sendable {
        /// Each of its windows is open, or its cells are kept.
        case fits
        /// A window of it closed too long ago.
        case past
    }

    /// Whether an event of `time` that `output` refused can be applied again.
    public func fit(output: Int, time: EventTime) -> Fit {
        guard let target = outputs.first(where: { $0.index == output }) else { return .past }
        return target.closed.fits(time.milliseconds) ? .fits : .past
    }

    /// As `fit(output:time:)` for who does not hold the windows: those that close later than `since` are kept where they are held.
    public func fit(output: Int, time: EventTime, since: EventTime) -> Fit {
        guard let target = outputs.first(where: { $0.index == output }) else { return .past }
        return target.closed.fits(time.milliseconds, since: since.milliseconds) ? .fits : .past
    }

    /// Adds to one window, open or closed, what a late event makes of it; `isPartial` was true of it. False: the window is closed and not
    /// kept here, or nobody here has the output. Errors: what `lookup` throws, `state_damaged`.
    func reapply(key: [UInt8], cell: [UInt8], _ lookup: ClosedLookup) throws(Fault) -> Bool {
        let stored = key.withUnsafeBytes { UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: 1, as: UInt16.self)) }
        guard let index = byStored[stored] else { return false }
        guard outputs[index].closed.takes(key.withUnsafeBytes { StateKey.number($0, at: 3) }) else { return false }
        let partial = StateLog(capacity: key.count + cell.count + 64)
        key.withUnsafeBytes { key in cell.withUnsafeBytes { partial.put(key, $0) } }
        try reapply(partial, output: outputs[index].index, lookup)
        return true
    }

    /// Adds the cells that a lane made of late events: its partials of `output`, others are left out. They come out with the next step.
    /// `lookup` finds the cells of closed windows as they were committed last. Errors: what it throws, `state_damaged`.
    public func reapply(_ partials: StateLog, output: Int, _ lookup: ClosedLookup) throws(Fault) {
        guard let target = outputs.first(where: { $0.index == output }) else { return }
        try partials.replay { (_, key, value) throws(Fault) in
            guard
                byStored[UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt16.self))].map({ outputs[$0] === target })
                    ?? false
            else { return }
            try target.reapply(
                start: StateKey.number(key, at: 3), group: UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix...]),
                delta: value, lookup)
        }
    }

    /// How far back the closed windows are kept, as it was committed; call after the marks were restored. `watermark`: the
    /// committed one, nil for a new state.
    public func beginClosed(_ watermark: EventTime?) { for output in outputs { output.closed.begin(watermark) } }

    /// An entry under `closedLane` from `closedInMemory`. False: damaged.
    public func restoreClosed(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Bool {
        guard key.count >= StateKey.windowPrefix else { return false }
        guard let index = byStored[UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt16.self))] else { return true }
        let closed = outputs[index].closed
        return key[0] == StateKey.closedMark ? closed.restoreMark(value) : closed.restoreCell(key: key, value: value)
    }

    /// The keys of what closed windows held: no restore needs them in memory.
    public static var closedChunks: (from: [UInt8], to: [UInt8]) { ([StateKey.closedChunk], [StateKey.closedChunk + 1]) }

    /// The keys of what a restore needs: what was applied to again, and since when closed windows are kept.
    public static var closedInMemory: (from: [UInt8], to: [UInt8]) { ([StateKey.closedCell], [StateKey.closedMark + 1]) }
}

extension ClosedCells {
    func fits(_ time: Int64, since edge: Int64) -> Bool {
        let (first, last) = grid.slots(at: time)
        return keeps && first <= last
            && stride(from: first, through: last, by: Int(grid.every)).allSatisfy { grid.close(of: $0) > edge }
    }

    /// Each window of `time` is open, or its cells are here.
    func fits(_ time: Int64) -> Bool {
        let (first, last) = grid.slots(at: time)
        return keeps && first <= last
            && stride(from: first, through: last, by: Int(grid.every)).allSatisfy { !isClosed($0) || holds($0) }
    }
}
