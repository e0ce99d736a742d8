import Freshness
import Glibc
import Model
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// `scope: topic` in a group (S7, S20): copies in other partitions are recognised through the re-keyed topic, whoever has which partition
/// and whoever is killed.
@Suite(.serialized, .enabled(if: KafkaCluster.isAvailable, why))
struct GroupRekeyTests {
    /// A topic of three partitions, in which each event stands in two.
    private final class Group {
        let cluster: KafkaCluster
        let input: String
        let output: String
        let name: String
        private(set) var events = 0
        private var cells: [Cell: (n: Int, v: Int)] = [:]
        private struct Cell: Hashable { var start: Int64, key: String }

        init() throws {
            cluster = try KafkaCluster.shared()
            input = try cluster.createTopic("regroup", partitions: 3)
            output = try cluster.createTopic("regroup-rows")
            name = KafkaCluster.freshTopic("rekeying")
        }

        var rekey: String { "\(name).weir.small.rekey" }

        func yaml(lateness: String = "1h", emit: String = "final", more: String = "delivery: exactly_once") -> SmallJob {
            SmallJob(
                bootstrap: cluster.bootstrap, source: "{topics: [\(input)], group: \(name)}", lateness: lateness, emit: emit,
                to: "- kafka: {topic: \(output)}\n      - table: n", fields: "  id: {type: string}",
                more: """
                    deduplicate: {key: [id], within: 2h, scope: topic, compare: {}, duplicates: ledger}
                    \(more)
                    """)
        }

        /// So many more, 20 ms apart.
        func produce(_ count: Int) throws {
            var records: [(partition: Int32, text: String, timestamp: Int64?)] = []
            for at in events..<events + count {
                let (key, value) = (["a", "b"][at % 2], at % 10)
                let text = #"{"ts": \#(newYear + Int64(at) * 20), "k": "\#(key)", "v": \#(value), "id": "e\#(at)"}"#
                for partition in 0..<3 where at % 3 != partition { records.append((Int32(partition), text, nil)) }
                let cell = Cell(start: newYear + Int64(at / 500 * 10_000), key: key)
                let was = cells[cell] ?? (0, 0)
                cells[cell] = (was.n + 1, was.v + value)
            }
            events += count
            for partition in Int32(0)..<3 {
                try cluster.produce(records.filter { $0.partition == partition }.map(\.text), to: input, partition: partition)
            }
        }

        /// What readers of committed records have: each window and key once, with its count and sum.
        func expectRows(_ location: SourceLocation = #_sourceLocation) throws {
            let rows = try cluster.readAll(output).values.flatMap(\.self).map { record in
                String(decoding: record.value ?? [], as: UTF8.self).components(before: #","revision""#)
            }
            let expected = cells.map { cell, sum in
                #"{"window_start":\#(cell.start),"window_end":\#(cell.start + 10_000),"k":"\#(cell.key)","n":\#(sum.n),"v":\#(sum.v)"#
            }
            #expect(rows.sorted() == expected.sorted(), sourceLocation: location)
        }
    }

    private func books(_ state: String, _ condition: String) throws -> [[String]] {
        try stored(
            state,
            "SELECT sum(read), sum(rekeyed), sum(aggregated), sum(duplicate), sum(late) FROM books WHERE topic \(condition)")
    }

    @Test func copiesInOtherPartitionsAreFoundAndCountedOnce() throws {
        let group = try Group()
        try group.produce(3_000)
        let scratch = Scratch()
        let running = Running(try group.yaml().plan(scratch.path))
        try running.until("all of it") {
            $0.books.read == 6_000 && $0.rekeyed.count == 3 && $0.rekeyed.reduce(0) { $0 + $1.books.read } == 6_000
        }
        let facts = running.facts
        #expect(facts.partitions.allSatisfy { $0.books.balances && $0.books.rekeyed == $0.books.read })
        #expect(facts.rekeyed.allSatisfy { $0.books.balances })
        try running.stop()
        try group.produce(3_000)
        let summary = try run(try group.yaml().plan(scratch.path), RunOptions(until: .end))
        #expect(summary.read == 6_000)
        try expect(scratch.path, group)
    }

