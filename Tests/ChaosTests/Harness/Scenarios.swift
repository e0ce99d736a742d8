import Glibc
import Model

/// The table of scenarios.
enum Scenarios {
    /// WEIR_CHAOS_ONLY: a part of the names; WEIR_CHAOS_SECONDS: another length.
    static func chosen(_ all: [Scenario]) -> [Scenario] {
        let part = variable("WEIR_CHAOS_ONLY")
        return all.filter { part.map($0.name.contains) ?? true }.map { scenario in
            var scenario = scenario
            if let seconds = variable("WEIR_CHAOS_SECONDS").flatMap({ Int($0) }) { scenario.seconds = seconds }
            return scenario
        }
    }

    /// Part of every test run.
    static let short = [
        Scenario(
            name: "embedded-killed", seconds: 8, job: Job(delivery: .embedded, partitions: 4), instances: 1,
            faults: [.kill(every: 700...1_500, down: 0...200)], needsDebug: true)
    ]

    static let long = [
        Scenario(
            name: "embedded-killed-long", job: Job(delivery: .embedded, partitions: 4), instances: 1,
            faults: [.kill(every: 300...2_500, down: 0...300)])
    ]
}

func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

extension Scenario {
    /// WEIR_CHAOS_SEED: one seed for all, to repeat what was printed.
    static let givenSeed = variable("WEIR_CHAOS_SEED").flatMap { UInt64($0) }
}
