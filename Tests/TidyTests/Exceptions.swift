import Testing

/// The rules, by the name that an exception gives.
enum Rule: String, CaseIterable {
    case imports, rooms, clock, foundation, words, output, unchecked, length, names, asserts, sleeps, paths, stages, makefile
    case dependencies, promises, faults
}

/// A place that a rule does not hold for, and why. The list only shrinks: an exception that nothing needs any more fails.
struct Exception {
    var rule: Rule
    var path: String
    var why: String
}

let exceptions: [Exception] = []

/// Fails with every finding that no exception covers, and for every exception of the rule that covers nothing.
func holds(_ rule: Rule, _ findings: [Finding]) {
    let excused = exceptions.filter { $0.rule == rule }
    for finding in findings where !excused.contains(where: { $0.path == finding.path }) {
        Issue.record("\(finding.path):\(finding.line): \(finding.what)")
    }
    for exception in excused where !findings.contains(where: { $0.path == exception.path }) {
        Issue.record("Tests/TidyTests/Exceptions.swift: \(exception.path) keeps the rule '\(rule)' now; delete its exception")
    }
}

@Test func everyExceptionSaysWhy() {
    #expect(exceptions.filter { $0.why.count < 20 }.map(\.path) == [])
}
