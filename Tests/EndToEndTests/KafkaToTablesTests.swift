import Model
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

@Suite(.enabled(if: KafkaCluster.isAvailable, why))
struct KafkaToTablesTests {
    @Test func theReferenceWorkloadFromATopicGivesExactTablesAndBooks() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("reference", partitions: 4)
        let records = workload(50_000)
        try cluster.produce(records, to: topic)
        let scratch = Scratch()
        let job = ReferenceJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}")
        let summary = try run(try job.plan(scratch.path))
        let answer = ReferenceJob.recomputation.answer(records)
        try expect(scratch.path, holds: answer)
        #expect(summary.read == 50_000)
        #expect(summary.books.balances)
        // Every outcome occurs, or the test would say little.
        for (name, count) in [
            ("duplicate", summary.books.duplicate), ("late", summary.books.late), ("filtered", summary.books.filtered),
            ("partly late", summary.books.partlyLate),
        ] { #expect(count > 0, "\(name)") }
        // The end is part of the state.
        let fault = try refusal(try job.plan(scratch.path))
        #expect(fault.code == "input_ended")
        #expect(fault.exit == .state)
    }
}
