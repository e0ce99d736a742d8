import Freshness
import Model
import Runtime
import State
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// The late ledger and the way back, on real input.
struct LateTests {
    /// Two windows that close, and two late events of the first: one of `a`, which has a row, one of `c`, which has none.
    private static let records = [event(1, "a", 2), event(2, "b", 3), event(25, "a", 4), event(3, "a", 40), event(4, "c", 50)]

    private static func reapply(_ plan: Plan, _ selection: LateSelection = LateSelection()) throws -> [String: Int64] {
        let answer = try RestingService.tell(.reapplyLate(selection), plan, clock: SystemClock())
        return Dictionary(
            uniqueKeysWithValues: (answer.result.members ?? []).compactMap { name, value in
                name == "next" ? nil : value.int.map { (name, $0) }
            })
    }

    private static func audit(_ plan: Plan) throws -> [[String]] {
        try stored(plan.state.directory, "SELECT kind, result FROM decisions WHERE asked IS NOT NULL ORDER BY sequence")
    }

    @Test(arguments: ["final", "on_time"])
    func lateLinesOfAFileAreCountedAfterAllAndOnce(emit: String) throws {
        let scratch = Scratch()
        scratch.write("a.ndjson", Array((Self.records.joined(separator: "\n") + "\n").utf8))
        let plan = try SmallJob(source: "{files: [\"\(scratch.path)/a.ndjson\"]}", emit: emit).plan(scratch.file("state"))
        let state = plan.state.directory
        try run(plan, RunOptions(until: .now))
        #expect(try smallRows(state).prefix(2) == [["0", "'a'", "1", "2"], ["0", "'b'", "1", "3"]])
        #expect(try Self.reapply(plan) == ["counted": 2])
        let first = [["0", "'a'", "2", "42"], ["0", "'b'", "1", "3"], ["0", "'c'", "1", "50"]]
        #expect(try smallRows(state).prefix(3) == first[...])
        #expect(
            try sql("\(state)/results.db", "SELECT k, revision, final FROM n WHERE window_start = \(newYear) ORDER BY 1")
                == [["'a'", "2", "1"], ["'b'", "1", "1"], ["'c'", "1", "1"]])
        // What was applied again is not selected again; by its number it is told.
        #expect(try Self.reapply(plan) == ["counted": 0])
        let numbers = try stored(state, "SELECT sequence FROM late").compactMap { Int64($0[0]) }
        #expect(
            try Self.reapply(plan, LateSelection(entries: numbers, includesReapplied: true)) == ["counted": 0, "already": 2])
        #expect(
            try Self.audit(plan) == [
                ["'late_reapply'", #"'{"counted":2}'"#], ["'late_reapply'", #"'{"counted":0}'"#],
                ["'late_reapply'", #"'{"counted":0,"already":2}'"#],
            ])
        #expect(try stored(state, "SELECT entries FROM reapplied") == [["2"]])
        // The input ends, and the outcome of the records stays late.
        let books = try run(plan).books
        #expect(books.late == 2 && books.balances)
        #expect(try smallRows(state) == first + [["20", "'a'", "1", "4"]])
    }

    @Test func afterTheEndOfItsInputATopologyTakesThemToo() throws {
        let scratch = Scratch()
        scratch.write("a.ndjson", Array((Self.records.joined(separator: "\n") + "\n").utf8))
        let plan = try SmallJob(source: "{files: [\"\(scratch.path)/a.ndjson\"]}").plan(scratch.file("state"))
        try run(plan)
        #expect(try Self.reapply(plan) == ["counted": 2])
        #expect(try smallRows(plan.state.directory).map { $0[3] } == ["42", "3", "50", "4"])
        #expect(try refusal(plan).code == "input_ended")
    }

    @Test func beyondItsKeepAWindowIsGoneFromTheState() throws {
        let scratch = Scratch()
        let lines = [
            event(1, "a", 2), event(25, "a", 4), event(45, "a", 5), event(65, "a", 6), event(3, "a", 40), event(31, "a", 50),
        ]
        scratch.write("a.ndjson", Array((lines.joined(separator: "\n") + "\n").utf8))
        var plan = try SmallJob(source: "{files: [\"\(scratch.path)/a.ndjson\"]}").plan(scratch.file("state"))
        plan.state.keepClosed = .seconds(30)
        try run(plan, RunOptions(until: .now))
        // Closed at 10 and at 30 are past their keep at 65, closed at 40 is not.
        #expect(try Self.reapply(plan) == ["counted": 1, "past": 1])
        #expect(
            try stored(plan.state.directory, "SELECT count(*) FROM state WHERE lane = -2 AND hex(substr(key, 1, 1)) = '78'")
                == [["1"]])
        // Kept no more: the rest goes, and nothing can be applied again.
        plan.state.keepClosed = .zero
        try run(plan, RunOptions(until: .now))
        let numbers = try stored(plan.state.directory, "SELECT sequence FROM late WHERE reapplied_as IS NULL")
        #expect(numbers.count == 1)
        #expect(try Self.reapply(plan) == ["counted": 0, "past": 1])
    }

    @Test func whatIsKeptOutlivesManyWindowsWithoutGrowing() throws {
        let scratch = Scratch()
        // Ten events a second apart in windows of ten seconds, for two hours; kept are ten minutes.
        let lines = (0..<7_200).map { event(Double($0), ["a", "b", "c"][$0 % 3], 1) }
        scratch.write("a.ndjson", Array((lines.joined(separator: "\n") + "\n").utf8))
        var plan = try SmallJob(source: "{files: [\"\(scratch.path)/a.ndjson\"]}").plan(scratch.file("state"))
        plan.state.keepClosed = .minutes(10)
        try run(plan, RunOptions(until: .now))
        let chunks = try stored(
            plan.state.directory, "SELECT count(*) FROM state WHERE lane = -2 AND hex(substr(key, 1, 1)) = '78'")
        #expect(Int(chunks[0][0]).map { $0 <= 61 } ?? false, "\(chunks)")
    }

    @Test func aTopologyWithoutALedgerRefuses() throws {
        let scratch = Scratch()
        scratch.write("a.ndjson", Array((Self.records.joined(separator: "\n") + "\n").utf8))
        let plan = try SmallJob(source: "{files: [\"\(scratch.path)/a.ndjson\"]}", more: "late: count").plan(
            scratch.file("state"))
        try run(plan, RunOptions(until: .now))
        #expect { _ = try Self.reapply(plan) } throws: { ($0 as? Fault)?.code == "late_no_ledger" }
        #expect(try Self.audit(plan).isEmpty)
        // So nothing is kept for it.
        #expect(try stored(plan.state.directory, "SELECT count(*) FROM state WHERE lane = -2") == [["0"]])
    }

    @Test func sessionsPastTheirKeepAreGoneFromTheState() throws {
        let scratch = Scratch()
        // A session each ten seconds, for two hours; kept are ten minutes.
        let lines =
            (0..<720).map { event(Double($0 * 10), ["a", "b", "c"][$0 % 3], 1) } + [event(6_983, "a", 5), event(3, "a", 5)]
        scratch.write("a.ndjson", Array((lines.joined(separator: "\n") + "\n").utf8))
        var plan = try SmallJob(source: "{files: [\"\(scratch.path)/a.ndjson\"]}", window: "{session: 5s}").plan(
            scratch.file("state"))
        plan.state.keepClosed = .minutes(10)
        try run(plan, RunOptions(until: .now))
        // The minute in which the last of them goes is there as a whole.
        let chunks = try stored(
            plan.state.directory, "SELECT count(*) FROM state WHERE lane = -2 AND hex(substr(key, 1, 1)) = '78'")
        #expect(Int(chunks[0][0]).map { (1...67).contains($0) } ?? false, "\(chunks)")
        #expect(try Self.reapply(plan) == ["counted": 1, "past": 1])
        #expect(try smallRows(plan.state.directory).filter { $0[0] == "6983" } == [["6983", "'a'", "1", "5"]])
        try run(plan, RunOptions(until: .end))
        #expect(try smallRows(plan.state.directory).count == 721)
    }

    @Test func aFileThatIsAnotherNowIsRefused() throws {
        let scratch = Scratch()
        scratch.write("a.ndjson", Array((Self.records.joined(separator: "\n") + "\n").utf8))
        let plan = try SmallJob(source: "{files: [\"\(scratch.path)/a.ndjson\"]}").plan(scratch.file("state"))
        try run(plan, RunOptions(until: .now))
        scratch.write("a.ndjson", Array((Self.records.reversed().joined(separator: "\n") + "\n").utf8))
        #expect { _ = try Self.reapply(plan) } throws: { ($0 as? Fault)?.code == "file_changed" }
    }

    /// An instance of a group lists what its own partitions refused and reads the records again; where nothing is kept the way back is refused.
    @Test(.enabled(if: KafkaCluster.isAvailable, why))
    func aGroupListsAndShowsWhatItsPartitionsRefused() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("late-in-group")
        try cluster.produce([event(4, "a", 7)] + Self.records, to: topic)
        let scratch = Scratch()
        let job = SmallJob(
            bootstrap: cluster.bootstrap, source: "{topics: [\(topic)], group: \(topic)-group}", more: "delivery: exactly_once")
        let plan = try job.plan(scratch.path)
        let running = Running(plan)
        try running.until("all read") { $0.books.read == 6 && $0.state == .running }
        try running.stop()
        let ledger = try LateLedger(directory: scratch.path)
        defer { ledger.close() }
        let entries = try ledger.entries(LateSelection())
        #expect(entries.map(\.offset) == [4, 5] && Set(entries.map(\.number)).count == 2)
        let reader = LateReader(plan, ledger)
        let read = try entries.map { try reader.record(of: $0)?.payload.map { String(decoding: $0, as: UTF8.self) } }
        #expect(read == Self.records.suffix(2))
        #expect { _ = try Self.reapply(plan) } throws: { ($0 as? Fault)?.code == "late_nothing_kept" }
    }

    @Test(.enabled(if: KafkaCluster.isAvailable, why))
    func aRunningServiceReadsThemFromItsTopicAgain() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("late-in")
        let out = try cluster.createTopic("late-rows")
        try cluster.produce([event(4, "a", 7)] + Self.records, to: topic)
        let scratch = Scratch()
        let job = SmallJob(
            bootstrap: cluster.bootstrap, source: "{topics: [\(topic)]}", to: "- table: n\n      - kafka: {topic: \(out)}")
        let plan = try job.plan(scratch.path)
        let running = Running(plan)
        try running.until("all read") { $0.books.read == 6 && $0.commits.number > 0 }
        // The topic forgets what lies before the first late event.
        try cluster.deleteRecords(PartitionID(topic: topic, number: 0), before: 4)
        #expect(try Self.reapply(plan, LateSelection(limit: 1)) == ["counted": 1])
        try cluster.deleteRecords(PartitionID(topic: topic, number: 0), before: 6)
        #expect(try Self.reapply(plan) == ["counted": 0, "gone": 1])
        try running.until("the count beside the books") { $0.books.reapplied == 1 }
        #expect(running.facts.books.late == 2)
        try running.stop()
        #expect(try smallRows(scratch.path).prefix(2) == [["0", "'a'", "3", "49"], ["0", "'b'", "1", "3"]])
        let rows = try RawClient.read(3, of: out, cluster).compactMap(\.value)
        #expect(rows.count == 3 && rows[2].contains(#""n":3,"v":49,"revision":2,"final":true"#))
        #expect(rows[2].hasSuffix(#""reason":"reapplied"}"#) && !rows[0].contains("reason"))
        #expect(try Self.audit(plan).map { $0[1] } == [#"'{"counted":1}'"#, #"'{"counted":0,"gone":1}'"#])
    }

    @Test(.enabled(if: KafkaCluster.isAvailable, why), arguments: ["", "delivery: exactly_once", "delivery: at_least_once"])
    func lateRecordsGoToTheirTopic(delivery: String) throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("late-to-topic")
        let out = try cluster.createTopic("late-out")
        try cluster.produce(Self.records, to: topic, timestamp: newYear + 26_000)
        let scratch = Scratch()
        let job = SmallJob(
            bootstrap: cluster.bootstrap, source: "{topics: [\(topic)], group: \(topic)}",
            more: "late: {topic: \(out)}\n\(delivery)")
        let plan = try job.plan(scratch.path)
        #expect(try run(plan).books.late == 2)
        let seen = try RawClient.read(2, of: out, cluster)
        #expect(seen.map(\.value) == [Self.records[3], Self.records[4]])
        #expect(
            seen[0].headers == [
                "weir-output": "n", "weir-topic": topic, "weir-partition": "0", "weir-offset": "3",
                "weir-size": "\(Self.records[3].utf8.count)",
                "weir-event-time": "\(newYear + 3_000)", "weir-window-start": "\(newYear)",
                "weir-window-end": "\(newYear + 10_000)",
                "weir-watermark": "\(newYear + 25_000)", "weir-late-by": "15000", "weir-timestamp": "\(newYear + 26_000)",
            ])
        #expect(try stored(scratch.path, "SELECT count(*) FROM late") == [["0"]])
        if delivery.isEmpty { #expect(try stored(scratch.path, "SELECT count(*) FROM late_outbox") == [["0"]]) }
    }
}
