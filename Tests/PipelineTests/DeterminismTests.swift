import Foundation
import Model
import Testing
import Testkit

@testable import Pipeline

/// One step of a run: what a machine, a broker or a clock might do at any moment.
private enum Step: Equatable {
    case deliver(partition: Int, count: Int)
    case commit
    case crash
    /// The clock moves, with nothing read.
    case silence(milliseconds: Int64)
}

/// A plan, records and a schedule, all from one seed; a failing one is made smaller before it is shown.
private struct Trial {
    var work: Workload
    var steps: [Step]
    /// The contract's plan where it is another than the lanes': a planted mistake.
    var contract: Plan?

    init(seed: UInt64) {
        let work = Workload(seed: seed &* 0x9E37_79B9_7F4A_7C15 &+ 1, most: 60)
        let partitions = work.records.count
        self.work = work
        var random = SplitMix(seed: seed ^ 0xDECADE)
        let crashes = random.below(3)
        let pauses = random.below(2)
        steps = (0..<(4 + random.below(20))).map { _ in
            switch random.below(12) {
            case 0..<2: .commit
            case 2 where crashes > 0: .crash
            case 3..<5 where pauses > 0: .silence(milliseconds: [500, 29_000, 31_000, 100_000][random.below(4)])
            default: .deliver(partition: random.below(partitions), count: [1, 1, 2, 5, 30][random.below(5)])
            }
        }
    }

    /// What is wrong; empty: the lanes came to what the contract says.
    func differences() throws -> [String] {
        let run = try Run(work)
        for step in steps { try run.take(step) }
        try run.finish()
        var oracle = Oracle(contract ?? work.plan, partitions: work.records.count)
        for (partition, records) in work.records.enumerated() {
            for (at, record) in records.enumerated() {
                if let raised = run.raises[partition][at] {
                    oracle.partitions[partition].watermark = max(oracle.partitions[partition].watermark ?? .min, raised)
                }
                oracle.judge(record, partition)
            }
        }
        return Result(oracle).differences(Result(run.bench), formulas: work.plan)
    }

    /// The smallest trial that is left when steps and records are taken away as long as it still fails.
    func shrunk() -> Trial {
        var least = self
        func stillFails(_ trial: Trial) -> Bool { ((try? trial.differences()) ?? ["it ends with a fault"]).isEmpty == false }
        var isSmaller = true
        while isSmaller {
            isSmaller = false
            for at in least.steps.indices.reversed() {
                var fewer = least
                fewer.steps.remove(at: at)
                if stillFails(fewer) {
                    least = fewer
                    isSmaller = true
                }
            }
            for partition in least.work.records.indices {
                for at in least.work.records[partition].indices.reversed() {
                    var records = least.work.records
                    records[partition].remove(at: at)
                    var fewer = least
                    fewer.work = least.work.with(records)
                    if stillFails(fewer) {
                        least = fewer
                        isSmaller = true
                    }
                }
            }
        }
        return least
    }

    var words: String {
        let records = work.records.enumerated().flatMap { partition, records in
            records.map { record in
                let bytes = record.bytes(work.plan.fields, maxRecord: 0).payload
                return "  \(partition)@\(record.offset) \(record.timestamp.map { "\($0)" } ?? "-") "
                    + (bytes.map { String(decoding: $0, as: UTF8.self) } ?? "tombstone")
            }
        }
        return "steps: \(steps)\nrecords:\n\(records.joined(separator: "\n"))\n\(work.plan)"
    }
}

/// A trial at work: what was read, and what idle decisions raised watermarks to (S6), as far as a crash has not undone it.
private final class Run {
    let bench: LaneBench
    private let logs: [[BenchRecord]]
    private var appended: [Int]
    private var given: [Int]
    /// By partition and record: what the watermark was raised to before it.
    private(set) var raises: [[Int: Int64]]

    init(_ work: Workload) throws {
        logs = work.records.map { $0.map { $0.bytes(work.plan.fields, maxRecord: work.plan.source.maxRecord.bytes) } }
        bench = try LaneBench(work.plan, partitions: work.records.count)
        appended = logs.map { _ in 0 }
        given = appended
        raises = logs.map { _ in [:] }
    }

