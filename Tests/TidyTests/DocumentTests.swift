import Testing

private let here = Repository.here

@Test func everyMakeTargetIsDocumented() throws {
    let makefile = try #require(here.file("Makefile")).text
    let silent = try hits(#"^([a-z][a-z-]*):(?!=)(?!.* ## \S).*$"#, in: makefile)
    let unlisted = try hits(#"^\.PHONY: (\S+)$"#, in: makefile).filter { phony in
        try hits("^\(phony.groups[1]):.* ## ", in: makefile).isEmpty
    }
    holds(
        .makefile,
        (silent + unlisted).map { Finding(path: "Makefile", line: $0.line, what: "\($0.groups[1]) has no '## …' for make help") })
}

@Test func everyLibraryIsInstalledBySetupAndExplained() throws {
    let package = try #require(here.file("Package.swift")).text
    let named = try hits(#"\bdebian\("\w+", (?:"[^"]*"|nil), apt: "([^"]+)"\)"#, in: package).map { ($0.groups[1], $0.line) }
    let linked = try hits(#"\.linkedLibrary\("(\w+)"\)"#, in: package).map { ("lib\($0.groups[1])-dev", $0.line) }
    #expect(named.count >= 6)
    var found: [Finding] = []
    for place in ["docs/dependencies.md", "scripts/setup.sh"] {
        let text = try #require(here.file(place)).text
        for (name, line) in named + linked where !text.contains(name) {
            found.append(Finding(path: "Package.swift", line: line, what: "\(name) is not in \(place)"))
        }
    }
    holds(.dependencies, found)
}

@Test func everyPromiseThatCodeCitesExists() throws {
    let contract = try #require(here.file("docs/semantics.md")).text
    let promises = try hits(#"^- \*\*S(\d+)\b"#, in: contract).map { $0.groups[1] }
    #expect(promises == (1...25).map(String.init))
    var found: [Finding] = []
    for file in here.files where file.room != "TidyTests" {
        for hit in try hits(#"(?<![\w.-])S(\d{1,3})(?![\w-])"#, in: file.text) where !promises.contains(hit.groups[1]) {
            found.append(Finding(path: file.path, line: hit.line, what: "docs/semantics.md has no S\(hit.groups[1])"))
        }
    }
    holds(.promises, found)
}

@Test func everyFaultHasAnEntryForWhoRunsIt() throws {
    let entries = try #require(here.file("docs/operations.md")).text
    var found: [Finding] = []
    for file in here.swift("Sources") where file.room != "Testkit" {
        for hit in try hits(#"(?<!\w)Fault\(\s*"([a-z0-9_]+)""#, in: file.text) where !entries.contains("`\(hit.groups[1])`") {
            found.append(Finding(path: file.path, line: hit.line, what: "docs/operations.md has no entry for `\(hit.groups[1])`"))
        }
    }
    holds(.faults, found)
}

@Test func theReadmeShowsTheTopologyThatIsTested() throws {
    let topology = try #require(here.file("topologies/product-usage.yaml")).text
    let readme = try #require(here.file("README.md")).text
    #expect(readme.contains("```yaml\n\(topology)```"))
    let cases = try hits(#"(?s)```yaml\n(  - name: .*?)```"#, in: readme).map { $0.groups[1] }
    let tests = try #require(here.file("topologies/product-usage.test.yaml")).text
    #expect(!cases.isEmpty && cases.allSatisfy(tests.contains))
}
