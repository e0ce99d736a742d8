import Model
import Testing
import Testkit

/// What happens to a stream, in order; a commit says which rows it must bring, as `start group count revision [final] @as_of`.
private enum Step {
    /// Event times of group `a`.
    case feed(Int, [Int64])
    case group(Int, String, Int64)
    /// The machine's clock, in seconds.
    case clock(Int64)
    case commit([String])
    case crash
    case end([String])
}

private func text(_ row: Row) -> String {
    guard case .string(let group) = row.group[0], case .int(let count) = row.measures[0] else { return "\(row)" }
    let asOf = row.asOf.map { "\($0.milliseconds / 1_000)" } ?? "none"
    return "\(row.windowStart.milliseconds / 1_000) \(group) \(count) r\(row.revision)\(row.final ? " final" : "") @\(asOf)"
}

/// Runs the steps and tells where a commit's rows were not those expected. Times are seconds.
private func run(_ plan: Plan, partitions: Int = 1, _ steps: [Step]) throws -> [String] {
    let bench = try LaneBench(plan, partitions: partitions)
    var offsets = Array(repeating: Int64(0), count: partitions)
    var wrong: [String] = []
    func expect(_ at: Int, _ commit: Commit?, _ rows: [String]) {
        let found = (commit?.rows ?? []).map(text).sorted()
        if found != rows.sorted() { wrong.append("step \(at): \(found), not \(rows)") }
    }
    for (at, step) in steps.enumerated() {
        switch step {
        case .feed(let lane, let times):
            try bench.feed(times.map { SmallStream.record(0, at: $0 * 1_000) }.numbered(&offsets[lane]), to: lane)
        case .group(let lane, let group, let time):
            try bench.feed([SmallStream.record(0, at: time * 1_000, group: group)].numbered(&offsets[lane]), to: lane)
        case .clock(let seconds): bench.now = MonotonicTime(nanoseconds: seconds * 1_000_000_000)
        case .commit(let rows): expect(at, bench.commit(), rows)
        case .crash:
            try bench.crash()
            for lane in 0..<partitions { try bench.deliver(lane) }
        case .end(let rows): expect(at, bench.end(), rows)
        }
    }
    return wrong
}

extension [BenchRecord] {
    fileprivate func numbered(_ next: inout Int64) -> [BenchRecord] {
        map { record in
            defer { next += 1 }
            return BenchRecord(record.payload, offset: next)
        }
    }
}

/// Windows of a minute that take events for ten seconds after their end; no out-of-orderness, so the watermark is the newest
/// event time.
struct EmissionTests {
    private func plan(_ emit: AggregatePlan.Emission, isKeyed: Bool = false) -> Plan {
        SmallStream.plan(lateness: .seconds(10), emit: emit, isKeyed: isKeyed)
    }

    @Test func finalGivesOneRowWhenTheWindowCloses() throws {
        let wrong = try run(
            plan(.final),
            [
                .feed(0, [1]), .commit([]), .feed(0, [61]), .commit([]), .feed(0, [30]), .commit([]), .crash, .commit([]),
                .feed(0, [70]), .commit(["0 a 2 r1 final @70"]), .commit([]), .crash, .commit([]), .feed(0, [5]), .commit([]),
                .end(["60 a 2 r1 final @70"]),
            ])
        #expect(wrong == [])
    }

    @Test func onTimeGivesARowAtTheEndAndOneForEachCommitThatTookEvents() throws {
        let wrong = try run(
            plan(.onTime),
            [
                .feed(0, [1, 2]), .commit([]), .feed(0, [61]), .commit(["0 a 2 r1 @61"]), .commit([]),
                .feed(0, [30, 40]), .commit(["0 a 4 r2 @61"]), .crash, .commit([]),
                // First seen after its end.
                .group(0, "b", 59), .commit(["0 b 1 r1 @61"]), .feed(0, [30]), .crash,
                .commit(["0 a 5 r3 @61"]), .end(["60 a 1 r1 final @61"]),
            ])
        #expect(wrong == [])
    }

    @Test func closingAddsNoRow() throws {
        let wrong = try run(
            plan(.onTime),
            [
                .feed(0, [1, 61]), .commit(["0 a 1 r1 @61"]), .feed(0, [70]), .commit([]), .feed(0, [9]), .commit([]),
                .end(["60 a 2 r1 final @70"]),
            ])
        #expect(wrong == [])
    }

