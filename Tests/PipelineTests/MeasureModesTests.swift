import Model
import Testing
import Testkit

@testable import Pipeline

/// Every measure there is, over texts and numbers, with and without a condition of its own.
private let measures: [MeasurePlan] = MeasurePlan.Function.allCases.flatMap { function -> [MeasurePlan] in
    let numbers = MeasurePlan(name: "d_\(function.rawValue)", function: function, column: 3, share: 0.5, limit: 4)
    let some = MeasurePlan(
        name: "s_\(function.rawValue)", function: function, column: 3, share: 0.9, limit: 300,
        admits: .compare(column: 3, .greater, .double(0)))
    let texts = MeasurePlan(name: "g_\(function.rawValue)", function: function, column: 2, limit: 3)
    switch function {
    case .sum, .avg, .stddev, .quantile: return [numbers, some]
    default: return [numbers, some, texts]
    }
}

struct MeasureModesTests {
    private func records(_ seed: UInt64) -> [BenchRecord] {
        var random = SplitMix(seed: seed)
        return (0..<400).map { at in
            SmallStream.record(
                Int64(at), at: Int64(random.below(110_000)), group: "g\(random.below(90))",
                d: Double(random.below(2_000) - 1_000) / 4)
        }
    }

    private func plan(_ emit: AggregatePlan.Emission) -> Plan {
        var plan = SmallStream.plan(emit: emit, outOfOrderness: .seconds(200), measures: measures)
        plan.aggregates[0].groupBy = []
        return plan
    }

    /// By window: the measures of the last revision.
    private func last(_ rows: [Row]) -> [EventTime: [Value]] {
        var found: [EventTime: (revision: Int64, measures: [Value])] = [:]
        for row in rows where row.revision > found[row.windowStart]?.revision ?? 0 {
            found[row.windowStart] = (row.revision, row.measures)
        }
        return found.mapValues(\.measures)
    }

    /// Embedded: two partitions, read at once or in pieces with commits and crashes between.
    private func embedded(_ plan: Plan, cut seed: UInt64?) throws -> [EventTime: [Value]] {
        let bench = try LaneBench(plan, partitions: 2)
        for partition in 0..<2 { bench.append(records(UInt64(partition)), to: partition) }
        if let seed {
            var random = SplitMix(seed: seed)
            while bench.hasMore {
                try bench.deliver(random.below(2), limit: 1 + random.below(60))
                if random.below(3) == 0 { bench.commit() }
                if random.below(8) == 0 { try bench.crash() }
            }
        } else {
            for partition in 0..<2 { try bench.deliver(partition) }
        }
        bench.end()
        return last(bench.durable.rows)
    }

    /// As a group does it: each lane's partials as records of a topic, joined in a merge lane that is handed over on the way.
    private func group(_ plan: Plan, pieces: Int) throws -> [EventTime: [Value]] {
        func mergeLane() -> MergeLane {
            MergeLane(plan: plan, storedOutputs: [1], partition: PartitionID(topic: "p", number: 0), lanes: 2)
        }
        var merge = mergeLane()
        var kept = KeyedState()
        var rows: [Row] = []
        var offset: Int64 = 0
        var state = TimeState(lanes: 2, mergeLanes: 1)
        let cores = try (0..<2).map { lane in
            try LaneCore(
                LaneConfiguration(
                    plan: plan, lane: LaneNumber(lane), partition: PartitionID(topic: "t", number: Int32(lane)),
                    partitionOrder: Int64(lane), storedOutputs: [1]))
        }
        let logs = (0..<2).map { records(UInt64($0)) }
        for piece in 0..<pieces {
            for (lane, core) in cores.enumerated() {
                let size = logs[lane].count / pieces
                let part = logs[lane][(piece * size)..<(piece == pieces - 1 ? logs[lane].count : (piece + 1) * size)]
                for record in part {
                    let batch = OwnedBatch([record.payload], first: record.offset)
                    try core.process(batch.batch)
                }
                let sealed = core.seal(SealRequest(due: [true], closesAll: piece == pieces - 1))
                for record in Partials.encode([sealed], isMerged: { _ in true }, partition: { _ in 0 }) {
                    try record.bytes.withUnsafeBytes { bytes throws in try merge.receive(bytes, at: offset) }
                    offset += 1
                }
            }
            state.combined = EventTime(milliseconds: piece == pieces - 1 ? 1_000_000 : -1_000_000)
            state.closable = state.combined
            state.ends = [offset]
            merge.note(state)
            let step = merge.seal()
            rows += step.rows
            kept.apply(step.changes)
            let next = mergeLane()
            next.restore(
                nextOffset: step.nextOffset, closedThrough: step.closedThrough, combined: step.combined,
                progress: step.progress, isEnded: step.isEnded)
            var isWhole = true
            kept.eachEntry { isWhole = next.restore(key: $0, value: $1) && isWhole }
            #expect(isWhole)
            merge = next
        }
        return last(rows)
    }

    @Test func everyMeasureIsTheSameInEveryModeAndHoweverItWasCut() throws {
        let whole = try embedded(plan(.final), cut: nil)
        #expect(whole.count == 2 && whole.values.allSatisfy { $0.count == measures.count })
        // Some are null, most are not.
        #expect(whole.values.allSatisfy { $0.filter { $0 == .null }.count <= 4 })
        for emit in [AggregatePlan.Emission.final, .everyCommit] {
            for seed in 0..<4 {
                #expect(try embedded(plan(emit), cut: UInt64(seed)) == whole, "\(emit), cut \(seed)")
            }
        }
        for pieces in [1, 2, 7] { #expect(try group(plan(.everyCommit), pieces: pieces) == whole, "\(pieces) pieces") }
    }
}
