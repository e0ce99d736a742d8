import Model
import Runtime
import Testing
import Testkit

/// A stream of partitions whose silence is watched: windows of a minute, closed ten seconds after their end.
private final class Quiet {
    let bench: LaneBench
    private var offsets: [Int64]

    init(partitions: Int, emit: AggregatePlan.Emission = .final, deduplicate: DeduplicatePlan? = nil) throws {
        bench = try LaneBench(
            SmallStream.plan(lateness: .seconds(10), emit: emit, deduplicate: deduplicate), partitions: partitions)
        offsets = Array(repeating: 0, count: partitions)
    }

    func feed(_ lane: Int, _ seconds: [Int64], id: UInt64 = 0) throws {
        for time in seconds {
            try bench.feed([SmallStream.record(offsets[lane], at: time * 1_000, id: id)], to: lane)
            offsets[lane] += 1
        }
    }

    func garbage(_ lane: Int) throws {
        try bench.feed([BenchRecord(Array("?".utf8), offset: offsets[lane])], to: lane)
        offsets[lane] += 1
    }

    /// Moves the clock and commits; the decisions and the combined watermark, in seconds.
    func at(_ seconds: Double) -> String {
        bench.now = MonotonicTime(nanoseconds: Int64(seconds * 1_000) * 1_000_000)
        let decisions = bench.commit()?.decisions ?? []
        return (decisions.map(text) + [watermark]).joined(separator: ", ")
    }

    var watermark: String { bench.combined.watermark.map { "W \(Double($0.milliseconds) / 1_000)" } ?? "no W" }

    private func text(_ decision: Decision) -> String {
        switch decision {
        case .idle(let lane): "\(lane) idle"
        case .speaks(let lane, let watermark):
            "\(lane) speaks from \(watermark.map { "\(Double($0.milliseconds) / 1_000)" } ?? "nothing")"
        case .advanced(let time): "on to \(Double(time.milliseconds) / 1_000)"
        case .resumed, .commanded, .ended: "\(decision)"
        }
    }

    var rows: [String] {
        bench.durable.rows.map {
            "\($0.windowStart.milliseconds / 1_000): \($0.measures[0])\($0.final ? " final" : "") r\($0.revision)"
        }
    }
}

struct IdlenessTests {
    @Test func aPartitionThatHasNotSpokenHoldsTheWatermarkBackUntilItIsIdle() throws {
        let quiet = try Quiet(partitions: 2)
        try quiet.feed(0, [5])
        #expect(quiet.at(1) == "no W")
        #expect(quiet.at(29.999) == "no W")
        try quiet.feed(0, [6])
        #expect(quiet.bench.nextDecision == MonotonicTime(nanoseconds: 30_000_000_000))
        #expect(quiet.at(30) == "1 idle, W 6.0")
    }

    @Test func onlyAPartitionThatIsFullyReadBecomesIdle() throws {
        let quiet = try Quiet(partitions: 2)
        quiet.bench.fullyRead = [0]
        try quiet.feed(0, [5])
        try quiet.feed(1, [3])
        #expect(quiet.at(1) == "W 3.0")
        #expect(quiet.at(40) == "0 idle, W 3.0")
        #expect(quiet.at(80) == "W 3.0")
        quiet.bench.fullyRead = [0, 1]
        // All are idle: to the newest event time at once, from there on with the silence.
        #expect(quiet.at(81) == "1 idle, on to 5.0, W 5.0")
    }

    @Test func recordsThatPassNoEventTimeEndNoSilence() throws {
        let quiet = try Quiet(partitions: 2)
        try quiet.feed(0, [5])
        try quiet.feed(1, [3])
        _ = quiet.at(1)
        quiet.bench.now = MonotonicTime(nanoseconds: 20_000_000_000)
        try quiet.garbage(1)
        try quiet.feed(0, [6])
        #expect(quiet.at(31) == "1 idle, W 6.0")
        try quiet.garbage(1)
        #expect(quiet.at(32) == "W 6.0")
        #expect(quiet.bench.combined.idle == [1])
    }

