import Model

/// A cell of an output, as rows name it.
struct GroupCell: Hashable, CustomStringConvertible {
    var output: Int
    var start: Int64
    var end: Int64
    var group: String
    var description: String { "\(output)/\(start)-\(end)/\(group)" }
}

struct GroupValue: Equatable {
    var count: Int64
    var sum: Double
}

/// Every row in the order of the commits, and what must be true of each.
struct GroupRows {
    private struct Shown {
        var commit: Int
        var unit: LaneNumber
        var row: Row
        var value: GroupValue
    }

    private let plan: Plan
    private var shown: [GroupCell: [Shown]] = [:]
    private var progress: [LaneNumber: [(commit: Int, progress: [Int32: OutputProgress])]] = [:]
    private var commit = 0
    private(set) var failures: [String] = []

    init(_ plan: Plan) { self.plan = plan }

    mutating func add(_ row: Row, of unit: LaneNumber) {
        commit += 1
        guard case .string(let group) = row.group.first ?? .string(""), case .int(let count) = row.measures[0],
            case .double(let sum) = row.measures[1]
        else {
            failures.append("a row of another form: \(row)")
            return
        }
        let cell = GroupCell(
            output: row.output, start: row.windowStart.milliseconds, end: row.windowEnd.milliseconds, group: group)
        let before = shown[cell]?.last
        if row.revision != (before?.row.revision ?? 0) + 1 {
            failures.append("\(cell): revision \(row.revision) after \(before?.row.revision ?? 0)")
        }
        // Late events that are applied again make longer sessions of those that are over.
        let isReapplied = row.reason == .reapplied || (row.retracted && plan.state.keepClosed > .zero)
        if before?.row.final == true, !isReapplied { failures.append("\(cell): touched after it was final") }
        let through = progress[unit]?.last?.progress[Int32(row.output + 1)]?.finalThrough
        if let through, row.windowEnd <= through, !isReapplied {
            failures.append("\(cell): touched after final_through \(through)")
        }
        shown[cell, default: []].append(
            Shown(commit: commit, unit: unit, row: row, value: GroupValue(count: row.retracted ? 0 : count, sum: sum)))
    }

    mutating func note(_ now: [Int32: OutputProgress], of unit: LaneNumber) {
        for (output, before) in progress[unit]?.last?.progress ?? [:] {
            let after = now[output]
            if (after?.completeThrough ?? before.completeThrough)
                != [before.completeThrough, after?.completeThrough].compactMap(\.self).max()
                || (after?.finalThrough ?? before.finalThrough)
                    != [before.finalThrough, after?.finalThrough].compactMap(\.self).max()
            {
                failures.append("progress of \(output) in \(unit) went back")
            }
        }
        progress[unit, default: []].append((commit, now))
    }

    /// Rows that were taken back stand no more.
    var last: [GroupCell: GroupValue] {
        shown.compactMapValues { rows in rows.last.flatMap { $0.row.retracted ? nil : $0.value } }
    }

    /// Where a unit said that a window is complete, or final, and its rows were not.
    func lies(_ model: GroupModel) -> [String] {
        var found: [String] = []
        for (cell, rows) in shown {
            let end = cell.end
            let said = progress[rows[0].unit] ?? []
            func count(_ through: (OutputProgress) -> EventTime?) -> Int64? {
                guard
                    let at = said.first(where: {
                        $0.progress[Int32(cell.output + 1)].flatMap(through).map { $0.milliseconds >= end } ?? false
                    })?.commit
                else { return nil }
                return rows.last { $0.commit <= at }?.value.count ?? 0
            }
            // What was late may have been counted before the window was closed for all.
            if !model.isLateApplied, let count = count(\.finalThrough), count != model.cells[cell]?.count ?? 0 {
                found.append("\(cell): final with \(count), not \(model.cells[cell]?.count ?? 0)")
            }
            if let count = count(\.completeThrough), count < model.inTime[cell] ?? 0 {
                found.append("\(cell): complete with \(count), not \(model.inTime[cell] ?? 0)")
            }
        }
        return found
    }
}

