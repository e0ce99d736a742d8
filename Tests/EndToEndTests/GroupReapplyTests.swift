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
    let cluster: KafkaCluster
    let topic: String
    let out: String
    let first = Scratch()
    let second = Scratch()

    init() throws {
        cluster = try KafkaCluster.shared()
        topic = try cluster.createTopic("reapplied", partitions: 2)
        out = try cluster.createTopic("reapplied-rows")
    }

    func yaml(
        keyed: Bool = false, keep: String = "24h", window: String = "{tumbling: 10s}", delivery: String = "exactly_once",
        more: String = ""
    ) -> String {
        SmallJob(
            bootstrap: cluster.bootstrap,
            source: "{topics: [\(topic)], group: \(topic)-group\(keyed ? ", keyed_by: [k]" : "")}", window: window,
            to: "- table: n\n      - kafka: {topic: \(out)}", fields: "  id: {type: string}",
            more: "delivery: \(delivery)\nstate: {keep_closed: \(keep)}\n\(more)"
        ).yaml
    }

    func plan(_ yaml: String, _ scratch: Scratch) throws -> Plan { try EndToEndTests.plan(yaml, state: scratch.path) }

    /// Windows of `a` and `b` that close at 10, and what comes too late for them: two for `a`, one for `c` that has no row, one for `b`.
    private func produce() throws {
        try cluster.produce(
            [event(1, "a", 1), event(2, "a", 2), event(25, "a", 4), event(3, "a", 40), event(4, "c", 50), event(5, "a", 100)],
            to: topic, partition: 0)
        try cluster.produce([event(3, "b", 3), event(26, "b", 5), event(5, "b", 7)], to: topic, partition: 1)
    }

    /// Everything that is selected, one command after the other, as `weir late reapply` does.
    func reapply(_ plan: Plan, _ selection: LateSelection = LateSelection()) throws -> [String: Int64] {
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

    /// What the topic has of the first window: every row that came, in order of key and revision. Rows of `at_least_once` may come twice, with
    /// the same revision and values (S21).
    func firstWindow(_ delivery: String = "exactly_once") throws -> [String] {
        let rows = try firstWindowRows()
        return delivery == "exactly_once" ? rows : Set(rows).sorted()
    }

    private func firstWindowRows() throws -> [String] {
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

    @Test(arguments: [(true, "exactly_once"), (false, "exactly_once"), (false, "at_least_once")])
    func lateEventsAreCountedOnceAndTheirWindowsMoveWithTheirUnits(keyed: Bool, delivery: String) throws {
        try produce()
        let plan = try plan(yaml(keyed: keyed, delivery: delivery), first)
        let running = Running(plan)
        try running.until("all read") { $0.books.read == 9 && $0.state == .running }
        _ = try eventually("the first window") { try firstWindow(delivery) == Self.closed ? true : nil }
        #expect(try reapply(plan) == ["counted": 4])
        _ = try eventually("its corrections") { try firstWindow(delivery) == (Self.closed + Self.again).sorted() ? true : nil }
        #expect(try reapply(plan) == [:])
        try running.until("the count beside the books") { $0.books.reapplied == 4 && $0.books.late == 4 }
        let numbers = try stored(first.path, "SELECT sequence FROM late").compactMap { Int64($0[0]) }
        #expect(try reapply(plan, LateSelection(entries: numbers, includesReapplied: true)) == ["already": 4])
        try running.stop()
        let audit = try stored(first.path, "SELECT result FROM decisions WHERE kind = 'late_reapply' ORDER BY 1")
        #expect(audit.map { $0[0] }.prefix(2) == [#"'{"counted":0,"already":1}'"#, #"'{"counted":0,"already":3}'"#])
        #expect(audit.map { $0[0] }.suffix(2) == [#"'{"counted":1}'"#, #"'{"counted":3}'"#])

        // Another machine: marks and closed windows come from the changelog.
        let other = try self.plan(yaml(keyed: keyed, delivery: delivery), second)
        let again = Running(other)
        try again.until("restored") { $0.books.read == 9 && $0.state == .running && $0.books.reapplied == 4 }
        #expect(try reapply(other, LateSelection(entries: numbers, includesReapplied: true)) == ["already": 4])
        try cluster.produce([event(6, "a", 1_000)], to: topic, partition: 0)
        try again.until("one more is late") { $0.books.late == 5 }
        #expect(try reapply(other) == ["counted": 1])
        let all = (Self.closed + Self.again + ["a 5 1143 r3 reapplied"]).sorted()
        _ = try eventually("its correction") { try firstWindow(delivery) == all ? true : nil }
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

    @Test(arguments: [
        ("after_flush", "exactly_once"), ("after_commit_before_state", "exactly_once"),
        ("after_commit_before_state", "at_least_once"),
    ])
    func whoDiesInTheCommitHasDoneAllOfItOrNothing(point: String, delivery: String) throws {
        try produce()
        let yaml = yaml(delivery: delivery)
        let plan = try plan(yaml, first)
        let before = Running(plan)
        try before.until("all read") { $0.books.read == 9 && $0.state == .running }
        _ = try eventually("the first window") { try firstWindow(delivery) == Self.closed ? true : nil }
        try before.stop()
        // Nobody has the partitions while the order is given. Who takes them acts on it in one of its first commits, and dies in each of these.
        let file = first.file("t.yaml")
        first.write("t.yaml", Array(yaml.utf8))
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
        _ = try eventually("its corrections") { try firstWindow(delivery) == all ? true : nil }
        let numbers = try stored(first.path, "SELECT sequence FROM late").compactMap { Int64($0[0]) }
        #expect(try reapply(plan, LateSelection(entries: numbers, includesReapplied: true)) == ["already": 4])
        try after.stop()
        #expect(try firstWindow(delivery) == all)
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

    /// The marks say that they were counted, so it has to stand somewhere that some were not.
    @Test func windowsThatAnotherInstanceDoesNotKeepAreTold() throws {
        let plans = [try plan(yaml(), first), try plan(yaml(keep: "0s"), second)]
        let running = plans.map { Running($0) }
        for one in running {
            try one.until("a share of the partitions") { $0.partitions.count == 1 && $0.state == .running }
        }
        let keys = (0..<12).map { "k\($0)" }
        for partition in [0, 1] as [Int32] {
            let events = keys.map { event(1, $0) } + [event(25, "z")] + keys.map { event(3, $0) }
            try cluster.produce(events, to: topic, partition: partition)
        }
        for one in running { try one.until("its late events") { $0.books.late == 12 } }
        _ = try eventually("the first window") { try firstWindow().count == 12 ? true : nil }
        #expect(try reapply(plans[0]) == ["counted": 12])
        // Of twelve groups each instance has some.
        let refused = try eventually("what was refused") { () -> [Int64]? in
            let results = try stored(second.path, "SELECT result FROM decisions WHERE kind = 'late_reapply'")
            let refused = results.compactMap { JSONTree($0[0].dropFirst().dropLast().utf8)?["past"]?.int }
            let corrected = try firstWindow().count { $0.hasSuffix("reapplied") }
            return corrected > 0 && !refused.isEmpty && corrected + Int(refused.reduce(0, +)) == 12 ? refused : nil
        }
        let told = running[1].events.count { if case .failed(let fault) = $0 { fault.code == "late_window_gone" } else { false } }
        #expect(told == refused.count)
        for one in running { try one.stop() }
    }

    /// Windows that overlap, which several merge lanes hold, and a roll-up; two instances, of which one goes away in the middle. What comes of
    /// it is what would have come had nothing been late.
    @Test func aLotOfLateEventsGiveWhatTheyWouldHaveGivenInTime() throws {
        let yaml = """
            name: small
            kafka: {bootstrap: "\(cluster.bootstrap)"}
            source: {topics: [\(topic)], group: \(topic)-group}
            fields: {ts: {type: timestamp, unit: ms, required: true}, k: {type: string}, v: {type: int}}
            event_time: {field: ts, out_of_orderness: 0s, idle_after: 1h}
            aggregates:
              n: {window: {tumbling: 10s}, allowed_lateness: 1s, group_by: [k], measures: {n: count(), v: sum(v)}, to: [{table: n}]}
              h: {window: {hopping: 40s, every: 10s}, group_by: [k], measures: {n: count(), v: sum(v)}, to: [{table: h}]}
              m: {from: n, window: {tumbling: 1m}, measures: {n: count(), v: sum(v)}, to: [{table: m}]}
            commit: {every: 50ms}
            delivery: exactly_once
            state: {keep_closed: 24h, tables: all}
            """
        var random = SplitMix(seed: 7)
        var model = Model()
        func produce(_ count: Int, in span: Range<Int>) throws {
            for partition in Int32(0)...1 {
                var events = (0..<count).map { _ in
                    (
                        at: span.lowerBound + Int(random.next() % UInt64(span.count)), key: "k\(random.next() % 12)",
                        value: Int(random.next() % 100)
                    )
                }
                events.sort { $0.at < $1.at }
                for event in events { model.add(event.at, event.key, event.value) }
                try cluster.produce(events.map { event(Double($0.at), $0.key, $0.value) }, to: topic, partition: partition)
            }
        }
        try produce(60, in: 0..<120)
        for partition in Int32(0)...1 { try cluster.produce([event(1_000, "z", 1)], to: topic, partition: partition) }
        try produce(70, in: 0..<120)
        let plans = [try plan(yaml, first), try plan(yaml, second)]
        let running = plans.map { Running($0) }
        for one in running {
            try one.until("its late events") { $0.partitions.count == 1 && $0.state == .running && $0.books.late == 70 }
        }
        // Who had both partitions first lists the entries of both, and asks for them though the other one acts on them now.
        var counted: Int64 = 0
        for plan in plans {
            for _ in 0..<2 {
                let answer = try RestingService.tell(.reapplyLate(LateSelection(limit: 37)), plan, clock: SystemClock())
                counted += answer.result["counted"]?.int ?? 0
            }
        }
        #expect(counted >= 2 * 37)
        try running[1].stop()
        try running[0].until("it has both") { $0.partitions.count == 2 && $0.state == .running && $0.books.late == 140 }
        // Of each event two outputs have an entry.
        #expect(try reapply(plans[0]) == ["counted": 280 - counted])
        let wanted = model.rows
        _ = try eventually("the rows of all: \(wanted.count)") { try self.rows(in: first.path) == wanted ? true : nil }
        try running[0].until("the count beside the books") { $0.books.reapplied == 280 }
        try running[0].stop()
    }

    /// Every window of every event.
    private struct Model {
        private var windows: [[String]: (n: Int, v: Int)] = [:]

        mutating func add(_ at: Int, _ key: String, _ value: Int) {
            var places = [["n", "\(at / 10 * 10)", key], ["m", "\(at / 60 * 60)", "-"]]
            for start in stride(from: at / 10 * 10 - 30, through: at, by: 10) { places.append(["h", "\(start)", key]) }
            for place in places {
                let was = windows[place] ?? (0, 0)
                windows[place] = (was.n + 1, was.v + value)
            }
        }

        var rows: [String] { windows.map { ($0.key + ["\($0.value.n)", "\($0.value.v)"]).joined(separator: " ") }.sorted() }
    }

    /// Those before the event that closed all.
    private func rows(in state: String) throws -> [String] {
        var rows: [String] = []
        for (table, key) in [("n", "k"), ("h", "k"), ("m", "'-'")] {
            let start = "((window_start - \(newYear)) / 1000)"
            let found = try sql(
                "\(state)/results.db",
                "SELECT '\(table) ' || \(start) || ' ' || \(key) || ' ' || n || ' ' || v FROM \(table) WHERE \(start) < 900")
            rows += found.map { String($0[0].dropFirst().dropLast()) }
        }
        return rows.sorted()
    }
}
