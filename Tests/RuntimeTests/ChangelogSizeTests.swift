import Glibc
import Model
import Pipeline
import Runtime
import State
import Testing
import Testkit

/// What a lane's commits take in the changelog, with the production lane's own deltas.
struct ChangelogSizeTests {
    private struct StillClock: Clock {
        func wall() -> WallTime { WallTime(milliseconds: 0) }
        func monotonic() -> MonotonicTime { MonotonicTime(nanoseconds: 0) }
    }

    /// Keys and values, and ten bytes a record for Kafka's own: under 20 for each unique event of a run that catches up.
    @Test func aUniqueEventTakesLessThanTwentyBytes() throws {
        let plan = SmallStream.plan(
            lateness: .minutes(30), outOfOrderness: .minutes(2), deduplicate: DeduplicatePlan(key: [0], within: .minutes(10)))
        let layout = GroupLayout(plan: plan, group: "g", inputs: [PartitionID(topic: "t", number: 0)])
        let store = try GroupStore(
            directory: StateDirectory(inMemory: "size"), plan: plan, layout: layout, clock: StillClock())
        try store.finishRestore(of: 0)
        let lane = try LaneBench(plan, partitions: 1)
        var (events, offset): (UInt64, Int64) = (0, 0)
        var total = GroupStore.ChangelogSize()
        for number in Int64(1)...4 {
            var records: [BenchRecord] = []
            for _ in 0..<20_000 {
                events += 1
                // One in twenty comes twice, ten thousand events to a minute, 200 groups.
                for _ in 0...(events % 20 == 0 ? 1 : 0) {
                    records.append(
                        SmallStream.record(
                            offset, at: Int64(events) * 6, id: (events &* 0x9E37_79B9_7F4A_7C15) >> 20, group: "g\(events % 200)")
                    )
                    offset += 1
                }
            }
            try lane.feed(records, to: 0)
            let sealed = try #require(lane.commit()?.lanes.first)
            let unit = UnitCommit(
                head: UnitHead(
                    lane: 0, partition: layout.partition(of: 0), sequence: number, at: WallTime(milliseconds: 0),
                    books: sealed.books, watermark: sealed.watermark, newestEventTime: sealed.newestEventTime,
                    nextOffset: sealed.nextOffset, lastRecord: sealed.lastRecord, largestClose: sealed.lastOpenClose,
                    isIdle: false, isEnded: false, combined: nil, closedThrough: nil, progress: [:]), changes: sealed.changes)
            let size = try store.changelog(of: unit) { _, _ throws(Fault) in }
            total.records += size.records
            total.bytes += size.bytes
            try store.apply([unit], ends: [0: ChangelogEnd(offset: number * 1_000)])
        }
        let unique = lane.books[0].aggregated
        let bytes = Double(total.bytes + 10 * total.records) / Double(unique)
        print("changelog: \(bytes) bytes a unique event, \(total.records) records for \(unique) events")
        #expect(unique == 80_000)
        #expect(bytes < 20)
    }
}
