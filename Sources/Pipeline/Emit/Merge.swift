public import Model

/// Joins the partial results of all lanes into rows (S14–S16). A merge replaces the earlier partial of the same source, so
/// repeating one changes nothing. Pure: the committer steps it once a commit.
public final class MergeCore {
    private let outputs: [MergeOutput]
    private let byStored: [UInt16: Int]
    private var order: [LaneNumber: Int64] = [:]
    /// The watermark each lane has closed by, for outputs that close by their own partition.
    private var laneWatermarks: [LaneNumber: Int64] = [:]

    public init(plan: Plan, storedOutputs: [UInt16], bounds: Range<Int64>? = nil) {
        outputs = zip(plan.aggregates, storedOutputs).enumerated().map { index, pair in
            MergeOutput(index: index, plan: pair.0, fields: plan.fields, stored: pair.1, bounds: bounds)
        }
        byStored = Dictionary(uniqueKeysWithValues: storedOutputs.enumerated().map { ($1, $0) })
    }

    /// Where a lane's partition stands among all, once, before its first partial.
    public func add(lane: LaneNumber, order position: Int64) { order[lane] = position }

    /// One entry of the committed merge state. False: damaged.
    public func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Bool {
        guard key.count >= StateKey.windowPrefix, let tag = key.first,
            let index = byStored[UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt16.self))]
        else { return false }
        let start = StateKey.number(key, at: 3)
        switch tag {
        case StateKey.partial:
            guard key.count >= StateKey.windowPrefix + 4 else { return false }
            let lane = Int32(bigEndian: key.loadUnaligned(fromByteOffset: key.count - 4, as: Int32.self))
            let group = UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix..<(key.count - 4)])
            outputs[index].restorePartial(start: start, group: group, lane: lane, order: order[lane] ?? Int64(lane), cell: value)
        case StateKey.emitted:
            guard value.count == 9 else { return false }
            outputs[index].restoreEmitted(
                start: start, group: UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix...]),
                revision: value.loadUnaligned(as: Int64.self), pending: value[8] != 0)
        default: return false
        }
        return true
    }

    /// What one commit emits.
    public struct Step {
        public var rows: [Row]
        public var changes: StateLog
        /// By output (S25).
        public var progress: [OutputProgress]
    }

    /// Takes the partials of the lanes sealed in this commit, in their order, and emits what is due. `combined` is the
    /// combined watermark after this commit's decisions; `idle` lanes have shipped up to it. At the `end` of a bounded input
    /// everything closes and `asOf` says as of when.
    public func step(
        sealed: [SealedLane], combined: EventTime?, idle: Set<LaneNumber>, ended: Bool = false, asOf: EventTime? = nil
    ) -> Step {
        let changes = StateLog()
        var rows: [Row] = []
        for lane in sealed {
            if let watermark = lane.watermark {
                laneWatermarks[lane.lane] = max(laneWatermarks[lane.lane] ?? .min, watermark.milliseconds)
            }
            lane.partials.replay { (_, key, value) in
                let stored = UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt16.self))
                guard let index = byStored[stored] else { return }
                outputs[index].receive(
                    start: StateKey.number(key, at: 3), group: UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix...]),
                    lane: lane.lane, order: order[lane.lane] ?? Int64(lane.lane), cell: value)
            }
        }
        let watermark = ended ? Int64.max : combined?.milliseconds ?? noWatermark
        if let combined { for lane in idle { laneWatermarks[lane] = max(laneWatermarks[lane] ?? .min, combined.milliseconds) } }
        var progress: [OutputProgress] = []
        for output in outputs {
            output.emit(
                into: &rows, changes: changes, watermark: watermark, laneWatermarks: ended ? nil : laneWatermarks,
                asOf: ended ? asOf : combined)
            progress.append(progressOf(output, watermark: watermark, ended: ended, asOf: asOf))
        }
        return Step(rows: rows, changes: changes, progress: progress)
    }

    /// The largest close of the windows that wait here for the combined watermark (S6's cap).
    public var lastOpenClose: EventTime? {
        outputs.compactMap(\.lastOpenClose).max().map(EventTime.init(milliseconds:))
    }

    /// As `LaneCore.nextEdge`, of the windows that wait here.
    public func nextEdge(after watermark: EventTime) -> EventTime? {
        outputs.compactMap { $0.nextEdge(after: watermark.milliseconds) }.min().map(EventTime.init(milliseconds:))
    }

    /// Bytes of the partials that wait here for their windows to close, about.
    public var memory: Int { outputs.reduce(0) { $0 + $1.memory } }

    private func progressOf(_ output: MergeOutput, watermark: Int64, ended: Bool, asOf: EventTime?) -> OutputProgress {
        var own = watermark
        if output.plan.isKeyed, !ended, laneWatermarks.count == order.count { own = laneWatermarks.values.min() ?? watermark }
        if ended { own = asOf?.milliseconds ?? noWatermark }
        if own == noWatermark { return output.progress }
        let closed = output.grid.lastEnd(at: ended ? own : own - output.grid.lateness)
        let complete = output.plan.emit == .final ? closed : output.grid.lastEnd(at: own)
        let last = ended ? output.lastEmittedEnd : .min
        output.progress = OutputProgress(
            completeThrough: EventTime(milliseconds: max(complete, last, output.progress.completeThrough?.milliseconds ?? .min)),
            finalThrough: EventTime(milliseconds: max(closed, last, output.progress.finalThrough?.milliseconds ?? .min)))
        return output.progress
    }
}

/// A group's canonical bytes as a dictionary key.
struct GroupKey: Hashable {
    let bytes: [UInt8]
    private let hash: UInt64
    init(_ source: UnsafeRawBufferPointer) {
        bytes = Array(source)
        hash = groupHash(source)
    }
    func hash(into hasher: inout Hasher) { hasher.combine(hash) }
}
