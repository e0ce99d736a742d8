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
        let clock = SystemClock()
        var random = Seeded(state: seed)
        var killed = 0
        var cycle = 0
        while killed < kills {
            // A run that came to its end is looked at, and another one begins.
            cycle += 1
            let state = scratch.file("state-\(cycle)")
            while true {
                let process = try WeirProcess(
                    ["run", file, "--state", state, "--http", "off", "--until", "end"], log: scratch.file("log"))
                // Once it has had its kills it may come to the end.
                let after = killed < kills ? Int64(random.next() % spread) : 120_000
                let moment = clock.monotonic() + .milliseconds(after)
                let exit = try eventually("the end of weir: \(process.log.suffix(500))", within: 150) { () -> Int32? in
                    if clock.monotonic() >= moment { process.signal(SIGKILL) }
                    return process.exit
                }
                if exit == 0 { break }
                // Killed between the commit of the end and its own end: the next start brings the rows home and says that it is over.
                if killed > 0, exit == ExitCode.state.rawValue, process.log.contains("input_ended") { break }
                try #require(exit == 128 + SIGKILL, "\(process.log.suffix(2_000))")
                killed += 1
            }
            try expect(state, holds: answer)
        }
        #expect(killed == kills)
    }
}

/// Random numbers that are the same for the same seed.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
