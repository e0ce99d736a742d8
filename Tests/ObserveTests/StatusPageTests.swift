import Testing

@testable import Observe

@Suite struct StatusPageTests {
    private let page = String(decoding: StatusPage.bytes, as: UTF8.self)

    @Test func thePageIsWholeAndLoadsNothingFromElsewhere() {
        #expect(page.hasPrefix("<!doctype html>\n") && page.hasSuffix("</html>\n"))
        let addresses = page.matches(of: /https?:\/\/[^"' )]+/).map { String($0.output) }
        #expect(addresses == ["http://www.w3.org/2000/svg"], "a name space, not an address that is loaded")
        for loader in ["<img", "<iframe", "src=", "@import", "url(", "<link rel=\"stylesheet"] { #expect(!page.contains(loader)) }
    }

    @Test func textsNeverBecomeMarkup() {
        for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "onclick="] {
            #expect(!page.contains(sink))
        }
    }

    @Test func everyElementThatTheScriptAsksForExists() {
        let asked = Set(page.matches(of: /(?:byID|table|line)\("([a-z-]+)"/).map { String($0.output.1) })
        let present = page.matches(of: /\bid="([a-z-]+)"/).map { String($0.output.1) }
        #expect(asked.isSubset(of: Set(present)) && asked.count > 15)
        #expect(Set(present).count == present.count)
    }

    @Test func everyMemberThatTheScriptReadsIsInTheStatus() throws {
        let json = String(decoding: StatusJSON.render(busyFacts(), at: noon), as: UTF8.self)
        let read = Set(StatusPage.script.matches(of: /\.([a-z]+(?:_[a-z0-9]+)+)\b/).map { String($0.output.1) })
        let missing = read.filter { !json.contains("\"\($0)\":") }
        #expect(missing.isEmpty && read.count > 25)
    }
}
