import Model
import Testing

@testable import Runtime

/// A log of which only times and offsets are known: the record at offset n has the timestamp n seconds.
private final class Log: Source {
    let ends: [PartitionID: Int64]
    init(_ ends: [PartitionID: Int64]) { self.ends = ends }
    func partitions() throws(Fault) -> [PartitionID] { ends.keys.sorted() }
    func input(_ id: PartitionID) throws(Fault) -> any PartitionInput {
        throw Fault("none", "none", next: "none", exit: .usage)
    }
    func ends(of ids: [PartitionID]) throws(Fault) -> [PartitionID: Int64]? { ends.filter { ids.contains($0.key) } }
    func offsets(of ids: [PartitionID], from time: WallTime) throws(Fault) -> [PartitionID: Int64]? {
        var found: [PartitionID: Int64] = [:]
        for id in ids {
            let offset = max(0, (time.milliseconds + 999) / 1_000)
            if offset < ends[id] ?? 0 { found[id] = offset }
        }
        return found
    }
    func timestamp(of id: PartitionID, at offset: Int64) throws(Fault) -> WallTime? {
        offset < ends[id] ?? 0 ? WallTime(milliseconds: offset * 1_000) : nil
    }
}

struct ReplayPlanTests {
    private let long = PartitionID(topic: "t", number: 0)
    private let short = PartitionID(topic: "t", number: 1)

    private var plan: Plan {
        Plan(
            name: "p", source: SourcePlan(kind: .kafka(topics: ["t"], group: "g", start: .earliest)), fields: [],
            eventTime: EventTimePlan(source: .recordTimestamp, outOfOrderness: .seconds(30), maxFuture: .seconds(60)),
            deduplicate: DeduplicatePlan(key: [], within: .seconds(300)),
            aggregates: [
                AggregatePlan(
                    name: "a", window: .tumbling(size: .seconds(60), offset: .zero), allowedLateness: .seconds(90), groupBy: [],
                    measures: [])
            ])
    }

    @Test func timesAreReadFromBeforeTheirStartToTheLastWindowsClose() throws {
        let range = ReplayRange.times(from: EventTime(milliseconds: 1_000_000), until: EventTime(milliseconds: 2_000_000))
        let replay = ReplayPlan(range, plan: plan)
        #expect(replay.windows == 1_000_000..<2_000_000)
        #expect(replay.watermarkBound == EventTime(milliseconds: 2_090_000))
        let bounds = try replay.bounds(of: [long, short], plan: plan, source: Log([long: 5_000, short: 700]))
        // Counted from max_future before the start; warmed for within + out_of_orderness + max_future before that.
        #expect([bounds[long]?.open, bounds[long]?.counts, bounds[long]?.end] == [550, 940, 5_000])
        // A partition that has nothing so late is warmed, and nothing of it counts.
        #expect([bounds[short]?.open, bounds[short]?.counts, bounds[short]?.end] == [550, 700, 700])
    }

    @Test func offsetsAreWarmedByTheTimeOfTheirFirstRecord() throws {
        let replay = ReplayPlan(.offsets(from: [long: 1_000, short: 900], until: [long: 1_200]), plan: plan)
        #expect(replay.windows == nil)
        #expect(replay.watermarkBound == nil)
        // No record can come behind the log's end: a replay waits for nothing.
        let beyond = ReplayPlan(.offsets(from: [long: 4_000], until: [long: 6_000]), plan: plan)
        #expect(try beyond.bounds(of: [long], plan: plan, source: Log([long: 5_000]))[long]?.end == 5_000)
        let other = PartitionID(topic: "t", number: 2)
        let bounds = try replay.bounds(of: [long, short, other], plan: plan, source: Log([long: 5_000, short: 900, other: 10]))
        #expect(bounds.keys.sorted() == [long, short])
        #expect([bounds[long]?.open, bounds[long]?.counts, bounds[long]?.end] == [610, 1_000, 1_200])
        #expect([bounds[short]?.open, bounds[short]?.counts, bounds[short]?.end] == [0, 900, 900])
    }
}