    /// S6: raised before the record is judged, so that nothing emitted as final is touched.
    @Test func anIdlePartitionSpeaksFromTheCombinedWatermarkOn() throws {
        let quiet = try Quiet(partitions: 2)
        try quiet.feed(0, [5])
        try quiet.feed(1, [3])
        _ = quiet.at(1)
        quiet.bench.now = MonotonicTime(nanoseconds: 30_000_000_000)
        try quiet.feed(0, [75])
        #expect(quiet.at(31) == "1 idle, W 75.0")
        #expect(quiet.rows == ["0: int(2) final r1"])
        try quiet.feed(1, [4, 71])
        #expect(quiet.at(32) == "1 speaks from 75.0, W 75.0")
        #expect(quiet.bench.books[1].late == 1 && quiet.bench.books[1].aggregated == 2)
        try quiet.feed(0, [200])
        #expect(quiet.at(33) == "W 75.0")
        #expect(quiet.bench.durable.late[1]?.map(\.watermark) == [EventTime(milliseconds: 75_000)])
    }

    @Test func allIdleMovesToTheNewestEventTimeAndOnWithTheSilenceUpToTheLastClose() throws {
        let quiet = try Quiet(partitions: 2)
        try quiet.feed(0, [5, 50])
        try quiet.feed(1, [3])
        #expect(quiet.at(1) == "W 3.0")
        #expect(quiet.at(35) == "0 idle, 1 idle, on to 50.0, W 50.0")
        #expect(quiet.at(40) == "on to 55.0, W 55.0")
        #expect(quiet.at(54.9) == "on to 69.9, W 69.9")
        #expect(quiet.rows == [])
        #expect(quiet.at(80) == "on to 70.0, W 70.0")
        #expect(quiet.rows == ["0: int(3) final r1"])
        #expect(quiet.at(900) == "W 70.0")
        // A producer that comes back with a backlog finds its windows open, from the watermark on.
        try quiet.feed(1, [61, 62])
        #expect(quiet.at(901) == "1 speaks from 70.0, W 70.0")
        #expect(quiet.bench.books[1].aggregated == 3)
    }

    @Test func whereNothingIsToCloseSilenceMovesNothing() throws {
        let quiet = try Quiet(partitions: 1)
        #expect(quiet.at(31) == "0 idle, no W")
        #expect(quiet.at(100) == "no W")
        #expect(quiet.bench.durable.number == 1)
    }

    /// A restart repeats the decision, not the measurement.
    @Test func decisionsSurviveACrashAndSilencesStartAnew() throws {
        let quiet = try Quiet(partitions: 2, emit: .onTime)
        try quiet.feed(0, [5])
        try quiet.feed(1, [3])
        _ = quiet.at(1)
        quiet.bench.now = MonotonicTime(nanoseconds: 25_000_000_000)
        try quiet.feed(0, [6])
        #expect(quiet.at(30) == "1 idle, W 6.0")
        try quiet.bench.crash()
        #expect(quiet.bench.combined.idle == [1])
        // Partition 0's silence began at 25 s; a new one begins with the restart.
        #expect(quiet.at(56) == "W 6.0")
        #expect(quiet.at(60) == "0 idle, W 6.0")
        #expect(quiet.at(64) == "on to 10.0, W 10.0")
        try quiet.bench.crash()
        #expect(quiet.at(70) == "W 10.0")
        #expect(quiet.at(120) == "on to 60.0, W 60.0")
        #expect(quiet.rows == ["0: int(3) r1"])
        try quiet.bench.crash()
        try quiet.feed(1, [2])
        #expect(quiet.at(121) == "1 speaks from 60.0, W 60.0")
        #expect(quiet.rows == ["0: int(3) r1", "0: int(4) r2"])
    }

    /// What an idle partition holds comes with the rows that the others' watermark makes due, also right after a restart.
    @Test(arguments: [false, true])
    func theWindowsOfAnIdlePartitionCloseByTheCombinedWatermark(_ crashes: Bool) throws {
        let quiet = try Quiet(partitions: 2)
        try quiet.feed(0, [5])
        try quiet.feed(1, [3, 100])
        _ = quiet.at(1)
        quiet.bench.now = MonotonicTime(nanoseconds: 29_000_000_000)
        try quiet.feed(0, [6])
        #expect(quiet.at(31) == "1 idle, W 6.0")
        if crashes { try quiet.bench.crash() }
        try quiet.feed(0, [140])
        #expect(quiet.at(32) == "W 140.0")
        #expect(quiet.rows == ["0: int(3) final r1", "60: int(1) final r1"])
    }

