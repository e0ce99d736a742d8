import Freshness
import Model
import Runtime
import Testing

@testable import Commands

private let start = EventTime(milliseconds: 1_767_225_600_000)
private func id(_ topic: String, _ number: Int32) -> PartitionID { PartitionID(topic: topic, number: number) }

@Test(
    arguments: [
        ([], [], .stopped, nil), ([], ["end"], .end, nil), ([], ["now"], .now, nil),
        (
            ["2026-01-01T00:00:00Z"], ["2026-01-01T01:00:00+00:00"], .end,
            .times(from: start, until: start + .hours(1))
        ),
        (
            ["t:0:5", "a:b:1:0"], ["a:b:1:7", "t:0:5"], .end,
            .offsets(from: [id("t", 0): 5, id("a:b", 1): 0], until: [id("t", 0): 5, id("a:b", 1): 7])
        ),
    ] as [([String], [String], RunOptions.Until, ReplayRange?)])
func boundsAreInstantsOrOffsets(from: [String], until: [String], expected: RunOptions.Until, range: ReplayRange?) throws {
    let bounds = try RunBounds.read(from: from, until: until)
    #expect(bounds.until == expected)
    #expect(bounds.range == range)
}

@Test(
    arguments: [
        ([], ["soon"], "--until is `soon`"), ([], ["2026-01-01T00:00:00Z"], "--until 2026-01-01T00:00:00Z needs --from"),
        (["2026-01-01T00:00:00Z"], [], "--from needs --until with an instant or offsets"),
        (["2026-01-01T00:00:00Z"], ["end"], "--from needs --until with an instant or offsets"),
        (["2026-01-01T00:00:00Z"], ["2026-01-01T00:00:00Z"], "--from is not before --until"),
        (["2026-01-01T00:00:00Z"], ["t:0:5"], "a replay is bounded by one instant on each side, or by offsets"),
        (["t:0:5"], ["t:0:4"], "t/0 ends before it begins"), (["t:0:5"], ["t:1:9"], "t/0 has no --until"),
        (["t:0:5"], ["t:0:9", "t:1:9"], "t/1 has no --from"), (["t:0:5", "t:0:6"], ["t:0:9"], "t/0 has two bounds"),
        (["t:0:-5"], ["t:0:9"], "--from is `t:0:-5`"), (["0:5"], ["t:0:9"], "--from is `0:5`"),
    ] as [([String], [String], String)])
func badBoundsAreRefused(from: [String], until: [String], what: String) {
    #expect(performing { () throws(Fault) in _ = try RunBounds.read(from: from, until: until) } == what)
}

@Test func choicesForLostPositionsAreRead() throws {
    let choices = try RunBounds.resume(["t:0=earliest", "t:1=latest", "a=b:2=17"])
    #expect(
        choices == [
            ResumeChoice(partition: id("t", 0), position: .earliest), ResumeChoice(partition: id("t", 1), position: .latest),
            ResumeChoice(partition: id("a=b", 2), position: .offset(17)),
        ])
    for text in ["t:0", "t=earliest", "t:0=first", "t:0=-1", ":0=latest", "t:-1=latest"] {
        #expect(performing { () throws(Fault) in _ = try RunBounds.resume([text]) } == "--resume is `\(text)`")
    }
    #expect(
        performing { () throws(Fault) in _ = try RunBounds.resume(["t:0=latest", "t:0=earliest"]) } == "--resume names t/0 twice")
}

/// What a fault says; nil: there was none.
private func performing(_ body: () throws(Fault) -> Void) -> String? {
    do throws(Fault) { try body() } catch { return error.what }
    return nil
}

@Test func progressIsCountedFromWhereTheRunBegan() {
    var facts = Facts(topology: "t", version: "")
    var position = RunPosition()
    #expect(position.of(facts) == (0, nil))
    var one = PartitionFacts(id: id("t", 0), lane: LaneNumber(0), books: Books(outputs: 0), nextOffset: 100)
    one.endOffset = 300
    facts.partitions = [one]
    #expect(position.of(facts) == (0, 200))
    facts.partitions[0].nextOffset = 150
    #expect(position.of(facts) == (50, 200))
    facts.partitions[0].endOffset = nil
    #expect(position.of(facts) == (50, nil))
    facts.partitions[0].share = 0.25
    #expect(position.of(facts) == (50, 500))
}

@Test(
    arguments: [
        (50, 200, 10.0, "25 %, 50 of 200 records, 10/s, 15.0s left", "[###...........] "),
        (0, 200, 0.0, "0 %, 0 of 200 records, 0/s", "[..............] "),
        (1_234_567, nil, 412_000.4, "1,234,567 records, 412,000/s, 3.0s so far", ""),
        (300, 200, 1.0, "100 %, 300 of 200 records, 1/s, 0ms left", "[##############] "),
    ] as [(Int64, Int64?, Double, String, String)])
func progressTellsRateAndTimeLeft(done: Int64, total: Int64?, rate: Double, line: String, bar: String) {
    #expect(Progress.line("records", done: done, total: total, rate: rate, elapsed: .seconds(3)) == line)
    #expect(Progress.bar(done: done, total: total) == bar)
}
