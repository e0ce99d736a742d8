public import Model

/// Joins the partial results of all lanes into rows (S14–S16). A merge replaces the earlier partial of the same source, so
/// repeating one changes nothing. Pure: the committer steps it once a commit.
public final class MergeCore {
    /// Which outputs are joined here. In a group the keyed ones are joined where their input lane is, the others in merge lanes.
    public enum Choice: Sendable {
        case all, keyed, notKeyed
    }

    let outputs: [any MergedOutput]
    private let closedLog: ClosedLog
    /// Sources before those that roll them up.
    private let emitOrder: [Int]
    /// The place in `outputs`, by stored number.
    let byStored: [UInt16: Int]
    private var order: [LaneNumber: Int64] = [:]
    /// The watermark each lane has closed by, for outputs that close by their own partition.
    private var laneWatermarks: [LaneNumber: Int64] = [:]

    public init(plan: Plan, storedOutputs: [UInt16], bounds: Range<Int64>? = nil, choice: Choice = .all) {
        // Without a ledger nobody can ask for what is kept.
        closedLog = ClosedLog(keep: plan.keepsClosedForLate ? plan.state.keepClosed : .zero)
        order[reappliedLane] = .max
        let outputs = Self.outputs(plan, storedOutputs, bounds, choice, closedLog)
        let depths = outputs.map { plan.depth(of: $0.index) }
        self.outputs = outputs
        emitOrder = outputs.indices.sorted { (depths[$0], $0) < (depths[$1], $1) }
        byStored = Dictionary(uniqueKeysWithValues: outputs.enumerated().map { ($1.stored, $0) })
    }

    /// It joins nothing.
    public var isEmpty: Bool { outputs.isEmpty }

    /// Where a lane's partition stands among all, once, before its first partial.
    public func add(lane: LaneNumber, order position: Int64) { order[lane] = position }

    /// The watermark up to which a lane has closed, as it was committed: where no lane runs that would tell it.
    public func restore(lane: LaneNumber, watermark: EventTime) { raise(lane, to: watermark) }

