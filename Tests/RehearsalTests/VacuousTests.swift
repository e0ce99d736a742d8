import Model
import Testing
import Topology

@testable import Rehearsal

private let topology = """
    topology:
      name: clicks
      source: {topics: [clicks]}
      fields:
        ts: {type: timestamp, unit: ms, required: true}
        country: {type: string}
        n: {type: int, required: true}
        share: {type: double}
        fresh: {type: bool}
        user: {type: uuid}
        seen: {type: timestamp}
      event_time: {field: ts}
      late: LATE
      check: {accept: [wide_group]}
      aggregates:
        clicks:
          window: {tumbling: 1m}
          group_by: [country, n, user]
          measures: {events: count(), total: sum(n), mean: avg(n), newest: max(seen)}
          to: [{table: clicks}]
        shares:
          window: {hopping: 10m, every: 1m, offset: 5s}
          group_by: [fresh, share]
          measures: {users: approx_distinct(user)}
          to: [{table: shares}]
    cases:
      - name: a
        steps:

    """

private func read(_ steps: [String], late: String = "ledger") -> TestFileReader.Reading {
    let text = topology.replacing("LATE", with: late) + steps.map { "      - \($0)\n" }.joined()
    var surroundings = Topology.Surroundings.machine
    surroundings.bytes = { _ throws(Fault) in Array(text.utf8) }
    surroundings.environment = { _ in nil }
    return TestFileReader.read("t.test.yaml", from: surroundings)
}

private func told(_ reading: TestFileReader.Reading) -> [String] { reading.problems.map { $0.text() } }

private let fed = "feed: [{value: {ts: 1767225600000, n: 1}}]"
/// The line of the first step.
private let first = topology.split(separator: "\n", omittingEmptySubsequences: false).count

/// Such a case would pass whatever the topology does.
@Test(arguments: [
    (["expect: {rows: []}", fed, "expect: {rows: []}"], 0, 9, "nothing has happened yet"),
    (["recut: [1]", "expect: {outcomes: {read: 0}}", fed, "expect: {rows: []}"], 1, 9, "nothing has happened yet"),
    ([fed, "expect: {outcomes: {read: 1}}", "expect: {rows: []}"], 2, 18, "no commit comes between"),
    ([fed, "expect: {rows: []}", "recut: [1]", "expect: {watermark: null, late: []}"], 3, 35, "no commit comes between"),
    ([fed, "expect: {rows: []}", "restart: crash", "expect: {dead_letters: []}"], 3, 18, "no commit comes between"),
    (["commit", fed, "expect: {rows: []}", fed, "expect: {rows: []}", "end", "expect: {rows: []}"], 4, 18, "put a `commit`"),
    ([fed, "expect: {rows: []}", fed], 2, 9, "no `expect` follows"),
    ([fed, "expect: {rows: []}", "end", "restart: crash"], 2, 9, "no `expect` follows"),
    (["advance: 36501d", "expect: {rows: []}"], 0, 9, "moves its clock"),
    (["advance: 20000d", "advance: 20000d", "expect: {rows: []}"], 1, 9, "moves its clock"),
    (["advance: 9223372036854775807ms", "expect: {rows: []}"], 0, 9, "moves its clock"),
    ([fed, "end"], -1, 9, "no step is an `expect`"),
])
func whatNoTopologyCouldMakeFailIsRefused(steps: [String], step: Int, column: Int, words: String) {
    let reading = read(steps)
    #expect(reading.test == nil)
    #expect(reading.problems.count == 1 && told(reading).allSatisfy { $0.contains(words) }, "\(told(reading))")
    #expect(reading.problems.map(\.place.line) == [first + step] || step < 0, "\(told(reading))")
    #expect(reading.problems.map(\.place.column) == [column] || step < 0, "\(told(reading))")
}

@Test(arguments: [
    [fed, "expect: {rows: []}", "commit", "expect: {rows: []}"],
    [fed, "restart: clean", "expect: {rows: []}", "commit", "expect: {rows: []}"],
    ["recut: [1]", fed, "expect: {rows: []}", "commit", "expect: {rows: []}"],
    [fed, "expect: {rows: []}", "restart: crash", "expect: {outcomes: {read: 1}, watermark: 1, latest: []}"],
    [fed, "expect: {rows: []}", "expect: {outcomes: {read: 1}}"], ["end", "expect: {rows: []}"],
    ["advance: 36500d", "expect: {rows: []}"],
])
func whatCanFailIsTaken(steps: [String]) {
    // A case that has a `commit` commits only there.
    let isTold = steps.contains("commit")
    let reading = read(isTold ? ["commit"] + steps : steps)
    #expect(told(reading) == [])
}

