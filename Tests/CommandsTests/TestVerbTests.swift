import Glibc
import Model
import Runtime
import Testing
import Testkit
import Topology

@testable import Commands
@testable import Rehearsal

/// The example of docs/testing.md.
private let example: String = {
    let page = read("\(packageFolder)/docs/testing.md")
    let parts = page.split(separator: "```yaml\n", maxSplits: 1)
    return parts.count == 2
        ? String(parts[1].prefix(upTo: parts[1].firstRange(of: "```")?.lowerBound ?? parts[1].startIndex)) : ""
}()

/// Without the folder's name, and each case with the same time, so that the text is that of a golden.
private func tested(_ text: String, in folder: Scratch, filter: String? = nil) throws -> TestedFile {
    let file = try folder.file("clicks.test.yaml", text)
    var tested = TestVerb.test(file, filter: filter, SystemClock())
    tested.file = "clicks.test.yaml"
    for index in tested.results.indices {
        tested.results[index].time = .milliseconds(12)
        tested.results[index].result.failure?.file = "clicks.test.yaml"
    }
    for index in tested.problems.indices { tested.problems[index].place.file = "clicks.test.yaml" }
    return tested
}

@Test func thePagesExamplePasses() throws {
    let folder = Scratch()
    let said = said("test", try folder.file("page.test.yaml", example))
    #expect(said.exit == 0 && said.error == "" && said.out.hasSuffix("2 cases, 0 failed\n"), "\(said.out)")
}

/// Numbers, words of truth and names within each `expect` of the example, each altered alone.
private func mutations() -> [(line: Int, text: String)] {
    let lines = example.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    var mutations: [(Int, String)] = []
    var isExpected = false
    func add(_ index: Int, _ line: String?) {
        var altered = lines
        if let line { altered[index] = line } else { altered.remove(at: index) }
        mutations.append((index + 1, altered.joined(separator: "\n")))
    }
    for (index, line) in lines.enumerated() {
        if line.hasPrefix("      - ") { isExpected = line.hasPrefix("      - expect:") }
        if line.hasPrefix("  - name") { isExpected = false }
        guard isExpected else { continue }
        for match in line.matches(of: #/\b[0-9]+/#) {
            add(index, line.replacingCharacters(match.range, with: padded((Int(match.output) ?? 0) + 1, as: match.output)))
        }
        for (old, new) in [
            ("true", "false"), ("DE", "FR"), ("null", "DE"), ("[]", "[{partition: 0}]"), ("undecodable", "tombstone"),
            ("per_minute", "per_hour"), (": 1,", ": null,"), ("clicks", "revision_"),
        ] {
            for range in line.ranges(of: old) { add(index, line.replacingCharacters(range, with: new)) }
        }
        // A row that is not there any more.
        if line.contains("            - {") { add(index, nil) }
    }
    return mutations
}

extension String {
    func replacingCharacters(_ range: Range<Index>, with text: String) -> String {
        String(self[..<range.lowerBound]) + text + String(self[range.upperBound...])
    }
}

private func padded(_ number: Int, as old: Substring) -> String {
    String(repeating: "0", count: max(0, old.count - String(number).count)) + String(number)
}

@Test func noAlteredExpectationPasses() throws {
    let folder = Scratch()
    let all = mutations()
    // Those that can be read at all: they have to fail by comparing.
    var compared = 0
    for (line, text) in all {
        let tested = try tested(text, in: folder)
        #expect(!tested.isOK, "line \(line) of \(text.split(separator: "\n", omittingEmptySubsequences: false)[line - 1])")
        if tested.isReadable { compared += 1 }
    }
    #expect(all.count > 60 && compared > 40, "\(all.count) \(compared)")
}

@Test func aFailureShowsBothSidesInEachForm() throws {
    let folder = Scratch()
    var wrong = example.replacing("- {country: DE, clicks: 1}", with: "- {country: DE, clicks: 7}")
    wrong = wrong.replacing(
        "rows: [{country: DE, clicks: 3}]", with: "rows: [{country: FR, clicks: 4}, {country: \"<&>\", clicks: 3}]")
    wrong = wrong.replacing("{read: 4, duplicate: 1, aggregated: 3}", with: "{read: 4, duplicate: 2}")
    let failed = try tested(wrong, in: folder)
    #expect(failed.isReadable && !failed.isOK)
    expectGolden(TestReport.text(failed, caret: false, hasColour: false), "test-failure.txt")
    expectGolden(TestReport.text(failed, caret: false, hasColour: true), "test-failure-colour.txt")
    expectGolden(TestReport.json([failed]), "test-failure.json")
    expectGolden(TestReport.junit([failed]), "test-failure.xml")
    let unread = try tested(wrong.replacing("rows:", with: "row:"), in: folder)
    expectGolden(TestReport.text(unread, caret: true, hasColour: false), "test-unread.txt")
    expectGolden(TestReport.junit([unread]), "test-unread.xml")
    let good = try tested(example, in: folder)
    expectGolden(TestReport.json([good]) + TestReport.junit([good]), "test-passed.txt")
}

