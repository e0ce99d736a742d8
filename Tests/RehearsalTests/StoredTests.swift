import Model
import Testing
import Testkit

@testable import Rehearsal
@testable import State

private let base: Int64 = 1_767_225_600_000

private func event(_ seconds: Int64, id: UInt64 = 0) -> FedRecord {
    FedRecord(payload: SmallStream.record(0, at: base + seconds * 1_000, id: id).payload)
}

/// Changes what a store keeps, behind its back.
private func tamper(_ run: Rehearsal, _ file: String, _ sql: String) throws {
    try Database(file, run.directory.writing(pages: 64 << 10)).execute(sql)
}

private func plan(_ targets: [AggregatePlan.Target] = [.table(name: "out", keep: nil)]) -> Plan {
    var plan = SmallStream.plan(deduplicate: DeduplicatePlan(key: [0], within: .minutes(10)))
    plan.aggregates[0].targets = targets
    return plan
}

@Test(arguments: [Int64(-1), 0, 1]) func aNewProcessReadsFromTheOffsetThatTheStoreSays(_ shift: Int64) throws {
    let run = try Rehearsal(plan: plan(), partitions: nil)
    run.commitsOnlyWhenTold = true
    try run.feed([event(1, id: 1), event(2, id: 2)])
    try run.commit()
    try run.feed([event(3, id: 3), event(4, id: 4)])
    try tamper(run, run.directory.stateFile, "UPDATE books SET next_offset = next_offset + \(shift)")
    try run.restart(.crash)
    try run.commit()
    let seen = try run.observe()
    #expect(seen.count("read") == 4 - shift)
    #expect(seen.count("duplicate") == (shift < 0 ? 1 : 0))
}

@Test func aRedeliveryIsNotInTheLog() throws {
    let run = try Rehearsal(plan: plan(), partitions: nil)
    run.commitsOnlyWhenTold = true
    try run.feed([event(1)])
    try run.commit()
    var again = event(1)
    again.offset = 0
    try run.feed([again, event(2)])
    try run.restart(.crash)
    try run.commit()
    let seen = try run.observe()
    #expect(seen.count("read") == 2)
    #expect(seen.count("redelivered") == 0)
}

@Test(arguments: [
    "UPDATE \"out\" SET n = n + 1", "UPDATE \"out\" SET g = 'b'", "UPDATE \"out\" SET window_end = window_end + 1",
    "UPDATE \"out\" SET revision = 2", "UPDATE \"out\" SET final = 0", "UPDATE \"out\" SET as_of = NULL",
    "UPDATE \"out\" SET row_key = x'00'", "DELETE FROM \"out\"",
]) func aTableThatDoesNotHoldTheLatestRowsIsSeen(_ change: String) throws {
    let run = try Rehearsal(plan: plan(), partitions: nil)
    try run.feed([event(1), event(61)])
    #expect(try run.observe().rows.count == 1)
    try tamper(run, run.directory.resultsFile, change)
    #expect { try run.observe() } throws: { ($0 as? Fault)?.code == "state_damaged" }
}

@Test func whatGoesToTopicsIsTakenAsConfirmed() throws {
    var sent = plan([.kafka(topic: "rows"), .table(name: "out", keep: nil)])
    sent.deadLetters = .topic("letters")
    let run = try Rehearsal(plan: sent, partitions: nil)
    try run.feed([event(1), FedRecord(payload: nil), event(61)])
    #expect(try run.observe().rows.count == 1)
    #expect(try run.store.topicRowsWaiting() == [:])
    try run.feed([event(62)])
    #expect(try run.store.pendingDeadLetters(after: 0, limit: 10).isEmpty)
    #expect(run.store.outbox.hasDelivered == false)
    // One row of the output, whatever the number of its targets.
    #expect(try run.observe().latest.count == 1)
}
