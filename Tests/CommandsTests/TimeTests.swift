import Testing
import Testkit

/// The examples of `docs/time.md` are test files: each says what it shows, and all of them hold.
@Test func theExamplesOfThePageOnTimeHold() throws {
    let names = try files(under: "docs/time").filter { $0.hasSuffix(".test.yaml") }
    #expect(names.count >= 5)
    let page = read("\(packageFolder)/docs/time.md")
    for name in names {
        let file = name.split(separator: "/").last.map(String.init) ?? ""
        #expect(page.contains("[time/\(file)](time/\(file))"), "\(file)")
    }
    let said = said(["test"] + names.map { "\(packageFolder)/\($0)" })
    #expect(said.exit == 0, "\(said.out)")
}
