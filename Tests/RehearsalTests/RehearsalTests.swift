import Model
import Rehearsal
import Testing
import Testkit

private let base: Int64 = 1_767_225_600_000

private func plan(lateness: TimeSpan = .zero, emit: AggregatePlan.Emission = .final) -> Plan {
    var plan = SmallStream.plan(
        lateness: lateness, emit: emit, deduplicate: DeduplicatePlan(key: [0], within: .minutes(10)))
    plan.aggregates[0].targets = [.table(name: "out", keep: nil)]
    return plan
}

private func event(_ seconds: Int64, id: UInt64 = 0, partition: Int32 = 0, offset: Int64? = nil, group: String = "a") -> FedRecord
{
    FedRecord(
        partition: partition, offset: offset,
        payload: SmallStream.record(0, at: base + seconds * 1_000, id: id, group: group).payload)
}

private func at(_ seconds: Int64) -> EventTime { EventTime(milliseconds: base + seconds * 1_000) }

@Test func aFedCopyIsADuplicateAndTheWindowClosesByTheNextEvent() throws {
    let run = try Rehearsal(plan: plan(), partitions: nil)
    try run.feed([event(1, id: 1), event(2, id: 2), event(3, id: 1), event(61, id: 3)])
    let seen = try run.observe()
    #expect(seen.rows.map { $0["n"] } == [.int(2)])
    #expect(seen.rows.first?["window_start"] == .time(at(0)))
    #expect(seen.rows.first?.final == true)
    #expect(seen.count("duplicate") == 1)
    #expect(seen.count("read") == 4)
    #expect(seen.watermark == at(61))
    #expect(try run.observe().rows == [])
    #expect(try run.observe().latest == seen.latest)
}

@Test func badRecordsAndLateOnesAreTold() throws {
    let run = try Rehearsal(plan: plan(), partitions: nil)
    try run.feed([event(61), FedRecord(payload: Array("not json".utf8)), FedRecord(payload: nil), event(5)])
    let seen = try run.observe()
    #expect(seen.deadLetters.map(\.reason) == [.undecodable, .tombstone])
    #expect(seen.deadLetters.map(\.offset) == [1, 2])
    #expect(seen.late.map(\.offset) == [3])
    #expect(seen.late.first?.windowEnd == at(60))
    #expect(seen.count("late") == 1)
    #expect(seen.count("rejected") == 2)
}

@Test func aLowerOffsetIsARedelivery() throws {
    let run = try Rehearsal(plan: plan(), partitions: nil)
    try run.feed([event(1), event(2)])
    try run.feed([event(2, offset: 1), event(3)])
    let seen = try run.observe()
    #expect(seen.count("redelivered") == 1)
    #expect(seen.count("read") == 3)
}

@Test func aPartitionHoldsTheWatermarkUntilItsSilenceIsLongEnough() throws {
    let run = try Rehearsal(plan: plan(), partitions: 2)
    try run.feed([event(100)])
    #expect(try run.observe().watermark == nil)
    try run.advance(.milliseconds(29_999))
    #expect(try run.observe().watermark == nil)
    // Both are silent for 30 s now: all idle, so the watermark stands at the newest event and goes on with the silence.
    try run.advance(.milliseconds(1))
    #expect(try run.observe().watermark == at(100))
    try run.advance(.seconds(7))
    #expect(try run.observe().watermark == at(107))
    // Never past what closes the last window.
    try run.advance(.hours(1))
    let seen = try run.observe()
    #expect(seen.watermark == at(120))
    #expect(seen.rows.map { $0["n"] } == [.int(1)])
    #expect(seen.freshness.watermarkLag == .milliseconds(3_637_000 - 20_000))
}

@Test func severalDecisionsWithinOneAdvanceComeAtTheirTimes() throws {
    let run = try Rehearsal(plan: plan(), partitions: 2)
    try run.feed([event(100, partition: 0)])
    try run.advance(.seconds(10))
    try run.feed([event(10, partition: 1)])
    #expect(try run.observe().watermark == at(10))
    // Partition 0 is left out at 30 s, partition 1 at 40 s; from then on 5 s of silence.
    try run.advance(.seconds(35))
    #expect(try run.observe().watermark == at(105))
}

@Test func aCrashLosesWhatWasNotCommittedAndReadsItAgain() throws {
    for kind in Restart.allCases {
        let run = try Rehearsal(plan: plan(), partitions: nil)
        run.commitsOnlyWhenTold = true
        try run.feed([event(1, id: 1)])
        try run.commit()
        try run.feed([event(2, id: 2), event(3, id: 1), event(61, id: 4)])
        try run.restart(kind)
        #expect(try run.observe().count("read") == (kind == .crash ? 1 : 4))
        try run.commit()
        let seen = try run.observe()
        #expect(seen.latest.map { $0["n"] } == [.int(2)])
        #expect(seen.count("read") == 4)
        #expect(seen.count("duplicate") == 1)
    }
}

@Test func theEndClosesEverythingAndTakesNothingMore() throws {
    let run = try Rehearsal(plan: plan(), partitions: 3)
    try run.feed([event(1)])
    try run.end()
    #expect(try run.observe().rows.map(\.final) == [true])
    #expect(throws: Fault.self) { try run.feed([event(2)]) }
}

@Test func earlyRowsComeWhenTheirPaceIsOver() throws {
    let run = try Rehearsal(plan: plan(emit: .every(.seconds(10))), partitions: nil)
    try run.feed([event(1)])
    #expect(try run.observe().rows.map { $0["n"] } == [.int(1)])
    try run.feed([event(2)])
    #expect(try run.observe().rows == [])
    try run.advance(.milliseconds(9_999))
    #expect(try run.observe().rows == [])
    try run.advance(.milliseconds(1))
    #expect(try run.observe().rows.map { $0["n"] } == [.int(2)])
}

@Test(arguments: 0..<40) func howARunIsCutChangesNoResult(_ seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    var clock: Int64 = 0
    var records: [FedRecord] = []
    var counts: [String: Int64] = [:]
    var known: Set<UInt64> = []
    // In order in one partition, so a plain count by minute and group is the answer.
    for _ in 0..<60 {
        clock += Int64(random.below(9))
        let id = UInt64(random.below(40)) + 1
        let group = ["a", "b"][random.below(2)]
        records.append(event(clock, id: id, group: group))
        if known.insert(id).inserted { counts["\(clock / 60) \(group)", default: 0] += 1 }
    }
    let whole = try Rehearsal(plan: plan(), partitions: 1)
    try whole.feed(records)
    try whole.end()
    let expected = try whole.observe()

    let cut = try Rehearsal(plan: plan(), partitions: 1)
    cut.commitsOnlyWhenTold = true
    var rest = records[...]
    while !rest.isEmpty {
        let size = random.below(7) + 1
        try cut.feed(Array(rest.prefix(size)))
        rest = rest.dropFirst(size)
        switch random.below(4) {
        case 0: try cut.restart(.crash)
        case 1: try cut.restart(.clean)
        case 2: try cut.commit()
        default: break
        }
    }
    try cut.end()
    let found = try cut.observe()
    #expect(found.outcomes == expected.outcomes)
    let values = { (seen: Observation) in
        Dictionary(
            uniqueKeysWithValues: seen.latest.map { row -> (String, Int64) in
                guard case .time(let start)? = row["window_start"], case .string(let group)? = row["g"],
                    case .int(let n)? = row["n"]
                else { return ("", 0) }
                return ("\((start.milliseconds - base) / 60_000) \(group)", n)
            })
    }
    #expect(values(expected) == counts)
    #expect(values(found) == counts)
}
