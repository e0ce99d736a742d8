import Model
import Testing
import Testkit

/// The smallest case found that still fails, and what it says.
private func shrunk(_ shape: GroupCase, _ mutant: Mutant?) -> String {
    var least = shape
    var said = GroupSimulation(least, mutant: mutant).run()
    var isSmaller = true
    while isSmaller {
        isSmaller = false
        for next in least.smaller {
            let failures = GroupSimulation(next, mutant: mutant).run()
            if !failures.isEmpty {
                (least, said, isSmaller) = (next, failures, true)
                break
            }
        }
    }
    return "\(least)\n\(said.prefix(5).joined(separator: "\n"))"
}

struct GroupSimulationTests {
    private static let seeds = FuzzSeeds.of(Array(0..<200))

    /// S1, S6, S12, S14–S17, S25: whatever is cut, crashes, is handed over or falls silent, the rows and books are those of the
    /// contract, no revision comes twice, and nothing final is touched.
    @Test(arguments: 0..<4) func aGroupGivesWhatTheContractSays(_ part: Int) {
        for seed in Self.seeds where Int(seed % 4) == part {
            let shape = GroupCase(seed: seed)
            if !GroupSimulation(shape).run().isEmpty { Issue.record("\(shrunk(shape, nil))") }
        }
    }

    @Test(arguments: Mutant.seenSoon) func aWrongBuildIsSeen(_ mutant: Mutant) {
        let found = (0..<400).first { !GroupSimulation(GroupCase(seed: $0), mutant: mutant).run().isEmpty }
        #expect(found != nil, "\(mutant) is not seen")
    }

    @Test func theCasesReachWhatTheyAreFor() {
        var turns = 0
        var commits = 0
        for seed in UInt64(0)..<40 {
            let group = GroupSimulation(GroupCase(seed: seed))
            _ = group.run()
            turns += group.turns
            commits += group.commits
        }
        #expect(turns > 10 && commits > 800)
    }
}