    func take(_ step: Step) throws {
        switch step {
        case .deliver(let partition, let count): try deliver(partition, count)
        case .commit: bench.commit()
        case .silence(let milliseconds):
            bench.now = MonotonicTime(nanoseconds: bench.now.nanoseconds + milliseconds * 1_000_000)
        case .crash:
            try bench.crash()
            given = bench.durable.delivered
            for partition in raises.indices { raises[partition] = raises[partition].filter { $0.key < given[partition] } }
        }
    }

    func finish() throws {
        for partition in logs.indices { try deliver(partition, logs[partition].count) }
        bench.end()
    }

    /// The log grows only as far as it is read: a partition can be read to its end and fall silent in between.
    private func deliver(_ partition: Int, _ count: Int) throws {
        let until = min(given[partition] + count, logs[partition].count)
        if until > appended[partition] {
            bench.append(Array(logs[partition][appended[partition]..<until]), to: partition)
            appended[partition] = until
        }
        if bench.combined.idle.contains(LaneNumber(partition)), let watermark = bench.combined.watermark, until > given[partition]
        {
            raises[partition][given[partition]] = watermark.milliseconds
        }
        given[partition] += try bench.deliver(partition, limit: until - given[partition])
    }
}

struct DeterminismTests {
    /// In all; each takes some milliseconds.
    private static let trials = 2_000
    private static let parts = 8

    /// S17: batches, commits, crashes, silences and the order among partitions change nothing. One seed alone runs with
    /// `WEIR_SEED=17 swift test --filter DeterminismTests`.
    @Test(arguments: 0..<parts) func whateverHappensToARunItComesToWhatTheContractSays(_ part: Int) throws {
        let one = ProcessInfo.processInfo.environment["WEIR_SEED"].flatMap { UInt64($0) }
        let seeds = one.map { part == 0 ? [$0] : [] } ?? stride(from: part, to: Self.trials, by: Self.parts).map { UInt64($0) }
        for seed in seeds {
            let trial = Trial(seed: seed)
            let wrong = (try? trial.differences()) ?? ["it ends with a fault"]
            if wrong.isEmpty { continue }
            let least = trial.shrunk()
            let left = (try? least.differences()) ?? ["it ends with a fault"]
            Issue.record(
                "seed \(seed), contract | lanes: \(left.joined(separator: "\n"))\n\(least.words)\nfirst seen as: \(wrong.joined(separator: "\n"))"
            )
            return
        }
    }

    /// The trials meet what they are there for: or their agreement would say nothing.
    @Test func theTrialsMeetCrashesSilencesAndRaisedWatermarks() throws {
        var seen = (crashes: 0, raises: 0, decisions: 0, rows: 0)
        for seed in 0..<300 {
            let trial = Trial(seed: UInt64(seed))
            let run = try Run(trial.work)
            for step in trial.steps { try run.take(step) }
            try run.finish()
            seen.crashes += trial.steps.filter { $0 == .crash }.count
            seen.raises += run.raises.reduce(0) { $0 + $1.count }
            seen.decisions += run.bench.durable.decisions.count
            seen.rows += run.bench.durable.rows.count
        }
        #expect(seen.crashes > 100 && seen.raises > 30 && seen.decisions > 100 && seen.rows > 3_000, "\(seen)")
    }

    /// A lane that takes what the contract does not is found, and what is shown of it is small.
    @Test func aFailingTrialIsMadeSmall() throws {
        var trial = Trial(seed: 3)
        #expect(try trial.differences() == [])
        var contract = trial.work.plan
        for output in contract.aggregates.indices { contract.aggregates[output].admits = .constant(false) }
        trial.contract = contract
        #expect(try !trial.differences().isEmpty)
        let least = trial.shrunk()
        #expect(least.steps == [] && least.work.records.joined().count == 1)
        #expect(try !least.differences().isEmpty && least.words.contains("steps: []"))
    }
}
