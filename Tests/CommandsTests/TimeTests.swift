import Testing
import Testkit

/// The examples of these pages are test files: each says what it shows, and all of them hold.
@Test(arguments: [("time", 5), ("dedup", 3)]) func theExamplesOfThePageHold(page: String, examples: Int) throws {
    let names = try files(under: "docs/\(page)").filter { $0.hasSuffix(".test.yaml") }
    #expect(names.count >= examples)
    let text = read("\(packageFolder)/docs/\(page).md")
    for name in names {
        let file = name.split(separator: "/").last.map(String.init) ?? ""
        #expect(text.contains("[\(page)/\(file)](\(page)/\(file))"), "\(file)")
    }
    let said = said(["test"] + names.map { "\(packageFolder)/\($0)" })
    #expect(said.exit == 0, "\(said.out)")
}
