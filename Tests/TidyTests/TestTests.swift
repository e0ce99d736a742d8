import Testing

private let tests = Repository.here.swift("Tests").filter { $0.room != "TidyTests" }

@Test func everyTestFileExpectsSomething() throws {
    var found: [Finding] = []
    for file in tests {
        let count = try hits(#"@Test\b"#, in: file.code).count
        if count > 0, try hits(#"#expect\b|#require\b|Issue\.record\b"#, in: file.code).isEmpty {
            found.append(Finding(path: file.path, line: 1, what: "\(count) tests, and none expects anything"))
        }
    }
    holds(.asserts, found)
}

/// A test waits for a condition with a deadline; the one place that may pause between two looks has a name of its own.
@Test func noTestSleeps() throws {
    let waits = #"(?<![.\w])(sleep|usleep|nanosleep)\(|\bTask\.sleep|\bThread\.sleep"#
    let files = (tests + Repository.here.swift("Sources/Testkit")).filter {
        !["Eventually.swift", "Polling.swift"].contains($0.name)
    }
    holds(.sleeps, try findings(waits, in: files, "poll a condition with a deadline"))
}

@Test(arguments: [
    (#"let a = "fatalError(" // try!"#, "let a ="),
    (##"let a = #"a"b"# + b"##, "let a = # + b"),
    (#"f("\(g("x")) y", print(z))"#, "f( , print(z))"),
    ("a /* b\nc */ d", "a\n d"),
    (#"char q = '"'; time(0);"#, "char q = ; time(0);"),
    ("let s = \"\"\"\n  print(\n  \"\"\"; t", "let s =\n\n ; t"),
])
func blankingLeavesTheCode(source: String, expected: String) {
    let lines = String(decoding: blanked(Array(source.utf8)), as: UTF8.self).split(
        separator: "\n", omittingEmptySubsequences: false)
    let squeezed = lines.map { line in
        line.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }
    let wanted = expected.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(squeezed == wanted.map { $0.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ") })
}