/// The contract, record by record: each partition by itself, raised where a turn raised it (S6); then its cells, joined.
struct GroupModel {
    private(set) var cells: [GroupCell: GroupValue] = [:]
    /// By cell: records that came before their own partition's watermark had reached the window's end.
    private(set) var inTime: [GroupCell: Int64] = [:]
    private(set) var books: [Books] = []
    private let plan: Plan
    /// What all windows of an output refused stands in them in the end.
    let isLateApplied: Bool
    /// Of sessions that are cut by time alone: by output and group.
    private var taken: [Int: [String: [GroupEvent]]] = [:]
    /// Outputs where an event came in time for a session of its own that overlaps one which is over: those stay apart (S11), unless a late
    /// event is applied again to them. There only the events are counted.
    private var apart: Set<Int> = []

    init(_ group: GroupSimulation) {
        plan = group.plan
        isLateApplied = group.shape.late
        if !group.layout.rekeyed.isEmpty { books = handing(group) }
        for (lane, records) in Self.records(of: group) {
            let own = judge(records, heeds: group.heeds[lane] ?? [])
            // In the order of the partitions.
            for (cell, value) in own {
                let total = cells[cell]
                cells[cell] = GroupValue(
                    count: (total?.count ?? 0) + value.count, sum: total.map { $0.sum + value.sum } ?? value.sum)
            }
        }
        for (output, aggregate) in plan.aggregates.enumerated() where aggregate.window.isSession { cut(output, aggregate) }
        for (output, aggregate) in plan.aggregates.enumerated() {
            if let from = aggregate.from { rollUp(from, output, aggregate) }
        }
    }

    /// A record with its place in its partition's log, and the watermark before it.
    private struct Placed {
        var event: GroupEvent
        var at: Int64
        var before: Int64
    }

    /// By lane that judges them. Inputs that hand on judge nothing.
    private static func records(of group: GroupSimulation) -> [(lane: LaneNumber, records: [Placed])] {
        let inputs = group.input.indices.map { lane in
            placed(group.input[lane], group.raises[LaneNumber(lane)] ?? [], group.plan.eventTime.outOfOrderness.milliseconds)
        }
        if group.layout.rekeyed.isEmpty { return inputs.enumerated().map { (LaneNumber($0), $1) } }
        return group.layout.rekeyed.indices.map { partition in
            let lane = LaneNumber(group.layout.inputs.count + partition)
            var raises = (group.raises[lane] ?? [])[...]
            var watermark = RekeyedWatermark(lanes: inputs.count)
            var records: [Placed] = []
            for turn in group.handedOn.filter({ $0.partition == partition }).sorted(by: { $0.at < $1.at }) {
                while let raise = raises.first, raise.at <= turn.at {
                    watermark.raise(to: raise.floor)
                    raises.removeFirst()
                }
                for offset in turn.offsets {
                    var record = inputs[Int(turn.lane)][Int(offset)]
                    record.before = watermark.before(turn.lane, own: record.before)
                    record.at = turn.at
                    records.append(record)
                }
                if let report = turn.report { watermark.take(report) }
            }
            return (lane, records)
        }
    }

    private static func placed(_ events: [GroupEvent], _ raises: [(at: Int64, floor: Int64)], _ outOfOrderness: Int64) -> [Placed]
    {
        var watermark: Int64?
        var raises = raises[...]
        return events.enumerated().map { offset, event in
            while let raise = raises.first, raise.at <= offset {
                watermark = max(watermark ?? raise.floor, raise.floor)
                raises.removeFirst()
            }
            let before = watermark ?? .min
            watermark = max(before, event.time - outOfOrderness)
            return Placed(event: event, at: Int64(offset), before: before)
        }
    }

    /// Of inputs that hand everything on.
    private func handing(_ group: GroupSimulation) -> [Books] {
        group.input.map { events in
            var books = Books(outputs: plan.aggregates.count)
            books.read = Int64(events.count)
            books.rekeyed = books.read
            return books
        }
    }

