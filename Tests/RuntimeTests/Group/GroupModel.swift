import Model

/// A cell of an output, as rows name it.
struct GroupCell: Hashable, CustomStringConvertible {
    var output: Int
    var start: Int64
    var group: String
    var description: String { "\(output)/\(start)/\(group)" }
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
        guard case .string(let group) = row.group[0], case .int(let count) = row.measures[0],
            case .double(let sum) = row.measures[1]
        else {
            failures.append("a row of another form: \(row)")
            return
        }
        let cell = GroupCell(output: row.output, start: row.windowStart.milliseconds, group: group)
        let before = shown[cell]?.last
        if row.revision != (before?.row.revision ?? 0) + 1 {
            failures.append("\(cell): revision \(row.revision) after \(before?.row.revision ?? 0)")
        }
        if before?.row.final == true { failures.append("\(cell): touched after it was final") }
        let through = progress[unit]?.last?.progress[Int32(row.output + 1)]?.finalThrough
        if let through, row.windowEnd <= through { failures.append("\(cell): touched after final_through \(through)") }
        shown[cell, default: []].append(Shown(commit: commit, unit: unit, row: row, value: GroupValue(count: count, sum: sum)))
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

    var last: [GroupCell: GroupValue] { shown.compactMapValues { $0.last?.value } }

    /// Where a unit said that a window is complete, or final, and its rows were not.
    func lies(_ model: GroupModel) -> [String] {
        var found: [String] = []
        for (cell, rows) in shown {
            let end = cell.start + model.size(cell.output)
            let said = progress[rows[0].unit] ?? []
            func count(_ through: (OutputProgress) -> EventTime?) -> Int64? {
                guard
                    let at = said.first(where: {
                        $0.progress[Int32(cell.output + 1)].flatMap(through).map { $0.milliseconds >= end } ?? false
                    })?.commit
                else { return nil }
                return rows.last { $0.commit <= at }?.value.count ?? 0
            }
            if let count = count(\.finalThrough), count != model.cells[cell]?.count ?? 0 {
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

    init(_ group: GroupSimulation) {
        plan = group.plan
        for lane in group.input.indices {
            let own = judge(group.input[lane], raises: group.raises[LaneNumber(lane)] ?? [])
            // In the order of the partitions.
            for (cell, value) in own {
                let total = cells[cell]
                cells[cell] = GroupValue(
                    count: (total?.count ?? 0) + value.count, sum: total.map { $0.sum + value.sum } ?? value.sum)
            }
        }
    }

    func size(_ output: Int) -> Int64 {
        switch plan.aggregates[output].window {
        case .tumbling(let size, _), .hopping(let size, _, _): size.milliseconds
        }
    }

    private mutating func judge(_ events: [GroupEvent], raises: [(at: Int64, floor: Int64)]) -> [GroupCell: GroupValue] {
        var found: [GroupCell: GroupValue] = [:]
        var own = Books(outputs: plan.aggregates.count)
        var watermark: Int64?
        var raises = raises[...]
        for (offset, event) in events.enumerated() {
            while let raise = raises.first, raise.at <= offset {
                watermark = max(watermark ?? raise.floor, raise.floor)
                raises.removeFirst()
            }
            let before = watermark ?? .min
            watermark = max(before, event.time - plan.eventTime.outOfOrderness.milliseconds)
            own.read += 1
            var isTaken = false
            var isPartlyLate = false
            var isRefused = false
            for (output, aggregate) in plan.aggregates.enumerated() {
                let starts = starts(aggregate.window, event.time)
                let open = starts.filter { $0 + size(output) + aggregate.allowedLateness.milliseconds > before }
                if open.isEmpty, !starts.isEmpty {
                    own.lateRefusals[output] += 1
                    isRefused = true
                }
                isTaken = isTaken || !open.isEmpty
                isPartlyLate = isPartlyLate || (!open.isEmpty && open.count < starts.count)
                for start in open {
                    let cell = GroupCell(output: output, start: start, group: aggregate.isKeyed ? event.key : event.group)
                    let value = found[cell]
                    found[cell] = GroupValue(
                        count: (value?.count ?? 0) + 1, sum: value.map { $0.sum + event.value } ?? event.value)
                    if start + size(output) > before { inTime[cell, default: 0] += 1 }
                }
            }
            own.aggregated += isTaken ? 1 : 0
            own.late += !isTaken && isRefused ? 1 : 0
            own.filtered += !isTaken && !isRefused ? 1 : 0
            own.partlyLate += isPartlyLate ? 1 : 0
        }
        books.append(own)
        return found
    }

    private func starts(_ window: AggregatePlan.Window, _ time: Int64) -> [Int64] {
        let (size, every, offset): (Int64, Int64, Int64) =
            switch window {
            case .tumbling(let size, let offset): (size.milliseconds, size.milliseconds, offset.milliseconds)
            case .hopping(let size, let every, let offset): (size.milliseconds, every.milliseconds, offset.milliseconds)
            }
        var start = floorDivide(time - offset, every) * every + offset
        var starts: [Int64] = []
        while start + size > time {
            starts.insert(start, at: 0)
            start -= every
        }
        return starts
    }

    func differences(from told: GroupRows) -> [String] {
        let last = told.last
        return Set(cells.keys).union(last.keys).compactMap { cell in
            let (mine, theirs) = (cells[cell], last[cell])
            return mine == theirs ? nil : "\(cell): \(theirs.map { "\($0)" } ?? "no row"), not \(mine.map { "\($0)" } ?? "any")"
        }.sorted()
    }
}
