import Model

/// Which scenario catches which deliberate mistake. Each scenario also runs without it, and must then be exact.
enum MutantTable {
    static let rows: [(mutant: Mutant, scenario: Scenario)] = [
        (.stateBeforeKafka, dying(.duringCommit)),
        (.metadataAtCommit, zombie),
        (.restoreToStableOffset, held),
        (.offsetsOutsideTransaction, zombie),
        (.commitAfterRevoke, handedOver),
        (.partialLost, losing),
        (.rowsOutsideTransaction, dying(.afterFlush)),
        (.memoryKeptAfterDoubt, fenced),
        (.resumeBeforeRestore, losing),
        (.staleCopyTrusted, away),
        (.tombstonesLeftOut, losing),
        (.revisionForgotten, losing),
        (.partialsAdded, dying(.afterFlush)),
        (.owedForgotten, owing),
        (.offsetBeforeWork, dying(.afterFlush)),
    ]

    /// Caught by tests that need no broker: a changelog that ends before a copy's position, a log of time too long to be read from its
    /// beginning and a merge that is far behind are not made by killing processes for a minute.
    static let elsewhere: [Mutant: String] = [
        .statePastEndKept: "StateTests.RestoreVerdictTests", .hastyReplica: "PipelineTests.TimeLogTests",
        .endsIgnored: "PipelineTests.MergeLaneTests",
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
            name: "mutant-dying-\(point.rawValue)", seconds: 20, orders: [0: orders, 1: orders, 2: orders],
            needsDebug: true)
    }

    /// A member stops within a commit for long enough that the others work in its place, and takes its time to finish the commit
    /// when it goes on.
    private static let zombie = Scenario(
        name: "mutant-zombie", seconds: 40, job: Job(isKeyed: true, emission: .early),
        orders: [
            0: [
                Scenario.Order(
                    variables: ["WEIR_STOP_AT": "after_begin:5", "WEIR_DELAY_AT": "after_flush:5:3000"],
                    resumesAfter: 20_000...21_000)
            ]
        ], needsDebug: true)

    private static let losing = Scenario(
        name: "mutant-directories-lost", seconds: 30, faults: [.lose(every: 2_000...4_000, down: 0...500)], needsDebug: true)

    private static let held = Scenario(
        name: "mutant-changelog-held", seconds: 30,
        faults: [.holdChangelog(every: 2_000...3_000, length: 5_000...6_000), .lose(every: 3_000...4_000, down: 0...300)],
        needsDebug: true)

    /// Commits begin late, so that what comes after a hand-over comes after the next owner's restore.
    private static let handedOver = Scenario(
        name: "mutant-handed-over", seconds: 30, job: Job(isKeyed: true, emission: .early),
        faults: [.guest(every: 1_500...3_000, stay: 4_000...6_000, isKilled: false)],
        variables: ["WEIR_DELAY_AT": "before_begin:1:700"], needsDebug: true)

    /// Commits fail, and the partitions stay.
    private static let fenced = Scenario(
        name: "mutant-fenced", seconds: 25, job: Job(isKeyed: true, emission: .early), faults: [.fence(every: 1_000...3_000)],
        needsDebug: true)

    /// What is owed is known from the changelog alone.
    private static let owing = Scenario(
        name: "mutant-owing", seconds: 20, job: Job(delivery: .atLeastOnce),
        orders: Dictionary(
            uniqueKeysWithValues: (0..<3).map { instance in
                let orders = (1...6).map {
                    Scenario.Order(variables: ["WEIR_CRASH_AT": "during_owed_rows:2"], start: $0, losesState: true)
                }
                return (instance, orders)
            }), needsDebug: true)

    private static let away = Scenario(
        name: "mutant-away", seconds: 50, faults: [.kill(every: 9_000...11_000, down: 14_000...16_000)], needsDebug: true)
}