    /// What was late names the input's place, wherever the state was restored.
    @Test func lateRecordsNameTheirPlaceInTheInput() throws {
        let group = try Group()
        func produce(_ partition: Int32, _ seconds: Double, _ id: String) throws {
            let text = #"{"ts": \#(newYear + Int64(seconds * 1_000)), "k": "a", "v": 1, "id": "\#(id)"}"#
            try group.cluster.produce([text], to: group.input, partition: partition)
        }
        func late(_ scratch: Scratch, of read: Int64) throws -> [[String]] {
            let running = Running(try group.yaml(lateness: "0s").plan(scratch.path))
            try running.until("all of it") { $0.rekeyed.reduce(0) { $0 + $1.books.read } == read }
            try running.stop()
            return try stored(scratch.path, "SELECT topic, partition, \"offset\", late_by FROM late ORDER BY sequence")
        }
        for partition in Int32(0)..<3 {
            try produce(partition, 1, "x\(partition)")
            try produce(partition, 100, "y\(partition)")
        }
        let (first, second) = (Scratch(), Scratch())
        #expect(try late(first, of: 6) == [])
        try produce(1, 5, "z")
        let entry = [["'\(group.input)'", "1", "2", "90000"]]
        #expect(try late(first, of: 7) == entry)
        #expect(try late(second, of: 7) == entry)
    }

    /// Two instances share inputs, re-keyed and merge partitions; they are killed at random moments, one gives all it has to the other, and
    /// a third that knows nothing has everything in the end.
    @Test func killsAndHandOversChangeNothing() throws {
        let group = try Group()
        try group.produce(600)
        let scratch = Scratch()
        let file = scratch.write("job.yaml", Array(group.yaml().yaml.utf8))
        func start(_ name: String, _ more: [String] = []) throws -> WeirProcess {
            try WeirProcess(
                ["run", file, "--state", scratch.file("state-\(name)"), "--http", "off"] + more, log: scratch.file("log-\(name)"))
        }
        let clock = SystemClock()
        var random = SplitMix(seed: 5)
        var running = ["a": try start("a"), "b": try start("b")]
        for round in 0..<12 {
            try group.produce(300)
            let name = ["a", "b"][Int(random.next() % 2)]
            let moment = clock.monotonic() + .milliseconds(Int64(random.next() % 1_500))
            _ = try eventually("the moment") { clock.monotonic() >= moment ? true : nil }
            // The last one goes in good order and stays away for a while.
            running[name]?.signal(round == 11 ? SIGTERM : SIGKILL)
            let exit = try running[name]?.end()
            #expect(exit == (round == 11 ? 0 : 128 + SIGKILL), "\(running[name]?.log.suffix(2_000) ?? "")")
            if round < 11 { running[name] = try start(name) } else { running[name] = nil }
        }
        try group.produce(300)
        for process in running.values { process.signal(SIGTERM) }
        for process in running.values { #expect(try process.end() == 0) }
        let last = try start("c", ["--until", "end"])
        #expect(try last.end(within: 120) == 0, "\(last.log.suffix(2_000))")
        try expect(scratch.file("state-c"), group)
    }

    /// Of an instance that has had everything in the end.
    private func expect(_ state: String, _ group: Group, _ location: SourceLocation = #_sourceLocation) throws {
        try group.expectRows(location)
        let twice = "\(group.events * 2)"
        let once = "\(group.events)"
        #expect(try books(state, "= '\(group.input)'") == [[twice, twice, "0", "0", "0"]], sourceLocation: location)
        #expect(try books(state, "= '\(group.rekey)'") == [[twice, "0", once, once, "0"]], sourceLocation: location)
        // Of each event one copy, in another partition than the event that was kept.
        let copies = try stored(
            state,
            """
            SELECT count(*), count(DISTINCT identity), sum(topic || partition <> kept_topic || kept_partition),
                sum(kind = 'exact') FROM duplicates
            """)
        #expect(copies == [[once, once, once, once]], sourceLocation: location)
    }
}

extension String {
    fileprivate func components(before mark: String) -> String {
        let text = Array(utf8)
        let end = Array(mark.utf8)
        for at in text.indices where text[at...].starts(with: end) { return String(decoding: text[..<at], as: UTF8.self) }
        return self
    }
}
