import Glibc
import Testing

/// The pages for people who begin. Their commands need no broker.
private let pages = [
    "docs/first-topology.md", "docs/examples/ad-clicks.md", "docs/examples/checkout-funnel.md",
    "docs/examples/device-heartbeats.md", "docs/examples/sensor-readings.md", "docs/init.md",
]

@Test(arguments: pages)
func everyCommandOnThePageSaysWhatItShows(name: String) throws {
    let page = Page(read("\(packageFolder)/\(name)"))
    try #require(page.steps.count >= 5)
    let folder = try Folder()
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
}

@Test func everyPageOfAnExampleIsRun() throws {
    var found: [String] = []
    let listing = try #require(opendir("\(packageFolder)/docs/examples"))
    defer { closedir(listing) }
    while let entry = readdir(listing) {
        let file = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if file.hasSuffix(".md") { found.append("docs/examples/\(file)") }
    }
    #expect(found.sorted() == pages.filter { $0.hasPrefix("docs/examples/") }.sorted())
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
