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
            reads += try compare(work, seed: UInt64(seed))
        }
        #expect(reads > 100)
    }

    /// S11, S12, S15, S16: sessions leave memory and come back by their group where an event could join them, and by time where they end.
    @Test(arguments: 0..<4) func sessionsThatLeaveMemoryAreJoinedToldAndClosedAsOthers(_ part: Int) throws {
        var reads: Int64 = 0
        for seed in stride(from: 1_000 + part, to: 2_600, by: 4) {
            let work = Workload(seed: UInt64(seed))
            guard work.plan.aggregates.allSatisfy({ $0.window.isSession }) else { continue }
            reads += try compare(work, seed: UInt64(seed))
        }
        #expect(reads > 100)
    }

    /// How often the run that keeps nothing read what had left.
    private func compare(_ work: Workload, seed: UInt64) throws -> Int64 {
        let whole = try work.bench()
        for partition in whole.log.indices { try whole.deliver(partition) }
        whole.end()
        let spilled = try cutAtRandom(work, seed: seed)
        let changed = Result(whole).differences(Result(spilled))
        #expect(changed.isEmpty, "seed \(seed), whole | spilled: \(changed.joined(separator: "\n"))\n\(work.plan)")
        return spilled.coldReads
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

    /// Against a list of them: what an event could join, and what is due by the watermark.
    @Test func sessionsThatAreColdAreFoundByTheirGroupAndByTheirTime() {
        var random = SplitMix(seed: 8)
        for emit in [AggregatePlan.Emission.final, .onTime, .everyCommit] {
            let plan = AggregatePlan(
                name: "s", window: .session(gap: .milliseconds(500)), allowedLateness: .milliseconds(300), groupBy: [0],
                measures: [], emit: emit)
            let times = SessionTimes(plan)
            var cold = ColdSessions(times)
            struct Known: Hashable {
                var hash: UInt64
                var start: Int64
            }
            var known: [Known: (end: Int64, due: Int64)] = [:]
            var watermark: Int64 = -5_000
            for step in 0..<30_000 {
                let hash = random.next() % 200 &* 0x1_0000_0001
                let time = watermark - 500 + Int64(random.below(4_000))
                switch random.below(8) {
                case 0...4:
                    let end = time + 500 + Int64(random.below(3_000))
                    let isUnsent = random.below(2) == 0
                    let due = times.next(start: time, end: end, isUnsent: isUnsent)
                    let isNew = known[Known(hash: hash, start: time)] == nil
                    if cold.insert(hash, start: time, end: end, isUnsent: isUnsent, isSent: false) {
                        #expect(isNew)
                        known[Known(hash: hash, start: time)] = (end, due)
                    } else {
                        #expect(!isNew || due <= cold.lookedThrough)
                    }
                case 5, 6:
                    var starts: [Int64] = []
                    cold.touched(hash, time: time, gap: 500, into: &starts)
                    let expected = known.filter { $0.key.hash == hash && time < $0.value.end && $0.key.start < time + 500 }
                    #expect(Set(starts) == Set(expected.map(\.key.start)))
                    for start in starts {
                        let taken = cold.take(hash, start: start)
                        #expect(taken?.end == known.removeValue(forKey: Known(hash: hash, start: start))?.end)
                    }
                default:
                    watermark += Int64(random.below(400))
                    let expected = known.filter { $0.value.due <= watermark }
                    var due: Set<Int64> = []
                    switch cold.due(through: watermark) {
                    case .nothing: break
                    case .all: due = Set(known.keys.map(\.start))
                    case .from(let starts): due = Set(starts)
                    }
                    #expect(due.isSuperset(of: expected.map(\.key.start)), "step \(step)")
                    for known in expected.keys {
                        #expect(cold.take(known.hash, start: known.start, dueThrough: watermark) != nil)
                    }
                    known = known.filter { $0.value.due > watermark }
                    #expect(known.isEmpty || cold.firstDue.map { $0 <= known.values.map(\.due).min() ?? 0 } == true)
                    cold.noteEmpty()
                }
                #expect(cold.count == known.count)
            }
        }
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
