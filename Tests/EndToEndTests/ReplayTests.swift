import Model
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// A range again gives what the live run gave (S17).
struct ReplayTests {
    private let records = workload(40_000, seed: 41)
    private let from = newYear + 300_000
    private let until = newYear + 780_000

    /// The live run's rows of windows wholly within.
    private func within(_ rows: [[String]]) -> [[String]] {
        rows.filter { Int64($0[0]) ?? 0 >= from && Int64($0[1]) ?? 0 <= until }
    }

    private var range: ReplayRange {
        .times(from: EventTime(milliseconds: from), until: EventTime(milliseconds: until))
    }

    private func compare(_ job: ReferenceJob, _ scratch: Scratch) throws {
        try run(try job.plan(scratch.file("live")))
        let live = try tables(scratch.file("live"))
        try run(try job.plan(scratch.file("replay")), RunOptions(range: range))
        let replayed = try tables(scratch.file("replay"))
        for output in 0..<2 {
            let expected = within(live[output])
            #expect(expected.count > 3)
            #expect(
                replayed[output] == expected,
                "\(Set(replayed[output]).symmetricDifference(expected).sorted { $0.lexicographicallyPrecedes($1) }.prefix(5))")
        }
        let fault = try refusal(try job.plan(scratch.file("live")), RunOptions(range: range))
        #expect(fault.exit == .state)
    }

    @Test(.enabled(if: KafkaCluster.isAvailable, why)) func aReplayOfTimesFromATopicGivesTheLiveRows() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("replay", partitions: 4)
        try cluster.produce(records, to: topic)
        try compare(ReferenceJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}"), Scratch())
    }

    @Test func aReplayOfTimesFromFilesGivesTheLiveRows() throws {
        let scratch = Scratch()
        for partition in Int32(0)..<4 { scratch.write("p\(partition).ndjson", records.of(partition).lines) }
        try compare(ReferenceJob(source: "{files: [\"\(scratch.path)/*.ndjson\"]}"), scratch)
    }

    @Test(.enabled(if: KafkaCluster.isAvailable, why)) func aReplayOfOffsetsCountsJustTheseRecords() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("offsets", partitions: 4)
        try cluster.produce(records, to: topic)
        let scratch = Scratch()
        let id = PartitionID(topic: topic, number: 2)
        let job = ReferenceJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}")
        try run(try job.plan(scratch.path), RunOptions(range: .offsets(from: [id: 5_000], until: [id: 8_000])))
        var recomputation = ReferenceJob.recomputation
        recomputation.counts = 5_000..<8_000
        try expect(scratch.path, holds: recomputation.answer(records.of(2)))
    }
}
