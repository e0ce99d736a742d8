import Freshness
import Glibc
import Kafka
import Model
import Observe
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
        try expect(scratch.path, holds: ReferenceJob.recomputation.answer(records))
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

    /// In pieces, at other paces, and once served and stopped in the middle: the same last revisions (S17).
    @Test func howTheInputIsCutChangesNothing() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("cut", partitions: 4)
        let records = workload(24_000, seed: 2)
        let scratch = Scratch()
        var job = ReferenceJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}")
        for (piece, pace) in ["10ms", "250ms", "40ms"].enumerated() {
            try cluster.produce(records[piece * 8_000..<(piece + 1) * 8_000], to: topic)
            job.commit = pace
            let summary = try run(try job.plan(scratch.path), RunOptions(until: .now))
            #expect(summary.read == 8_000)
            #expect(try stored(scratch.path, "SELECT count(*) FROM decisions WHERE kind = 'ended'") == [["0"]])
        }
        job.commit = "20ms"
        try run(try job.plan(scratch.path))
        let answer = ReferenceJob.recomputation.answer(records)
        try expect(scratch.path, holds: answer)

        // The same topic at one go, by a service that is stopped and started again, with early rows shown.
        let served = Scratch()
        job.commit = "15ms"
        job.perMinute = "{every: 100ms}"
        let first = Running(try job.plan(served.path))
        try first.until("some records") { $0.books.read > 3_000 }
        #expect(try first.stop().books.balances)
        job.commit = "1s"
        try run(try job.plan(served.path))
        try expect(served.path, holds: answer)
    }

    @Test func theGroupSeesTheOffsetsAndRefusesMembers() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("group", partitions: 2)
        try cluster.produce((0..<10).map { event(Double($0)) }, to: topic)
        try cluster.produce((0..<5).map { event(Double($0)) }, to: topic, partition: 1)
        let scratch = Scratch()
        let plan = try SmallJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)], group: \(topic)-g}").plan(
            scratch.path)
        try run(plan, RunOptions(until: .now))
        let queries = try KafkaQueries(KafkaSettings(cluster.plan), group: "\(topic)-g")
        defer { queries.close(within: .seconds(5)) }
        let ids = (0..<2).map { PartitionID(topic: topic, number: $0) }
        #expect(try queries.committedOffsets(of: ids, within: .seconds(10)) == [ids[0]: 10, ids[1]: 5])
        try RawClient.asMember(of: "\(topic)-g", topic: topic, cluster) {
            let fault = try refusal(plan)
            #expect(fault.code == "group_active")
            #expect(fault.exit == .broker)
        }
        try run(plan)
    }

    @Test func anEmptyTopicEndsAtOnceAndAServiceOnItStops() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("empty", partitions: 3)
        let served = Scratch()
        let job = SmallJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}")
        let running = Running(try job.plan(served.path))
        try running.until("running") { $0.state == .running }
        #expect(try running.stop().read == 0)
        let scratch = Scratch()
        let summary = try run(try job.plan(scratch.path), within: 20)
        #expect(summary.read == 0 && summary.stopped.isEmpty)
        #expect(try refusal(try job.plan(scratch.path)).code == "input_ended")
    }

    @Test(arguments: [0, 1, 5, 40, 200])
    func aServiceCanBeStoppedWhileItStarts(afterMilliseconds delay: Int64) throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("starting", partitions: 2)
        try cluster.produce((0..<2_000).map { event(Double($0)) }, to: topic)
        let scratch = Scratch()
        let plan = try SmallJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}").plan(scratch.path)
        try run(plan, RunOptions(until: .now))
        let clock = SystemClock()
        let asked = clock.monotonic() + .milliseconds(delay)
        let running = Running(plan)
        _ = try eventually("the moment") { clock.monotonic() >= asked ? true : nil }
        let stopped = clock.monotonic()
        try running.stop()
        #expect(clock.monotonic() - stopped < .seconds(5))
        #expect(try stored(scratch.path, "SELECT sum(read) FROM books") == [["2000"]])
    }

    @Test func aServiceDrainsAndCommitsWhenItIsStopped() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("served", partitions: 4)
        let records = workload(20_000, seed: 3)
        try cluster.produce(records, to: topic)
        let scratch = Scratch()
        // So long an interval that only the stop commits the last of it.
        let job = ReferenceJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}", commit: "10s")
        let running = Running(try job.plan(scratch.path))
        try running.until("a first commit") { $0.books.read > 0 }
        let clock = SystemClock()
        let asked = clock.monotonic()
        let summary = try running.stop()
        #expect(clock.monotonic() - asked < .seconds(5))
        #expect(summary.books.balances && summary.books.read > 0)
        #expect(try stored(scratch.path, "SELECT sum(read) FROM books") == [["\(summary.books.read)"]])
        try run(try job.plan(scratch.path))
        try expect(scratch.path, holds: ReferenceJob.recomputation.answer(records))
    }

    @Test func sigtermEndsTheProcessInOrder() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("term", partitions: 4)
        let records = workload(20_000, seed: 4)
        try cluster.produce(records, to: topic)
        let scratch = Scratch()
        let job = ReferenceJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}")
        let file = scratch.write("job.yaml", Array(job.yaml.utf8))
        let state = scratch.file("state")
        let process = try WeirProcess(["run", file, "--state", state, "--http", "off"], log: scratch.file("log"))
        _ = try eventually("some records") { () -> Bool? in
            ((try? stored(state, "SELECT sum(read) > 0 FROM books")) ?? []) == [["1"]] ? true : nil
        }
        process.signal(SIGTERM)
        #expect(try process.end(within: 5) == 0, "\(process.log)")
        try run(try job.plan(state))
        try expect(state, holds: ReferenceJob.recomputation.answer(records))
    }

    @Test func partitionsThatAreAddedAreReadFromTheirFirstRecord() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("growing", partitions: 2)
        try cluster.produce([event(1)], to: topic)
        let scratch = Scratch()
        let job = SmallJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)], start: latest}")
        let running = Running(try job.plan(scratch.path))
        try running.until("running") { $0.state == .running && $0.partitions.count == 2 }
        try cluster.tool("topics", ["--alter", "--topic", topic, "--partitions", "4"])
        for number in Int32(0)..<4 { try cluster.produce([event(2, "p\(number)")], to: topic, partition: number) }
        try running.until("four records", within: 40) { $0.books.read == 4 }
        #expect(running.facts.partitions.map(\.nextOffset) == [2, 1, 1, 1])
        #expect(running.events.filter { $0.code == "partition_found" }.count == 2)
        try running.stop()
        // Those that come while nothing runs, too.
        try cluster.tool("topics", ["--alter", "--topic", topic, "--partitions", "5"])
        try cluster.produce([event(3, "p4")], to: topic, partition: 4)
        try run(try job.plan(scratch.path))
        #expect(try smallRows(scratch.path).map { $0[1] } == ["'p0'", "'p1'", "'p2'", "'p3'", "'p4'"])
    }
}
