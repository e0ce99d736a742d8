import Glibc
import Model
import Runtime
import Testing
import Testkit

/// State that is larger than `state.memory`: it goes to disk, comes back on demand, and nothing is different for it (S8).
struct SpillTests {
    private static let events = 120_000

    /// Keys and groups that need several times what they are given, in windows that close in the end only and in sessions that mostly
    /// close before.
    @Test(arguments: ["{tumbling: 10m}", "{session: 10m}"]) func aRunThatOutgrowsItsMemoryGoesOnOnDisk(_ window: String) throws {
        let scratch = Scratch()
        write(scratch)
        let whole = try run(try plan(scratch, "whole", window, .mebibytes(512)))
        let small = try run(try plan(scratch, "small", window, ByteCount(5 << 20)))
        #expect(small.books == whole.books && small.books.balances && small.books.duplicate > 1_000)
        #expect(small.coldReads > 1_000 && whole.coldReads == 0)
        // A run that ends closes its windows with what it read last: what they take is seen where they stay open.
        let open = try run(try plan(scratch, "open", window, .mebibytes(512)), RunOptions(until: .now))
        #expect(small.mostState < 6 << 20 && open.mostState > 7 << 20, "\(small.mostState), \(open.mostState)")
        let (found, expected) = (try rows(scratch.file("small")), try rows(scratch.file("whole")))
        let (extra, missing) = (Set(found).subtracting(expected), Set(expected).subtracting(found))
        #expect(
            extra.isEmpty && missing.isEmpty && found.count == expected.count,
            "\(extra.count) wrong: \(Array(extra.prefix(3))), \(missing.count) missing: \(Array(missing.prefix(3)))")
    }

    /// Windows of a user each, keyed by user, so that rows come of each partition alone.
    private func plan(_ scratch: Scratch, _ state: String, _ window: String, _ memory: ByteCount) throws -> Plan {
        var plan = try EndToEndTests.plan(
            """
            name: spill
            source: {files: ["\(scratch.path)/in-*.ndjson"], keyed_by: [user]}
            fields:
              id:   {type: uuid, required: true}
              user: {type: string, required: true}
              ts:   {type: timestamp, unit: ms, required: true}
              v:    {type: int}
            event_time: {field: ts, out_of_orderness: 10s}
            deduplicate: {key: [id], within: 1m}
            aggregates:
              per_user:
                window: \(window)
                group_by: [user]
                measures: {events: count(), total: sum(v), last: last(v)}
                emit: final
                to: [{table: per_user}]
            commit: {every: 50ms}
            check: {accept: [late_copies]}
            """, state: scratch.file(state))
        plan.state.memory = memory
        return plan
    }

    private func rows(_ state: String) throws -> [[String]] {
        try sql("\(state)/results.db", "SELECT window_start, user, events, total, last FROM per_user")
            .sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Two partitions, twenty minutes of event time, a tenth of the events copies of one up to a minute ago.
    private func write(_ scratch: Scratch) {
        for partition in 0..<2 {
            var random = SplitMix(seed: UInt64(partition + 5))
            var lines: [UInt8] = []
            for number in 0..<(Self.events / 2) {
                let copies = number > 5_000 && random.next() % 10 == 0
                let which = copies ? number - 1 - Int(random.next() % 2_900) : number
                var own = SplitMix(seed: UInt64(which * 2 + partition))
                let (high, low) = (own.next(), own.next())
                let digits = hex(high) + hex(low)
                let id = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)].map { digits[$0.0..<$0.1] }
                    .map { String(decoding: $0, as: UTF8.self) }.joined(separator: "-")
                let user = own.next() % 40_000
                lines += Array(
                    "{\"id\":\"\(id)\",\"user\":\"user \(user) of \(partition)\",\"ts\":\(1_767_225_600_000 + which * 20),\"v\":\(own.next() % 1_000)}\n"
                        .utf8)
            }
            scratch.write("in-\(partition).ndjson", lines)
        }
    }

    private func hex(_ value: UInt64) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return (0..<16).map { digits[Int(value >> UInt64(60 - $0 * 4) & 15)] }
    }
}