    /// A window's results are those of the windows in it, in their order.
    private mutating func rollUp(_ source: Int, _ output: Int, _ plan: AggregatePlan) {
        let parts = cells.filter { $0.key.output == source }.sorted {
            ($0.key.start, $0.key.group) < ($1.key.start, $1.key.group)
        }
        for (part, value) in parts {
            for window in windows(plan.window, part.start) {
                let cell = GroupCell(
                    output: output, start: window.lowerBound, end: window.upperBound,
                    group: plan.groupBy.isEmpty ? "" : part.group)
                let total = cells[cell]
                cells[cell] = GroupValue(
                    count: (total?.count ?? 0) + value.count, sum: total.map { $0.sum + value.sum } ?? value.sum)
            }
        }
    }

    /// Where no partition decides alone: all events, sorted and cut at the gaps.
    private mutating func cut(_ output: Int, _ plan: AggregatePlan) {
        guard case .session(let gap) = plan.window else { return }
        for (group, events) in taken[output] ?? [:] {
            var run: [GroupEvent] = []
            func close() -> (GroupCell, GroupValue) {
                (
                    GroupCell(output: output, start: run[0].time, end: run[run.count - 1].time + gap.milliseconds, group: group),
                    GroupValue(count: Int64(run.count), sum: run.reduce(0) { $0 + $1.value })
                )
            }
            for event in events.sorted(by: { $0.time < $1.time }) {
                if let last = run.last, event.time - last.time >= gap.milliseconds {
                    let (cell, value) = close()
                    cells[cell] = value
                    run = []
                }
                run.append(event)
            }
            let (cell, value) = close()
            cells[cell] = value
        }
    }

    private mutating func judge(_ records: [Placed], heeds: [HeededOrder]) -> [GroupCell: GroupValue] {
        var heeds = heeds[...]
        var observes = false
        var known: Set<String> = []
        var found: [GroupCell: GroupValue] = [:]
        var own = Books(outputs: plan.aggregates.count)
        var sessions: [OwnSession] = []
        for record in records {
            let (event, before) = (record.event, record.before)
            own.read += 1
            while let heed = heeds.first, heed.from <= record.at {
                observes = heed.order.observe ?? false
                heeds.removeFirst()
            }
            if known.contains(event.id) {
                own.duplicate += observes ? 0 : 1
                own.duplicateObserved += observes ? 1 : 0
                if !observes { continue }
            }
            if plan.deduplicate != nil, event.id.isEmpty { own.unidentified += 1 }
            var isTaken = false
            var isPartlyLate = false
            var isRefused = false
            for (output, aggregate) in plan.aggregates.enumerated() where aggregate.from == nil {
                if case .session(let gap) = aggregate.window {
                    if join(event, gap.milliseconds, before, output, aggregate, &sessions) {
                        isTaken = true
                    } else {
                        own.lateRefusals[output] += 1
                        isRefused = true
                    }
                    continue
                }
                let windows = windows(aggregate.window, event.time)
                let open = windows.filter { $0.upperBound + aggregate.allowedLateness.milliseconds > before }
                if open.isEmpty, !windows.isEmpty {
                    own.lateRefusals[output] += 1
                    isRefused = true
                }
                if isLateApplied, open.isEmpty {
                    for window in windows { add(event, window, output, to: &found) }
                }
                isTaken = isTaken || !open.isEmpty
                isPartlyLate = isPartlyLate || (!open.isEmpty && open.count < windows.count)
                for window in open {
                    let cell = add(event, window, output, to: &found)
                    if window.upperBound > before { inTime[cell, default: 0] += 1 }
                }
            }
            own.aggregated += isTaken ? 1 : 0
            own.late += !isTaken && isRefused ? 1 : 0
            // The key of a late event is not remembered (S8).
            if isTaken || !isRefused, plan.deduplicate != nil, !event.id.isEmpty { known.insert(event.id) }
            own.filtered += !isTaken && !isRefused ? 1 : 0
            own.partlyLate += isPartlyLate ? 1 : 0
        }
        books.append(own)
        for session in sessions where !isLateApplied {
            let cell = GroupCell(
                output: session.output, start: session.interval.lowerBound, end: session.interval.upperBound, group: session.group
            )
            found[cell] = session.value
        }
        return found
    }

