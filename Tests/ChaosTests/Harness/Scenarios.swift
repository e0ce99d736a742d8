import Glibc
import Model

/// The tables of scenarios. Pauses are measured against a member's session (12 s) and a transaction's time (30 s).
enum Scenarios {
    /// WEIR_CHAOS_ONLY: parts of the names; WEIR_CHAOS_SECONDS: another length.
    static func chosen(_ all: [Scenario]) -> [Scenario] {
        all.filter { Chaos.isLeft($0.name) && Chaos.isWanted($0.name) }.map { scenario in
            var scenario = scenario
            if let seconds = variable("WEIR_CHAOS_SECONDS").flatMap({ Int($0) }) { scenario.seconds = seconds }
            return scenario
        }
    }

    /// Part of every test run.
    static let short = [
        Scenario(
            name: "short-killed", seconds: 8, job: Job(partitions: 4), instances: 2,
            faults: [.kill(every: 900...1_800, down: 0...200)], needsDebug: true)
    ]

    static let long = alone + killed + rekeyed + applied + stopped + brokers + moving + slowly + leastOnce

    private static let embedded = Job(delivery: .embedded, partitions: 4)
    private static let least = Job(delivery: .atLeastOnce)
    private static let kills = Scenario.Fault.kill(every: 400...2_500, down: 0...800)

    private static let alone = [
        Scenario(name: "embedded-killed", job: embedded, instances: 1, faults: [.kill(every: 300...2_500, down: 0...300)]),
        Scenario(
            name: "embedded-brokers-killed", job: embedded, instances: 1,
            faults: [
                .kill(every: 2_000...6_000, down: 0...300), .broker(.kill, every: 5_000...9_000, length: 1_000...4_000),
            ]),
    ]

    private static let killed = [
        Scenario(name: "killed", faults: [kills]),
        Scenario(name: "killed-keyed", job: Job(isKeyed: true), faults: [kills]),
        Scenario(name: "killed-early-rows", job: Job(emission: .early), faults: [kills]),
        Scenario(name: "killed-final-rows", job: Job(emission: .final, hasTable: true), faults: [kills]),
        Scenario(name: "killed-one-partition", job: Job(partitions: 1), instances: 2, faults: [kills]),
        Scenario(name: "killed-many-partitions", seconds: 75, job: Job(partitions: 16), instances: 4, faults: [kills]),
        Scenario(
            name: "killed-all-at-once", faults: [.killAll(every: 4_000...9_000, down: 0...1_500)], ending: .killedTogether, ),
        Scenario(
            name: "killed-and-away", seconds: 90, faults: [.kill(every: 8_000...11_000, down: 13_000...20_000)], ending: .alone),
        Scenario(
            name: "killed-at-the-end", seconds: 75, perSecond: 2_000, faults: [.kill(every: 300...1_500, down: 0...300)],
            feeding: .before),
        Scenario(
            name: "directories-lost", seconds: 75, faults: [.lose(every: 3_000...7_000, down: 0...1_000)],
            ending: .alonePlusEmpty),
        Scenario(
            name: "directories-lost-keyed", job: Job(isKeyed: true), faults: [.lose(every: 3_000...7_000, down: 0...1_000)]),
        Scenario(
            name: "changelog-held", seconds: 75,
            faults: [
                .holdChangelog(every: 4_000...8_000, length: 3_000...6_000), .lose(every: 3_000...6_000, down: 0...500),
            ]),
    ]

    private static let rekeyed = [
        Scenario(name: "rekeyed-killed", job: Job(isRekeyed: true), faults: [kills]),
        Scenario(
            name: "rekeyed-directories-lost", seconds: 75, job: Job(isRekeyed: true),
            faults: [.lose(every: 3_000...7_000, down: 0...1_000)], ending: .alonePlusEmpty),
        Scenario(
            name: "rekeyed-guests", seconds: 75, job: Job(isRekeyed: true),
            faults: [
                .guest(every: 3_000...6_000, stay: 1_000...8_000, isKilled: true), kills,
                .broker(.kill, every: 8_000...12_000, length: 500...4_000),
            ]),
        Scenario(name: "rekeyed-least-once", job: Job(delivery: .atLeastOnce, isRekeyed: true), faults: [kills]),
    ]

