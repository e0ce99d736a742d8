import Model
import Testing
import Testkit

@testable import Pipeline

private let cases = 480

extension Workload {
    func bench() throws -> LaneBench {
        let bench = try LaneBench(plan, partitions: records.count)
        for (partition, records) in records.enumerated() {
            bench.append(records.map { $0.bytes(plan.fields, maxRecord: plan.source.maxRecord.bytes) }, to: partition)
        }
        return bench
    }

    func judged() -> Oracle {
        var oracle = Oracle(plan, partitions: records.count)
        for (partition, records) in records.enumerated() {
            for record in records { oracle.judge(record, partition) }
        }
        return oracle
    }
}

struct OracleTests {
    /// S1–S17 on random plans and records; then S17: batches, commits and crashes change nothing of it.
    @Test(arguments: 0..<8) func theLaneAgreesWithTheContractComputedNaivelyHoweverItsInputIsCut(_ part: Int) throws {
        for seed in stride(from: part, to: cases, by: 8) {
            let work = Workload(seed: UInt64(seed))
            let whole = try work.bench()
            for partition in whole.log.indices { try whole.deliver(partition) }
            whole.end()
            let wrong = Result(work.judged()).differences(Result(whole), formulas: work.plan)
            #expect(wrong.isEmpty, "seed \(seed), oracle | lane: \(wrong.joined(separator: "\n"))\n\(work.plan)")
            let cut = try cutAtRandom(work, seed: UInt64(seed))
            let changed = Result(whole).differences(Result(cut))
            #expect(changed.isEmpty, "seed \(seed), whole | cut: \(changed.joined(separator: "\n"))\n\(work.plan)")
        }
    }

    private func cutAtRandom(_ work: Workload, seed: UInt64) throws -> LaneBench {
        var random = SplitMix(seed: seed ^ 0xFEED)
        let bench = try work.bench()
        var crashes = random.below(3) > 0 ? 40 : 0
        while bench.hasMore {
            try bench.deliver(random.below(bench.log.count), limit: [1, 2, 5, 30, 200][random.below(5)])
            bench.now = MonotonicTime(nanoseconds: bench.now.nanoseconds + 200_000_000)
            if random.below(6) == 0 { bench.commit() }
            if crashes > 0, random.below(25) == 0 {
                try bench.crash()
                crashes -= 1
            }
        }
        bench.end()
        return bench
    }

    @Test func theWorkloadsReachEveryOutcome() {
        var books = Books(outputs: 1)
        for seed in 0..<cases { books = Workload(seed: UInt64(seed)).judged().partitions.map(\.books).reduce(books, +) }
        let counts = [
            books.aggregated, books.filtered, books.duplicate, books.late, books.redelivered, books.unidentified,
            books.partlyLate, books.duplicateObserved, books.lateRefusals[0],
        ]
        #expect(counts.allSatisfy { $0 > 200 }, "\(books)")
        let unreached = RejectReason.allCases.filter { books.rejectedByReason[Int($0.rawValue)] < 20 }
        #expect(unreached == [.contract], "\(books)")
    }
}
