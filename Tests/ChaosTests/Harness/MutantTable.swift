import Model

/// Which scenario catches which deliberate mistake. Each scenario also runs without it, and must then be exact.
enum MutantTable {
    static let rows: [(mutant: Mutant, scenario: Scenario)] = [
        (.stateBeforeKafka, dying(.duringCommit)),
        (.metadataAtCommit, zombie),
        (.restoreToStableOffset, held),
        (.offsetsOutsideTransaction, zombie),
        (.commitAfterRevoke, guests),
        (.partialLost, losing),
        (.rowsOutsideTransaction, dying(.afterFlush)),
        (.memoryKeptAfterDoubt, zombie),
        (.resumeBeforeRestore, losing),
        (.staleCopyTrusted, away),
        (.tombstonesLeftOut, losing),
        (.revisionForgotten, losing),
        (.partialsAdded, dying(.afterFlush)),
        (.endsIgnored, guests),
        (.owedForgotten, owing),
        (.offsetBeforeWork, dying(.afterFlush)),
    ]

    /// Caught by tests that need no broker: neither a changelog that ends before a copy's position nor a log of time too long to be read
    /// from its beginning is made by killing processes for a minute.
    static let elsewhere: [Mutant: String] = [
        .statePastEndKept: "StateTests.RestoreVerdictTests", .hastyReplica: "PipelineTests.TimeLogTests",
    ]

    static var scenarios: [Scenario] {
        var names: Set<String> = []
        return rows.map(\.scenario).filter { names.insert($0.name).inserted }
    }

    /// The three instances die at this point one after the other, several times.
    private static func dying(_ point: FaultPoint) -> Scenario {
        let orders = (1...6).map { start in
            Scenario.Order(variables: ["WEIR_CRASH_AT": "\(point.rawValue):\(3 + start)"], start: start)
        }
        return Scenario(
            name: "mutant-dying-\(point.rawValue)", seconds: 20, orders: [0: orders, 1: orders, 2: orders], needsDebug: true)
    }

    /// A member stops within a commit for longer than its session, and takes its time to finish the commit when it goes on.
    private static let zombie = Scenario(
        name: "mutant-zombie", seconds: 40,
        orders: [
            0: [
                Scenario.Order(
                    variables: ["WEIR_STOP_AT": "after_begin:8", "WEIR_DELAY_AT": "after_flush:8:3000"],
                    resumesAfter: 15_000...16_000)
            ]
        ], needsDebug: true)

    private static let losing = Scenario(
        name: "mutant-directories-lost", seconds: 30, faults: [.lose(every: 2_000...4_000, down: 0...500)], needsDebug: true)

    private static let held = Scenario(
        name: "mutant-changelog-held", seconds: 30,
        faults: [.holdChangelog(every: 2_000...3_000, length: 5_000...6_000), .lose(every: 3_000...4_000, down: 0...300)],
        needsDebug: true)

    private static let guests = Scenario(
        name: "mutant-guests", seconds: 30, faults: [.guest(every: 1_500...3_000, stay: 2_000...5_000, isKilled: false)],
        needsDebug: true)

    private static let away = Scenario(
        name: "mutant-away", seconds: 45, faults: [.kill(every: 5_000...7_000, down: 14_000...16_000)], needsDebug: true)

    private static let owing = Scenario(
        name: "mutant-owing", seconds: 25, job: Job(delivery: .atLeastOnce),
        faults: [.kill(every: 700...1_500, down: 0...300)], needsDebug: true)
}