    /// One entry of the committed merge state. False: damaged.
    public func restore(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Bool {
        if key.first == StateKey.closedMark || key.first == StateKey.closedCell { return restoreClosed(key: key, value: value) }
        guard key.count >= StateKey.windowPrefix,
            let index = byStored[UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt16.self))]
        else { return false }
        return outputs[index].restore(key: key, value: value) { order[$0] ?? Int64($0) }
    }

    /// How far each output was told, by stored number: it is told no less (S25).
    public func restore(progress: [Int32: OutputProgress]) {
        for output in outputs { output.progress = progress[Int32(output.stored)] ?? output.progress }
    }

    /// What one commit emits.
    public struct Step {
        public var rows: [Row]
        public var changes: StateLog
        /// By output that is joined here (S25).
        public var progress: [OutputProgress]
        public var closed: ClosedChanges
    }

    /// As `step`, by stored number.
    public var progress: [Int32: OutputProgress] {
        Dictionary(uniqueKeysWithValues: outputs.map { (Int32($0.stored), $0.progress) })
    }

    /// Takes the partials of the lanes sealed in this commit, in their order, and emits what is due. `combined` is the
    /// combined watermark after this commit's decisions; `idle` lanes have shipped up to it. At the `end` of a bounded input
    /// everything closes and `asOf` says as of when.
    public func step(
        sealed: [SealedLane], combined: EventTime?, idle: Set<LaneNumber>, ended: Bool = false, asOf: EventTime? = nil
    ) -> Step {
        for lane in sealed { receive(lane) }
        if let combined { for lane in idle { raise(lane, to: combined) } }
        return emit(closingBy: combined, asOf: ended ? asOf : combined, ended: ended)
    }

    /// Of a group's input lane, for the outputs that close by their own partition: takes its partials and emits what is due.
    /// `floor`: the combined watermark that it was sealed with where it is idle. `asOf`: what rows say, which is the combined
    /// watermark, and at the `end` what the input's end gives.
    public func step(_ sealed: SealedLane, floor: EventTime?, asOf: EventTime?, ended: Bool) -> Step {
        receive(sealed)
        if let floor { raise(sealed.lane, to: floor) }
        return emit(
            closingBy: laneWatermarks[sealed.lane].map(EventTime.init(milliseconds:)), asOf: asOf, ended: ended)
    }

    /// Of a merge lane: emits what is due by `closable`, up to which everything was shipped.
    public func step(closable: EventTime?, asOf: EventTime?, ended: Bool) -> Step {
        emit(closingBy: closable, asOf: asOf, ended: ended)
    }

    /// One partial as it came over the network. False: damaged. One for a window that closed by `closed` says nothing: what
    /// a lane ships again after a restore was counted before.
    public func receive(key: UnsafeRawBufferPointer, cell: UnsafeRawBufferPointer, from lane: LaneNumber, closed: EventTime?)
        -> Bool
    {
        guard key.count >= StateKey.windowPrefix, key[0] == StateKey.partial else { return false }
        // An output that is not joined here, or one of an older topology.
        guard let index = byStored[UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt16.self))] else { return true }
        let start = StateKey.number(key, at: 3)
        let isWithdrawn = cell.isEmpty && outputs[index].plan.window.isSession
        guard PipelineLimits.windowStarts.contains(start), isWithdrawn || outputs[index].isWhole(cell) else { return false }
        if !isWithdrawn, let closed, outputs[index].isClosed(start: start, cell: cell, by: closed.milliseconds) { return true }
        outputs[index].receive(
            start: start, group: UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix...]), lane: lane,
            order: order[lane] ?? Int64(lane), cell: cell, isLast: false)
        return true
    }

    /// Whether it is a partial that `receive` would take, or one of an output that is not joined here.
    func isPartial(key: UnsafeRawBufferPointer, cell: UnsafeRawBufferPointer) -> Bool {
        guard key.count >= StateKey.windowPrefix, key[0] == StateKey.partial else { return false }
        guard let index = byStored[UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt16.self))] else { return true }
        return PipelineLimits.windowStarts.contains(StateKey.number(key, at: 3)) && outputs[index].isWhole(cell)
    }

    private func receive(_ sealed: SealedLane) {
        if let watermark = sealed.watermark { raise(sealed.lane, to: watermark) }
        sealed.partials.replay { (_, key, value) in
            let stored = UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: UInt16.self))
            guard let index = byStored[stored] else { return }
            outputs[index].receive(
                start: StateKey.number(key, at: 3), group: UnsafeRawBufferPointer(rebasing: key[StateKey.windowPrefix...]),
                lane: sealed.lane, order: order[sealed.lane] ?? Int64(sealed.lane), cell: value, isLast: key[0] == StateKey.over)
        }
    }

    private static func outputs(
        _ plan: Plan, _ storedOutputs: [UInt16], _ bounds: Range<Int64>?, _ choice: Choice, _ closed: ClosedLog
    ) -> [any MergedOutput] {
        var made: [(index: Int, output: any MergedOutput)] = []
        // Sources first: those that roll them up are made with them.
        for index in plan.aggregates.indices.sorted(by: { (plan.depth(of: $0), $0) < (plan.depth(of: $1), $1) }) {
            let aggregate = plan.aggregates[index]
            if choice == (aggregate.isKeyed ? .notKeyed : .keyed) { continue }
            let stored = storedOutputs[index]
            if let from = aggregate.from {
                guard let source = made.first(where: { $0.index == from })?.output else { continue }
                let rollUp = RollUp(
                    index: index, plan: aggregate, from: source.plan, fields: plan.fields, stored: stored, bounds: bounds,
                    closed: closed)
                (source as? MergeOutput)?.rollUps.append(rollUp)
                (source as? RollUp)?.rollUps.append(rollUp)
                made.append((index, rollUp))
            } else if aggregate.window.isSession {
                made.append(
                    (
                        index,
                        SessionMerge(
                            index: index, plan: aggregate, fields: plan.fields, stored: stored, isBounded: bounds != nil,
                            closed: closed)
                    ))
            } else {
                made.append(
                    (
                        index,
                        MergeOutput(
                            index: index, plan: aggregate, fields: plan.fields, stored: stored, bounds: bounds, closed: closed)
                    ))
            }
        }
        return made.sorted { $0.index < $1.index }.map(\.output)
    }

    /// What commands alone emit, where no lane runs and time stands still: rows of closed windows, and of what is open only what must
    /// outlive the process. `combined`: the committed watermark.
    public func stepReapplied(combined: EventTime?, ended: Bool) -> Step {
        var rows: [Row] = []
        for output in outputs { output.closed.emit(output.index, into: &rows, asOf: combined) }
        let changes = StateLog()
        for at in emitOrder {
            outputs[at].emit(
                into: &rows, changes: changes,
                MergeMoment(
                    watermark: ended ? .max : combined?.milliseconds ?? noWatermark, laneWatermarks: ended ? nil : laneWatermarks,
                    asOf: combined))
        }
        return Step(rows: rows, changes: changes, progress: outputs.map(\.progress), closed: closedLog.take())
    }

    private func raise(_ lane: LaneNumber, to watermark: EventTime) {
        laneWatermarks[lane] = max(laneWatermarks[lane] ?? .min, watermark.milliseconds)
    }

    private func emit(closingBy reached: EventTime?, asOf: EventTime?, ended: Bool) -> Step {
        let changes = StateLog()
        var rows: [Row] = []
        var progress: [OutputProgress] = []
        let watermark = ended ? Int64.max : reached?.milliseconds ?? noWatermark
        let moment = MergeMoment(watermark: watermark, laneWatermarks: ended ? nil : laneWatermarks, asOf: asOf)
        for output in outputs { output.closed.emit(output.index, into: &rows, asOf: asOf) }
        for at in emitOrder { outputs[at].emit(into: &rows, changes: changes, moment) }
        for output in outputs { progress.append(progressOf(output, watermark: watermark, ended: ended, asOf: asOf)) }
        return Step(rows: rows, changes: changes, progress: progress, closed: closedLog.take())
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

    private func progressOf(_ output: any MergedOutput, watermark: Int64, ended: Bool, asOf: EventTime?) -> OutputProgress {
        var own = watermark
        if output.plan.isKeyed, !ended, laneWatermarks.count == order.count { own = laneWatermarks.values.min() ?? watermark }
        if ended { own = asOf?.milliseconds ?? noWatermark }
        if own == noWatermark { return output.progress }
        let closed = output.lastEnd(at: ended ? own : own - output.plan.closing.milliseconds)
        let complete = output.plan.emit == .final ? closed : output.lastEnd(at: own)
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
