import Model
import Testing
import Testkit

@testable import Pipeline

struct LaneTests {
    /// The first record meets the window in its second round, the others in their first.
    @Test(arguments: [1, 2, 5])
    func sumsOfDoublesFoldInTheOrderOfTheRecords(_ batch: Int) throws {
        let plan = SmallStream.plan(
            window: .hopping(size: .milliseconds(100), every: .milliseconds(10), offset: .zero), lateness: .seconds(1),
            measures: [MeasurePlan(name: "sum", function: .sum, column: 3)])
        let bench = try LaneBench(plan, partitions: 1)
        let times: [(Int64, Double)] = [(99, 1e16), (5, 1), (95, 1), (1, 1), (50, -1e16)]
        bench.append(times.enumerated().map { SmallStream.record(Int64($0), at: $1.0, d: $1.1) }, to: 0)
        while try bench.deliver(0, limit: batch) > 0 {}
        bench.end()
        let whole = bench.durable.rows.filter { $0.windowStart.milliseconds == 0 }
        #expect(whole.map(\.measures) == [[.double(times.reduce(0) { $0 + $1.1 })]])
    }

    /// After a record that came twice the last one read is still known, by which a recreated log is recognised.
    @Test func theLastRecordReadIsRememberedThoughItCameTwice() throws {
        let record = { SmallStream.record($0, at: 5) }
        let plain = try LaneBench(SmallStream.plan(), partitions: 1)
        try plain.feed([record(0), record(1)], to: 0)
        plain.commit()
        let twice = try LaneBench(SmallStream.plan(), partitions: 1)
        try twice.feed([record(0), record(1), record(1), record(0)], to: 0)
        twice.commit()
        #expect(plain.durable.lanes[0]?.lastRecord?.offset == 1)
        #expect(twice.durable.lanes[0]?.lastRecord == plain.durable.lanes[0]?.lastRecord)
        #expect(twice.books[0].redelivered == 2)
    }

    /// S17: what lies before the start of a replay is remembered and counted nowhere; windows not wholly in the range don't
    /// exist.
    @Test func aWarmBatchOnlyRemembersKeysAndMovesTheWatermark() throws {
        let plan = SmallStream.plan(
            window: .tumbling(size: .seconds(10), offset: .zero), deduplicate: DeduplicatePlan(key: [0], within: .minutes(1)))
        let core = try LaneCore(
            LaneConfiguration(
                plan: plan, lane: 0, partition: PartitionID(topic: "t", number: 0), partitionOrder: 0, storedOutputs: [1],
                bounds: 20_000..<40_000))
        let times: [(UInt64, Int64)] = [
            (1, 15_000), (2, 19_000), (1, 16_000), (1, 21_000), (3, 22_000), (4, 19_500), (5, 45_000), (6, 21_000),
        ]
        let owned = OwnedBatch(times.enumerated().map { SmallStream.record(Int64($0), at: $1.1, id: $1.0).payload })
        var warm = owned.batch
        warm.count = 3
        try core.process(warm, warm: true)
        #expect(core.books == Books(outputs: 1) && core.watermark == EventTime(milliseconds: 19_000) && core.keys == 2)
        // The three of before are below the next offset.
        try core.process(owned.batch)
        var books = Books(outputs: 1)
        books.read = 5
        books.duplicate = 1
        books.aggregated = 1
        books.filtered = 2
        books.late = 1
        books.lateRefusals = [1]
        books.redelivered = 3
        #expect(core.books == books)
    }

    /// S17, for a log that can't be asked by time: each record's own time says whether it only warms.
    @Test func recordsBeforeTheStartOfAReplayCountNowhere() throws {
        let plan = SmallStream.plan(
            window: .tumbling(size: .seconds(10), offset: .zero), deduplicate: DeduplicatePlan(key: [0], within: .minutes(1)))
        let core = try LaneCore(
            LaneConfiguration(
                plan: plan, lane: 0, partition: PartitionID(topic: "t", number: 0), partitionOrder: 0, storedOutputs: [1],
                bounds: 20_000..<40_000, warmBefore: EventTime(milliseconds: 20_000)))
        let times: [(UInt64, Int64)] = [
            (1, 15_000), (2, 19_000), (1, 16_000), (1, 21_000), (3, 22_000), (4, 19_500), (5, 45_000), (6, 21_000),
        ]
        let owned = OwnedBatch(times.enumerated().map { SmallStream.record(Int64($0), at: $1.1, id: $1.0).payload })
        try core.process(owned.batch)
        var books = Books(outputs: 1)
        books.read = 4
        books.duplicate = 1
        books.aggregated = 1
        books.filtered = 1
        books.late = 1
        books.lateRefusals = [1]
        #expect(core.books == books)
        #expect(core.nextOffset == 8)
    }

    /// A row that is not decoded must not be looked at: its column holds what an earlier, larger batch left there.
    @Test func aRowThatIsNotDecodedIsNotFiltered() throws {
        var plan = SmallStream.plan()
        plan.filter = .compare(column: 2, .notEqual, .string(String(repeating: "x", count: 40)))
        let bench = try LaneBench(plan, partitions: 1)
        let long = String(repeating: "y", count: 500_000)
        try bench.feed((0..<20).map { SmallStream.record($0, at: 5, group: long) }, to: 0)
        try bench.feed((20..<39).map { _ in BenchRecord(nil, offset: 0) } + [BenchRecord(nil, offset: 39)], to: 0)
        try bench.feed((40..<60).map { BenchRecord(nil, offset: $0) }, to: 0)
        bench.end()
        #expect(bench.books[0].rejectedByReason[Int(RejectReason.tombstone.rawValue)] == 21)
        #expect(bench.books[0].redelivered == 19)
    }
}
