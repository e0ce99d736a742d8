import Testing

private let here = Repository.here

@Test func onlyOneFileReadsAClock() throws {
    let reads =
        #"\b(clock_gettime|gettimeofday|ftime|timespec_get|std::chrono|DispatchTime\.now|DispatchWallTime\.now|"#
        + #"(Continuous|Suspending)Clock|Date\(\)|Date\.now|CFAbsoluteTimeGetCurrent)|(?<![.\w])(?<!func )(time|clock)\((nil|NULL|nullptr|0|&|\))"#
    let others = here.sources.filter { $0.path != "Sources/Runtime/SystemClock.swift" }
    holds(.clock, try findings(reads, in: others, "take a Clock or a time instead of reading the machine's"))
}

@Test func nothingIsLeftUndoneOrForced() throws {
    let code = here.files.filter { $0.path.hasSuffix(".swift") || $0.path.hasSuffix(".cpp") || $0.path.hasSuffix(".h") }
    let product = code.filter { $0.path.hasPrefix("Sources/") || $0.path.hasPrefix("bench/") }
    let marks = code.filter { $0.room != "TidyTests" }
    holds(
        .words,
        try findings(#"\bfatalError\(|\btry!"#, in: product, "a Fault or an outcome says what happened, a crash does not")
            + findings(#"\b(TO"# + #"DO|FIX"# + #"ME|XX"# + #"X)\b"#, in: marks, of: \.text, "finish it or leave it out"))
}

@Test func onlyTheCommandLinePrints() throws {
    let rooms = here.swift("Sources").filter { $0.room != "weir" }
    holds(
        .output,
        try findings(
            #"(?<![.\w])(?<!func )(print|debugPrint|dump|putchar|puts)\("#, in: rooms, "words for people are said in weir"))
}

@Test func everyUncheckedSendableSaysWhyItIsTrue() throws {
    var found: [Finding] = []
    for file in here.swift("Sources", "Tests", "bench") where file.room != "TidyTests" {
        let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
        for hit in try hits(#"@unchecked Sendable"#, in: file.code) {
            let above = lines[max(0, hit.line - 12)..<hit.line]
            if !above.contains(where: { $0.contains("true because:") }) {
                found.append(
                    Finding(path: file.path, line: hit.line, what: "@unchecked Sendable without 'true because: …' above it"))
            }
        }
    }
    holds(.unchecked, found)
}

@Test func noFileIsLongerThanFourHundredLines() {
    let code = here.sources + here.swift("Tests", "bench")
    let long = code.filter { $0.lineCount > 400 }
    holds(
        .length,
        long.map { Finding(path: $0.path, line: 401, what: "\($0.lineCount) lines; one promise a file, 400 lines at most") })
}

@Test func namesAreWordsOfTheField() throws {
    let types = #"\b(?:struct|class|enum|actor|protocol|typealias) (\w*(?:Manager|Helpers?|Util(?:s|ity|ities)?|Impl))\b"#
    let code = here.swift("Sources", "Tests", "bench").filter { $0.room != "TidyTests" }
    let files = code.filter { file in
        ["Manager", "Helper", "Helpers", "Util", "Utils", "Impl"].contains { file.name.hasSuffix("\($0).swift") }
    }
    holds(
        .names,
        try findings(types, in: code, "a type is a noun one could say in a meeting")
            + files.map { Finding(path: $0.path, line: 1, what: "a file is named after what it holds") })
}

@Test func theProjectSpeaksOfItselfAlone() throws {
    let texts = here.files.filter { $0.room != "TidyTests" }
    let paths = #"(?<![\w.])/(?:wo"# + #"rk|home|root|Users)/[\w.]*|\.\./shared(?!/kafka/kafka)\S*|\bproto"# + #"type\b"#
    holds(.paths, try findings(paths, in: texts, of: \.text, "this is true on one machine or to one author only"))
}
