import Model
import Testing

@testable import Commands

@Test(
    arguments: [
        (["a.yaml", "--with", "b.yaml", "--with=c.yaml"], ["a.yaml"], ["with": ["b.yaml", "c.yaml"]]),
        (["--quiet", "a.yaml", "--state=x=y"], ["a.yaml"], ["quiet": [], "state": ["x=y"]]),
        (["--", "--quiet", "a"], ["--quiet", "a"], [:]),
        (["-", "-h"], ["-"], ["help": []]),
        (["--state=--odd"], [], ["state": ["--odd"]]),
        ([], [], [:]),
    ] as [([String], [String], [String: [String]])])
func optionsMayStandAnywhere(words: [String], operands: [String], values: [String: [String]]) throws {
    let arguments = try Arguments.parse(words, for: Verbs.run)
    #expect(arguments.operands == operands)
    #expect(arguments.values == values)
}

@Test(
    arguments: [
        (["run"], "FILE is missing", "see weir run --help"),
        (["run", "a", "b"], "`b` is one argument too many", "see weir run --help"),
        (["run", "a", "--state"], "--state needs a value", "write --state DIR; see weir run --help"),
        (["run", "a", "--state", "--quiet"], "--state needs a value", "write --state DIR; see weir run --help"),
        (["run", "a", "--state="], "--state needs a value", "write --state DIR; see weir run --help"),
        (["run", "a", "--quiet=1"], "--quiet takes no value", "see weir run --help"),
        (["run", "a", "--state", "b", "--state", "c"], "--state stands twice", "see weir run --help"),
        (["run", "a", "--untl", "end"], "`--untl` is no option of weir run", "did you mean `--until`?; see weir run --help"),
        (["run", "a", "-q"], "`-q` is no option of weir run", "see weir run --help"),
        (["run", "a", "--zzzzzz"], "`--zzzzzz` is no option of weir run", "see weir run --help"),
        (["rnu", "a"], "there is no command `rnu`", "did you mean `run`?; see weir --help"),
        (["genrate"], "there is no command `genrate`", "did you mean `generate`?; see weir --help"),
        (["stat"], "there is no command `stat`", "see weir --help"),
        (["\u{1B}[2J"], "there is no command `?[2J`", "see weir --help"),
        (["help", "chekc"], "there is no command `chekc`", "did you mean `check`?; see weir --help"),
    ] as [([String], String, String)])
func whatDoesNotFitIsSaidWithWhatWasMeant(words: [String], what: String, next: String) {
    #expect(said(words) == Said(exit: 2, out: "", error: "weir: usage: \(what)\n  \(next)\n"))
}

@Test(arguments: Verbs.planned.keys.sorted())
func aPlannedCommandSaysThatItIsNotBuiltYet(name: String) {
    let answer = said(name)
    #expect(answer.exit == ExitCode.usage.rawValue)
    #expect(answer.error.contains("`\(name)` is not built yet"))
}

@Test func faultsAreJSONWhereResultsAre() {
    let answer = said("run", "--json")
    #expect(answer.exit == 2 && answer.error == "")
    #expect(
        answer.out
            == #"{"error":{"code":"usage","what":"FILE is missing","place":"","next":"see weir run --help"}}"# + "\n")
}

@Test(arguments: [
    ("127.0.0.1:8080", HostPort(host: "127.0.0.1", port: 8080)), ("[::1]:80", HostPort(host: "::1", port: 80)),
    ("weir:0", HostPort(host: "weir", port: 0)), ("::1:80", nil), (":80", nil), ("a", nil), ("a:70000", nil), ("a:x", nil),
    ("http://a:1", nil),
])
func anAddressIsHostAndPort(text: String, expected: HostPort?) {
    #expect(HostPort(text) == expected)
    #expect(HostPort(url: "http://\(text)/") == (text.hasPrefix("http") ? nil : expected))
}
