import Foundation
import FoundationXML
import Model
import Testing
import Testkit

@testable import Commands
@testable import Rehearsal

/// Elements of an XML text in their order: what a reader of JUnit's form sees.
private final class Elements: NSObject, XMLParserDelegate {
    struct Element: Equatable {
        var name: String
        var attributes: [String: String]
        var text = ""
    }
    var all: [Element] = []
    private var open: [Int] = []
    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        open.append(all.count)
        all.append(Element(name: name, attributes: attributes))
    }
    func parser(_ parser: XMLParser, foundCharacters text: String) { if let at = open.last { all[at].text += text } }
    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
        open.removeLast()
    }
}

/// nil: it is not well formed.
private func elements(_ xml: String) -> [Elements.Element]? {
    let parser = XMLParser(data: Data(xml.utf8))
    let elements = Elements()
    parser.delegate = elements
    return parser.parse() ? elements.all : nil
}

private let hostile = [
    "plain", "\"quoted\" 'twice' <b>&amp;</b> ]]> &#0; <!-- -->", "tab\tnewline\nreturn\rend",
    "caf\u{e9} \u{1F600} \u{85} \u{2028}",
    "\u{0}\u{1}\u{8}\u{b}\u{1f}\u{7f}\u{fffe}\u{ffff}", "${HOME} $(id) %n",
]

/// As XML 1.0 can hold it.
private func held(_ text: String) -> String {
    String(
        String.UnicodeScalarView(
            text.unicodeScalars.map { scalar in
                let isWritable = "\t\n\r".unicodeScalars.contains(scalar) || scalar.value >= 0x20
                return isWritable && scalar.value != 0xfffe && scalar.value != 0xffff ? scalar : "\u{fffd}"
            }))
}

private func result(_ name: String, fails: Bool) -> CaseResult {
    let cell = Difference.Cell(name: name, expected: name, actual: .string(name), differs: true)
    let difference = Difference(subject: "rows", lines: [Difference.Line(kind: .differs, cells: [cell])])
    let failure = CaseResult.Failure(step: 2, file: name, line: 7, differences: [difference], fault: nil)
    return CaseResult(name: name, line: 3, expectations: 1, failure: fails ? failure : nil)
}

@Test(arguments: hostile)
func aReportInXMLCanBeReadWhateverTheNames(name: String) throws {
    let tested = TestedFile(
        file: name, results: [(result(name, fails: false), .milliseconds(1_234)), (result(name, fails: true), .zero)], stamps: [:]
    )
    let all = try #require(elements(TestReport.junit([tested])), "\(TestReport.junit([tested]))")
    #expect(all.map(\.name) == ["testsuites", "testsuite", "testcase", "testcase", "failure"])
    #expect(all[1].attributes == ["name": held(name), "tests": "2", "failures": "1", "errors": "0"])
    #expect(all[2].attributes == ["name": held(name), "classname": held(name), "time": "1.234"])
    #expect(all[3].attributes == ["name": held(name), "classname": held(name), "time": "0.000"])
    #expect(all[4].attributes == ["message": "step 2, \(held(name)):7"] && all[4].text.contains("rows"))
}

@Test(arguments: hostile)
func aReportInJSONCanBeReadWhateverTheNames(name: String) throws {
    let tested = TestedFile(
        file: name, results: [(result(name, fails: false), .zero), (result(name, fails: true), .zero)], stamps: [:])
    let read = try #require(
        JSONSerialization.jsonObject(with: Data(TestReport.json([tested]).utf8)) as? [String: [[String: Any]]])
    let file = try #require(read["files"]?.first)
    let cases = try #require(file["cases"] as? [[String: Any]])
    #expect(file["file"] as? String == name && cases.map { $0["name"] as? String } == [name, name])
    #expect(cases[1]["why"] as? String == "rows: \(name) is \(name), expected \(name)")
}

/// The form that docs/testing.md states, with `…` for values.
@Test func aReportInJSONHasTheStatedForm() throws {
    let form = "{\"files\":[{\"file\":…,\"ok\":…,\"cases\":[{\"name\":…,\"ok\":…,\"step\":…,\"line\":…,\"why\":…}]}]}"
    #expect(read("\(packageFolder)/docs/testing.md").contains("`\(form)`"))
    let parts = form.split(separator: "…").map(String.init)
    func filled(_ values: [String]) -> String { zip(parts, values + [""]).map { $0 + $1 }.joined() + "\n" }
    let failed = TestedFile(file: "a.test.yaml", results: [(result("b", fails: true), .zero)], stamps: [:])
    #expect(
        TestReport.json([failed])
            == filled(["\"a.test.yaml\"", "false", "\"b\"", "false", "2", "7", "\"rows: b is b, expected b\""]))
    let passed = TestedFile(file: "a.test.yaml", results: [(result("b", fails: false), .zero)], stamps: [:])
    #expect(TestReport.json([passed]) == filled(["\"a.test.yaml\"", "true", "\"b\"", "true", "null", "3", "null"]))
}
