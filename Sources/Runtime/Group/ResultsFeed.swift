import Kafka
import Model
import State

/// Brings the rows of the units that this instance owns from the group's results topic into its tables, or everybody's where that is
/// asked for; the rows of units that went away go too. Used on the run's thread; it never waits for more than what has come.
final class ResultsFeed {
    private let plan: Plan
    private let layout: GroupLayout
    private let log: KafkaLog
    private let queries: KafkaQueries
    private let clock: any Clock
    /// Tables whose rows merge lanes make; those of the others come from input lanes.
    private let merged: Set<String>
    let follower: ResultsFollower
    private var readers: [Int32: LogReader] = [:]

    init(plan: Plan, layout: GroupLayout, log: KafkaLog, queries: KafkaQueries, clock: any Clock, follower: ResultsFollower) {
        self.plan = plan
        merged = Set(
            plan.aggregates.filter { !$0.isKeyed }.flatMap { aggregate in
                aggregate.targets.compactMap { if case .table(let name, _) = $0 { name } else { nil } }
            })
        self.layout = layout
        self.log = log
        self.queries = queries
        self.clock = clock
        self.follower = follower
    }

    /// The partitions whose rows are in the tables.
    private func followed(_ owned: some Sequence<LaneNumber>) -> Set<Int32> {
        plan.state.tables == .all ? Set(layout.inputs.indices.map(Int32.init)) : Set(owned.map { layout.results(of: $0).number })
    }

    /// Follows the partitions of these units and no others; true: all rows that were there when it began are in the tables.
    @discardableResult
    func poll(owned: some Sequence<LaneNumber>, watermark: EventTime?) throws(Fault) -> Bool {
        let wanted = followed(owned)
        _ = try follower.leave(allBut: wanted)
        for (number, reader) in readers where !wanted.contains(number) {
            reader.close()
            readers[number] = nil
        }
        try open(wanted.filter { readers[$0] == nil }.sorted())
        var isDone = true
        for (number, reader) in readers {
            let follower = follower
            let came = try reader.next(within: .zero) { batch throws(Fault) in
                try follower.apply(number, try batch.records(of: reader.id), next: batch.next, watermark: watermark)
            }
            if came { isDone = false }
        }
        return isDone
    }

    /// Until nothing comes any more, or the deadline has passed: at an end, when what was just committed should be in the tables.
    func drain(owned: [LaneNumber], watermark: EventTime?, within limit: TimeSpan) throws(Fault) {
        let ids = Set(followed(owned).map { PartitionID(topic: layout.topics.results, number: $0) })
        guard !ids.isEmpty else { return }
        let ends = try queries.watermarks(of: ids.sorted(), within: RuntimeLimits.questionLimit).mapValues(\.upperBound)
        let deadline = clock.monotonic() + limit
        while clock.monotonic() < deadline {
            try poll(owned: owned, watermark: watermark)
            if ids.allSatisfy({ (readers[$0.number]?.position ?? 0) >= ends[$0] ?? 0 }) { return }
            for reader in readers.values where reader.position < ends[reader.id] ?? 0 {
                let follower = follower
                _ = try reader.next(within: RuntimeLimits.stopLook) { batch throws(Fault) in
                    try follower.apply(
                        reader.id.number, try batch.records(of: reader.id), next: batch.next, watermark: watermark)
                }
            }
        }
    }

    // MARK: Rows past their time

    /// Tombstones for rows of these units that are past their table's `keep`: the topic forgets them, and every table that follows it.
    func tombstones(owned: some Sequence<LaneNumber>, watermark: EventTime?) throws(Fault) -> [LaneNumber: [[UInt8]]] {
        var found: [LaneNumber: [[UInt8]]] = [:]
        for lane in owned {
            let isMerge = layout.isMerge(lane)
            let keys = try follower.expired(
                layout.results(of: lane).number, watermark: watermark, isOwn: { merged.contains($0) == isMerge })
            if !keys.isEmpty { found[lane] = keys }
        }
        return found
    }

    /// They are committed.
    func bury(_ tombstones: [LaneNumber: [[UInt8]]]) {
        for (lane, keys) in tombstones { follower.bury(layout.results(of: lane).number, keys) }
    }

    func close() {
        for reader in readers.values { reader.close() }
        readers = [:]
        follower.close()
    }

    /// Asks of all of them at once: each question is a round trip that the run's thread waits for.
    private func open(_ numbers: [Int32]) throws(Fault) {
        if numbers.isEmpty { return }
        let ids = numbers.map { PartitionID(topic: layout.topics.results, number: $0) }
        let ranges = try queries.watermarks(of: ids, within: RuntimeLimits.questionLimit)
        let positions = follower.positions()
        for id in ids {
            guard let range = ranges[id] else { continue }
            var from = positions[id.number]?.next ?? range.lowerBound
            if !range.contains(from), from != range.upperBound {
                // The topic was cut or made anew: what is there is read from its start, and later revisions replace what is here.
                try follower.forgetPosition(of: id.number)
                from = range.lowerBound
            }
            readers[id.number] = try log.reader(of: id, from: from)
        }
    }
}

extension LogBatch {
    /// As the state's side takes them; good during the call. Fault `changelog_damaged`: one has no key, so it is nothing that Weir wrote.
    func records(of id: PartitionID) throws(Fault) -> [ChangelogRecord] {
        var records: [ChangelogRecord] = []
        records.reserveCapacity(count)
        for index in 0..<count {
            guard let key = key(index) else { throw ChangelogRecord.damaged(at: "\(id)@\(offset(index))") }
            records.append(ChangelogRecord(offset: offset(index), timestamp: timestamp(index), key: key, value: value(index)))
        }
        return records
    }

    /// The offset behind the last one.
    var next: Int64 { count == 0 ? 0 : offset(count - 1) + 1 }
}
