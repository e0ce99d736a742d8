import Freshness
import Glibc
import Model
import Observe
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// A small disk of a test's own: only root can have one.
final class SmallDisk {
    let scratch = Scratch()
    var path: String { scratch.path }
    static let canMount = getenv("CI") != nil || geteuid() == 0 && (try? SmallDisk(megabytes: 1)) != nil

    init(megabytes: Int) throws { try Program.run(["mount", "-t", "tmpfs", "-o", "size=\(megabytes)m", "weir", scratch.path]) }

    deinit { try? Program.run(["umount", "-l", scratch.path]) }

    func makeReadOnly() throws { try Program.run(["mount", "-o", "remount,ro", path]) }

    /// Takes all space that is left.
    func fill() {
        let file = open("\(path)/filler", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        let block = [UInt8](repeating: 1, count: 4_096)
        while write(file, block, block.count) > 0 {}
        close(file)
    }

    func empty() { unlink("\(path)/filler") }
}

struct StateTests {
    @Test(
        .enabled(if: KafkaCluster.isAvailable, why),
        .enabled(if: SmallDisk.canMount, "only root can mount a small file system"))
    func aFullDiskStopsTheInputAndLosesNothing() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("disk", partitions: 4)
        let records = workload(40_000, seed: 31)
        try cluster.produce(records[..<20_000], to: topic)
        let disk = try SmallDisk(megabytes: 48)
        let state = disk.scratch.file("state")
        let job = ReferenceJob(bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}", commit: "30ms")
        let running = Running(try job.plan(state))
        try running.until("the first half") { $0.books.read == 20_000 }
        disk.fill()
        try cluster.produce(records[20_000...], to: topic)
        try running.until("the full disk") { if case .waiting(let fault) = $0.state { fault.code == "disk_full" } else { false } }
        #expect(running.events.filter { $0.code == "disk_full" }.count == 1)
        disk.empty()
        try running.until("the second half") { $0.books.read == 40_000 && $0.state == .running }
        #expect(running.events.filter { $0.code == "disk_back" }.count >= 1)
        try running.stop()
        try run(try job.plan(state))
        try expect(state, holds: ReferenceJob.recomputation.answer(records))
    }

    @Test(.enabled(if: SmallDisk.canMount, "only root can mount a small file system"))
    func aReadOnlyDiskIsRefused() throws {
        let disk = try SmallDisk(megabytes: 1)
        try disk.makeReadOnly()
        let fault = try refusal(try SmallJob(source: "{generator: {rate: 10/s}}").plan(disk.scratch.file("state")))
        #expect(fault.exit == .state)
        #expect(fault.place.hasPrefix(disk.path))
    }

    @Test func aDirectoryInUseIsRefused() throws {
        let scratch = Scratch()
        let plan = try generatorPlan(scratch.path)
        let running = Running(plan)
        try running.until("running") { $0.state == .running }
        let fault = try refusal(plan, RunOptions())
        #expect(fault.code == "state_in_use" && fault.exit == .state && fault.place.hasPrefix(scratch.path))
        #expect(!running.isOver)
        try running.stop()
        let next = Running(plan)
        try next.until("running") { $0.state == .running }
        try next.stop()
    }

    @Test(arguments: ["state.db", "results.db"])
    func filesOfANewerFormatAreRefused(file: String) throws {
        let scratch = Scratch()
        let plan = try generatorPlan(scratch.path)
        let running = Running(plan)
        try running.until("a commit") { $0.commits.number > 0 }
        try running.stop()
        try change(scratch.file(file), "PRAGMA user_version = 99")
        let fault = try refusal(plan, RunOptions())
        #expect(fault.code == "state_newer_format" && fault.exit == .state && fault.place.hasSuffix(file))
    }