    @Test func aRowOfTheCommitThatClosesItsWindowIsFinal() throws {
        let wrong = try run(
            plan(.onTime), [.feed(0, [1, 61]), .commit(["0 a 1 r1 @61"]), .feed(0, [2, 75]), .commit(["0 a 2 r2 final @75"])])
        #expect(wrong == [])
    }

    @Test func everySpanShowsTheFirstEventAtOnceAndChangesAtItsPace() throws {
        let wrong = try run(
            plan(.every(.seconds(10))),
            [
                .clock(0), .commit([]), .clock(1), .feed(0, [1]), .commit(["0 a 1 r1 @1"]),
                .clock(2), .feed(0, [2]), .commit([]), .clock(9), .feed(0, [3]), .commit([]),
                .clock(10), .commit(["0 a 3 r2 @3"]), .clock(20), .commit([]), .clock(21), .feed(0, [4]), .commit([]),
                // The end passes: what is owed comes at once, then every commit.
                .feed(0, [61]), .commit(["0 a 4 r3 @61", "60 a 1 r1 @61"]), .clock(22), .feed(0, [5]), .commit(["0 a 5 r4 @61"]),
                .clock(40), .commit([]), .crash, .commit([]), .clock(41), .feed(0, [70]), .commit([]), .clock(51),
                .commit(["60 a 2 r2 @70"]), .end([]),
            ])
        #expect(wrong == [])
    }

    @Test func aChangeThatWasOwedAtACrashIsShownAfterIt() throws {
        let wrong = try run(
            plan(.every(.seconds(10))),
            [
                .clock(0), .feed(0, [1]), .commit(["0 a 1 r1 @1"]), .clock(2), .feed(0, [2]), .commit([]), .crash, .clock(12),
                .commit(["0 a 2 r2 @2"]), .crash, .commit([]), .clock(30), .commit([]),
            ])
        #expect(wrong == [])
    }

    @Test func everyCommitGivesARowForEachCommitThatTookEvents() throws {
        let wrong = try run(
            plan(.everyCommit),
            [
                .feed(0, [1]), .commit(["0 a 1 r1 @1"]), .commit([]), .feed(0, [2]), .commit(["0 a 2 r2 @2"]), .crash,
                .commit([]),
                .feed(0, [61]), .commit(["60 a 1 r1 @61"]), .feed(0, [3]), .commit(["0 a 3 r3 @61"]), .feed(0, [70]),
                .commit(["60 a 2 r2 @70"]), .end([]),
            ])
        #expect(wrong == [])
    }

    /// The slower of two partitions decides when a row comes; a partition that has not spoken holds back (S5).
    @Test(arguments: [AggregatePlan.Emission.final, .onTime])
    func rowsWaitForTheSlowestPartition(_ emit: AggregatePlan.Emission) throws {
        let isFinal = emit == .final
        let wrong = try run(
            plan(emit), partitions: 2,
            [
                .feed(0, [1, 75]), .commit([]), .crash, .feed(1, [2]), .commit([]), .feed(1, [65]),
                .commit(isFinal ? [] : ["0 a 2 r1 @65"]), .feed(1, [3]), .commit(isFinal ? [] : ["0 a 3 r2 @65"]), .crash,
                .feed(1, [80]), .commit(isFinal ? ["0 a 3 r1 final @75"] : []),
                .end(["60 a 3 r1 final @80"]),
            ])
        #expect(wrong == [])
    }

    /// Where the key of the messages is in the group, a partition's windows close by its own watermark (S14).
    @Test func keyedWindowsCloseByTheirOwnPartition() throws {
        let wrong = try run(
            plan(.final, isKeyed: true), partitions: 2,
            [
                .feed(0, [1, 75]), .commit(["0 a 1 r1 final @none"]), .group(1, "b", 2), .commit([]), .crash, .commit([]),
                .group(1, "b", 65), .commit([]), .group(1, "b", 71), .commit(["0 b 1 r1 final @71"]),
                .end(["60 a 1 r1 final @75", "60 b 2 r1 final @75"]),
            ])
        #expect(wrong == [])
    }

    @Test func keyedRowsComeOnTimeByTheirOwnPartition() throws {
        let wrong = try run(
            plan(.onTime, isKeyed: true), partitions: 2,
            [
                .group(1, "b", 3), .feed(0, [1, 61]), .commit(["0 a 1 r1 @3"]), .feed(0, [2]), .commit(["0 a 2 r2 @3"]), .crash,
                .feed(0, [70]), .commit([]), .group(1, "b", 62), .commit(["0 b 1 r1 @62"]), .commit([]),
            ])
        #expect(wrong == [])
    }
}
