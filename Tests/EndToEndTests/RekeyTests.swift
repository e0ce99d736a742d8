import Freshness
import Glibc
import Model
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// `scope: topic` in service (S7): copies of an event in other files and partitions are recognised, and a run that was killed at any moment goes
/// on as if it had not been.
struct RekeyTests {
    /// Each event stands in two of three inputs, in the order of its time.
    private static func inputs(_ events: Int) -> [[String]] {
        (0..<3).map { input in
            (0..<events).filter { $0 % 3 != input }.map { at in
                #"{"ts": \#(newYear + Int64(at) * 20), "k": "\#(["a", "b"][at % 2])", "v": \#(at % 10), "id": "e\#(at)"}"#
            }
        }
    }

    /// Start in seconds, key, count and sum, each event once.
    private static func rows(_ events: Int) -> [[String]] {
        var cells: [[Int]: (n: Int, v: Int)] = [:]
        for at in 0..<events {
            let cell = cells[[at / 500 * 10, at % 2]] ?? (0, 0)
            cells[[at / 500 * 10, at % 2]] = (cell.n + 1, cell.v + at % 10)
        }
        return cells.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map {
            ["\($0.key[0])", ["'a'", "'b'"][$0.key[1]], "\($0.value.n)", "\($0.value.v)"]
        }
    }

    private func job(_ source: String, bootstrap: String = "localhost:1", duplicates: String = "ledger", more: String = "")
        -> SmallJob
    {
        SmallJob(
            bootstrap: bootstrap, source: source, lateness: "1h", fields: "  id: {type: string}",
            more: "deduplicate: {key: [id], within: 2h, scope: topic, compare: {}, duplicates: \(duplicates)}\n\(more)")
    }

    /// `turned`: each file begins at another place, so that copies come long after what they are copies of.
    private func write(_ events: Int, to scratch: Scratch, turned: Bool = false) -> String {
        for (at, inOrder) in Self.inputs(events).enumerated() {
            let cut = turned ? inOrder.count * at / 3 : 0
            let lines = inOrder[cut...] + inOrder[..<cut]
            scratch.write("p\(at).ndjson", Array((lines.joined(separator: "\n") + "\n").utf8))
        }
        return "{files: [\"\(scratch.path)/*.ndjson\"]}"
    }

    private func expect(_ state: String, holds events: Int, _ location: SourceLocation = #_sourceLocation) throws {
        #expect(try smallRows(state) == Self.rows(events), sourceLocation: location)
        let sums = "sum(read), sum(rekeyed), sum(aggregated), sum(duplicate), sum(late)"
        let inputs = try stored(state, "SELECT \(sums) FROM books WHERE topic <> 'weir.small.rekey'")
        #expect(inputs == [["\(events * 2)", "\(events * 2)", "0", "0", "0"]], sourceLocation: location)
        let rekeyed = try stored(state, "SELECT \(sums), count(*) FROM books WHERE topic = 'weir.small.rekey'")
        #expect(rekeyed == [["\(events * 2)", "0", "\(events)", "\(events)", "0", "3"]], sourceLocation: location)
        // Of each event one copy, in another input than the event that was kept.
        let copies = try stored(
            state,
            """
            SELECT count(*), count(DISTINCT identity), sum(topic || partition <> kept_topic || kept_partition),
                sum(kind = 'exact') FROM duplicates
            """)
        #expect(copies == [["\(events)", "\(events)", "\(events)", "\(events)"]], sourceLocation: location)
    }

    @Test func killsWhileReadingFilesChangeNothing() throws {
        let scratch = Scratch()
        let events = 30_000
        let file = scratch.write("job.yaml", Array(job(write(events, to: scratch)).yaml.utf8))
        let killed = try Kills(count: 8, spread: 400, seed: 7).strike(file, in: scratch) { try expect($0, holds: events) }
        #expect(killed == 8)
    }

    /// S8: keys that do not fit wait on disk, and are found there.
    @Test func copiesOfKeysOnDiskAreFound() throws {
        let scratch = Scratch()
        let events = 60_000
        var plan = try job(write(events, to: scratch, turned: true)).plan(scratch.file("state"))
        plan.state.memory = ByteCount(5 << 19)
        let summary = try run(plan)
        #expect(summary.coldReads > 1_000 && summary.mostState < 3 << 20, "\(summary.coldReads), \(summary.mostState)")
        try expect(plan.state.directory, holds: events)
    }

    /// S17: what a part of the input gives again is what it gave.
    @Test func aReplayGivesTheLiveRows() throws {
        let scratch = Scratch()
        let events = 6_000
        let job = job(write(events, to: scratch))
        try run(try job.plan(scratch.file("live")))
        let (from, until) = (newYear + 20_000, newYear + 90_000)
        let range = ReplayRange.times(from: EventTime(milliseconds: from), until: EventTime(milliseconds: until))
        try run(try job.plan(scratch.file("replay")), RunOptions(range: range))
        let within = Self.rows(events).filter { 20..<90 ~= Int($0[0])! }
        #expect(try smallRows(scratch.file("replay")) == within && within.count == 14)
    }

