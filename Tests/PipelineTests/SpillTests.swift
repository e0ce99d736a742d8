import Model
import Testing
import Testkit

@testable import Pipeline

/// State that is larger than memory: what leaves it is found again, and nothing that a lane says depends on it.
struct SpillTests {
    /// S17: whatever is committed leaves memory at once, however the input is cut and wherever it crashes.
    @Test(arguments: 0..<6) func aLaneThatKeepsNothingInMemorySaysWhatOneSaysThatKeepsEverything(_ part: Int) throws {
        var reads: Int64 = 0
        for seed in stride(from: part, to: 180, by: 6) {
            let work = Workload(seed: UInt64(seed))
            let whole = try work.bench()
            for partition in whole.log.indices { try whole.deliver(partition) }
            whole.end()
            let spilled = try cutAtRandom(work, seed: UInt64(seed))
            let changed = Result(whole).differences(Result(spilled))
            #expect(changed.isEmpty, "seed \(seed), whole | spilled: \(changed.joined(separator: "\n"))\n\(work.plan)")
            reads += spilled.coldReads
        }
        #expect(reads > 100)
    }

    private func cutAtRandom(_ work: Workload, seed: UInt64) throws -> LaneBench {
        var random = SplitMix(seed: seed ^ 0x5_9111)
        let bench = try LaneBench(work.plan, partitions: work.records.count, spillsTo: 0)
        for (partition, records) in work.records.enumerated() {
            bench.append(records.map { $0.bytes(work.plan.fields, maxRecord: work.plan.source.maxRecord.bytes) }, to: partition)
        }
        var crashes = random.below(3) > 0 ? 20 : 0
        while bench.hasMore {
            try bench.deliver(random.below(bench.log.count), limit: [1, 2, 5, 30][random.below(4)])
            bench.now = MonotonicTime(nanoseconds: bench.now.nanoseconds + 200_000_000)
            if random.below(2) == 0 { bench.commit() }
            if crashes > 0, random.below(25) == 0 {
                try bench.crash()
                crashes -= 1
            }
        }
        bench.end()
        return bench
    }

    // MARK: Filters

    /// About 2.3 bytes a value and one wrong word in 65,536, as decision 14 states.
    @Test(arguments: [1, 2, 3, 10, 100, 5_000, 262_144]) func aFilterKnowsAllItsValuesAndFewOthers(_ count: Int) throws {
        var random = SplitMix(seed: UInt64(count))
        let values = (0..<count).map { _ in random.next() }
        let filter = try #require(values.withUnsafeBufferPointer { FuseFilter($0) })
        #expect(values.allSatisfy { filter.contains($0) })
        let asked = 2_000_000
        let wrong = (0..<asked).count { _ in filter.contains(random.next()) }
        #expect(wrong < asked / 65_536 * 2 + 10, "\(wrong) of \(asked)")
        if count == 262_144 { #expect(Double(filter.bytes) / Double(count) < 2.35) }
    }

    @Test func groupsThatAreColdAreFoundUntilTheyComeBack() {
        var random = SplitMix(seed: 3)
        let groups = ColdGroups()
        var known: Set<UInt64> = []
        for _ in 0..<20_000 {
            let hash = random.next() % 3_000 &* 0x1_0000_0001
            if random.below(2) == 0 {
                #expect(groups.insert(hash) == known.insert(hash).inserted)
            } else {
                groups.remove(hash)
                known.remove(hash)
            }
        }
        #expect(groups.count == known.count)
        #expect((0..<3_000).allSatisfy { groups.contains($0 &* 0x1_0000_0001) == known.contains($0 &* 0x1_0000_0001) })
    }
}