    /// Dead letters have a limit; at it the input stops until there is room.
    @Test func fullDeadLettersStopTheInputAndLoseNothing() throws {
        let scratch = Scratch()
        let lines = (0..<40_000).map { $0 % 2 == 0 ? event(Double($0)) : "not json \($0)" }
        scratch.write("a.ndjson", Array(lines.joined(separator: "\n").utf8))
        let state = scratch.file("state")
        var plan = try SmallJob(source: "{files: [\"\(scratch.path)/*.ndjson\"]}").plan(state)
        plan.deadLetters = .table(keep: .days(30), limit: ByteCount(1_000))
        // Full is judged before a commit's own letters, so that the first one fits.
        let running = Running(plan)
        try running.until("the limit") {
            if case .waiting(let fault) = $0.state { fault.code == "dead_letters_full" } else { false }
        }
        #expect(running.events.filter { $0.code == "dead_letters_full" }.count == 1)
        running.service.stop()
        #expect(try running.fault().exit == .disk)
        let read = Int(try stored(state, "SELECT read FROM books")[0][0]) ?? 0
        #expect(read < 40_000)
        #expect(try stored(state, "SELECT count(*) FROM dead_letters") == [["\(read / 2)"]])
        plan.deadLetters = .standard
        let summary = try run(plan)
        #expect(summary.books.balances && summary.books.rejected == 20_000 && summary.books.aggregated == 20_000)
        #expect(try stored(state, "SELECT count(DISTINCT \"offset\"), count(*) FROM dead_letters") == [["20000", "20000"]])
    }

    /// Keys are never forgotten early: a process that can't keep them stops and says so (S8).
    @Test func stateThatDoesNotFitIntoMemoryEndsTheRun() throws {
        let scratch = Scratch()
        scratch.write("a.ndjson", workload(30_000, seed: 51).lines)
        var plan = try ReferenceJob(source: "{files: [\"\(scratch.path)/*.ndjson\"]}").plan(scratch.file("state"))
        plan.state.memory = ByteCount(200_000)
        let fault = try refusal(plan)
        #expect(fault.code == "memory_bound" && fault.exit == .state && fault.place == "state.memory")
        plan.state.memory = .mebibytes(512)
        #expect(try run(plan).books.read == 30_000)
        try expect(
            scratch.file("state"),
            holds: ReferenceJob.recomputation.answer(
                workload(30_000, seed: 51).map { Sent(partition: 0, key: $0.key, value: $0.value, timestamp: $0.timestamp) }))
    }

    private func generatorPlan(_ state: String) throws -> Plan {
        try ReferenceJob(source: "{generator: {rate: 2000/s, seed: 1}}").plan(state)
    }

    // MARK: Edits of the topology

    private func edited(_ scratch: Scratch, _ change: (inout SmallJob) -> Void) throws -> Plan {
        var job = SmallJob(source: "{files: [\"\(scratch.path)/*.ndjson\"]}")
        change(&job)
        return try job.plan(scratch.file("state"))
    }

    private static let second = """
          m:
            window: {tumbling: 10s}
            group_by: [k]
            measures: {n: count()}
            to:
              - table: m
        """

    @Test func wordsPlacesPaceAndMemoryMayChange() throws {
        let scratch = Scratch()
        scratch.write("a.ndjson", Array("\(event(1))\n".utf8))
        try run(try edited(scratch) { _ in }, RunOptions(until: .now))
        scratch.write("b.ndjson", Array("\(event(2))\n".utf8))
        var plan = try edited(scratch) {
            $0.bootstrap = "elsewhere:9092"
            $0.more = "description: Other words.\nowner: others\nlate: count\nhttp: {listen: 127.0.0.1:0}"
        }
        plan.commitEvery = .seconds(1)
        plan.state.memory = .mebibytes(1_024)
        #expect(try run(plan).books.read == 2)
        #expect(try smallRows(scratch.file("state")) == [["0", "'a'", "2", "2"]])
    }