    /// Sessions of two keys, one of 40 s every minute, the other's half a minute later, whose events and copies come in three files.
    @Test func sessionsAreMadeOfEventsOfSeveralPartitions() throws {
        let scratch = Scratch()
        let times = (0..<600).flatMap { minute in (0..<9).map { minute * 60 + $0 * 5 } }
        let all = ["a", "b"].flatMap { key in times.map { (second: $0 + (key == "b" ? 30 : 0), key: key) } }.sorted {
            $0.second < $1.second
        }
        for input in 0..<3 {
            let lines = all.enumerated().filter { $0.offset % 3 != input }.map { at, event in
                #"{"ts": \#(newYear + Int64(event.second) * 1_000), "k": "\#(event.key)", "v": 2, "id": "e\#(at)"}"#
            }
            scratch.write("p\(input).ndjson", Array((lines.joined(separator: "\n") + "\n").utf8))
        }
        var small = job("{files: [\"\(scratch.path)/*.ndjson\"]}")
        small.window = "{session: 10s}"
        let file = scratch.write("job.yaml", Array(small.yaml.utf8))
        let rows = (0..<600).flatMap { minute in
            [("'a'", minute * 60), ("'b'", minute * 60 + 30)].map { ["\($0.1)", $0.0, "9", "18"] }
        }
        let killed = try Kills(count: 4, spread: 300, seed: 3).strike(file, in: scratch) { state in
            let found = try smallRows(state)
            #expect(found == rows, "\(found.count) rows: \(found.prefix(3))")
        }
        #expect(killed == 4)
    }

    @Test(.enabled(if: KafkaCluster.isAvailable, why)) func lateEventsAndCopiesAreToldToTheirTopics() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("rekeyed-told", partitions: 2)
        let (late, copies) = (try cluster.createTopic("rekeyed-late"), try cluster.createTopic("rekeyed-copies"))
        func record(_ second: Int64, _ id: String) -> String {
            #"{"ts": \#(newYear + second * 1_000), "k": "a", "v": 1, "id": "\#(id)"}"#
        }
        var small = job(
            "{topics: [\(topic)]}", bootstrap: cluster.bootstrap, duplicates: "{topic: \(copies)}", more: "late: {topic: \(late)}"
        )
        small.lateness = "0s"
        let scratch = Scratch()
        try cluster.produce([record(1, "x"), record(30, "y")], to: topic, partition: 0)
        try cluster.produce([record(30, "z"), record(1, "x")], to: topic, partition: 1)
        let running = Running(try small.plan(scratch.path))
        try running.until("both were read") { $0.books.read == 4 }
        // Both partitions stand at 30 s now, whatever was first.
        try cluster.produce([record(2, "w"), record(30, "z")], to: topic, partition: 0)
        try running.until("all was read") { $0.books.read == 6 && $0.books.duplicate + $0.books.late + $0.books.aggregated == 6 }
        let books = running.facts.books
        try running.stop()
        #expect(books.duplicate == 2 && books.late == 1 && books.aggregated == 3, "\(books)")
        let told = try cluster.readAll(late).values.flatMap(\.self)
        #expect(told.count == 1 && told.allSatisfy { String(decoding: $0.value ?? [], as: UTF8.self).contains(#""w""#) })
        let found = try cluster.readAll(copies).values.flatMap(\.self).map { String(decoding: $0.value ?? [], as: UTF8.self) }
        #expect(found.count == 2 && found.allSatisfy { $0.contains(#""kept_partition""#) }, "\(found)")
    }

    @Test(.enabled(if: KafkaCluster.isAvailable, why)) func copiesInOtherPartitionsOfATopicAreFound() throws {
        let cluster = try KafkaCluster.shared()
        let topic = try cluster.createTopic("rekeyed", partitions: 3)
        let inputs = Self.inputs(3_000)
        for (partition, lines) in inputs.enumerated() {
            try cluster.produce(Array(lines.prefix(1_000)), to: topic, partition: Int32(partition))
        }
        let scratch = Scratch()
        let small = job("{topics: [\(topic)]}", bootstrap: cluster.bootstrap)
        let running = Running(try small.plan(scratch.path))
        try running.until("the first part") { $0.books.read == 3_000 && $0.rekeyed.count == 3 }
        let facts = running.facts
        #expect(facts.books.balances && facts.books.rekeyed == 0 && facts.partitions.allSatisfy { $0.books.balances })
        #expect(facts.rekeyed.allSatisfy { $0.books.balances && $0.watermark == facts.watermark })
        #expect(facts.copies.total.copies == facts.books.duplicate && facts.books.duplicate > 1_000)
        try running.stop()
        for (partition, lines) in inputs.enumerated() {
            try cluster.produce(Array(lines.dropFirst(1_000)), to: topic, partition: Int32(partition))
        }
        let summary = try run(try small.plan(scratch.path), RunOptions(until: .end))
        #expect(summary.read == 3_000 && summary.books.read == 6_000)
        try expect(scratch.path, holds: 3_000)
    }
}
