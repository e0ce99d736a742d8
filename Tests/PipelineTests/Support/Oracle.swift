import Model

/// The contract, computed naively: one record after the other, dictionaries, no bytes. It shares no code with the lane.
struct Oracle {
    struct CellKey: Hashable {
        var output: Int
        var start: Int64
        var end: Int64
        var group: [Value]
    }

    /// One record in one window, as the measures see it.
    struct Taken {
        var time: Int64
        var partition: Int
        var offset: Int64
        var values: [Value]
    }

    struct Late: Hashable {
        var partition: Int
        var output: Int
        var offset: Int64
        var time: Int64
        var start: Int64
        var end: Int64
        var watermark: Int64
        var by: Int64
    }

    struct Dead: Hashable {
        var partition: Int
        var offset: Int64
        var reason: RejectReason
        var field: Int?
    }

    struct Partition {
        var books: Books
        var watermark: Int64?
        var newest: Int64?
        var next: Int64 = 0
        /// A key and the watermark from which on it is forgotten.
        var remembered: [[Value]: Int64] = [:]
    }

    let plan: Plan
    var partitions: [Partition]
    var cells: [CellKey: [Taken]] = [:]
    var sessions = OracleSessions()
    var late: Set<Late> = []
    var dead: Set<Dead> = []
    /// In the order in which the records came.
    var outcomes: [Outcome?] = []

    init(_ plan: Plan, partitions count: Int) {
        self.plan = plan
        partitions = Array(repeating: Partition(books: Books(outputs: plan.aggregates.count)), count: count)
    }

    mutating func judge(_ record: PlainRecord, _ partition: Int) {
        guard record.offset >= partitions[partition].next else {
            partitions[partition].books.redelivered += 1
            outcomes.append(nil)
            return
        }
        partitions[partition].next = record.offset + 1
        partitions[partition].books.read += 1
        let outcome = outcome(record, partition)
        outcomes.append(outcome)
        switch outcome {
        case .aggregated: partitions[partition].books.aggregated += 1
        case .filtered: partitions[partition].books.filtered += 1
        case .duplicate: partitions[partition].books.duplicate += 1
        case .late: partitions[partition].books.late += 1
        case .rekeyed: partitions[partition].books.rekeyed += 1
        case .rejected(let reason): partitions[partition].books.rejectedByReason[Int(reason.rawValue)] += 1
        }
    }

    private mutating func outcome(_ record: PlainRecord, _ at: Int) -> Outcome {
        func reject(_ reason: RejectReason, _ field: Int? = nil) -> Outcome {
            dead.insert(Dead(partition: at, offset: record.offset, reason: reason, field: field))
            return .rejected(reason)
        }
        let fields: [PlainRecord.Field]
        switch record.body {
        case .tombstone: return reject(.tombstone)
        case .oversize: return reject(.oversize)
        case .undecodable: return reject(.undecodable)
        case .object(let given): fields = given
        }
        var timeColumn: Int?
        if case .field(let column) = plan.eventTime.source { timeColumn = column }
        var values: [Value] = []
        for (column, field) in fields.enumerated() {
            switch field {
            case .wrong: return reject(.wrongType, column)
            case .badTime: return reject(.badTime, column)
            case .value(let value): values.append(value)
            case .missing, .null:
                if let fallback = plan.fields[column].fallback {
                    values.append(fallback)
                } else if plan.fields[column].required || column == timeColumn {
                    return reject(.missingField, column)
                } else {
                    values.append(.null)
                }
            }
        }
        let given: Int64?
        if let timeColumn, case .time(let time) = values[timeColumn] {
            given = time.milliseconds
        } else {
            given = record.timestamp
        }
        guard let time = given, (-62_167_219_200_000...253_402_300_799_999).contains(time) else { return reject(.badTime) }
        if let stamp = record.timestamp, time - stamp > plan.eventTime.maxFuture.milliseconds { return reject(.futureTime) }
        let before = partitions[at].watermark
        let own = time - plan.eventTime.outOfOrderness.milliseconds
        partitions[at].watermark = max(before ?? own, own)
        partitions[at].newest = max(partitions[at].newest ?? time, time)
        if let filter = plan.filter, holds(filter, values) != true { return .filtered }
        return judgeTimed(record, at, time: time, before: before, values)
    }

