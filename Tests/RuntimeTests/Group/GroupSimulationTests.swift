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

    /// S10, S11, S14, S16: sessions that several partitions share or one has for itself, windows that grow, and roll-ups.
    @Test(arguments: 0..<4) func aGroupJoinsSessionsAndRollsUpAsTheContractSays(_ part: Int) {
        for seed in Self.seeds where Int(seed % 4) == part {
            let shape = GroupCase(seed: seed, withEveryWindow: true)
            if !GroupSimulation(shape).run().isEmpty { Issue.record("\(shrunk(shape, nil))") }
        }
    }

    /// S17, S20: the same where lanes keep nothing in memory that is committed, through crashes and hand-overs.
    @Test(arguments: 0..<4) func aGroupThatKeepsNothingInMemoryGivesWhatTheContractSays(_ part: Int) {
        var reads: Int64 = 0
        for seed in Self.seeds where Int(seed % 4) == part {
            var shape = GroupCase(seed: seed, withEveryWindow: true)
            shape.spills = true
            shape.isRekeyed = seed % 5 == 0
            let group = GroupSimulation(shape)
            if !group.run().isEmpty { Issue.record("\(shrunk(shape, nil))") }
            reads += group.coldReads
        }
        #expect(reads > 1_000, "\(reads)")
    }

    /// S9: copies are judged by the orders that each partition heeded, whoever had it then and however late they heard of them.
    @Test(arguments: 0..<4) func aGroupHeedsOrdersAtTheirPlaces(_ part: Int) {
        for seed in Self.seeds where Int(seed % 4) == part {
            var shape = GroupCase(seed: seed)
            shape.orders = true
            if !GroupSimulation(shape).run().isEmpty { Issue.record("\(shrunk(shape, nil))") }
        }
    }

    /// S13: what was late is counted once, whoever had the partition then, and its windows are what they would be had it come in time.
    @Test(arguments: 0..<4) func aGroupCountsWhatWasLateOnce(_ part: Int) {
        for seed in Self.seeds where Int(seed % 4) == part {
            for shape in [GroupCase(lateOf: seed), GroupCase(lateOf: seed, withEveryWindow: true)] {
                if !GroupSimulation(shape).run().isEmpty { Issue.record("\(shrunk(shape, nil))") }
            }
        }
    }

    /// The same where copies in any partition are recognised: the ledger of a re-keyed partition names records of all inputs.
    @Test func aGroupThatReKeysCountsWhatWasLateOnce() {
        var marked = 0
        for seed in Self.seeds where seed % 2 == 0 {
            var shape = GroupCase(lateOf: seed, withEveryWindow: seed % 4 == 0)
            shape.isRekeyed = true
            let group = GroupSimulation(shape)
            if !group.run().isEmpty { Issue.record("\(shrunk(shape, nil))") }
            for (unit, marks) in group.marked where group.layout.isRekeyed(unit) { marked += marks.count }
        }
        #expect(marked > 200)
    }

    @Test func theLateEventsOfTheCasesAreAppliedAgain() {
        var marked = 0
        var sessions = 0
        for seed in UInt64(0)..<40 {
            let group = GroupSimulation(GroupCase(lateOf: seed, withEveryWindow: true))
            _ = group.run()
            marked += group.marked.values.reduce(0) { $0 + $1.count }
            for (unit, entries) in group.ledger {
                sessions += entries.enumerated().count {
                    group.plan.aggregates[$1.output].window.isSession && group.marked[unit]?.contains($0) == true
                }
            }
        }
        #expect(marked > 200 && sessions > 40, "\(marked), of sessions \(sessions)")
    }

    /// S7: copies in any partition are recognised, in the order of the re-keyed partition's log.
    @Test(arguments: 0..<4) func aGroupThatReKeysGivesWhatTheContractSays(_ part: Int) {
        for seed in Self.seeds where Int(seed % 4) == part {
            var shape = GroupCase(seed: seed, withEveryWindow: seed % 2 == 0)
            shape.isRekeyed = true
            shape.orders = seed % 3 == 0
            if !GroupSimulation(shape).run().isEmpty { Issue.record("\(shrunk(shape, nil))") }
        }
    }

    @Test func theOrdersOfTheCasesAreHeededAndHandedOver() {
        var heeds = 0
        var observed: Int64 = 0
        for seed in UInt64(0)..<40 {
            var shape = GroupCase(seed: seed)
            shape.orders = true
            let group = GroupSimulation(shape)
            _ = group.run()
            heeds += group.heeds.values.reduce(0) { $0 + $1.count }
            observed += group.units.values.reduce(0) { $0 + $1.books.duplicateObserved }
        }
        #expect(heeds > 200 && observed > 500)
    }

    /// The first seed that shows each.
    private static let shownBy: [Mutant: UInt64] = [
        .endsLeftOut: 10, .holdsLeftOut: 6, .watermarksAheadOfPartials: 1, .turnsWithoutTheLog: 129, .requestsLeftUnsaid: 0,
        .turnsOfAnyRequest: 129, .turnsBeforeTheAnswer: 120, .floorsOfToday: 828, .turnsWithoutAFloor: 23, .idleLanesTake: 15,
        .idleLanesShipNothing: 6, .idlenessForgotten: 261, .turnsNotGivenBack: 52, .newcomerTrustsItself: 6,
        .snapshotsWithoutTurns: 12, .mergeForgetsWhatItClosed: 20, .partialsFromTheirEnd: 5, .partialsReadUncommitted: 883,
        .ordersForgotten: 1, .closedWindowsLeftBehind: 7, .handedOnEndsLeftOut: 62, .rekeyedLanesNotWaitedFor: 173,
        .inputTimesForgotten: 17, .endForeseenTooEarly: 1,
    ]

    @Test(arguments: Mutant.allCases) func aWrongBuildIsSeen(_ mutant: Mutant) throws {
        let seed = try #require(Self.shownBy[mutant])
        var shape = mutant == .closedWindowsLeftBehind ? GroupCase(lateOf: seed) : GroupCase(seed: seed)
        shape.orders = mutant == .ordersForgotten
        shape.isRekeyed = mutant.isOfReKeying
        #expect(GroupSimulation(shape).run().isEmpty)
        #expect(!GroupSimulation(shape, mutant: mutant).run().isEmpty, "\(mutant) is not seen")
    }

    @Test func theCasesThatReKeyReachWhatTheyAreFor() {
        var books = Books(outputs: 0)
        var turns = 0
        for seed in UInt64(0)..<40 {
            var shape = GroupCase(seed: seed)
            shape.isRekeyed = true
            let group = GroupSimulation(shape)
            _ = group.run()
            turns += group.turns
            for (unit, stored) in group.units where group.layout.isRekeyed(unit) { books = books + stored.books }
        }
        #expect(books.aggregated > 2_000 && books.duplicate > 150 && books.late > 80 && books.unidentified > 200 && turns > 10)
    }

    @Test func theCasesReachWhatTheyAreFor() {
        var turns = 0
        var commits = 0
        var foreseen = 0
        for seed in UInt64(0)..<40 {
            let group = GroupSimulation(GroupCase(seed: seed))
            _ = group.run()
            turns += group.turns
            commits += group.commits
            foreseen += group.foreseen
        }
        #expect(turns > 10 && commits > 800 && foreseen > 10, "\(turns), \(commits), \(foreseen)")
    }
}
