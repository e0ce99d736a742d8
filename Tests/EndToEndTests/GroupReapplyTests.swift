import Freshness
import Glibc
import Model
import Observe
import Runtime
import State
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// Late events that a group applies again, with a real broker: exactly once, whoever has the partition and whatever ends in between.
@Suite(.serialized, .enabled(if: KafkaCluster.isAvailable, why))
struct GroupReapplyTests {
    private let cluster: KafkaCluster
    private let topic: String
    private let out: String
    private let first = Scratch()
    private let second = Scratch()

    init() throws {
        cluster = try KafkaCluster.shared()
        topic = try cluster.createTopic("reapplied", partitions: 2)
        out = try cluster.createTopic("reapplied-rows")
    }

    private func yaml(keyed: Bool = false, keep: String = "24h", window: String = "{tumbling: 10s}", more: String = "") -> String
    {
        SmallJob(
            bootstrap: cluster.bootstrap,
            source: "{topics: [\(topic)], group: \(topic)-group\(keyed ? ", keyed_by: [k]" : "")}", window: window,
            to: "- table: n\n      - kafka: {topic: \(out)}", fields: "  id: {type: string}",
            more: "delivery: exactly_once\nstate: {keep_closed: \(keep)}\n\(more)"
        ).yaml
    }

    private func plan(_ yaml: String, _ scratch: Scratch) throws -> Plan { try EndToEndTests.plan(yaml, state: scratch.path) }

    /// Windows of `a` and `b` that close at 10, and what comes too late for them: two for `a`, one for `c` that has no row, one for `b`.
    private func produce() throws {
        try cluster.produce(
            [event(1, "a", 1), event(2, "a", 2), event(25, "a", 4), event(3, "a", 40), event(4, "c", 50), event(5, "a", 100)],
            to: topic, partition: 0)
        try cluster.produce([event(3, "b", 3), event(26, "b", 5), event(5, "b", 7)], to: topic, partition: 1)
    }

    /// Everything that is selected, one command after the other, as `weir late reapply` does.
    private func reapply(_ plan: Plan, _ selection: LateSelection = LateSelection()) throws -> [String: Int64] {
        var counts: [String: Int64] = [:]
        var selection = selection
        while true {
            let answer = try RestingService.tell(.reapplyLate(selection), plan, clock: SystemClock())
            for (name, value) in answer.result.members ?? [] where name != "next" && name != "entries" {
                if let count = value.int, count > 0 { counts[name, default: 0] += count }
            }
            guard let next = answer.result["next"]?.int else { return counts }
            selection.after = next
        }
    }

    /// What the topic has of the first window: every row that came, in order of key and revision.
    private func firstWindow() throws -> [String] {
        try cluster.readAll(out).values.flatMap(\.self).compactMap { $0.value.map { String(decoding: $0, as: UTF8.self) } }
            .filter { $0.contains("\"window_start\":\(newYear),") }
            .map { row in
                let tree = JSONTree(row.utf8)
                return "\(tree?["k"]?.text ?? "") \(tree?["n"]?.int ?? 0) \(tree?["v"]?.int ?? 0) r\(tree?["revision"]?.int ?? 0)"
                    + (tree?["reason"]?.text.map { " \($0)" } ?? "") + (tree?["final"]?.flag == true ? "" : " open")
            }.sorted()
    }

    private static let closed = ["a 2 3 r1", "b 1 3 r1"]
    private static let again = ["a 4 143 r2 reapplied", "b 2 10 r2 reapplied", "c 1 50 r1 reapplied"]

