import Glibc
import Testing
import Testkit

@testable import Rehearsal

/// The pages for people who begin. Their commands need no broker.
private let pages =
    ["README.md", "docs/first-topology.md", "docs/init.md", "docs/measures.md"]
    + ((try? files(under: "docs/examples")) ?? []).filter { $0.hasSuffix(".md") }

@Test(arguments: pages)
func everyCommandOnThePageSaysWhatItShows(name: String) async throws {
    let page = Page(read("\(packageFolder)/\(name)"))
    try #require(page.steps.count >= (name == "README.md" ? 1 : 5))
    let folder = Scratch()
    try #require(symlink("\(packageFolder)/topologies", "\(folder.path)/topologies") == 0)
    let weir = try #require(WeirProcess.binary)
    let programs = weir.split(separator: "/").dropLast().map { "/" + $0 }.joined()
    for step in page.steps {
        let script = "cd '\(folder.path)'; PATH='\(programs)':$PATH; exec 2>&1; set -o pipefail\n\(step.command)\n"
        let answer = try WeirProcess(["-c", script], program: "/bin/bash").end(within: 60)
        let lines = answer.out.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let said = lines.last == "" ? Array(lines.dropLast()) : lines
        if let (shown, said) = Page.difference(shown: step.says, said: said) {
            Issue.record("\(name):\(step.line): the page shows\n\(shown)\nand the command says\n\(said)")
        }
        #expect(answer.exit == 0, "\(name):\(step.line): \(step.command)")
    }
    // The tests that the page leaves behind can fail, too.
    for test in try files(under: "", of: folder.path) where test.hasSuffix(".test.yaml") {
        let reading = TestFileReader.read("\(folder.path)/\(test)")
        await expectEveryMutantFails(of: try #require(reading.test, "\(name): \(test)"))
    }
}

/// A page for each topology to start from, and a link to it from where people begin.
@Test func everyExampleHasAPageThatIsFound() throws {
    let tested = try files(under: "topologies").filter { $0.hasSuffix(".test.yaml") }
    let names = tested.map { $0.replacing("topologies/", with: "").replacing(".test.yaml", with: "") }
    #expect(pages.filter { $0.hasPrefix("docs/examples/") } == names.map { "docs/examples/\($0).md" })
    for name in names {
        #expect(read("\(packageFolder)/README.md").contains("(docs/examples/\(name).md)"), "\(name)")
        #expect(read("\(packageFolder)/docs/first-topology.md").contains("(examples/\(name).md)"), "\(name)")
    }
}

@Test func aPageIsReadAsItStands() {
    let text = """
        $ outside
        ```console
        $ cat <<'END' > a
        $ x
        ```
        END
        $ echo two; echo lines
        two
        lines
        ```
        ```
        $ outside
        ```
        """
    #expect(
        Page(text).steps == [
            Page.Step(line: 3, command: "cat <<'END' > a\n$ x\n```\nEND", says: []),
            Page.Step(line: 7, command: "echo two; echo lines", says: ["two", "lines"]),
        ])
    #expect(Page("```console\nsaid by nobody\n```").steps.map(\.command) == ["false"])
}

@Test(
    arguments: [
        (["a"], ["a"], true), (["a"], ["b"], false), (["a"], ["a", "b"], false), (["a", "b"], ["a"], false), ([], ["a"], false),
        (["in …, 5 rows"], ["in 3ms, 5 rows"], true), (["in …, 5 rows"], ["in 3ms, 6 rows"], false), (["…"], [""], true),
        (["a…b…c"], ["a1bb2c"], true), (["a…b"], ["a1bc"], false), (["…"], ["a", "b"], false),
    ] as [([String], [String], Bool)])
func onlyAnEllipsisStandsForSomethingElse(shown: [String], said: [String], same: Bool) {
    #expect((Page.difference(shown: shown, said: said) == nil) == same)
}
