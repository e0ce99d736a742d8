import Model
import Synchronization
import Testing
import Testkit

private let why: Comment = .init(rawValue: KafkaCluster.reason)

/// What must hold whatever dies, against a real broker. The short form is part of every test run; the tables run where
/// `WEIR_CHAOS` is set (`make chaos`).
@Suite(.serialized)
struct ScenarioTests {
    @Test(.enabled(if: KafkaCluster.canStart, why), arguments: Scenarios.short)
    func rowsAndBooksAreExactAfterAFewKills(scenario: Scenario) throws {
        let cluster = try KafkaCluster.shared()
        let figures = Run.run(scenario, on: cluster)
        Chaos.note(figures)
        #expect(figures.problems.prefix(10) == [], "seed \(figures.seed)")
        #expect(figures.kills > 0)
    }

    @Test(.enabled(if: Chaos.isOn), arguments: Scenarios.chosen(Scenarios.long))
    func rowsAndBooksAreExact(scenario: Scenario) { Chaos.expectExact(scenario) }

    @Test(.enabled(if: Chaos.isOn), arguments: Scenarios.chosen(CrashMatrix.rows))
    func aDeathAtAnyPointChangesNothing(scenario: Scenario) { Chaos.expectExact(scenario) }

    @Test(.enabled(if: Chaos.isOn), arguments: Scenarios.chosen(MutantTable.scenarios))
    func whatMustCatchMutantsIsExactWithoutThem(scenario: Scenario) { Chaos.expectExact(scenario) }

    @Test(.enabled(if: Chaos.isOn), arguments: Mutant.allCases.filter(Chaos.isChosen))
    func everyMutantIsCaught(mutant: Mutant) {
        guard let row = MutantTable.rows.first(where: { $0.mutant == mutant }) else {
            #expect(MutantTable.elsewhere[mutant] != nil, "nothing is said to catch \(mutant.rawValue)")
            return
        }
        var scenario = row.scenario
        scenario.variables["WEIR_MUTANT"] = mutant.rawValue
        var figures = Chaos.run(scenario, as: "mutant \(mutant.rawValue)")
        figures.name = mutant.rawValue
        // A broker that was slow to answer a start is no mistake seen.
        figures.problems.removeAll { $0.contains("ended with \(ExitCode.broker.rawValue):") || $0.contains("test_broker") }
        Chaos.note(figures, isMutant: true)
        #expect(figures.problems.count > 0, "\(mutant.rawValue) passed \(scenario.name), seed \(figures.seed)")
    }

    @Test func everyPointAndEveryMutantHasItsPlace() {
        let hit = CrashMatrix.rows.flatMap { $0.orders.values.flatMap { $0 } }.compactMap { $0.variables["WEIR_CRASH_AT"] }
        for point in FaultPoint.allCases {
            #expect(hit.contains { $0 == point.rawValue || $0.hasPrefix("\(point.rawValue):") }, "\(point.rawValue) is never hit")
        }
        for mutant in Mutant.allCases {
            let places = MutantTable.rows.count { $0.mutant == mutant } + (MutantTable.elsewhere[mutant] == nil ? 0 : 1)
            #expect(places == 1, "\(mutant.rawValue)")
        }
        let names = (Scenarios.short + Scenarios.long + CrashMatrix.rows + MutantTable.scenarios).map(\.name)
        #expect(Set(names).count == names.count)
        #expect(Scenarios.long.count >= 20)
        #expect(Scenarios.long.allSatisfy { (60...90).contains($0.seconds) })
    }
}

/// The long form's cluster and table.
enum Chaos {
    static let isOn = variable("WEIR_CHAOS") != nil
    private static let made = Mutex<(cluster: KafkaCluster, uses: Int)?>(nil)
    /// After so many scenarios their topics make a broker's start slow.
    private static let uses = 12
    private static let attempts = 3

    /// Three brokers for a dozen scenarios, then three new ones. Timed-out transactions are ended soon after their time.
    static func cluster() throws -> KafkaCluster {
        try made.withLock { made in
            if let known = made, known.uses < uses {
                made?.uses += 1
                return known.cluster
            }
            made?.cluster.stop()
            made = nil
            var failed: (any Error)?
            for _ in 0..<attempts {
                do {
                    let cluster = try KafkaCluster.exclusive(
                        brokers: 3, settings: settings, heap: "384m")
                    made = (cluster, 1)
                    return cluster
                } catch {
                    // Such as a port that somebody else has taken meanwhile.
                    failed = error
                }
            }
            throw failed ?? CancellationError()
        }
    }

    private static let settings = ["transaction.abort.timed.out.transaction.cleanup.interval.ms=1000"]

    /// Runs a scenario with a line in the table whatever comes.
    static func run(_ scenario: Scenario, as name: String? = nil) -> Figures {
        begin(name ?? scenario.name)
        do {
            guard scenario.faults.contains(where: \.losesAnswers) else { return Run.run(scenario, on: try cluster()) }
            let cluster = try KafkaCluster.relayed(settings: settings, heap: "384m")
            defer { cluster.stop() }
            var figures = Run.run(scenario, on: cluster)
            if cluster.relay?.lostBytes == 0 { figures.problems.append("no answer was lost") }
            return figures
        } catch {
            var figures = Figures()
            figures.name = scenario.name
            figures.problems = ["\(error)"]
            return figures
        }
    }

    static func isChosen(_ mutant: Mutant) -> Bool {
        isLeft("mutant \(mutant.rawValue)") && isWanted(mutant.rawValue)
    }

    /// Whether the name holds one of the texts that WEIR_CHAOS_ONLY lists, with commas between them; `=` before one: is it.
    static func isWanted(_ name: String) -> Bool {
        guard let list = variable("WEIR_CHAOS_ONLY") else { return true }
        return list.split(separator: ",").contains { $0.first == "=" ? name == $0.dropFirst() : name.contains($0) }
    }

    /// Not in the table yet: after a death of the tests themselves, what is left runs in another process.
    static func isLeft(_ name: String) -> Bool { !over.contains(name) }

    private static let over: Set<String> = {
        guard let path = variable("WEIR_CHAOS_TABLE"), variable("WEIR_CHAOS_GOES_ON") != nil else { return [] }
        let lines = String(decoding: Disk.read(path), as: UTF8.self).split(separator: "\n")
        return Set(lines.map { $0.split(separator: " ") }.map { $0.prefix($0.first == "mutant" ? 2 : 1).joined(separator: " ") })
    }()

    /// Beside the table stands what runs, for whoever finds that it did not end.
    static func begin(_ name: String) {
        guard let path = variable("WEIR_CHAOS_TABLE") else { return }
        try? Disk.write("\(path).begun", "\(name)\n")
    }

    static func expectExact(_ scenario: Scenario) {
        let figures = run(scenario)
        note(figures)
        #expect(figures.problems.count == 0, "seed \(figures.seed): \(figures.problems.prefix(10).joined(separator: "\n"))")
    }

    /// Into the table that `make chaos` shows in the end.
    static func note(_ figures: Figures, isMutant: Bool = false) {
        guard let path = variable("WEIR_CHAOS_TABLE") else { return }
        let first = figures.problems.first.map { String($0.prefix(150)).split(separator: "\n").first ?? "" } ?? ""
        Disk.append(path, isMutant ? "mutant \(figures)  \(figures.problems.count) problems: \(first)\n" : "\(figures)\n")
        for problem in figures.problems.prefix(10) where !isMutant {
            Disk.append("\(path).problems", "\(figures.name): \(problem)\n")
        }
    }
}
