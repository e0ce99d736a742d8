import Glibc
import Inputs
import Model
import Pipeline
import Runtime
import State
import Testkit

/// What a unit of a group costs on the reference workload: bytes of changelog for a unique event, and how fast the changelog
/// becomes SQLite and then memory again. Without a broker: what is measured is everything behind the reading.
enum Restore {
    private static let events: Int64 = 2_000_000
    /// A lane's share of a commit when it catches up.
    private static let eventsPerCommit = 50_000
    /// Records that a reader takes at a time.
    private static let recordsPerBatch = 4_096
    /// Bytes of keys and values, and ten a record for Kafka's own.
    private static let mostBytes = 20.0
    private static let leastPerSecond = 1_000_000.0

    /// True if both figures are within their gates.
    static func run() throws(Fault) -> Bool {
        let scratch = Scratch()
        let directory = scratch.path
        let plan = try PipelineRun.readPlan(BenchOptions.topology)
        let partition = PartitionID(topic: "events", number: 0)
        let layout = GroupLayout(plan: plan, group: "bench", inputs: [partition])
        let changelog = Changelog()
        let lane = try fill(changelog, plan, layout, "\(directory)/first")
        let clock = SystemClock()
        let began = clock.monotonic()
        let store = try GroupStore(
            directory: StateDirectory("\(directory)/second"), plan: plan, layout: layout, clock: clock)
        try changelog.batches(of: recordsPerBatch) { records, next throws(Fault) in
            try store.applyChangelog(0, records, next: next)
            try store.tend(quiet: false)
        }
        try store.finishRestore(of: 0)
        let restored = try makeLane(plan, partition, store)
        if let head = store.head(of: 0) {
            restored.restore(
                books: head.books, watermark: head.watermark, newestEventTime: head.newestEventTime,
                nextOffset: head.nextOffset, lastRecord: head.lastRecord)
        }
        try store.eachEntry(of: 0) { key, value throws(Fault) in
            if !restored.restore(key: key, value: value) { throw failure("A restored entry is none of this topology.") }
        }
        let seconds = Double(clock.monotonic().nanoseconds - began.nanoseconds) / 1e9
        guard restored.keys == lane.keys, restored.books == lane.books else {
            throw failure("What was restored is not what was committed.")
        }
        let bytes = Double(changelog.byteCount + 10 * changelog.count) / Double(max(lane.books.aggregated, 1))
        let rate = Double(restored.keys + restored.cells) / seconds
        let holds = bytes < mostBytes && rate >= leastPerSecond
        say(
            "changelog: \(fixed(bytes, 2)) bytes a unique event (\(lane.books.aggregated) events, \(changelog.count) records), under \(fixed(mostBytes, 0))"
        )
        say(
            "restore: \(fixed(rate / 1e6, 2)) M entries/s (\(restored.keys) keys and \(restored.cells) cells in \(fixed(seconds, 2)) s), at least \(fixed(leastPerSecond / 1e6, 0)) M"
        )
        if !holds { say("FAILED") }
        return holds
    }

    private static func makeLane(_ plan: Plan, _ partition: PartitionID, _ store: GroupStore) throws(Fault) -> LaneCore {
        try LaneCore(
            LaneConfiguration(
                plan: plan, lane: 0, partition: partition, partitionOrder: 0, storedOutputs: store.outputIDs.map { UInt16($0) }))
    }

    /// Runs the workload through a lane and commits it as a group does, into `changelog`.
    private static func fill(
        _ changelog: Changelog, _ plan: Plan, _ layout: GroupLayout, _ path: String
    ) throws(Fault) -> LaneCore {
        let store = try GroupStore(directory: StateDirectory(path), plan: plan, layout: layout, clock: SystemClock())
        try store.finishRestore(of: 0)
        let lane = try makeLane(plan, layout.partition(of: 0), store)
        var workload = ReferenceWorkload(rate: 100_000, partitions: 1, start: BenchOptions.start)
        let batch = WorkloadBatch()
        let offsets = UnsafeMutablePointer<Int64>.allocate(capacity: batch.capacity)
        defer { offsets.deallocate() }
        var sequence: Int64 = 0
        while workload.position < events {
            var taken = 0
            while taken < eventsPerCommit && workload.position < events {
                let from = workload.position
                let count = batch.fill(from: &workload, limit: eventsPerCommit - taken, end: events)
                for at in 0..<count { offsets[at] = from + Int64(at) }
                try lane.process(
                    RecordBatch(
                        count: count, payloads: batch.payloads, lengths: batch.lengths, offsets: offsets,
                        timestamps: batch.timestamps))
                taken += count
            }
            sequence += 1
            let unit = unit(of: lane, sequence, plan, layout)
            try store.changelog(of: unit) { key, value throws(Fault) in changelog.append(key, value) }
            try store.apply([unit], ends: [0: ChangelogEnd(offset: Int64(changelog.count))])
            try store.tend(quiet: false)
        }
        return lane
    }

    private static func unit(of lane: LaneCore, _ sequence: Int64, _ plan: Plan, _ layout: GroupLayout) -> UnitCommit {
        let sealed = lane.seal(SealRequest(due: plan.aggregates.map { _ in false }))
        return UnitCommit(
            head: UnitHead(
                lane: 0, partition: layout.partition(of: 0), sequence: sequence, at: WallTime(milliseconds: 0),
                books: sealed.books, watermark: sealed.watermark, newestEventTime: sealed.newestEventTime,
                nextOffset: sealed.nextOffset, lastRecord: sealed.lastRecord, largestClose: sealed.lastOpenClose,
                isIdle: false, isEnded: false, combined: sealed.watermark, closedThrough: nil, progress: [:]),
            changes: sealed.changes, late: sealed.late)
    }

    /// The topic's records, as they were written.
    private final class Changelog {
        private var bytes: [UInt8] = []
        private var places: [(key: Range<Int>, value: Range<Int>?)] = []

        var count: Int { places.count }
        var byteCount: Int { bytes.count }

        func append(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) {
            let from = bytes.count
            bytes.append(contentsOf: key)
            let middle = bytes.count
            if let value { bytes.append(contentsOf: value) }
            places.append((from..<middle, value == nil ? nil : middle..<bytes.count))
        }

        /// `next`: the offset behind the batch.
        func batches(of size: Int, _ body: ([ChangelogRecord], _ next: Int64) throws(Fault) -> Void) throws(Fault) {
            var fault: Fault?
            bytes.withUnsafeBytes { all in
                for from in stride(from: 0, to: places.count, by: size) where fault == nil {
                    let to = min(from + size, places.count)
                    let records = (from..<to).map { at in
                        ChangelogRecord(
                            offset: Int64(at), timestamp: 0, key: UnsafeRawBufferPointer(rebasing: all[places[at].key]),
                            value: places[at].value.map { UnsafeRawBufferPointer(rebasing: all[$0]) })
                    }
                    do throws(Fault) { try body(records, Int64(to)) } catch { fault = error }
                }
            }
            if let fault { throw fault }
        }
    }
}
