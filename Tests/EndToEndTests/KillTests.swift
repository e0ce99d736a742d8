import Glibc
import Model
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)
private let isLong = getenv("WEIR_CHAOS") != nil

/// kill -9 at random moments of a run at full speed: tables and books are exact in the end (S19, S22).
struct KillTests {
    private let count = isLong ? 500_000 : 100_000
    private let kills = isLong ? 100 : 20
    /// Kills come this many milliseconds after the start at most.
    private let spread: UInt64 = isLong ? 1_000 : 300

    @Test(.enabled(if: KafkaCluster.isAvailable, why)) func killsWhileReadingATopicChangeNothing() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("killed", partitions: 4)
        let records = workload(count, seed: 11)
        try cluster.produce(records, to: topic)
        try kill(ReferenceJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}", commit: "20ms"), records, seed: 1)
    }

    @Test func killsWhileReadingFilesChangeNothing() throws {
        let scratch = Scratch()
        let records = workload(count, seed: 12)
        for partition in Int32(0)..<4 { scratch.write("p\(partition).ndjson", records.of(partition).lines) }
        try kill(ReferenceJob(source: "{files: [\"\(scratch.path)/*.ndjson\"]}", commit: "20ms"), records, seed: 2)
    }

    private func kill(_ job: ReferenceJob, _ records: [Sent], seed: UInt64) throws {
        let scratch = Scratch()
        let file = scratch.write("job.yaml", Array(job.yaml.utf8))
        let answer = ReferenceJob.recomputation.answer(records)
        let killed = try Kills(count: kills, spread: spread, seed: seed).strike(file, in: scratch) {
            try expect($0, holds: answer)
        }
        #expect(killed == kills)
    }
}