@Test func anEmptyLedgerSaysNothingWhereLateRecordsAreOnlyCounted() {
    let steps = [fed, "expect: {late: []}"]
    #expect(told(read(steps)) == [])
    let reading = read(steps, late: "count")
    #expect(reading.test == nil && reading.problems.map(\.place.line) == [first + 1])
    #expect(told(reading).allSatisfy { $0.contains("only counts late records") }, "\(told(reading))")
}

/// Expectations that no row, entry or count can meet, each with a mark at what is wrong and what is said.
@Test(arguments: [
    ("{rows: [{events: ^many}]}", "a whole number of at least 0"), ("{rows: [{events: ^1.5}]}", "a whole number"),
    ("{rows: [{events: ^-1}]}", "at least 0"), ("{rows: [{events: ^null}]}", "`events` never is"),
    ("{rows: [{events: ^9e99}]}", "a whole number"), ("{rows: [{n: ^~}]}", "`n` never is"),
    ("{rows: [{n: ^one}]}", "a whole number"), ("{rows: [{total: ^x}]}", "a whole number, or null"),
    ("{rows: [{mean: ^x}]}", "a number, or null"), ("{rows: [{mean: ^1e999}]}", "a number"),
    ("{rows: [{newest: ^today}]}", "RFC 3339"), ("{rows: [{newest: ^2026-01-01T00:00:00}]}", "RFC 3339"),
    ("{rows: [{fresh: ^yes}]}", "true or false"), ("{rows: [{share: ^half}]}", "a number"),
    ("{rows: [{user: ^6b1e0c52}]}", "a UUID"), ("{rows: [{users: ^none}]}", "a whole number"),
    ("{rows: [{revision: ^0}]}", "at least 1"), ("{rows: [{final: ^maybe}]}", "true or false"),
    ("{rows: [{as_of: ^now}]}", "RFC 3339"), ("{rows: [{output: ^null}]}", "`output` never is"),
    ("{rows: [{output: ^click}]}", "did you mean `clicks`?"), ("{latest: [{^evnts: 1}]}", "did you mean `events`?"),
    ("{rows: [{output: clicks, ^users: 1}]}", "there is no column `users`"),
    ("{rows: [^{events: 1, users: 1}]}", "no output has all"),
    ("{rows: [{output: clicks, window_start: ^2026-01-01T00:00:30Z}]}", "windows of 1m begin every 1m"),
    ("{rows: [{output: shares, window_start: ^2026-01-01T00:00:00Z}]}", "begin every 1m, 5s past the epoch"),
    ("{rows: [{window_start: ^1}]}", "begin every 1m"), ("{rows: [{window_end: ^2026-01-01T00:00:01Z}]}", "begin every"),
    ("{rows: [{output: shares, window_start: 2026-01-01T00:00:05Z, window_end: ^2026-01-01T00:09:05Z}]}", "windows of 10m"),
    ("{rows: [{window_start: ^99999999999999999999}]}", "an instant"),
    ("{late: [{output: ^click}]}", "did you mean `clicks`?"), ("{late: [{window_end: ^7}]}", "begin every"),
    ("{late: [{partition: ^-1}]}", "at least 0"), ("{late: [{offset: ^x}]}", "at least 0"),
    ("{late: [{topic: ^click}]}", "did you mean `clicks`?"), ("{late: [{watermark: ^null}]}", "`watermark` never is"),
    ("{late: [{late_by: ^45}]}", "a span"), ("{late: [{^lat_by: 45s}]}", "did you mean `late_by`?"),
    ("{dead_letters: [{reason: ^tombston}]}", "did you mean `tombstone`?"),
    ("{dead_letters: [{reason: ^null}]}", "`reason` never is"),
    ("{dead_letters: [{field: ^contry}]}", "did you mean `country`?"),
    ("{dead_letters: [{offset: ^-1}]}", "at least 0"), ("{outcomes: {read: ^1e400}}", "a whole number"),
    ("{outcomes: {read: ^null}}", "`read` never is"), ("{outcomes: {read: ^-1}}", "at least 0"),
    ("{watermark: ^soon}", "RFC 3339"), ("{freshness: {event_lag: ^1}}", "a span"),
    ("{freshness: {outputs: {^click: {final_through: null}}}}", "did you mean `clicks`?"),
    ("{freshness: {outputs: {clicks: {final_through: ^x}}}}", "RFC 3339"),
])
func anExpectationThatNothingCanMeetIsRefusedAtItsPlace(expect: String, words: String) throws {
    let mark = try #require(expect.firstIndex(of: "^"))
    let column = "      - expect: ".count + expect[..<mark].count + 1
    let reading = read([fed, "expect: \(expect.replacing("^", with: ""))"])
    #expect(reading.test == nil)
    #expect(reading.problems.count == 1 && told(reading).allSatisfy { $0.contains(words) }, "\(told(reading))")
    #expect(reading.problems.map { [$0.place.line, $0.place.column] } == [[first + 1, column]], "\(told(reading))")
}