@Test func aFaultOfTheRunIsAFailedCase() throws {
    let folder = Scratch()
    let tested = try tested(example.replacing("      - end\n", with: "      - end\n      - end\n"), in: folder)
    #expect(tested.results.map(\.result.isOK) == [false, false])
    #expect(tested.results.allSatisfy { $0.result.failure?.fault?.code == "input_ended" })
    #expect(TestReport.text(tested, caret: false, hasColour: false).contains("input_ended: "))
    #expect(!TestReport.json([tested]).contains("\"why\":\"\""))
}

@Test func aFileOfWhichNoCaseRanIsNotOK() {
    #expect(!TestedFile(file: "a", stamps: [:]).isOK)
    let result = CaseResult(name: "a", line: 1, expectations: 0, failure: nil)
    #expect(!result.isOK && !TestedFile(file: "a", results: [(result, .zero)], stamps: [:]).isOK)
}

@Test func theWorstFileDecidesTheExit() throws {
    let folder = Scratch()
    let good = try folder.file("good.test.yaml", example)
    let failing = try folder.file("failing.test.yaml", example.replacing("clicks: 3", with: "clicks: 4"))
    let unread = try folder.file("unread.test.yaml", "topology: gone.yaml\ncases: []\n")
    #expect(said("test", good).exit == 0)
    #expect(said("test", good, failing).exit == 1)
    #expect(said("test", failing, unread, good).exit == 2)
    #expect(said("test", "\(folder.path)/gone.test.yaml").exit == 2)
    #expect(said("test", good, "--junit", "\(folder.path)/gone/x.xml").exit == 2)
    #expect(said("test", good, "--junit", "\(folder.path)/x.xml").exit == 0)
    #expect(read("\(folder.path)/x.xml").contains("tests=\"2\" failures=\"0\" errors=\"0\""))
}

@Test func aFilterTakesCasesByName() throws {
    let folder = Scratch()
    let good = try folder.file("good.test.yaml", example)
    let one = said("test", good, "--filter", "the cut of")
    #expect(one.exit == 0 && one.out.hasSuffix("1 case, 0 failed\n"))
    let none = said("test", good, "--filter", "nobody")
    #expect(none.exit == 1 && none.error.contains("no case ran"))
    #expect(said("test", good, "--filter", "nobody", "--json") == Said(exit: 1, out: "{\"files\":[]}\n", error: ""))
}

/// A thousand small cases in less than 10 s. The runner has one thread and neither waits nor writes to a disk, so on an idle
/// machine this is the time of its processor, which is asked here: other tests that run beside it do not count. Of this
/// binary, that is; a release build is faster.
@Test func aThousandCasesRunInTenSeconds() throws {
    let folder = Scratch()
    let parts = example.split(separator: "cases:\n", maxSplits: 1).map(String.init)
    var text = parts[0] + "cases:\n"
    for number in 0..<500 {
        text += parts[1].replacing("- name: ", with: "- name: \(number) ")
    }
    let process = try WeirProcess(["test", try folder.file("many.test.yaml", text)])
    let answer = try process.end(within: 120)
    #expect(answer.exit == 0 && answer.out.hasSuffix("1000 cases, 0 failed\n"), "\(answer.out.suffix(200))")
    #expect(process.cpuSeconds > 0 && process.cpuSeconds < 10, "\(process.cpuSeconds) s")
}

@Test func watchRunsAgainWhenAFileIsReplaced() throws {
    let folder = Scratch()
    let file = try folder.file("w.test.yaml", example)
    let process = try WeirProcess(["test", file, "--watch"])
    _ = try eventually("the first run", within: 30) { process.out.contains("2 cases, 0 failed") ? true : nil }
    let other = try folder.file("w.new", example.replacing("clicks: 3", with: "clicks: 4"))
    try #require(rename(other, file) == 0)
    _ = try eventually("the second run", within: 30) { process.out.contains("2 cases, 1 failed") ? true : nil }
    process.signal(SIGINT)
    #expect(try process.end(within: 30).exit == 1)
}