    @discardableResult
    private func add(
        _ event: GroupEvent, _ window: Range<Int64>, _ output: Int, to found: inout [GroupCell: GroupValue]
    ) -> GroupCell {
        let cell = GroupCell(
            output: output, start: window.lowerBound, end: window.upperBound,
            group: plan.aggregates[output].isKeyed ? event.key : event.group)
        let value = found[cell]
        found[cell] = GroupValue(count: (value?.count ?? 0) + 1, sum: value.map { $0.sum + event.value } ?? event.value)
        return cell
    }

    private struct OwnSession {
        var output: Int
        var group: String
        var interval: Range<Int64>
        var value: GroupValue
    }

    /// False: the event is late.
    private mutating func join(
        _ event: GroupEvent, _ gap: Int64, _ before: Int64, _ output: Int, _ plan: AggregatePlan, _ sessions: inout [OwnSession]
    ) -> Bool {
        let lateness = plan.allowedLateness.milliseconds
        let isLateAlone = event.time + gap + lateness <= before
        if !plan.isKeyed || isLateApplied, !isLateAlone || isLateApplied {
            taken[output, default: [:]][plan.isKeyed ? event.key : event.group, default: []].append(event)
        }
        guard plan.isKeyed else { return !isLateAlone }
        var own = OwnSession(
            output: output, group: event.key, interval: event.time..<event.time + gap,
            value: GroupValue(count: 1, sum: event.value))
        let joined = sessions.indices.filter {
            sessions[$0].output == output && sessions[$0].group == event.key && sessions[$0].interval.overlaps(own.interval)
                && sessions[$0].interval.upperBound + lateness > before
        }
        if joined.isEmpty && isLateAlone { return false }
        if isLateApplied,
            sessions.contains(where: {
                $0.output == output && $0.group == event.key && $0.interval.overlaps(own.interval)
                    && $0.interval.upperBound + lateness <= before
            })
        {
            apart.insert(output)
        }
        for at in joined.reversed() {
            let other = sessions.remove(at: at)
            let start = min(own.interval.lowerBound, other.interval.lowerBound)
            own.interval = start..<max(own.interval.upperBound, other.interval.upperBound)
            own.value = GroupValue(count: own.value.count + other.value.count, sum: own.value.sum + other.value.sum)
        }
        sessions.append(own)
        return true
    }

    private func windows(_ window: AggregatePlan.Window, _ time: Int64) -> [Range<Int64>] {
        let offset = window.offset.milliseconds
        let step = window.step.milliseconds
        if case .cumulative(let size, _, _) = window {
            let start = floorDivide(time - offset, size.milliseconds) * size.milliseconds + offset
            let first = floorDivide(time - offset, step) * step + offset + step
            return stride(from: first, through: start + size.milliseconds, by: Int(step)).map { start..<$0 }
        }
        var start = floorDivide(time - offset, step) * step + offset
        var windows: [Range<Int64>] = []
        while start + window.longest.milliseconds > time {
            windows.insert(start..<(start + window.longest.milliseconds), at: 0)
            start -= step
        }
        return windows
    }

    func differences(from told: GroupRows) -> [String] {
        let last = told.last
        let uncounted = apart.filter { output in
            func count(_ cells: [GroupCell: GroupValue]) -> Int64 {
                cells.reduce(0) { $0 + ($1.key.output == output ? $1.value.count : 0) }
            }
            return count(cells) != count(last)
        }.map { "\($0): other events than were read" }
        return uncounted.sorted()
            + Set(cells.keys).union(last.keys).filter { !apart.contains($0.output) }.compactMap { cell in
                let (mine, theirs) = (cells[cell], last[cell])
                // Sums of a session that was joined of several are folded in another order, and so are those that late events came to.
                if let mine, let theirs, isLateApplied || plan.aggregates[cell.output].window.isSession,
                    mine.count == theirs.count,
                    abs(mine.sum - theirs.sum) < 1e-6
                {
                    return nil
                }
                return mine == theirs
                    ? nil : "\(cell): \(theirs.map { "\($0)" } ?? "no row"), not \(mine.map { "\($0)" } ?? "any")"
            }.sorted()
    }
}
