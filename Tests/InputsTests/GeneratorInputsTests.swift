import Inputs
import Model
import Synchronization
import Testing

private let start = EventTime(milliseconds: 1_767_225_600_000)

private func generator(
    _ plan: GeneratorPlan, users: Int32 = 200_000, clock: HandClock = HandClock(0),
    alarm: @escaping GeneratorInputs.Alarm = { _, _ in }
) -> [any PartitionInput] {
    GeneratorInputs(plan, start: start, users: users, clock: clock, alarm: alarm).partitions
}

/// What alarms were set, rung by hand.
private final class Alarms: Sendable {
    let pending = Mutex<[(wait: Int64, ring: @Sendable () -> Void)]>([])
    let woken = Atomic(0)
    var alarm: GeneratorInputs.Alarm {
        { span, ring in self.pending.withLock { $0.append((span.milliseconds, ring)) } }
    }
    var waits: [Int64] { pending.withLock { $0.map(\.wait) } }
    func ring() {
        let rung = pending.withLock { alarms in
            defer { alarms = [] }
            return alarms
        }
        for alarm in rung { alarm.ring() }
    }
}

struct GeneratorInputsTests {
    @Test func thePartitionsTogetherAreTheWorkload() throws {
        let plan = GeneratorPlan(seed: 5, rate: 2_000, events: 20_000, unpaced: true)
        var expected = [Reading](repeating: Reading(), count: 8)
        var workload = ReferenceWorkload(seed: 5, rate: 2_000, start: start)
        let batch = WorkloadBatch(capacity: 777)
        while batch.fill(from: &workload, end: 20_000) > 0 {
            for i in 0..<batch.count {
                let p = Int(batch.partitions[i])
                expected[p].offsets.append(Int64(expected[p].offsets.count))
                expected[p].timestamps.append(batch.timestamps[i])
                expected[p].lengths.append(batch.lengths[i])
                expected[p].records.append([UInt8](UnsafeRawBufferPointer(start: batch.payloads[i], count: batch.lengths[i])))
            }
        }
        for (p, input) in generator(plan).enumerated() {
            try input.open(at: 0, wake: {})
            #expect(input.id == PartitionID(topic: "generator", number: Int32(p)))
            #expect(readAll(input, limit: 100 + p) == expected[p])
            #expect(input.endOffset == Int64(expected[p].records.count))
        }
    }

    @Test(arguments: [1, 2, 100, 2_000])
    func aRestartGoesOnWithTheSameRecords(_ offset: Int) throws {
        let plan = GeneratorPlan(seed: 5, rate: 2_000, events: 20_000, unpaced: true)
        let whole = generator(plan)[3]
        try whole.open(at: 0, wake: {})
        let expected = readAll(whole)
        let tail = generator(plan)[3]
        try tail.open(at: Int64(offset), wake: {})
        let got = readAll(tail)
        #expect(got.records == Array(expected.records[offset...]))
        #expect(got.offsets == Array(expected.offsets[offset...]))
        #expect(got.timestamps == Array(expected.timestamps[offset...]))
    }

    /// What a progress bar reckons the end with; without an end there is none to reckon.
    @Test func theShareThatWasTakenGrowsToTheWhole() throws {
        let input = generator(GeneratorPlan(partitions: 2, events: 3_000, unpaced: true))[1]
        try input.open(at: 0, wake: {})
        var shares: [Double] = []
        while case .records = input.take(limit: 500) { shares.append(try #require(input.share)) }
        #expect(shares.count > 2 && shares == shares.sorted() && shares.allSatisfy { $0 > 0 && $0 <= 1 })
        #expect(input.share == 1)
        #expect(generator(GeneratorPlan(unpaced: true))[0].share == nil)
    }

    @Test func anOffsetBeyondTheEndIsRefused() throws {
        let input = generator(GeneratorPlan(events: 1_000, unpaced: true))[0]
        #expect(throws: Fault.self) { try input.open(at: 1_001, wake: {}) }
    }

    @Test func aPacedPartitionGivesWhatIsDueAndAsksToBeWoken() throws {
        let clock = HandClock(start.milliseconds)
        let alarms = Alarms()
        let plan = GeneratorPlan(seed: 1, rate: 100, partitions: 1, events: 250)
        let input = generator(plan, clock: clock, alarm: alarms.alarm)[0]
        try input.open(at: 0) { alarms.woken.add(1, ordering: .relaxed) }
        #expect(readAll(input).offsets == [0])
        #expect(input.endOffset == 1)
        #expect(alarms.waits == [10])
        // Asked again before the alarm rang, it sets no second one.
        #expect(readAll(input).offsets == [])
        #expect(alarms.waits == [10])
        clock.advance(1_000)
        alarms.ring()
        #expect(alarms.woken.load(ordering: .relaxed) == 1)
        let second = readAll(input)
        #expect(second.offsets == Array(1...100))
        #expect(second.timestamps.max() == start.milliseconds + 1_000)
        // Behind, it catches up without waiting; then it is over.
        clock.advance(3_600_000)
        #expect(readAll(input).offsets == Array(101..<250))
        #expect(input.endOffset == 250)
    }

    @Test func aPacedPartitionAgreesWithAnUnpacedOneHoweverTheClockMoves() throws {
        let clock = HandClock(start.milliseconds - 50)
        let paced = generator(GeneratorPlan(seed: 9, rate: 3_000, events: 9_000), clock: clock)[2]
        let unpaced = generator(GeneratorPlan(seed: 9, rate: 3_000, events: 9_000, unpaced: true))[2]
        try paced.open(at: 0, wake: {})
        try unpaced.open(at: 0, wake: {})
        var got: [[UInt8]] = []
        for step in [0, 49, 1, 1, 0, 7, 333, 0, 1, 999, -500, 500, 2_000] as [Int64] {
            clock.advance(step)
            got += readAll(paced, limit: 13).records
        }
        #expect(got == readAll(unpaced).records)
    }

    @Test func aPartitionWithoutEventsDoesNotSpinOrEnd() throws {
        // One user: all events are in one partition.
        let clock = HandClock(start.milliseconds)
        let alarms = Alarms()
        let inputs = generator(GeneratorPlan(rate: 1_000), users: 1, clock: clock, alarm: alarms.alarm)
        for input in inputs { try input.open(at: 0, wake: {}) }
        let counts = inputs.map { readAll($0).records.count }
        #expect(counts.sorted() == [0, 0, 0, 0, 0, 0, 0, 1])
        // Looked far ahead, the silent ones sleep as long as they may.
        #expect(alarms.waits.sorted() == [10] + Array(repeating: 1_000, count: 7))
    }

    @Test func aClosedPartitionIsNotWokenAnyMore() throws {
        let clock = HandClock(start.milliseconds)
        let alarms = Alarms()
        let input = generator(GeneratorPlan(rate: 1), clock: clock, alarm: alarms.alarm)[0]
        try input.open(at: 0) { alarms.woken.add(1, ordering: .relaxed) }
        _ = readAll(input)
        input.close()
        alarms.ring()
        #expect(alarms.woken.load(ordering: .relaxed) == 0)
    }
}
