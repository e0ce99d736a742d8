import Model
import Pipeline
import Rehearsal
import Testing
import Testkit

private let base: Int64 = 1_767_225_600_000

private func record(_ seconds: Int64, id: UInt64 = 0, group: String = "a", d: Double = 1) -> FedRecord {
    FedRecord(payload: SmallStream.record(0, at: base + seconds * 1_000, id: id, group: group, d: d).payload)
}

private func withoutGroup(_ seconds: Int64) -> FedRecord {
    FedRecord(payload: Array("{\"ts\":\(base + seconds * 1_000),\"d\":1}".utf8))
}

private func plan(_ emit: AggregatePlan.Emission, lateness: TimeSpan = .zero) -> Plan {
    var plan = SmallStream.plan(
        lateness: lateness, emit: emit, deduplicate: DeduplicatePlan(key: [0], within: .minutes(10)),
        measures: [
            MeasurePlan(name: "n", function: .count),
            MeasurePlan(name: "large", function: .count, admits: .compare(column: 3, .greater, .double(5))),
        ])
    plan.aggregates[0].admits = .compare(column: 2, .equal, .string("a"))
    plan.filter = .compare(column: 3, .greaterOrEqual, .double(0))
    return plan
}

@Test func conditionsAreCountedByWhatTheySaid() throws {
    let run = try Rehearsal(plan: plan(.final), partitions: nil)
    try run.feed([
        record(1, id: 1, d: 9), record(2, id: 2, d: 1), record(3, id: 1, d: 9), record(4, id: 3, group: "b"),
        withoutGroup(5), record(6, id: 4, d: -1), FedRecord(payload: Array("{\"ts\":\(base)}".utf8)), FedRecord(payload: nil),
    ])
    let reach = run.reach
    #expect(reach.filter == ConditionCounts(isTrue: 5, isFalse: 1, isNull: 1))
    #expect(reach.outputs[0].admits == ConditionCounts(isTrue: 3, isFalse: 1, isNull: 1))
    // The copy is no longer there, nor what the output does not take.
    #expect(reach.outputs[0].measures.map(\.admits) == [nil, ConditionCounts(isTrue: 1, isFalse: 1)])
    #expect(reach.duplicates == 1)
    #expect(reach.unidentified == 1)
    #expect(reach.rejected(.tombstone) == 1)
    #expect(reach.rejected(.undecodable) == 0)
    #expect(reach.read == 8)
    #expect(reach.outputs[0].rows == 0)
}

@Test func eachKindOfRowIsTold() throws {
    let run = try Rehearsal(plan: plan(.everyCommit, lateness: .minutes(1)), partitions: nil)
    try run.feed([record(1)])
    try run.feed([record(61)])
    try run.feed([record(2)])
    try run.feed([record(121)])
    let out = run.reach.outputs[0]
    // Of the first window: an early row, none at its end as nothing changed, one after it. Of each later one an early row.
    #expect(out.rows == 4)
    #expect(out.early == 3)
    #expect(out.onTime == 1)
    #expect(out.revisions == 0)
    try run.feed([record(62)])
    try run.feed([record(63), record(5)])
    #expect(run.reach.outputs[0].onTime == 2)
    #expect(run.reach.outputs[0].revisions == 1)
    #expect(run.reach.outputs[0].lateRefusals == 1)
    #expect(run.reach.outputs[0].final == 0)
    try run.end()
    #expect(run.reach.ends == 1)
}

@Test func finalRowsAreNotFirstOnes() throws {
    let run = try Rehearsal(plan: plan(.final), partitions: nil)
    try run.feed([record(1), record(61)])
    let out = run.reach.outputs[0]
    #expect([out.rows, out.final, out.early, out.onTime, out.revisions] == [1, 1, 0, 0, 0])
}

@Test func silencesAndRestartsAreTold() throws {
    let run = try Rehearsal(plan: plan(.final), partitions: 2)
    try run.feed([record(1)])
    try run.advance(.seconds(31))
    try run.feed([record(2)])
    for kind in [Restart.crash, .crash, .clean] { try run.restart(kind) }
    let reach = run.reach
    #expect(reach.idleDecisions == 2)
    #expect(reach.allIdleMoves >= 1)
    #expect(reach.speaksDecisions == 1)
    #expect([reach.crashes, reach.cleanRestarts] == [2, 1])
    // What an earlier process was asked is not forgotten.
    #expect(reach.filter == ConditionCounts(isTrue: 2))
}

@Test func runsAddUp() throws {
    let first = try Rehearsal(plan: plan(.final), partitions: nil)
    try first.feed([record(1, id: 1, d: 9), record(61)])
    let second = try Rehearsal(plan: plan(.final), partitions: nil)
    try second.feed([record(1, group: "b"), FedRecord(payload: nil)])
    try second.end()
    var both = Reach(plan: plan(.final))
    both.merge(first.reach)
    both.merge(second.reach)
    #expect(both.filter == ConditionCounts(isTrue: 3))
    #expect(both.outputs[0].admits == ConditionCounts(isTrue: 2, isFalse: 1))
    #expect(both.outputs[0].measures[1].admits == ConditionCounts(isTrue: 1, isFalse: 1))
    #expect(both.outputs[0].rows == first.reach.outputs[0].rows)
    #expect(both.rejected(.tombstone) == 1)
    #expect(both.ends == 1)
    #expect(both.read == 4)
}
