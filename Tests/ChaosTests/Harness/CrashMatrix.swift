import Model

/// The crash matrix: every fault point hit on purpose, on the first of three instances, while the others work on.
enum CrashMatrix {
    static let rows: [Scenario] =
        commit.map { row($0.point, $0.at, after: $0.after) }
        + [
            row(.duringOwedRows, 3, job: Job(delivery: .atLeastOnce)),
            row(.duringOwedRows, 2, job: Job(delivery: .atLeastOnce), name: "again"),
            // A commit that fails, since the broker refuses what a stopped member has sent.
            Scenario(
                name: "crash-during_abort", seconds: 30,
                orders: [
                    0: [
                        Scenario.Order(
                            variables: ["WEIR_STOP_AT": "after_flush:8", "WEIR_CRASH_AT": "during_abort"],
                            resumesAfter: 14_000...15_000, mustDie: true)
                    ]
                ], needsDebug: true),
            row(.beforeInitTransactions, 1), row(.duringTopicCreation, 1), row(.beforeAssignResume, 1),
            restore(.duringRestore, times: 1), restore(.duringRestore, times: 3), restore(.insideRestoreTransaction, times: 1),
            restore(.insideRestoreTransaction, times: 2), restore(.beforeAssignResume, times: 1),
            restore(.beforeInitTransactions, times: 2),
            row(.duringRevoke, 1, guests: true), row(.beforeRevokeAnswer, 1, guests: true),
        ]

    /// Points that every commit passes. `after`: milliseconds between the point and the death, for what happens at the broker.
    private static let commit: [(point: FaultPoint, at: Int, after: Int?)] = [
        (.beforeBegin, 6, nil), (.afterBegin, 6, nil), (.midChangelog, 6, nil), (.afterRecords, 6, nil),
        (.afterFlush, 6, nil), (.afterOffsets, 6, nil), (.duringCommit, 6, nil), (.duringCommit, 6, 1),
        (.duringCommit, 7, 3), (.duringCommit, 8, 6), (.duringCommit, 9, 12), (.duringCommit, 10, 25),
        (.afterCommitBeforeState, 6, nil), (.insideStateTransaction, 6, nil), (.afterState, 6, nil),
    ]

    private static func row(
        _ point: FaultPoint, _ at: Int, after: Int? = nil, job: Job = Job(), guests: Bool = false, name: String? = nil
    ) -> Scenario {
        let title = "crash-\(point.rawValue)" + (after.map { "-\($0)ms" } ?? "") + (name.map { "-\($0)" } ?? "")
        return Scenario(
            name: title, seconds: guests ? 20 : 14, job: job,
            faults: guests ? [.guest(every: 3_000...4_000, stay: 4_000...6_000, isKilled: false)] : [],
            orders: [0: [order(point, at, after: after)]], needsDebug: true,
            // What the brokers had of it must be there, and must not be seen.
            mustAbort: [.afterFlush, .afterOffsets].contains(point))
    }

    /// The instance works, dies, has lost its directory, and dies `times` in a row while it restores.
    private static func restore(_ point: FaultPoint, times: Int) -> Scenario {
        let deaths = (0..<times).map { order(point, 1, start: 2 + $0, losesState: $0 == 0) }
        return Scenario(
            name: "crash-restore-\(point.rawValue)-\(times)", seconds: 16 + 3 * times,
            orders: [0: [order(.afterState, 8)] + deaths], needsDebug: true)
    }

    private static func order(
        _ point: FaultPoint, _ at: Int, after: Int? = nil, start: Int = 1, losesState: Bool = false
    ) -> Scenario.Order {
        Scenario.Order(
            variables: ["WEIR_CRASH_AT": "\(point.rawValue):\(at)" + (after.map { ":\($0)" } ?? "")], start: start,
            losesState: losesState, mustDie: true)
    }
}