@Test func valuesThatCanComeAreTakenInEachWayToWriteThem() {
    let rows = [
        "{events: 1.0, total: -6e0, mean: .5, newest: 1767225600000, n: '7', country: ~, user: null}",
        "{user: 6B1E0C52-4f1d-4c7a-9a53-000000000001, total: null, newest: null, mean: null}",
        "{output: shares, window_start: 2026-01-01T01:00:05+01:00, window_end: 2026-01-01T00:10:05Z, fresh: \"true\", share: ~}",
        "{window_start: 2026-01-01T00:00:00Z}", "{window_start: 2026-01-01T00:00:05Z, as_of: null}", "{window_start: -60000}",
        "{country: null, final: false, revision: 12}", "{country: 'null'}", "{country: 12}",
    ]
    for row in rows { #expect(told(read([fed, "expect: {rows: [\(row)], latest: [\(row)]}"])) == [], "\(row)") }
}

@Test func aFeedThatTheSourceCannotHaveIsRefused() {
    for (record, words) in [
        ("{raw: {hex: 7b f}}", "no row of bytes"), ("{raw: {hex: 0g}}", "no row of bytes"),
        ("{raw: {hx: 00}}", "did you mean `hex`?"),
        ("{raw: [1]}", "single value"), ("{value: 1, offset: 4611686018427387905}", "whole number"),
        ("{value: 1, timestamp: 9223372036854775807}", "no instant"), ("{value: 1, topic: click}", "did you mean `clicks`?"),
    ] {
        let reading = read(["feed: [\(record)]", "expect: {rows: []}"])
        #expect(reading.test == nil && told(reading).contains { $0.contains(words) }, "\(record) \(told(reading))")
        #expect(Set(reading.problems.map(\.place.line)) == [first], "\(record) \(told(reading))")
    }
}

@Test func rawBytesNeedNotBeText() throws {
    let reading = read([
        "feed: [{raw: {hex: 7b22 61FF\n          00}}, {raw: {hex: ''}}, {raw: ''}, {raw: \"\\xe9\"}]",
        "expect: {outcomes: {rejected: 4}}",
    ])
    let test = try #require(reading.test, "\(told(reading))")
    guard case .feed(let records) = test.cases[0].steps[0].action else { return #expect(Bool(false)) }
    #expect(records.map(\.payload) == [[0x7b, 0x22, 0x61, 0xff, 0], [], [], [0xc3, 0xa9]])
    #expect(CaseRunner.run(test.cases[0], of: test).isOK)
}

@Test func theWallClockStandsAtTheNewestTimestampEvenBefore1970() throws {
    let reading = read([
        "feed: [{value: {ts: -120000, n: 1}}, {value: {ts: -60000, n: 1}}]", "advance: 10s",
        "expect: {freshness: {event_lag: 10s, watermark_lag: 10s}}",
    ])
    let test = try #require(reading.test, "\(told(reading))")
    let result = CaseRunner.run(test.cases[0], of: test)
    #expect(result.isOK, "\(result)")
}

@Test func theGreatestInstantsAndOffsetsCanBeReckonedWith() throws {
    let reading = read([
        "feed: [{value: {ts: 1, n: 1}, offset: 4611686018427387904, timestamp: 9007199254740992}, {value: {ts: 1, n: 1}}]",
        "advance: 36500d", "expect: {outcomes: {read: 2}}",
    ])
    let test = try #require(reading.test, "\(told(reading))")
    let result = CaseRunner.run(test.cases[0], of: test)
    #expect(result.isOK, "\(result)")
}