    @Test(arguments: [false, true])
    func theWatermarkWaitsForAnIdlePartitionThatDoesNotAnswer(_ crashes: Bool) throws {
        let quiet = try Quiet(partitions: 2)
        try quiet.feed(0, [5])
        try quiet.feed(1, [3])
        _ = quiet.at(1)
        quiet.bench.now = MonotonicTime(nanoseconds: 29_000_000_000)
        try quiet.feed(0, [6])
        #expect(quiet.at(31) == "1 idle, W 6.0")
        if crashes { try quiet.bench.crash() }
        quiet.bench.late = [1]
        try quiet.feed(0, [140])
        #expect(quiet.at(32) == "W 6.0")
        #expect(quiet.at(90) == "0 idle, W 6.0")
        quiet.bench.late = []
        #expect(quiet.at(91) == "on to 140.0, W 140.0")
        #expect(quiet.rows == ["0: int(3) final r1"])
    }

    /// t14: keys go by the partition's own watermark, which an idle decision does not move.
    @Test func anIdleDecisionForgetsNoKeyBeforeThePartitionSpeaks() throws {
        let quiet = try Quiet(partitions: 2, deduplicate: DeduplicatePlan(key: [0], within: .seconds(16)))
        try quiet.feed(1, [3], id: 9)
        try quiet.feed(0, [5])
        _ = quiet.at(1)
        quiet.bench.now = MonotonicTime(nanoseconds: 30_000_000_000)
        try quiet.feed(0, [15])
        #expect(quiet.at(31) == "1 idle, W 15.0")
        try quiet.bench.crash()
        try quiet.feed(1, [3], id: 9)
        #expect(quiet.at(32) == "1 speaks from 15.0, W 15.0")
        #expect(quiet.bench.books[1].duplicate == 1)
    }

    @Test func theEndOfTheInputClosesEverythingAsOfTheNewestEventTime() throws {
        let quiet = try Quiet(partitions: 3)
        try quiet.feed(0, [5, 300])
        try quiet.feed(1, [70])
        let end = quiet.bench.end()
        #expect(end?.decisions == [.ended])
        #expect(end?.time == CombinedTime(watermark: EventTime(milliseconds: 300_000), ended: true))
        #expect(end?.rows.map(\.asOf) == Array(repeating: EventTime(milliseconds: 300_000), count: 3))
        #expect(quiet.rows == ["0: int(1) final r1", "60: int(1) final r1", "300: int(1) final r1"])
        #expect(
            end?.progress == [
                OutputProgress(completeThrough: EventTime(milliseconds: 360_000), finalThrough: EventTime(milliseconds: 360_000))
            ])
    }
}

/// S25, in seconds: complete and final through, after each event time in turn.
struct ProgressTests {
    @Test(
        arguments: [
            (AggregatePlan.Emission.final, [(59, 0, 0), (60, 0, 0), (69, 0, 0), (70, 60, 60), (135, 120, 120)]),
            (.onTime, [(59, 0, 0), (60, 60, 0), (69, 60, 0), (70, 60, 60), (130, 120, 120)]),
            (.everyCommit, [(59, 0, 0), (119, 60, 60), (120, 120, 60)]),
        ] as [(AggregatePlan.Emission, [(Int64, Int64, Int64)])])
    func outputsAreCompleteThroughTheLastWindowThatWasEmitted(
        _ emit: AggregatePlan.Emission, _ moments: [(time: Int64, complete: Int64, final: Int64)]
    ) throws {
        let bench = try LaneBench(SmallStream.plan(lateness: .seconds(10), emit: emit), partitions: 1)
        for (offset, moment) in moments.enumerated() {
            try bench.feed([SmallStream.record(Int64(offset), at: moment.time * 1_000)], to: 0)
            let commit = bench.commit()
            let expected = OutputProgress(
                completeThrough: EventTime(milliseconds: moment.complete * 1_000),
                finalThrough: EventTime(milliseconds: moment.final * 1_000))
            #expect(commit?.progress == [expected], "at \(moment.time)")
            if offset == 2 { try bench.crash() }
        }
    }

    @Test func nothingIsCompleteBeforeThereIsAWatermark() throws {
        let bench = try LaneBench(SmallStream.plan(), partitions: 2)
        try bench.feed([SmallStream.record(0, at: 100_000)], to: 0)
        #expect(bench.commit()?.progress == [OutputProgress()])
    }
}
