import Model
import Testing
import Testkit

@testable import Pipeline

struct SessionTests {
    private struct Shown: Equatable {
        var start: Int64
        var end: Int64
        var events: Value?
        var retracted: Bool
    }

    /// S11: a closed session is never joined, so an open one can come to its start, and both have their row. `cuts`: after how many
    /// records there is a commit.
    @Test(
        arguments: [[], [1], [2], [3], [1, 2, 3]] as [Set<Int>],
        [AggregatePlan.Emission.final, .onTime, .everyCommit, .every(.seconds(1))])
    func aSessionThatComesToTheStartOfAClosedOneStandsBesideIt(_ cuts: Set<Int>, _ emit: AggregatePlan.Emission) throws {
        let plan = SmallStream.plan(window: .session(gap: .seconds(5)), lateness: .seconds(1), emit: emit, isKeyed: true)
        let bench = try LaneBench(plan, partitions: 1)
        // The second closes what the first began; the third is not late by itself, and the fourth joins it.
        let records: [(time: Int64, group: String)] = [(0, "a"), (7_000, "b"), (4_000, "a"), (0, "a")]
        for (offset, record) in records.enumerated() {
            try bench.feed([SmallStream.record(Int64(offset), at: record.time, group: record.group)], to: 0)
            if cuts.contains(offset + 1) {
                bench.now = MonotonicTime(nanoseconds: bench.now.nanoseconds + 2_000_000_000)
                bench.commit()
                try bench.crash()
            }
        }
        bench.now = MonotonicTime(nanoseconds: bench.now.nanoseconds + 2_000_000_000)
        bench.commit()
        bench.end()
        var latest: [[Int64]: Shown] = [:]
        for row in bench.durable.rows where row.group == [.string("a")] {
            let (start, end) = (row.windowStart.milliseconds, row.windowEnd.milliseconds)
            latest[[start, end]] = Shown(start: start, end: end, events: row.measures.first, retracted: row.retracted)
        }
        let standing = latest.values.filter { !$0.retracted }.sorted { $0.end < $1.end }
        #expect(
            standing == [
                Shown(start: 0, end: 5_000, events: .int(1), retracted: false),
                Shown(start: 0, end: 9_000, events: .int(2), retracted: false),
            ])
        #expect(bench.books[0].late == 0)
    }
}