    private static let again = Scenario.Fault.applyLate(every: 300...1_500)
    private static let applied = [
        Scenario(
            name: "late-applied-embedded", job: Job(delivery: .embedded, partitions: 4, appliesLate: true), instances: 1,
            faults: [again, .kill(every: 600...3_000, down: 0...300)], mayEndWith: [.state]),
        Scenario(name: "late-applied-killed", job: Job(appliesLate: true), faults: [again, kills], mayEndWith: [.state]),
        Scenario(
            name: "late-applied-keyed", job: Job(isKeyed: true, appliesLate: true), faults: [again, kills], mayEndWith: [.state]),
        Scenario(
            name: "late-applied-guests", seconds: 75, job: Job(appliesLate: true),
            faults: [again, .guest(every: 3_000...6_000, stay: 1_000...8_000, isKilled: true), kills], mayEndWith: [.state]),
    ]

    private static let stopped = [
        Scenario(name: "paused", faults: [.pause(every: 1_500...4_000, length: 500...5_000), kills]),
        Scenario(
            name: "zombies", seconds: 90, faults: [.pause(every: 5_000...12_000, length: 13_000...20_000)]),
        Scenario(name: "fenced", seconds: 90, faults: [.pause(every: 8_000...15_000, length: 31_000...38_000)]),
        Scenario(name: "names-taken", faults: [.fence(every: 1_000...4_000)]),
    ]

    private static let brokers = [
        Scenario(name: "brokers-killed", seconds: 90, faults: [.broker(.kill, every: 4_000...9_000, length: 500...5_000)]),
        Scenario(name: "brokers-paused", seconds: 90, faults: [.broker(.pause, every: 4_000...9_000, length: 2_000...12_000)]),
        Scenario(name: "brokers-rolled", seconds: 75, faults: [.broker(.restart, every: 4_000...8_000, length: 0...0)]),
        Scenario(
            name: "brokers-gone", seconds: 75, faults: [.broker(.killAll, every: 8_000...15_000, length: 10_000...20_000)]),
        Scenario(
            name: "answers-lost", seconds: 90, faults: [.broker(.loseAnswers, every: 3_000...8_000, length: 500...15_000)]),
        Scenario(
            name: "answers-lost-and-killed", seconds: 75, instances: 2,
            faults: [kills, .broker(.loseAnswers, every: 4_000...8_000, length: 500...5_000)]),
        Scenario(
            name: "brokers-and-instances-killed", seconds: 90,
            faults: [kills, .broker(.kill, every: 5_000...10_000, length: 500...4_000)]),
    ]

    private static let moving = [
        Scenario(name: "rolled", seconds: 75, faults: [.roll(every: 2_500...5_000)]),
        Scenario(
            name: "guests", seconds: 75, faults: [.guest(every: 1_500...4_000, stay: 1_000...8_000, isKilled: false)]),
        Scenario(
            name: "guests-killed", seconds: 75,
            faults: [.guest(every: 3_000...6_000, stay: 1_000...8_000, isKilled: true), kills]),
        Scenario(
            name: "everything", seconds: 90,
            faults: [
                kills, .pause(every: 6_000...12_000, length: 500...15_000), .lose(every: 15_000...25_000, down: 0...2_000),
                .guest(every: 8_000...15_000, stay: 2_000...9_000, isKilled: false),
                .broker(.kill, every: 12_000...20_000, length: 500...4_000),
            ], ending: .killedTogether),
    ]

    private static let slowly = [
        Scenario(
            name: "slow-disk", faults: [.kill(every: 1_000...4_000, down: 0...800)],
            variables: ["WEIR_DELAY_AT": "inside_state_transaction:1:150"], needsDebug: true),
        Scenario(
            name: "slow-commits", faults: [.kill(every: 1_000...4_000, down: 0...800)],
            variables: ["WEIR_DELAY_AT": "after_offsets:1:400"], needsDebug: true),
        Scenario(
            name: "delivered-twice", faults: [.kill(every: 1_000...4_000, down: 0...800)], variables: ["WEIR_REDELIVER": "5"],
            needsDebug: true),
        Scenario(
            name: "full-disk", seconds: 75, faults: [.fullDisk(every: 5_000...10_000, length: 2_000...6_000)],
            mayEndWith: [.disk]),
    ]

    private static let leastOnce = [
        Scenario(name: "least-once-killed", job: least, faults: [kills]),
        Scenario(name: "least-once-keyed", job: Job(delivery: .atLeastOnce, isKeyed: true), faults: [kills]),
        Scenario(
            name: "least-once-brokers-killed", seconds: 90, job: least,
            faults: [kills, .broker(.kill, every: 5_000...10_000, length: 500...4_000)]),
        Scenario(
            name: "least-once-guests", job: least,
            faults: [.guest(every: 2_000...5_000, stay: 1_000...8_000, isKilled: true)]),
    ]
}

func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

extension Scenario {
    /// WEIR_CHAOS_SEED: one seed for all, to repeat what was printed.
    static let givenSeed = variable("WEIR_CHAOS_SEED").flatMap { UInt64($0) }
}
