import Glibc
import Testing
import Testkit

@testable import Commands

private let topology = """
    name: clicks
    source: {topics: [clicks]}
    fields: {ts: {type: timestamp, unit: ms, required: true}}
    event_time: {field: ts, out_of_orderness: "${file:SPAN}"}
    aggregates: {per_minute: {window: {tumbling: 1m}, measures: {clicks: count()}, to: [{table: per_minute}]}}

    """

private let cases = """
    topology: t.yaml
    cases:
      - name: a
        steps:
          - feed: [{value: {ts: 1767225600000}}]
          - expect: {watermark: 2025-12-31T23:59:55Z}

    """

/// `--watch` runs the cases again when anything that was read for them changes, however it is written.
@Test(arguments: [(SIGINT, Int32(1)), (SIGTERM, Int32(0))])
func watchLooksAtEverythingThatWasReadAndEndsAsTheLastRunDid(signal: Int32, exit: Int32) throws {
    let folder = Scratch()
    let span = try folder.file("span", "5s\n")
    _ = try folder.file("t.yaml", topology.replacing("SPAN", with: span))
    let test = try folder.file("t.test.yaml", cases)
    let process = try WeirProcess(["test", test, "--watch"])
    var runs = 0
    func expect(_ failed: Int, _ why: String) throws {
        runs += 1
        _ = try eventually("run \(runs), after \(why)", within: 30) { () -> Bool? in
            let told = process.out.split(separator: "\n").filter { $0.contains(" failed") && $0.contains("case") }
            return told.count >= runs ? told[runs - 1] == "1 case, \(failed) failed" : nil
        }
        let told = process.out.split(separator: "\n").filter { $0.hasSuffix("failed") }
        #expect(told.last == "1 case, \(failed) failed", "\(why): \(process.out)")
    }
    func replace(_ name: String, _ text: String) throws {
        try #require(rename(try folder.file("new", text), "\(folder.path)/\(name)") == 0)
    }
    try expect(0, "the start")
    // Written in place, as `echo` does.
    _ = try folder.file("span", "15s\n")
    try expect(1, "a change of the file that the topology takes a value from")
    try replace("span", "5s\n")
    try expect(0, "its return")
    try replace("t.yaml", topology.replacing("\"${file:SPAN}\"", with: "25s"))
    try expect(1, "a change of the topology")
    try replace("t.test.yaml", cases.replacing("2025-12-31T23:59:55Z", with: "2025-12-31T23:59:35Z"))
    try expect(0, "a change of the test file")
    if exit == 1 {
        try replace("t.test.yaml", cases)
        try expect(1, "another change of the test file")
    }
    process.signal(signal)
    #expect(try process.end(within: 30).exit == exit)
}

/// A file that is away for a moment, as while an editor replaces it, is no end.
@Test func watchTellsOfAFileThatIsGoneAndGoesOnWhenItIsBack() throws {
    let folder = Scratch()
    let span = try folder.file("span", "5s\n")
    let file = try folder.file("t.yaml", topology.replacing("SPAN", with: span))
    let process = try WeirProcess(["test", try folder.file("t.test.yaml", cases), "--watch"])
    _ = try eventually("the first run", within: 30) { process.out.contains("1 case, 0 failed") ? true : nil }
    try #require(unlink(file) == 0)
    _ = try eventually("a run without the topology", within: 30) { process.out.contains("1 file not run") ? true : nil }
    process.signal(SIGTERM)
    #expect(try process.end(within: 30).exit == 2)
}
