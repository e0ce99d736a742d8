import Model

/// What an output keeps of its closed windows, or sessions, so that late events can be applied again (S13).
protocol KeptClosed: AnyObject {
    /// What was closed when the state was written, after everything else was restored.
    func begin(_ watermark: EventTime?)
    /// False: damaged.
    func restoreMark(_ value: UnsafeRawBufferPointer) -> Bool
    /// An entry that was applied to. False: damaged.
    func restoreCell(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Bool
    /// The rows of what was applied since the last emission.
    func emit(_ output: Int, into rows: inout [Row], asOf: EventTime?)
    /// Everything that an event of `time` belongs to is open, or here.
    func fits(_ time: Int64) -> Bool
    /// The same for who does not hold it: what closes later than `edge` is kept where it is held.
    func fits(_ time: Int64, since edge: Int64) -> Bool
    /// As `fits`, of one window by its start.
    func takes(_ start: Int64) -> Bool
}

extension KeptClosed {
    func restoreCell(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Bool { true }
}

/// Which closed windows of an output are kept: by event time, those that closed less than `keep` before the combined watermark.
struct ClosedReach {
    let keep: Int64
    private let stored: UInt16
    /// Windows that closed later than this are kept; nil: not known yet.
    private(set) var from: Int64?
    /// Windows that close at or before this are closed.
    private(set) var through = noWatermark
    private var isMarkStored = false
    private var lastGone = Int64.min

    /// A replay's windows are those of its range: late events are applied where the stream itself is counted.
    init(_ log: ClosedLog, isBounded: Bool, stored: UInt16) {
        keep = isBounded ? 0 : log.keep.milliseconds
        self.stored = stored
    }

    /// What was closed when the state was written. Where nothing says how far back windows were kept, they are from then on.
    mutating func begin(_ watermark: EventTime?) {
        through = watermark?.milliseconds ?? noWatermark
        if from == nil { from = watermark?.milliseconds ?? .min }
    }

    mutating func restoreMark(_ value: UnsafeRawBufferPointer) -> Bool {
        guard value.count == 8 else { return false }
        from = value.loadUnaligned(as: Int64.self)
        isMarkStored = true
        return true
    }

    /// Windows were closed by `watermark`; at the `end` of a bounded input all were, and what is past its keep goes by `asOf`. `last`: the
    /// last slot, as entries are known by it, all of whose windows closed by a time.
    mutating func closed(by watermark: Int64, asOf: EventTime?, _ log: ClosedLog, last: (Int64) -> Int64) {
        through = max(through, watermark)
        if keep == 0 { return isMarkStored ? leaveNothing(log) : () }
        let before = from ?? .min
        let now = watermark == .max ? asOf?.milliseconds ?? noWatermark : watermark
        let (edge, overflow) = now.subtractingReportingOverflow(keep)
        let after = overflow ? before : max(before, edge)
        if after > before {
            // Only where the last window that goes is another one there is something to delete.
            let last = last(after)
            if last != lastGone {
                lastGone = last
                isMarkStored = false
                for tag in [StateKey.closedChunk, StateKey.closedCell] {
                    log.past.append(
                        ClosedChanges.Past(
                            from: StateKey.windowKey(tag, output: stored, start: PipelineLimits.windowStarts.lowerBound),
                            to: StateKey.windowKey(tag, output: stored, start: last + 1)))
                }
            }
        }
        from = after
        guard !isMarkStored else { return }
        isMarkStored = true
        let key = StateKey.windowKey(StateKey.closedMark, output: stored, start: 0)
        key.withUnsafeBytes { key in withUnsafeBytes(of: after) { log.changes.put(key, $0) } }
    }

    /// Nothing is kept any more: what earlier runs kept goes, and the mark with it, since windows close unseen from now on.
    private mutating func leaveNothing(_ log: ClosedLog) {
        isMarkStored = false
        for tag in [StateKey.closedChunk, StateKey.closedCell, StateKey.closedMark] {
            let range = StateKey.range(tag, ofOutput: stored)
            log.past.append(ClosedChanges.Past(from: range.from, to: range.to))
        }
    }
}

/// What one commit does to the cells of closed windows, of all outputs.
final class ClosedLog {
    let keep: TimeSpan
    var changes = StateLog(capacity: 64)
    var past: [ClosedChanges.Past] = []

    init(keep: TimeSpan) { self.keep = keep }

    func take() -> ClosedChanges {
        if changes.isEmpty, past.isEmpty { return ClosedChanges(changes: changes) }
        defer {
            changes = StateLog(capacity: 64)
            past = []
        }
        return ClosedChanges(changes: changes, past: past)
    }
}

extension StateKey {
    static func windowKey(_ tag: UInt8, output: UInt16, start: Int64) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: windowPrefix) { bytes, count in
            writeWindow(UnsafeMutableRawPointer(bytes.baseAddress!), tag, output: output, start: start)
            count = windowPrefix
        }
    }

    static func key(_ tag: UInt8, output: UInt16, start: Int64, _ group: GroupKey) -> [UInt8] {
        windowKey(tag, output: output, start: start) + group.bytes
    }
}
