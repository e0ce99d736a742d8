import Model
import Testing

/// docs/chaos.md names what exists.
struct PageTests {
    @Test func thePageNamesEveryPointAndEveryMistake() {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let page = String(decoding: Disk.read("\(root)/docs/chaos.md"), as: UTF8.self)
        for point in FaultPoint.allCases { #expect(page.contains("`\(point.rawValue)`")) }
        for mutant in Mutant.allCases {
            let catcher = MutantTable.rows.first { $0.mutant == mutant }?.scenario.name ?? MutantTable.elsewhere[mutant] ?? "none"
            let line = page.split(separator: "\n").first { $0.hasPrefix("| `\(mutant.rawValue)` |") }
            #expect(line?.hasSuffix("| `\(catcher)` |") == true, "\(mutant.rawValue): \(line ?? "not there")")
        }
    }
}
