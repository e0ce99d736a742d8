import Model
import Testing
import Testkit

@testable import Pipeline

private let measures = [
    MeasurePlan(name: "n", function: .count), MeasurePlan(name: "d", function: .sum, column: 3),
]

private func entries(_ bench: LaneBench, _ tag: UInt8) -> Int {
    bench.durable.states.values.reduce(0) { $0 + $1.entries.keys.count { $0.first == tag } }
}

/// Cells that stand together in state, and what becomes of them there.
struct CellPagesTests {
    /// S17: in whatever entries cells stand when it crashes, however few or many have changed, and when memory gets short in between.
    @Test(arguments: 0..<4) func aLaneSaysTheSameInWhateverEntriesItsCellsStand(_ part: Int) throws {
        var (paged, left, reads) = (0, 0, Int64(0))
        for seed in stride(from: part, to: 60, by: 4) {
            var random = SplitMix(seed: UInt64(seed) &+ 0xCE11)
            let plan = SmallStream.plan(
                lateness: .seconds(20 * Int64(random.below(10))), outOfOrderness: .seconds(Int64(random.below(90))),
                measures: measures)
            let groups = [5, 40, 300][random.below(3)]
            let log = (0..<2).map { _ in
                (0..<2_500).map { at in
                    // Some groups come all the time, most of them seldom.
                    let group = random.below(3) == 0 ? random.below(max(groups / 20, 1)) : random.below(groups)
                    return SmallStream.record(
                        Int64(at), at: Int64(at * 80 + random.below(60_000)), group: "group \(group)", d: Double(random.below(9)))
                }
            }
            func made() throws -> LaneBench {
                let bench = try LaneBench(plan, partitions: 2)
                for partition in 0..<2 { bench.append(log[partition], to: partition) }
                return bench
            }
            let whole = try made()
            for partition in 0..<2 { try whole.deliver(partition) }
            whole.end()
            let cut = try made()
            while cut.hasMore {
                try cut.deliver(random.below(2), limit: [3, 50, 400][random.below(3)])
                if random.below(2) == 0 {
                    let before = entries(cut, StateKey.cell)
                    cut.commit()
                    paged = max(paged, entries(cut, StateKey.page))
                    if entries(cut, StateKey.page) > 0, entries(cut, StateKey.cell) > before { left += 1 }
                }
                if random.below(15) == 0 { try cut.crash() }
                if random.below(40) == 0 { cut.spillsTo = cut.spillsTo == nil ? [0, 20_000][random.below(2)] : nil }
            }
            reads += cut.coldReads
            cut.end()
            let changed = Result(whole).differences(Result(cut))
            #expect(changed.isEmpty, "seed \(seed), whole | cut: \(changed.joined(separator: "\n"))")
            #expect(entries(cut, StateKey.page) == 0 && entries(cut, StateKey.cell) == 0, "seed \(seed)")
        }
        // All of it did happen: cells in pages, cells that left them, and some that left memory.
        #expect(paged > 10 && left > 10 && reads > 10, "\(paged) \(left) \(reads)")
    }

    @Test func aCommitThatChangesManyCellsOfAWindowWritesFewEntries() throws {
        let bench = try LaneBench(SmallStream.plan(lateness: .seconds(600), measures: measures), partitions: 1)
        var random = SplitMix(seed: 5)
        for round in 0..<20 {
            let batch = (0..<2_000).map { at in
                SmallStream.record(Int64(round * 2_000 + at), at: Int64(round) * 1_000, group: "g\(random.below(400))")
            }
            try bench.feed(batch, to: 0)
            let commit = try #require(bench.commit())
            // Nearly all of 400 cells change with each commit.
            #expect(commit.lanes[0].changes.entryCount < 30, "\(commit.lanes[0].changes.entryCount)")
        }
        #expect(bench.durable.states[0]?.entries.keys.count { $0.first == StateKey.page } ?? 0 < 20)
        let rows = try #require(bench.end()).rows
        #expect(rows.count == 400 && rows.allSatisfy { $0.final })
    }

    /// Few cells of many that change now and then are written alone, and not with all that stand beside them.
    @Test func fewChangesAreNotWrittenWithAllThatStandsBesideThem() throws {
        let bench = try LaneBench(SmallStream.plan(lateness: .seconds(600), measures: measures), partitions: 1)
        try bench.feed((0..<400).map { SmallStream.record(Int64($0), at: 1_000, group: "group \($0)") }, to: 0)
        bench.commit()
        var bytes = 0
        for round in 0..<400 {
            try bench.feed([SmallStream.record(Int64(400 + round), at: 1_000, group: "group \(round)")], to: 0)
            bytes += try #require(bench.commit()).lanes[0].changes.byteCount
        }
        #expect(bytes / 400 < 300, "\(bytes / 400)")
    }

    /// What comes from a disk or a changelog is data.
    @Test func aDamagedPageIsRefusedOrReadAndNeverATrap() throws {
        let bench = try LaneBench(SmallStream.plan(lateness: .seconds(600), measures: measures), partitions: 1)
        try bench.feed((0..<100).map { SmallStream.record(Int64($0), at: 1_000, group: "group \($0)") }, to: 0)
        bench.commit()
        let pages = try #require(bench.durable.states[0]).entries.filter { $0.key.first == StateKey.page }
        #expect(pages.count > 1)
        func isRead(_ key: [UInt8], _ value: [UInt8]) throws -> Bool {
            let core = try LaneCore(
                LaneConfiguration(
                    plan: bench.plan, lane: 0, partition: PartitionID(topic: "t", number: 0), partitionOrder: 0,
                    storedOutputs: [1]))
            return key.withUnsafeBytes { key in value.withUnsafeBytes { core.restore(key: key, value: $0) } }
        }
        var random = SplitMix(seed: 8)
        for (key, value) in pages.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            #expect(try isRead(key, value))
            #expect(try !isRead(key, value + [1]))
            #expect(try !isRead(key, value.dropLast()))
            #expect(try !isRead(key + [1], value))
            #expect(try !isRead(Array(key.dropLast(4)) + [255, 255, 255, 255], value))
            #expect(try !isRead(key, value + value))
            for _ in 0..<200 {
                var bytes = value
                for _ in 0...random.below(3) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
                _ = try isRead(key, Array(bytes.dropLast(random.below(2) * random.below(bytes.count))))
            }
        }
    }
}
