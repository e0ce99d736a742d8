import Freshness
import Model
import State
import Testing
import Testkit

/// Late events of windows and partitions that are not simply there: sessions, and partitions of identities.
extension GroupReapplyTests {
    /// The ledger of a re-keyed partition names records of all inputs, and copies of any of them count once.
    @Test func copiesInOtherPartitionsAreCountedOnce() throws {
        let yaml = yaml(more: "deduplicate: {key: [id], within: 1s, scope: topic}\ncheck: {accept: [late_copies]}")
        func one(_ seconds: Double, _ id: String) -> String {
            #"{"ts": \#(newYear + Int64(seconds * 1_000)), "k": "a", "v": 1, "id": "\#(id)"}"#
        }
        try cluster.produce([one(1, "x"), one(30, "y")], to: topic, partition: 0)
        try cluster.produce([one(30, "q")], to: topic, partition: 1)
        let plan = try plan(yaml, first)
        let running = Running(plan)
        try running.until("all read") { $0.books.read == 3 && $0.state == .running }
        _ = try eventually("the first window") { try firstWindow() == ["a 1 1 r1"] ? true : nil }
        try cluster.produce([one(2, "z"), one(3, "")], to: topic, partition: 0)
        try cluster.produce([one(2, "z"), one(4, "w"), event(5, "b", 7)], to: topic, partition: 1)
        try running.until("five are late") { $0.books.late == 5 }
        #expect(try reapply(plan) == ["counted": 4, "copy": 1])
        // Each re-keyed partition's entries are a commit of their own, so there can be a revision of each.
        func last() throws -> [String] {
            let rows = try firstWindow().map { $0.split(separator: " ") }
            return ["a", "b"].map { key in rows.last { $0[0] == key }.map { "\($0[0]) \($0[1]) \($0[2])" } ?? "" }
        }
        _ = try eventually("its corrections") { try last() == ["a 4 4", "b 1 7"] ? true : nil }
        try running.until("the count beside the books") { $0.books.reapplied == 4 }
        let numbers = try stored(first.path, "SELECT sequence FROM late").compactMap { Int64($0[0]) }
        try running.stop()
        // Another machine has its marks and closed windows from the changelog, and finds the copy that comes now.
        let other = try self.plan(yaml, second)
        let again = Running(other)
        try again.until("restored") { $0.books.late == 5 && $0.state == .running && $0.books.reapplied == 4 }
        #expect(try reapply(other, LateSelection(entries: numbers, includesReapplied: true)) == ["already": 5])
        try cluster.produce([one(2, "z"), one(6, "u")], to: topic, partition: 0)
        try again.until("two more are late") { $0.books.late == 7 }
        #expect(try reapply(other) == ["counted": 1, "copy": 1])
        _ = try eventually("its correction") { try last() == ["a 5 5", "b 1 7"] ? true : nil }
        try again.stop()
    }

    /// Every row that came of sessions of `a`: start and end in seconds, count, revision.
    private func sessions() throws -> [String] {
        try cluster.readAll(out).values.flatMap(\.self).compactMap { $0.value.flatMap { JSONTree($0) } }
            .filter { $0["k"]?.text == "a" }
            .map { row in
                let times = ["window_start", "window_end"].map { ((row[$0]?.int ?? 0) - newYear) / 1_000 }
                return "\(times[0])-\(times[1]) \(row["n"]?.int ?? 0) r\(row["revision"]?.int ?? 0)"
                    + (row["retracted"]?.flag == true ? " retracted" : "") + (row["reason"]?.text.map { " \($0)" } ?? "")
            }.sorted()
    }

    @Test(arguments: [true, false]) func lateEventsJoinSessionsThatAreOver(keyed: Bool) throws {
        try cluster.produce([event(1), event(10), event(60), event(6), event(30)], to: topic, partition: 0)
        try cluster.produce([event(60, "b")], to: topic, partition: 1)
        let yaml = yaml(keyed: keyed, window: "{session: 6s}")
        let plan = try plan(yaml, first)
        let running = Running(plan)
        try running.until("all read") { $0.books.read == 6 && $0.books.late == 2 && $0.state == .running }
        let before = ["1-7 1 r1", "10-16 1 r1"]
        _ = try eventually("sessions that are over") { try sessions() == before ? true : nil }
        #expect(try reapply(plan) == ["counted": 2])
        var all = before + ["1-7 1 r2 retracted", "10-16 1 r2 retracted", "1-16 3 r1 reapplied", "30-36 1 r1 reapplied"]
        _ = try eventually("what they are now") { try sessions() == all.sorted() ? true : nil }
        try running.stop()
        // Another machine has what was joined, and what is left of what was not, from the changelog.
        let other = try self.plan(yaml, second)
        let again = Running(other)
        try again.until("restored") { $0.books.read == 6 && $0.state == .running && $0.books.reapplied == 2 }
        try cluster.produce([event(5), event(31)], to: topic, partition: 0)
        try again.until("two more are late") { $0.books.late == 4 }
        #expect(try reapply(other) == ["counted": 2])
        all += ["1-16 4 r2 reapplied", "30-36 1 r2 retracted", "30-37 2 r1 reapplied"]
        _ = try eventually("their corrections") { try sessions() == all.sorted() ? true : nil }
        try again.stop()
        let rows = try sql(
            "\(second.path)/results.db",
            "SELECT (window_start - \(newYear)) / 1000, (window_end - \(newYear)) / 1000, n FROM n WHERE k = 'a' ORDER BY 1")
        #expect(rows == [["1", "16", "4"], ["30", "37", "2"]])
    }
}
