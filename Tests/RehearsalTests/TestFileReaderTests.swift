import Model
import Testing
import Topology

@testable import Rehearsal

private let topology = """
    topology:
      name: clicks
      source: {topics: [clicks]}
      kafka: {bootstrap: "${NOWHERE_SET}"}
      fields:
        ts: {type: timestamp, unit: ms, required: true}
        country: {type: string}
      event_time: {field: ts}
      aggregates:
        per_minute: {window: {tumbling: 1m}, group_by: [country], measures: {clicks: count()}, to: [{table: per_minute}]}

    """

private func read(_ cases: String, topology: String = topology) -> TestFileReader.Reading {
    var surroundings = Topology.Surroundings.machine
    let bytes = Array((topology + cases).utf8)
    surroundings.bytes = { path throws(Fault) in
        guard path == "t.test.yaml" else { throw Fault("unreadable_file", "no such file", next: "", exit: .usage) }
        return bytes
    }
    surroundings.environment = { _ in nil }
    return TestFileReader.read("t.test.yaml", from: surroundings)
}

private func oneCase(_ step: String) -> String {
    "cases:\n  - name: a\n    steps:\n      - \(step)\n      - expect: {rows: []}\n"
}

@Test func everyStepIsReadWithItsLine() throws {
    let reading = read(
        """
        partitions: 2
        cases:
          - name: all
            steps:
              - feed:
                  - {partition: 1, value: {ts: 1, a: 1.0, b: 1e400, c: "7", d: ~, e: [true, x]}, timestamp: 2026-01-01T00:00:00Z, key: u1}
                  - {raw: "not\\tjson", offset: 7}
                  - {value: null}
              - advance: 45s
              - restart: crash
              - commit
              - recut: [1, 2]
              - end
              - expect: {outcomes: {read: "3"}, watermark: null}
        """)
    #expect(reading.problems.map { $0.text() } == [])
    let test = try #require(reading.test)
    #expect(test.partitions == 2 && test.cases.count == 1 && test.cases[0].commitsOnlyWhenTold)
    #expect(test.cases[0].steps.map(\.place.line) == [15, 19, 20, 21, 22, 23, 24])
    guard case .feed(let records) = test.cases[0].steps[0].action else { return #expect(Bool(false)) }
    #expect(records[0].payload == Array(#"{"ts":1,"a":1.0,"b":1e400,"c":"7","d":null,"e":[true,"x"]}"#.utf8))
    #expect(records[0].key == Array("u1".utf8) && records[0].timestamp?.milliseconds == 1_767_225_600_000)
    #expect(records[1].payload == Array("not\tjson".utf8) && records[1].offset == 7 && records[2].payload == nil)
}

@Test(arguments: [
    ("feet: []", "did you mean `feed`?"), ("comit", "did you mean `commit`?"), ("advance: 45", "is no span"),
    ("advance: -1s", "is no span"), ("restart: crsh", "did you mean `crash`?"), ("recut: [0]", "whole number"),
    ("{commit: null, end: null}", "more than one step"), ("feed: []", "no record"), ("feed: [{key: a}]", "no payload"),
    ("feed: [{value: 1, raw: a}]", "both `value` and `raw`"), ("feed: [{value: 1, topic: click}]", "did you mean `clicks`?"),
    ("feed: [{value: 1, timestamp: today}]", "no instant"), ("feed: [{valu: 1}]", "did you mean `value`?"),
    ("expect: {}", "nothing is expected"), ("expect: {row: []}", "did you mean `rows`?"), ("expect: {rows: 1}", "a list is due"),
    ("expect: {rows: [{}]}", "name its columns"), ("expect: {rows: [{click: 1}]}", "did you mean `clicks`?"),
    ("expect: {rows: [{output: per_minut}]}", "did you mean `per_minute`?"),
    ("expect: {late: [{output: per_minut}]}", "did you mean `per_minute`?"),
    ("expect: {late: [{late_by: x}]}", "can't be expected"),
    ("expect: {outcomes: {read: 1, exact: 1}}", "does not compare copies"), ("expect: {outcomes: {}}", "nothing is named"),
    ("expect: {outcomes: {raed: 1}}", "did you mean `read`?"),
    ("expect: {outcomes: {read: x}}", "can't be expected"),
    ("expect: {dead_letters: [{reason: tombston}]}", "did you mean `tombstone`?"),
    ("expect: {watermark: x}", "can't be expected"), ("expect: {freshness: {}}", "nothing is named"),
    ("expect: {freshness: {event_lag: 3}}", "can't be expected"), ("expect: {freshness: {outputs: {per: {}}}}", "no output"),
])
func aWrongStepIsNamedWithItsPlace(step: String, words: String) {
    let reading = read(oneCase(step))
    #expect(reading.test == nil)
    #expect(reading.problems.contains { $0.text().contains(words) }, "\(reading.problems.map { $0.text() })")
    #expect(reading.problems.allSatisfy { $0.place.line == 14 }, "\(reading.problems.map { $0.text() })")
}

@Test func whatCannotFailIsRefused() {
    for cases in [
        "cases: []", "cases:\n  - {name: a, steps: []}", "cases:\n  - {name: a, steps: [commit]}", "", "cases:\n  - {name: a}",
        "cases:\n  - {name: a, steps: [{expect: {rows: []}}]}\n  - {name: a, steps: [{expect: {rows: []}}]}",
    ] {
        #expect(read(cases).test == nil, "\(cases)")
    }
}

@Test func problemsOfTopologyAndTestAreToldTogether() {
    let reading = read(oneCase("advance: soon"), topology: topology.replacing("tumbling", with: "tumblin"))
    #expect(reading.test == nil && Set(reading.problems.map(\.place.line)).isSuperset(of: [10, 14]))
    let missing = read(oneCase("end"), topology: "topology: gone.yaml\n")
    #expect(missing.problems.map(\.code) == [.unreadableFile] && missing.problems[0].place.file == "gone.yaml")
}
