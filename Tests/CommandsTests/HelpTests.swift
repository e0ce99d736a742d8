import CRdKafka
import Model
import Testing

@testable import Commands

@Test(arguments: Verbs.all.map(\.name))
func everyCommandsHelpIsAsAgreed(name: String) {
    let help = said(name, "--help")
    #expect(help.exit == 0)
    // `weir help` is the page itself.
    expectGolden(help.out, "help-\(name).txt")
    #expect(said("help", name).out == help.out)
    #expect(help.out.split(separator: "\n").filter { $0.count > CommandsLimits.columns } == [])
}

@Test func helpIsJSONWhereItIsAskedFor() throws {
    let page = said("help", "--json")
    #expect(said("--help", "--json") == page && page.exit == 0)
    for verb in Verbs.all {
        let help = said(verb.name, "--help", "--json")
        #expect(said("help", verb.name, "--json") == help)
        let usage = verb.usage.isEmpty ? "" : " \(verb.usage)"
        let lead = #""name":"\#(verb.name)","summary":"\#(verb.summary)","usage":"weir \#(verb.name)\#(usage)""#
        #expect(page.out.contains("{\(lead)}"))
        #expect(help.exit == 0 && help.out.hasPrefix("{\(lead),\"options\":["))
        for option in verb.allOptions { #expect(help.out.contains(#"{"name":"--\#(option.name)","value":"#)) }
    }
    #expect(said("help", "nothing", "--json").exit == 2)
}

@Test func theFirstPageFitsAScreen() {
    let page = said("--help")
    expectGolden(page.out, "help.txt")
    let lines = page.out.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    #expect(lines.count <= CommandsLimits.helpLines)
    #expect(lines.filter { $0.count > CommandsLimits.columns } == [])
    #expect(said("-h") == page && said("help") == page)
    #expect(said() == Said(exit: ExitCode.usage.rawValue, out: page.out, error: ""))
}

@Test func everyOptionIsWrittenOnceAndEveryPlannedCommandIsNoCommandYet() {
    for verb in Verbs.all { #expect(Set(verb.allOptions.map(\.name)).count == verb.allOptions.count, "\(verb.name)") }
    #expect(Set(Verbs.planned.keys).isDisjoint(with: Verbs.all.map(\.name)))
}

@Test func theVersionIsTold() {
    let library = String(cString: rd_kafka_version_str())
    #expect(said("version") == Said(exit: 0, out: "weir \(Version.text) with librdkafka \(library)\n", error: ""))
    let json = "{\"version\":\"\(Version.text)\",\"librdkafka\":\"\(library)\"}\n"
    #expect(said("--version", "--json") == Said(exit: 0, out: json, error: ""))
}

@Test func theDocumentOfExitCodesNamesEachOne() {
    for code in [ExitCode.done, .answerIsNo, .usage, .topology, .broker, .state, .disk, .fenced, .choiceNeeded] {
        #expect(HelpText.exitCodes.contains(" \(code.rawValue) "), "\(code)")
    }
}
