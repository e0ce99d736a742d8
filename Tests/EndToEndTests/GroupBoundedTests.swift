import Model
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

@Suite(.enabled(if: KafkaCluster.isAvailable, why))
struct GroupBoundedTests {
    private let scratch = Scratch()

    /// The end takes several commits, each of which hears what the last one told: waiting for the next one's time gathers nothing.
    @Test func aBoundedRunEndsWithoutWaitingForTheNextCommitsTime() throws {
        let group = try SmallGroup("ending") { $0.to = "- table: n" }
        try group.produce(60, from: 0, keys: 20)
        var plan = try group.plan(scratch)
        plan.commitEvery = .seconds(30)
        let clock = SystemClock()
        let began = clock.monotonic()
        let summary = try Running(plan, RunOptions(until: .end)).summary(within: 60)
        let took = clock.monotonic() - began
        #expect(summary.books.read == 120)
        #expect(summary.rows == group.rows.count)
        #expect(took < plan.commitEvery, "\(took.milliseconds) ms")
    }
}
