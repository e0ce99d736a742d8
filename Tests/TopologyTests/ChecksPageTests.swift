import Foundation
import Testing

@testable import Topology

private let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../docs/checks.md")
    .standardized

@Test func everyCodeHasItsEntryAndNoEntryIsLeftOver() throws {
    let text = try String(contentsOf: page, encoding: .utf8)
    let entries = text.components(separatedBy: "\n## ").dropFirst()
    #expect(entries.map { String($0.prefix { $0 != "\n" }) }.sorted() == Problem.Code.allCases.map(\.rawValue).sorted())
    for entry in entries {
        let code = try #require(Problem.Code(rawValue: String(entry.prefix { $0 != "\n" })))
        #expect(
            entry.contains("\n\(code.summary) (\(code.isNote ? "note" : code.isWarning ? "warning" : "error")"),
            "\(code)")
        for part in ["- Wrong: ", "- Right: ", "- Why: "] { #expect(entry.contains(part), "\(code)") }
    }
}

@Test func aRegionEndsBehindItsWord() throws {
    func region(_ line: String?, _ column: Int) throws -> [String: Int]? {
        let problem = Problem(
            place: Place(file: "t.yaml", line: 1, column: column), path: "", code: .yaml, severity: .note, what: "w", next: "n",
            sourceLine: line)
        let log = try JSONSerialization.jsonObject(with: Data(Problem.sarif([problem], version: "1").utf8)) as? [String: Any]
        let result = ((log?["runs"] as? [[String: Any]])?.first?["results"] as? [[String: Any]])?.first
        #expect(result?["level"] as? String == "note")
        let location = (result?["locations"] as? [[String: Any]])?.first?["physicalLocation"] as? [String: Any]
        return location?["region"] as? [String: Int]
    }
    #expect(try region("fields: {größe_1: x}", 10) == ["startLine": 1, "startColumn": 10, "endColumn": 17])
    #expect(try region("fields: x", 9) == ["startLine": 1, "startColumn": 9, "endColumn": 10])
    #expect(try region("fields: [x", 9) == ["startLine": 1, "startColumn": 9])
    #expect(try region("fields", 7) == ["startLine": 1, "startColumn": 7])
    #expect(try region(nil, 7) == ["startLine": 1, "startColumn": 7])
}

@Test func sarifHasWhatItsSchemaRequires() throws {
    let place = Place(file: "a b/ü.yaml", line: 3, column: 7)
    let problems = [
        Problem(place: place, path: "filter", code: .neverTrue, severity: .error, what: "a \"b\"", next: "c"),
        Problem(place: Place(file: "/t.yaml", line: 1, column: 1), path: "", code: .yaml, severity: .error, what: "d", next: "e"),
    ]
    let log = try #require(
        try JSONSerialization.jsonObject(with: Data(Problem.sarif(problems, version: "1").utf8)) as? [String: Any])
    #expect(log["version"] as? String == "2.1.0")
    let run = try #require((log["runs"] as? [[String: Any]])?.first)
    #expect(run["columnKind"] as? String == "unicodeCodePoints")
    let driver = try #require((run["tool"] as? [String: Any])?["driver"] as? [String: Any])
    #expect(driver["name"] as? String == "weir")
    let rules = try #require(driver["rules"] as? [[String: Any]])
    #expect(rules.map { $0["id"] as? String } == Problem.Code.allCases.map(\.rawValue))
    #expect(rules.allSatisfy { ($0["help"] as? [String: String])?["text"]?.contains("docs/checks.md#") == true })
    let results = try #require(run["results"] as? [[String: Any]])
    #expect(results.count == 2)
    for (result, problem) in zip(results, problems) {
        #expect(result["ruleId"] as? String == problem.code.rawValue)
        #expect(rules[try #require(result["ruleIndex"] as? Int)]["id"] as? String == problem.code.rawValue)
        #expect(result["level"] as? String == "error")
        #expect((result["message"] as? [String: String])?["text"]?.hasSuffix("\(problem.what); \(problem.next)") == true)
        let location = try #require((result["locations"] as? [[String: Any]])?.first?["physicalLocation"] as? [String: Any])
        #expect(location["region"] as? [String: Int] == ["startLine": problem.place.line, "startColumn": problem.place.column])
        let uri = (location["artifactLocation"] as? [String: String])?["uri"]
        #expect(uri == (problem.place.file.hasPrefix("/") ? "file:///t.yaml" : "a%20b/%C3%BC.yaml"))
    }
}