    /// From dedup on.
    private mutating func judgeTimed(_ record: PlainRecord, _ at: Int, time: Int64, before: Int64?, _ values: [Value]) -> Outcome
    {
        var open: [Int: [Range<Int64>]] = [:]
        var refused: [Int: Range<Int64>] = [:]
        var isPartlyLate = false
        for (index, output) in plan.aggregates.enumerated() {
            if let admits = output.admits, holds(admits, values) != true { continue }
            if output.window.isSession {
                let session = time..<time + output.window.longest.milliseconds
                if sessions.isLate(session, at, index, group(output, values), before, output) {
                    refused[index] = session
                } else {
                    open[index] = [session]
                }
                continue
            }
            let windows = output.window.holding(time)
            guard let last = windows.last else { continue }
            let stillOpen = windows.filter { window in before.map { window.upperBound + lateness(output) > $0 } ?? true }
            if stillOpen.isEmpty { refused[index] = last } else { open[index] = stillOpen }
            if !stillOpen.isEmpty && stillOpen.count < windows.count { isPartlyLate = true }
        }
        let isLate = open.isEmpty && !refused.isEmpty
        if let dedup = plan.deduplicate {
            if let key = identity(dedup, values) {
                let isKnown = partitions[at].remembered[key].map { limit in before.map { $0 < limit } ?? true } ?? false
                if isKnown {
                    if !dedup.observe { return .duplicate }
                    partitions[at].books.duplicateObserved += 1
                } else if !isLate {
                    let moment = max(time, before ?? time) + dedup.within.milliseconds
                    let bucket = dedup.bucket.milliseconds
                    var limit = moment / bucket * bucket
                    while limit < moment { limit += bucket }
                    while limit - bucket >= moment { limit -= bucket }
                    partitions[at].remembered[key] = limit
                }
            } else {
                partitions[at].books.unidentified += 1
            }
        }
        for (index, window) in refused {
            let output = plan.aggregates[index]
            partitions[at].books.lateRefusals[index] += 1
            if case .count = plan.late { continue }
            late.insert(
                Late(
                    partition: at, output: index, offset: record.offset, time: time, start: window.lowerBound,
                    end: window.upperBound, watermark: before!, by: before! - window.upperBound - lateness(output)))
        }
        for (index, windows) in open {
            let group = group(plan.aggregates[index], values)
            let taken = Taken(time: time, partition: at, offset: record.offset, values: values)
            if plan.aggregates[index].window.isSession {
                sessions.take(taken, windows[0], index, group, before, plan.aggregates[index])
                continue
            }
            for window in windows {
                let key = CellKey(output: index, start: window.lowerBound, end: window.upperBound, group: group)
                cells[key, default: []].append(taken)
            }
        }
        if isLate { return .late }
        if open.isEmpty { return .filtered }
        if isPartlyLate { partitions[at].books.partlyLate += 1 }
        return .aggregated
    }

    private func identity(_ dedup: DeduplicatePlan, _ values: [Value]) -> [Value]? {
        let key = dedup.key.map { values[$0] == .double(0) ? .double(0) : values[$0] }
        return key.contains { $0 == .null || $0 == .string("") || $0 == .uuid(high: 0, low: 0) } ? nil : key
    }

    private func group(_ output: AggregatePlan, _ values: [Value]) -> [Value] {
        output.groupBy.map { values[$0] == .double(0) ? .double(0) : values[$0] }
    }

    private func lateness(_ output: AggregatePlan) -> Int64 { output.allowedLateness.milliseconds }
}