    @Test func aNewAggregateBeginsEmptyAndARemovedOneMustBeAccepted() throws {
        let scratch = Scratch()
        scratch.write("a.ndjson", Array("\(event(1))\n\(event(2))\n".utf8))
        try run(try edited(scratch) { _ in }, RunOptions(until: .now))
        scratch.write("b.ndjson", Array("\(event(3))\n".utf8))
        let grown = try plan(
            SmallJob(source: "{files: [\"\(scratch.path)/*.ndjson\"]}").yaml.replacing(
                "commit:", with: Self.second + "\ncommit:"),
            state: scratch.file("state"))
        let running = Running(grown, RunOptions(until: .now))
        try running.summary()
        let told = running.events.filter { $0.code == "output_added" }
        guard told.count == 1, case .outputAdded(let name, let since) = told[0] else {
            Issue.record("\(running.events)")
            return
        }
        #expect(name == "m" && since == EventTime(milliseconds: newYear + 2_000))
        // Removed: its state would be lost.
        let shrunk = try edited(scratch) { _ in }
        let fault = try refusal(shrunk)
        #expect(fault.code == "state_output_removed" && fault.exit == .state)
        #expect("\(fault.what) \(fault.next)".contains("--accept") && "\(fault.what) \(fault.place)".contains("m"))
        try run(grown, RunOptions(until: .now))
        try run(shrunk, RunOptions(until: .end, accept: true))
        #expect(try smallRows(scratch.file("state")) == [["0", "'a'", "3", "3"]])
        #expect(try stored(scratch.file("state"), "SELECT name FROM outputs") == [["'n'"]])
    }

    @Test func aNewAggregateCountsFromItsBeginningOn() throws {
        let scratch = Scratch()
        scratch.write("a.ndjson", Array("\(event(1))\n\(event(2))\n".utf8))
        try run(try edited(scratch) { _ in }, RunOptions(until: .now))
        scratch.write("b.ndjson", Array("\(event(3))\n".utf8))
        try run(
            try plan(
                SmallJob(source: "{files: [\"\(scratch.path)/*.ndjson\"]}").yaml.replacing(
                    "commit:", with: Self.second + "\ncommit:"), state: scratch.file("state")))
        #expect(try smallRows(scratch.file("state")) == [["0", "'a'", "3", "3"]])
        #expect(try sql("\(scratch.file("state"))/results.db", "SELECT k, n FROM m") == [["'a'", "1"]])
    }

    @Test func aChangedPartIsRefusedWithBothItsLines() throws {
        let scratch = Scratch()
        scratch.write("a.ndjson", Array("\(event(1))\n".utf8))
        try run(try edited(scratch) { _ in }, RunOptions(until: .now))
        for (part, change) in [
            ("20s", { $0.window = "{tumbling: 20s}" }), ("3s", { $0.lateness = "3s" }),
            ("7s", { $0.eventTime = "out_of_orderness: 7s, idle_after: 1h" }), ("v > 1", { $0.more = "filter: v > 1" }),
            ("5m", { $0.more = "deduplicate: {key: [k], within: 5m}" }),
        ] as [(String, (inout SmallJob) -> Void)] {
            let fault = try refusal(try edited(scratch, change))
            #expect(fault.code == "state_topology_changed" && fault.exit == .state, "\(part)")
            #expect("\(fault.what)".contains(part), "\(fault)")
            #expect(fault.place.hasPrefix("e2e.yaml:"), "\(fault.place)")
        }
        #expect(try run(try edited(scratch) { _ in }).books.read == 1)
    }
}

extension String {
    /// With the first `old` replaced.
    func replacing(_ old: String, with new: String) -> String {
        guard let at = range(of: old) else { return self }
        return String(self[..<at.lowerBound] + new + self[at.upperBound...])
    }

    private func range(of text: String) -> Range<Index>? {
        indices.first { self[$0...].hasPrefix(text) }.map { $0..<index($0, offsetBy: text.count) }
    }
}
