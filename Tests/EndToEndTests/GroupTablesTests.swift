import Freshness
import Glibc
import Kafka
import Model
import Observe
import Runtime
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// Two instances of a group: whose rows are in whose table, and who has which partitions when.
@Suite(.serialized, .enabled(if: KafkaCluster.isAvailable, why))
struct GroupTablesTests {
    private let first = Scratch()
    private let second = Scratch()

    private func group(_ hint: String, table: String = "n") throws -> SmallGroup {
        try SmallGroup(hint) {
            $0.emit = "{every: commit}"
            $0.to = "- table: \(table)"
        }
    }

    /// Waits until both have one of the two partitions, and their state.
    private func share(_ one: Running, _ two: Running) throws {
        for running in [one, two] {
            try running.until("a partition for each") { $0.partitions.count == 1 && $0.state == .running }
        }
    }

    /// None as long as there is no file.
    private func rows(_ scratch: Scratch) throws -> Set<[String]> {
        access(scratch.file("results.db"), F_OK) == 0 ? Set((try? smallRows(scratch.path)) ?? []) : []
    }

    @Test func aTableHoldsTheRowsOfTheOwnPartitionsAndNoOthers() throws {
        let group = try group("tables")
        try group.produce(60, from: 0, keys: 20)
        let all = Set(group.rows)
        let one = Running(try group.plan(first))
        _ = try eventually("all rows with the only instance") { try rows(first) == all ? true : nil }
        let two = Running(try group.plan(second))
        try share(one, two)
        _ = try eventually("rows that are shared out") { () -> Bool? in
            let (here, there) = (try rows(first), try rows(second))
            return here.union(there) == all && here.isDisjoint(with: there) && !here.isEmpty && !there.isEmpty ? true : nil
        }
        // What comes now goes where it belongs, and everything comes back with the partition.
        try group.produce(20, from: 60, keys: 20)
        let more = Set(group.rows)
        _ = try eventually("new rows, shared out") { () -> Bool? in
            let (here, there) = (try rows(first), try rows(second))
            return here.union(there) == more && here.isDisjoint(with: there) ? true : nil
        }
        try two.stop()
        _ = try eventually("all rows with the one that stays") { try rows(first) == more ? true : nil }
        try one.stop()
    }

    @Test func aTableThatAsksForAllRowsHasThemWhosePartitionsTheyAre() throws {
        let group = try group("everybody")
        try group.produce(60, from: 0, keys: 20)
        let one = Running(try group.plan(first))
        try one.until("both partitions") { $0.books.read == 120 }
        var asking = try group.plan(second)
        asking.state.tables = .all
        let two = Running(asking)
        try share(one, two)
        try group.produce(20, from: 60, keys: 20)
        let all = Set(group.rows)
        _ = try eventually("all rows") { try rows(second) == all ? true : nil }
        let own = try eventually("own rows") { () -> Set<[String]>? in
            let own = try rows(first)
            return own.isStrictSubset(of: all) && !own.isEmpty ? own : nil
        }
        try two.stop()
        try one.stop()
        #expect(own.count < all.count)
    }

    /// The topic keeps no row for longer than its table does, or it would grow for ever.
    @Test func rowsPastTheirKeepLeaveTheTableAndTheTopic() throws {
        let group = try group("kept", table: "{name: n, keep: 2h}")
        try group.produce(60, from: 0, keys: 20)
        let one = Running(try group.plan(first))
        _ = try eventually("the rows") { try rows(first).count == group.rows.count ? true : nil }
        let old = group.rows.count
        try group.produce(10, from: 20_000, keys: 20)
        let new = Set(group.rows.filter { $0[0] == "20000" })
        _ = try eventually("the new rows alone") { try rows(first) == new ? true : nil }
        let topic = group.layout.topics.results
        _ = try eventually("a tombstone for each old row") { () -> Bool? in
            let records = try group.cluster.readAll(topic).values.flatMap(\.self)
            return records.count { $0.value == nil } == old ? true : nil
        }
        try one.stop()
        // Who reads the topic from its start has the same.
        let two = Running(try group.plan(second))
        _ = try eventually("the new rows with another instance") { try rows(second) == new ? true : nil }
        try two.stop()
        #expect(try sql(first.file("results.db"), "SELECT count(*) FROM weir_rows") == [["\(new.count)"]])
    }

    // MARK: Stops

    @Test func whoIsToldToStopGivesItsPartitionsAwayAtOnce() throws {
        let group = try group("leaving")
        try group.produce(20, from: 0)
        let clock = SystemClock()
        let one = Running(try group.plan(first))
        let two = Running(try group.plan(second))
        try share(one, two)
        let began = clock.monotonic()
        try two.stop()
        try one.until("both partitions") { $0.partitions.count == 2 && $0.state == .running }
        let took = clock.monotonic() - began
        print("partitions of a stopped instance stood still for \(took.milliseconds) ms")
        #expect(took < KafkaLimits.session)
        try group.produce(20, from: 20)
        let all = Set(group.rows)
        _ = try eventually("all rows") { try rows(first) == all ? true : nil }
        try one.stop()
    }

    @Test func whoIsToldToRestartFindsItsPartitionsAndDisturbsNobody() throws {
        let group = try group("returning")
        try group.produce(20, from: 0)
        let one = Running(try group.plan(first))
        let two = Running(try group.plan(second))
        try share(one, two)
        let before = one.events.filter { $0.code == "assigned" || $0.code == "revoked" }.count
        two.service.stop(again: true)
        try two.summary(within: 30)
        let again = Running(try group.plan(second))
        try share(one, again)
        #expect(one.events.filter { $0.code == "assigned" || $0.code == "revoked" }.count == before)
        try again.stop()
        try one.stop()
    }
}
