import Model
import Synchronization
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// What must hold whatever dies, against a real broker. The short form is part of every test run; the table runs where
/// `WEIR_CHAOS` is set (`make chaos`).
@Suite(.serialized)
struct ScenarioTests {
    @Test(.enabled(if: KafkaCluster.canStart, why), arguments: Scenarios.short)
    func rowsAndBooksAreExactAfterAFewKills(scenario: Scenario) throws {
        let cluster = try KafkaCluster.shared()
        let figures = Run.run(scenario, on: cluster)
        #expect(figures.problems == [], "seed \(figures.seed)")
        #expect(figures.kills > 0)
    }

    @Test(.enabled(if: Chaos.isOn), arguments: Scenarios.chosen(Scenarios.long))
    func rowsAndBooksAreExact(scenario: Scenario) throws {
        let figures = Run.run(scenario, on: try Chaos.cluster())
        Chaos.note(figures)
        #expect(figures.problems == [], "seed \(figures.seed)")
    }
}

/// The long form's cluster and table.
enum Chaos {
    static let isOn = variable("WEIR_CHAOS") != nil
    private static let made = Mutex<KafkaCluster?>(nil)

    /// Three brokers for all scenarios. Timed-out transactions are ended soon after their time.
    static func cluster() throws -> KafkaCluster {
        try made.withLock { made in
            if let made { return made }
            let cluster = try KafkaCluster.exclusive(
                brokers: 3, settings: ["transaction.abort.timed.out.transaction.cleanup.interval.ms=1000"], heap: "384m")
            made = cluster
            return cluster
        }
    }

    /// Into the table that `make chaos` shows in the end.
    static func note(_ figures: Figures) {
        guard let path = variable("WEIR_CHAOS_TABLE") else { return }
        Disk.append(path, "\(figures)\n")
    }
}