    @Test(arguments: [true, false]) func lateEventsAreCountedOnceAndTheirWindowsMoveWithTheirUnits(keyed: Bool) throws {
        try produce()
        let plan = try plan(yaml(keyed: keyed), first)
        let running = Running(plan)
        try running.until("all read") { $0.books.read == 9 && $0.state == .running }
        _ = try eventually("the first window") { try firstWindow() == Self.closed ? true : nil }
        #expect(try reapply(plan) == ["counted": 4])
        _ = try eventually("its corrections") { try firstWindow() == (Self.closed + Self.again).sorted() ? true : nil }
        #expect(try reapply(plan) == [:])
        try running.until("the count beside the books") { $0.books.reapplied == 4 && $0.books.late == 4 }
        let numbers = try stored(first.path, "SELECT sequence FROM late").compactMap { Int64($0[0]) }
        #expect(try reapply(plan, LateSelection(entries: numbers, includesReapplied: true)) == ["already": 4])
        try running.stop()
        let audit = try stored(first.path, "SELECT result FROM decisions WHERE kind = 'late_reapply' ORDER BY 1")
        #expect(audit.map { $0[0] }.prefix(2) == [#"'{"counted":0,"already":1}'"#, #"'{"counted":0,"already":3}'"#])
        #expect(audit.map { $0[0] }.suffix(2) == [#"'{"counted":1}'"#, #"'{"counted":3}'"#])

        // Another machine: marks and closed windows come from the changelog.
        let other = try self.plan(yaml(keyed: keyed), second)
        let again = Running(other)
        try again.until("restored") { $0.books.read == 9 && $0.state == .running && $0.books.reapplied == 4 }
        #expect(try reapply(other, LateSelection(entries: numbers, includesReapplied: true)) == ["already": 4])
        try cluster.produce([event(6, "a", 1_000)], to: topic, partition: 0)
        try again.until("one more is late") { $0.books.late == 5 }
        #expect(try reapply(other) == ["counted": 1])
        let all = (Self.closed + Self.again + ["a 5 1143 r3 reapplied"]).sorted()
        _ = try eventually("its correction") { try firstWindow() == all ? true : nil }
        try again.until("the count beside the books") { $0.books.reapplied == 5 && $0.books.balances }
        try again.stop()
        #expect(
            try sql(
                "\(second.path)/results.db", "SELECT k, n, v, revision, final FROM n WHERE window_start = \(newYear) ORDER BY 1")
                == [["'a'", "5", "1143", "3", "1"], ["'b'", "2", "10", "2", "1"], ["'c'", "1", "50", "1", "1"]])
    }

    /// Two instances, of which each has one of the input partitions: what one's ledger lists, it asks for, and the other's merge lanes count.
    @Test func twoInstancesCountWhatEachRefusedAndTakeOverFromEachOther() throws {
        let plans = [try plan(yaml(), first), try plan(yaml(), second)]
        let running = plans.map { Running($0) }
        for one in running {
            try one.until("a share of the partitions") { $0.partitions.count == 1 && $0.state == .running }
        }
        try produce()
        for (at, one) in running.enumerated() {
            try one.until("all read of \(at)") { [6, 3].contains($0.books.read) && [3, 1].contains($0.books.late) }
        }
        _ = try eventually("the first window") { try firstWindow() == Self.closed ? true : nil }
        let counted = try plans.map { try reapply($0)["counted"] ?? 0 }
        #expect(counted.reduce(0, +) == 4 && Set(counted) == [1, 3])
        let all = (Self.closed + Self.again).sorted()
        _ = try eventually("its corrections") { try firstWindow() == all ? true : nil }
        try running[0].stop()
        try running[1].until("it has both") { $0.partitions.count == 2 && $0.state == .running && $0.books.reapplied == 4 }
        // Its own ledger has the other's entries too now, and what its own state directory still says of them.
        let numbers = try stored(second.path, "SELECT sequence FROM late").compactMap { Int64($0[0]) }
        #expect(numbers.count == 4)
        #expect(try reapply(plans[1], LateSelection(entries: numbers, includesReapplied: true)) == ["already": 4])
        #expect(try reapply(plans[0]) == [:])
        try running[1].stop()
        #expect(try firstWindow() == all)
    }

    @Test(arguments: ["after_flush", "after_commit_before_state"]) func whoDiesInTheCommitHasDoneAllOfItOrNothing(point: String)
        throws
    {
        try produce()
        let plan = try plan(yaml(), first)
        let before = Running(plan)
        try before.until("all read") { $0.books.read == 9 && $0.state == .running }
        _ = try eventually("the first window") { try firstWindow() == Self.closed ? true : nil }
        try before.stop()
        // Nobody has the partitions while the order is given. Who takes them acts on it in one of its first commits, and dies in each of these.
        let file = first.file("t.yaml")
        first.write("t.yaml", Array(yaml().utf8))
        let given = try WeirProcess(
            ["late", "reapply", file, "--state", first.path, "--all", "--json"], log: first.file("given"))
        for hit in 1...3 {
            let dying = try WeirProcess(
                ["run", file, "--state", first.path, "--http", "off"], log: first.file("log"),
                environment: ["WEIR_CRASH_AT": "\(point):\(hit)"])
            let deadline = SystemClock().monotonic() + .seconds(8)
            let exit = try eventually("its death: \(dying.log.suffix(500))") { () -> Int32? in
                if SystemClock().monotonic() > deadline { dying.signal(SIGKILL) }
                return dying.exit
            }
            #expect(exit == 128 + SIGKILL, "\(dying.log.suffix(2_000))")
        }
        let after = Running(plan)
        #expect(try given.end() == 0, "\(given.log)")
        #expect(given.log.contains(#""counted":4,"copy":0,"already":0,"past":0,"#), "\(given.log)")
        try after.until("counted") { $0.books.reapplied == 4 && $0.state == .running }
        let all = (Self.closed + Self.again).sorted()
        _ = try eventually("its corrections") { try firstWindow() == all ? true : nil }
        let numbers = try stored(first.path, "SELECT sequence FROM late").compactMap { Int64($0[0]) }
        #expect(try reapply(plan, LateSelection(entries: numbers, includesReapplied: true)) == ["already": 4])
        try after.stop()
        #expect(try firstWindow() == all)
    }

    @Test func copiesAreCountedOnce() throws {
        let yaml = yaml(more: "deduplicate: {key: [id], within: 1s}\ncheck: {accept: [late_copies]}")
        func late(_ seconds: Double, _ id: String) -> String {
            #"{"ts": \#(newYear + Int64(seconds * 1_000)), "k": "a", "v": 1, "id": "\#(id)"}"#
        }
        try cluster.produce([late(1, "x"), late(30, "y"), late(2, "z"), late(3, "z"), late(4, "w")], to: topic, partition: 0)
        try cluster.produce([event(30, "b")], to: topic, partition: 1)
        let plan = try plan(yaml, first)
        let running = Running(plan)
        try running.until("all read") { $0.books.read == 6 && $0.books.late == 3 && $0.state == .running }
        #expect(try reapply(plan) == ["counted": 2, "copy": 1])
        _ = try eventually("its correction") { try firstWindow() == ["a 1 1 r1", "a 3 3 r2 reapplied"] ? true : nil }
        #expect(
            try stored(first.path, "SELECT reapplied_as FROM late ORDER BY sequence") == [
                ["'counted'"], ["'copy'"], ["'counted'"],
            ])
        try running.stop()
    }

    @Test func whatCanNotBeCountedIsToldAndStaysInTheLedger() throws {
        try produce()
        let yaml = yaml(keep: "16s")
        let plan = try plan(yaml, first)
        let running = Running(plan)
        try running.until("all read") { $0.books.read == 9 && $0.state == .running }
        _ = try eventually("the first window") { try firstWindow() == Self.closed ? true : nil }
        try cluster.deleteRecords(PartitionID(topic: topic, number: 0), before: 4)
        let numbers = try stored(first.path, "SELECT sequence FROM late ORDER BY 1").compactMap { Int64($0[0]) }
        #expect(try reapply(plan, LateSelection(entries: [numbers[0]])) == ["gone": 1])
        #expect(try reapply(plan, LateSelection(entries: [numbers[1], 999_999])) == ["counted": 1])
        // Both partitions go on, and the first window is past its keep.
        for partition in [0, 1] as [Int32] { try cluster.produce([event(40, "b")], to: topic, partition: partition) }
        try running.until("time goes on") { $0.watermark == EventTime(milliseconds: newYear + 40_000) }
        #expect(try reapply(plan) == ["past": 3])
        let start = String(UInt64(bitPattern: newYear) ^ 1 << 63, radix: 16, uppercase: true)
        _ = try eventually("its cells go") {
            let left = try stored(
                first.path,
                "SELECT count(*) FROM state WHERE hex(substr(key, 1, 1)) IN ('78', '79') AND hex(substr(key, 4, 8)) = '\(start)'")
            return left == [["0"]] ? true : nil
        }
        try running.stop()
        #expect(try stored(first.path, "SELECT count(*) FROM late WHERE reapplied_as IS NULL") == [["3"]])
        // Nothing is kept any more, and it is said so.
        var off = plan
        off.state.keepClosed = .zero
        #expect { _ = try reapply(off) } throws: { ($0 as? Fault)?.code == "late_nothing_kept" }
    }

    @Test func windowsThatClosedBeforeTheyWereKeptAreNotThere() throws {
        try produce()
        let off = try plan(yaml(keep: "0s"), first)
        try run(off, RunOptions(until: .now))
        let plan = try plan(yaml(), first)
        let running = Running(plan)
        try running.until("restored") { $0.books.read == 9 && $0.state == .running }
        let before = try reapply(plan)
        #expect(before == ["past": 4])
        for partition in [0, 1] as [Int32] {
            try cluster.produce([event(30, "a", 1), event(45, "a", 1), event(31, "a", 1)], to: topic, partition: partition)
        }
        try running.until("two more are late") { $0.books.late == 6 && $0.watermark == EventTime(milliseconds: newYear + 45_000) }
        let after = try reapply(plan)
        #expect(after == ["counted": 2, "past": 4])
        try running.stop()
    }
}
