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
    /// The last column of its tables of faults.
    @Test func whatThePageSaysToShowSomethingExists() throws {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let page = String(decoding: Disk.read("\(root)/docs/chaos.md"), as: UTF8.self)
        let part = try #require(page.split(separator: "## What a start may find").last)
        let tests = Disk.files("\(root)/Tests").filter { $0.hasSuffix(".swift") }.map {
            String(decoding: Disk.read($0), as: UTF8.self)
        }
        let known =
            Set((Scenarios.long + MutantTable.scenarios).map(\.name)).union(Mutant.allCases.map(\.rawValue))
        var seen = 0
        for line in part.split(separator: "\n") where line.hasPrefix("| ") && !line.hasSuffix("| shown by |") {
            let places = line.split(separator: "|").last?.split(separator: "`", omittingEmptySubsequences: false) ?? []
            for (index, place) in places.enumerated() where index % 2 == 1 && !known.contains(String(place)) {
                let name = place.split(separator: ".").last ?? ""
                #expect(tests.contains { $0.contains("func \(name)(") || $0.contains("struct \(name) ") }, "\(place)")
                seen += 1
            }
        }
        #expect(seen > 15)
    }
}
