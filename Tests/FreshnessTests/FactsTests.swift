import Freshness
import Model
import Testing

@Suite struct FactsTests {
    private func row(_ revision: Int64) -> Row {
        Row(
            output: 0, windowStart: EventTime(milliseconds: 0), windowEnd: EventTime(milliseconds: 60_000), group: [],
            measures: [],
            revision: revision, final: true, asOf: nil)
    }

    @Test func theNewestRowsStandFirstAndTheRestIsForgotten() {
        var facts = Facts(topology: "t", version: "0")
        facts.show([row(1), row(2)])
        facts.show([])
        facts.show([row(3)])
        #expect(facts.latestRows.map(\.revision) == [3, 2, 1])
        facts.show((4...1_000).map(row))
        #expect(facts.latestRows.map(\.revision) == (951...1_000).reversed())
    }

    @Test func aCommitIsToldWithItsDuration() {
        var commits = CommitFacts()
        commits.made(7, at: WallTime(milliseconds: 5), took: .milliseconds(12))
        var expected = CommitFacts()
        expected.number = 7
        expected.lastAt = WallTime(milliseconds: 5)
        expected.lastDuration = .milliseconds(12)
        expected.durations.record(12)
        #expect(commits == expected)
    }

    @Test func booksAndTimesOfPartitionsAreToldTogether() {
        var facts = Facts(topology: "t", version: "0", outputs: [OutputFacts(name: "o")])
        #expect(facts.books == Books(outputs: 1) && facts.newestEventTime == nil && facts.memory == ByteCount(0))
        for number in Int32(0)..<3 {
            var books = Books(outputs: 1)
            books.read = 10
            books.late = 10
            books.lateRefusals = [10]
            var partition = PartitionFacts(id: PartitionID(topic: "t", number: number), lane: number, books: books)
            partition.newestEventTime = EventTime(milliseconds: Int64(number))
            partition.memory = ByteCount(5)
            facts.partitions.append(partition)
        }
        #expect(facts.books.read == 30 && facts.books.lateRefusals == [30] && facts.books.balances)
        #expect(facts.newestEventTime == EventTime(milliseconds: 2) && facts.memory == ByteCount(15))
    }
}

@Suite struct RateTests {
    private func rate(_ points: [(second: Double, total: Int64)]) -> Double? {
        var rate = Rate()
        for point in points { rate.note(point.total, at: MonotonicTime(nanoseconds: Int64(point.second * 1e9))) }
        return rate.perSecond
    }

    @Test func aRateNeedsTwoMoments() {
        #expect(rate([]) == nil)
        #expect(rate([(1, 100)]) == nil)
        #expect(rate([(1, 100), (1, 200)]) == nil)
        #expect(rate([(1, 100), (3, 300)]) == 100)
    }

    @Test func whatIsOlderThanThePeriodIsForgotten() {
        #expect(rate([(0, 0), (1, 1_000_000), (11, 1_000_100), (21, 1_000_200)]) == 10)
        #expect(rate((0...100).map { (Double($0), Int64($0 < 50 ? $0 * 1_000 : 50_000)) }) == 0)
    }

    @Test func aRateThatIsNotedOftenStaysBounded() {
        #expect(rate((0...10_000).map { (Double($0) / 1_000, Int64($0)) }) == 1_000)
    }
}
