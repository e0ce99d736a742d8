import Model
import Rehearsal
import Testing
import Testkit

private let base: Int64 = 1_767_225_600_000
private func at(_ seconds: Int64) -> EventTime { EventTime(milliseconds: base + seconds * 1_000) }

private func event(_ seconds: Int64, partition: Int32 = 0, topic: String? = nil, group: String = "a") -> FedRecord {
    FedRecord(
        topic: topic, partition: partition, payload: SmallStream.record(0, at: base + seconds * 1_000, group: group).payload)
}

@Test func aFeedIsCutIntoBatchesEachWithACommit() throws {
    let run = try Rehearsal(plan: SmallStream.plan(emit: .everyCommit), partitions: nil)
    run.recut([1, 2])
    try run.feed((1...5).map { event($0) })
    let seen = try run.observe()
    #expect(seen.rows.map { $0["n"] } == [.int(1), .int(3), .int(5)])
    #expect(seen.rows.map(\.revision) == [1, 2, 3])
    run.recut([])
    try run.feed((6...9).map { event($0) })
    let uncut = try run.observe()
    #expect(uncut.rows.map { $0["n"] } == [.int(9)])
    #expect(uncut.latest == uncut.rows)
}

@Test func theLatestRowIsTheHighestRevisionOfItsWindowAndGroup() throws {
    let run = try Rehearsal(plan: SmallStream.plan(lateness: .minutes(5), emit: .onTime), partitions: nil)
    try run.feed([event(1), event(2, group: "b"), event(60)])
    try run.feed([event(3)])
    try run.feed([event(4)])
    let seen = try run.observe()
    #expect(seen.rows.map(\.revision) == [1, 1, 2, 3])
    #expect(seen.latest.map { $0["g"] } == [.string("a"), .string("b")])
    #expect(seen.latest.map { $0["n"] } == [.int(3), .int(1)])
    #expect(seen.latest.map(\.revision) == [3, 1])
}

@Test func topicsAreReadByTheirNames() throws {
    var plan = SmallStream.plan()
    plan.source = SourcePlan(kind: .kafka(topics: ["one", "two"], group: "g", start: .earliest))
    let run = try Rehearsal(plan: plan, partitions: 1)
    try run.feed([event(70, topic: "two")])
    // The other topic's partition has not spoken.
    #expect(try run.observe().watermark == nil)
    try run.feed([event(61), FedRecord(topic: "two", payload: nil), event(5, topic: "two")])
    let seen = try run.observe()
    #expect(seen.watermark == at(61))
    #expect(seen.deadLetters.map(\.topic) == ["two"])
    #expect(seen.deadLetters.map(\.offset) == [1])
    #expect(seen.late.map(\.topic) == ["two"])
    #expect(seen.late.map(\.offset) == [2])
}

@Test func partitionsMayTakeTurnsWithinAFeed() throws {
    let records = [
        event(1), event(2, partition: 1), FedRecord(partition: 0, payload: nil), FedRecord(partition: 1, payload: nil), event(61),
        event(3), event(62, partition: 1),
    ]
    let run = try Rehearsal(plan: SmallStream.plan(), partitions: 2)
    try run.feed(records)
    let seen = try run.observe()
    #expect(seen.deadLetters.map(\.offset) == [1, 1])
    #expect(seen.late.map(\.partition) == [0])
    #expect(seen.late.map(\.offset) == [3])
    #expect(seen.rows.map { $0["n"] } == [.int(2)])
    #expect(seen.watermark == at(61))
}

@Test func aKeyedOutputClosesByItsOwnPartition() throws {
    let keyed = try Rehearsal(plan: SmallStream.plan(isKeyed: true), partitions: 2)
    let joined = try Rehearsal(plan: SmallStream.plan(), partitions: 2)
    for run in [keyed, joined] { try run.feed([event(1), event(61)]) }
    #expect(try joined.observe().rows == [])
    let seen = try keyed.observe()
    #expect(seen.rows.map { $0["n"] } == [.int(1)])
    #expect(seen.rows.map(\.final) == [true])
    #expect(seen.watermark == nil)
}

@Test func lateRecordsMayBeCountedOnly() throws {
    var plan = SmallStream.plan()
    plan.late = .count
    let run = try Rehearsal(plan: plan, partitions: nil)
    try run.feed([event(61), event(1), event(2)])
    let seen = try run.observe()
    #expect(seen.late == [])
    #expect(seen.count("late") == 2)
    #expect(run.reach.outputs[0].lateRefusals == 2)
}

@Test func theQueueIsAsOldAsItsOldestRecord() throws {
    let run = try Rehearsal(plan: SmallStream.plan(), partitions: nil)
    run.commitsOnlyWhenTold = true
    try run.feed([event(1), event(2)])
    try run.feed([event(12)])
    #expect(try run.observe().freshness.queueAge == .seconds(11))
    #expect(try run.observe().freshness.watermarkLag == nil)
    try run.commit()
    let seen = try run.observe().freshness
    #expect(seen.queueAge == .zero)
    #expect(seen.watermarkLag == .zero)
    #expect(seen.eventLag == .zero)
}

@Test func progressFollowsTheWatermark() throws {
    let run = try Rehearsal(plan: SmallStream.plan(lateness: .minutes(1), emit: .onTime), partitions: nil)
    try run.feed([event(1), event(190)])
    let told = try #require(try run.observe().freshness.outputs.first)
    #expect(told.output == "out")
    #expect(told.completeThrough == at(180))
    #expect(told.finalThrough == at(120))
}
