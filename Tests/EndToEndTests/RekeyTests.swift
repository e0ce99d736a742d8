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

    private func job(_ source: String, bootstrap: String = "localhost:1") -> SmallJob {
        SmallJob(
            bootstrap: bootstrap, source: source, lateness: "1h", fields: "  id: {type: string}",
            more: "deduplicate: {key: [id], within: 2h, scope: topic, compare: {}, duplicates: ledger}")
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
        for (at, lines) in Self.inputs(events).enumerated() {
            scratch.write("p\(at).ndjson", Array((lines.joined(separator: "\n") + "\n").utf8))
        }
        let file = scratch.write("job.yaml", Array(job("{files: [\"\(scratch.path)/*.ndjson\"]}").yaml.utf8))
        let killed = try Kills(count: 8, spread: 400, seed: 7).strike(file, in: scratch) { try expect($0, holds: events) }
        #expect(killed == 8)
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
