import Model
import Rehearsal
import Testing
import Testkit

private let base: Int64 = 1_767_225_600_000
private func at(_ seconds: Int64) -> EventTime { EventTime(milliseconds: base + seconds * 1_000) }

private func event(_ seconds: Int64, partition: Int32 = 0) -> FedRecord {
    FedRecord(partition: partition, payload: SmallStream.record(0, at: base + seconds * 1_000).payload)
}

@Test func onTimeRowsOfAQuietStreamComeAtTheirWindowsEnds() throws {
    let run = try Rehearsal(plan: SmallStream.plan(lateness: .minutes(1), emit: .onTime), partitions: nil)
    try run.feed([event(1), event(70)])
    let before = try run.observe().rows
    #expect(before.map(\.revision) == [1])
    #expect(before.map(\.final) == [false])
    // One hour in one step: the second window's row comes at its end, not as the final one of its close.
    try run.advance(.hours(1))
    let after = try run.observe()
    #expect(after.rows.map { $0["window_end"] } == [.time(at(120))])
    #expect(after.rows.map(\.asOf) == [at(120)])
    #expect(after.rows.map(\.final) == [false])
    #expect(after.watermark == at(180))
    #expect(after.freshness.outputs.map(\.completeThrough) == [at(180)])
    #expect(after.freshness.outputs.map(\.finalThrough) == [at(120)])
}

@Test func finalRowsOfAQuietStreamComeAtTheirWindowsCloses() throws {
    let run = try Rehearsal(plan: SmallStream.plan(lateness: .minutes(1)), partitions: nil)
    try run.feed([event(61), event(5)])
    try run.advance(.hours(1))
    let rows = try run.observe().rows
    #expect(rows.map { $0["window_end"] } == [.time(at(60)), .time(at(120))])
    #expect(rows.map(\.asOf) == [at(120), at(180)])
}

@Test func hoppingWindowsOfAQuietStreamComeOneByOne() throws {
    let hop = AggregatePlan.Window.hopping(size: .seconds(60), every: .seconds(20), offset: .zero)
    let run = try Rehearsal(plan: SmallStream.plan(window: hop), partitions: nil)
    try run.feed([event(50)])
    try run.advance(.minutes(10))
    #expect(try run.observe().rows.map(\.asOf) == [at(60), at(80), at(100)])
}

@Test func aRestartGoesOnWithTheSilence() throws {
    let run = try Rehearsal(plan: SmallStream.plan(emit: .onTime), partitions: nil)
    try run.feed([event(10)])
    try run.advance(.seconds(40))
    #expect(try run.observe().watermark == at(20))
    try run.restart(.crash)
    try run.advance(.seconds(40))
    let seen = try run.observe()
    #expect(seen.watermark == at(60))
    #expect(seen.rows.map(\.asOf) == [at(60)])
}

@Test func partitionsOfTheCaseExistFromItsStart() throws {
    let later = event(10, partition: 1)
    let known = try Rehearsal(plan: SmallStream.plan(), partitions: nil, appearing: [event(100), later])
    try known.feed([event(100)])
    #expect(try known.observe().watermark == nil)
    try known.feed([later])
    #expect(try known.observe().watermark == at(10))

    let added = try Rehearsal(plan: SmallStream.plan(), partitions: nil)
    try added.feed([event(100)])
    #expect(try added.observe().watermark == at(100))
}

@Test func anIdlePartitionThatSpeaksIsJudgedByTheCombinedWatermark() throws {
    let run = try Rehearsal(plan: SmallStream.plan(), partitions: 2)
    try run.feed([event(100), event(40, partition: 1)])
    #expect(try run.observe().watermark == at(40))
    try run.advance(.seconds(25))
    try run.feed([event(110)])
    try run.advance(.seconds(5))
    // Partition 1 is left out, so the other's watermark counts.
    let before = try run.observe()
    #expect(before.watermark == at(110))
    #expect(before.rows.map { $0["n"] } == [.int(1)])
    try run.feed([event(50, partition: 1), event(65, partition: 1)])
    let seen = try run.observe()
    #expect(seen.late.map(\.partition) == [1])
    #expect(seen.late.map(\.watermark) == [at(110)])
    #expect(seen.late.map(\.lateBy) == [.seconds(50)])
    #expect(seen.count("aggregated") == 4)
    #expect(seen.watermark == at(110))
    // It speaks: it holds the watermark back again.
    try run.feed([event(130)])
    #expect(try run.observe().watermark == at(110))
}
