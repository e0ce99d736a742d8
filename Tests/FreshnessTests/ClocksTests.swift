import Freshness
import Model
import Testing

private let now = WallTime(milliseconds: 1_767_225_600_000)

private func event(_ before: Int64) -> EventTime { EventTime(milliseconds: now.milliseconds - before) }

private func partition(
    _ number: Int32, watermark: Int64? = nil, newest: Int64? = nil, caughtUp: Bool = false, idle: Bool = false,
    oldest: Int64? = nil, next: Int64 = 0, end: Int64? = nil, fault: Fault? = nil
) -> PartitionFacts {
    var facts = PartitionFacts(
        id: PartitionID(topic: "t", number: number), lane: number, books: Books(outputs: 1), nextOffset: next)
    facts.watermark = watermark.map(event)
    facts.newestEventTime = newest.map(event)
    facts.isCaughtUp = caughtUp
    facts.isIdle = idle
    facts.oldestUncommitted = oldest.map { WallTime(milliseconds: now.milliseconds - $0) }
    facts.endOffset = end
    facts.fault = fault
    return facts
}

private func facts(_ partitions: [PartitionFacts], watermark: Int64? = nil, state: RunState = .running) -> Facts {
    var facts = Facts(topology: "t", version: "0", state: state, outputs: [OutputFacts(name: "o", within: .minutes(2))])
    facts.partitions = partitions
    facts.watermark = watermark.map(event)
    return facts
}

private let broken = Fault("offset_out_of_range", "the position is gone", next: "Choose one.", exit: .choiceNeeded)

@Suite struct ClocksTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var facts: Facts
        var clocks: Clocks
    }

    @Test(arguments: [
        Case(testDescription: "nothing is known of nothing", facts: facts([]), clocks: Clocks()),
        Case(testDescription: "a partition that has not spoken", facts: facts([partition(0)]), clocks: Clocks()),
        Case(
            testDescription: "caught up is an age of zero", facts: facts([partition(0, caughtUp: true)]),
            clocks: Clocks(queueAge: .zero)),
        Case(
            testDescription: "an unknown age hides a zero", facts: facts([partition(0, caughtUp: true), partition(1)]),
            clocks: Clocks()),
        Case(
            testDescription: "an unknown age does not hide a real one", facts: facts([partition(0, oldest: 400), partition(1)]),
            clocks: Clocks(queueAge: .milliseconds(400))),
        Case(
            testDescription: "the oldest and the newest count",
            facts: facts(
                [
                    partition(0, watermark: 9_000, newest: 4_000, oldest: 700),
                    partition(1, watermark: 8_000, newest: 3_000, oldest: 900),
                ], watermark: 9_000),
            clocks: Clocks(watermarkLag: .seconds(9), eventLag: .seconds(3), queueAge: .milliseconds(900))),
        Case(
            testDescription: "a future event time is a negative lag",
            facts: facts([partition(0, watermark: -1_000, newest: -5_000, caughtUp: true)], watermark: -1_000),
            clocks: Clocks(watermarkLag: .seconds(-1), eventLag: .seconds(-5), queueAge: .zero)),
    ])
    func clocksTellWhatIsKnown(test: Case) {
        #expect(test.facts.clocks(at: now) == test.clocks)
    }

    @Test func latencyIsToldOverAllOutputs() {
        var facts = facts([])
        facts.outputs.append(OutputFacts(name: "p"))
        facts.outputs[0].latencyFromEvent.record(4)
        facts.outputs[1].latencyFromEvent.record(1_000)
        let clocks = facts.clocks(at: now)
        #expect(clocks.latencyFromEvent == Latency(median: .milliseconds(4), p99: .seconds(1), count: 2))
        #expect(clocks.latencyFromRecord == nil)
    }

    @Test func lagIsNeverNegativeAndAbsentWithoutAnEnd() {
        #expect(partition(0, next: 7, end: 10).lag == 3)
        #expect(partition(0, next: 12, end: 10).lag == 0)
        #expect(partition(0, next: 12).lag == nil)
    }

    @Test func aPartitionHasOneMark() {
        #expect(partition(0, caughtUp: true, idle: true, fault: broken).mark == .stopped)
        #expect(partition(0, caughtUp: true, idle: true).mark == .idle)
        #expect(partition(0, caughtUp: true).mark == .caughtUp)
        #expect(partition(0).mark == .behind)
    }
}

@Suite struct HolderTests {
    private func numbers(_ facts: Facts) -> [Int32] { facts.holders.map(\.partition.number) }

    @Test func thoseWithTheSmallestWatermarkHoldIt() {
        #expect(numbers(facts([partition(0, watermark: 5), partition(1, watermark: 9), partition(2, watermark: 9)])) == [1, 2])
    }

    @Test func thoseThatHaveNotSpokenHoldItBeforeAllOthers() {
        #expect(numbers(facts([partition(0, watermark: 5), partition(1), partition(2, idle: true)])) == [1])
    }

    @Test func whoIsIdleHoldsNothing() {
        #expect(numbers(facts([partition(0, watermark: 5), partition(1, watermark: 9, idle: true)])) == [0])
        #expect(numbers(facts([partition(0, watermark: 5, idle: true)])) == [])
        #expect(numbers(facts([])) == [])
    }

    @Test func aHolderSaysWhy() {
        let reasons = facts([
            partition(0, watermark: 9, fault: broken), partition(1, watermark: 9, next: 3, end: 9),
            partition(2, watermark: 9, caughtUp: true), partition(3, watermark: 9),
        ]).holders.map(\.reason)
        #expect(reasons == [.stopped(broken), .behind(lag: 6), .silent, .behind(lag: nil)])
    }
}

extension HolderTests {
    private func elsewhere(_ number: Int32, _ watermark: Int64?, idle: Bool = false, restoring: Bool = false) -> ElsewhereFacts {
        ElsewhereFacts(
            id: PartitionID(topic: "t", number: number), watermark: watermark.map(event), isIdle: idle, isRestoring: restoring)
    }

    /// A group's combined watermark is held by partitions of other instances too, by those that nobody reads, and by ours that are
    /// not there yet.
    @Test func whatOthersReadHoldsItToo() {
        var some = facts([partition(0, watermark: 9), partition(1, watermark: 5)])
        some.elsewhere = [elsewhere(2, 10), elsewhere(3, 50, idle: true), elsewhere(4, 10, restoring: true)]
        #expect(some.holders.map(\.partition.number) == [2, 4] && some.holders.map(\.reason) == [.unassigned, .restoring])
        some.elsewhere.append(elsewhere(5, nil))
        #expect(some.holders.map(\.partition.number) == [5] && some.holders[0].watermark == nil)
        some.elsewhere = [elsewhere(2, 7)]
        #expect(some.holders.map(\.partition.number) == [0])
    }

    /// Since when: from the look at which it began to hold, through all at which it still did.
    @Test func aHolderSaysSinceWhen() {
        func wall(_ at: Int64) -> WallTime { WallTime(milliseconds: at) }
        var some = facts([partition(0, watermark: 9), partition(1, watermark: 5)])
        some.noteHolders(before: some.watermark, at: wall(100))
        #expect(some.holders.map(\.since) == [wall(100)] && some.watermarkMovedAt == nil)
        some.watermark = event(9)
        some.noteHolders(before: nil, at: wall(200))
        #expect(some.holders.map(\.since) == [wall(100)] && some.watermarkMovedAt == wall(200))
        // The other one is smaller now: the first begins anew when it is again.
        some.partitions[0].watermark = event(1)
        some.noteHolders(before: event(9), at: wall(300))
        #expect(some.holders.map(\.partition.number) == [1] && some.holders.map(\.since) == [wall(300)])
        some.partitions[1].watermark = event(0)
        some.noteHolders(before: event(9), at: wall(400))
        #expect(some.holders.map(\.since) == [wall(400)] && some.watermarkMovedAt == wall(200))
        some.partitions[0].isIdle = true
        some.partitions[1].isIdle = true
        some.noteHolders(before: event(9), at: wall(500))
        #expect(some.holders.isEmpty && some.heldSince.isEmpty)
    }
}

@Suite struct OutputFreshnessTests {
    private func late(_ facts: Facts, complete: Int64? = 300_000, _ change: (inout Facts) -> Void = { _ in }) -> OutputFreshness {
        var facts = facts
        facts.outputs[0].progress.completeThrough = complete.map(event)
        change(&facts)
        return facts.freshness(of: 0, at: now)
    }

    private let steady = facts(
        [partition(0, watermark: 300_000, caughtUp: true), partition(1, watermark: 299_000, caughtUp: true)], watermark: 300_000)

    @Test func verdictsFollowTheTarget() {
        func verdict(_ complete: Int64?, within: TimeSpan?) -> OutputFreshness.Verdict {
            late(steady, complete: complete) { $0.outputs[0].within = within }.verdict
        }
        #expect(verdict(nil, within: .minutes(2)) == .nothingYet)
        #expect(verdict(300_000, within: nil) == .untargeted)
        #expect(verdict(120_000, within: .minutes(2)) == .fresh)
        #expect(verdict(-5_000, within: .minutes(2)) == .fresh)
        #expect(verdict(120_001, within: .minutes(2)) == .late)
        #expect(late(steady) { $0.state = .ended }.verdict == .ended)
    }

    @Test func onlyWhatIsLateHasACause() {
        #expect(late(steady, complete: 1_000).cause == nil && late(steady, complete: nil).cause == nil)
        #expect(late(steady).cause != nil)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var facts: Facts
        var cause: Cause
    }

    static let stopped = partition(1, watermark: 300_000, fault: broken)

    @Test(arguments: [
        Case(
            testDescription: "all read and nothing new: the producer is silent",
            facts: facts([partition(0, watermark: 300_000, newest: 299_000, caughtUp: true)], watermark: 300_000),
            cause: .producerSilent(newest: event(299_000))),
        Case(
            testDescription: "all idle: the producer is silent", facts: facts([partition(0, idle: true)]),
            cause: .producerSilent(newest: nil)),
        Case(
            testDescription: "all have records waiting: behind",
            facts: facts(
                [
                    partition(0, watermark: 300_000, next: 1, end: 11), partition(1, watermark: 290_000, next: 1, end: 3),
                ], watermark: 300_000), cause: .behind(records: 12)),
        Case(
            testDescription: "behind by nobody knows how much",
            facts: facts([partition(0, watermark: 300_000)], watermark: 300_000),
            cause: .behind(records: nil)),
        Case(
            testDescription: "one partition holds the others back",
            facts: facts(
                [
                    partition(0, watermark: 1_000, caughtUp: true),
                    partition(1, watermark: 300_000, caughtUp: true),
                ], watermark: 300_000),
            cause: .heldBack([
                Holder(partition: PartitionID(topic: "t", number: 1), watermark: event(300_000), reason: .silent)
            ])),
        Case(
            testDescription: "a stopped partition holds the others back",
            facts: facts([partition(0, watermark: 1_000, caughtUp: true), stopped], watermark: 300_000),
            cause: .heldBack([
                Holder(partition: PartitionID(topic: "t", number: 1), watermark: event(300_000), reason: .stopped(broken))
            ])),
        Case(
            testDescription: "a partition that never spoke holds the others back",
            facts: facts([partition(0, watermark: 1_000, caughtUp: true), partition(1)]),
            cause: .heldBack([
                Holder(partition: PartitionID(topic: "t", number: 1), watermark: nil, reason: .behind(lag: nil))
            ])),
        Case(testDescription: "all partitions stopped: stopped", facts: facts([stopped]), cause: .stopped(broken)),
        Case(testDescription: "waiting", facts: facts([stopped], state: .waiting(broken)), cause: .stopped(broken)),
        Case(testDescription: "stopping", facts: facts([], state: .stopping), cause: .stopped(nil)),
    ])
    func aLateOutputNamesItsCause(test: Case) {
        #expect(late(test.facts).cause == test.cause)
    }

    @Test func aFailingSinkIsNamedBeforeTheInput() {
        #expect(late(steady) { $0.outputs[0].sinkFault = broken }.cause == .sinkFailing(broken))
        #expect(late(steady) { $0.isBrokerUp = false }.cause?.code == "stopped")
    }

    @Test func factsOfAPlanNameItsOutputsAndHidePersonalColumns() {
        let plan = Plan(
            name: "p", source: SourcePlan(kind: .files(["a"])),
            fields: [FieldPlan(name: "user", type: .string, isPersonal: true), FieldPlan(name: "kind", type: .string)],
            eventTime: EventTimePlan(source: .recordTimestamp), deduplicate: DeduplicatePlan(key: [0], within: .minutes(15)),
            aggregates: [
                AggregatePlan(
                    name: "usage", window: .tumbling(size: .minutes(1), offset: .zero), groupBy: [1],
                    measures: [
                        MeasurePlan(name: "users", function: .count, column: 0),
                        MeasurePlan(name: "last_user", function: .last, column: 0), MeasurePlan(name: "n", function: .count),
                    ], freshness: FreshnessPlan(within: .minutes(2)))
            ])
        let facts = Facts(plan: plan, version: "1")
        #expect(
            facts.outputs == [
                OutputFacts(
                    name: "usage", groupColumns: [OutputColumn("kind")],
                    measureColumns: [OutputColumn("users"), OutputColumn("last_user", isPersonal: true), OutputColumn("n")],
                    within: .minutes(2))
            ])
        #expect(facts.dedup == DedupFacts(within: .minutes(15)) && facts.state == .starting)
    }
}

/// A producer can write any timestamp.
@Test func agesOfTheStrangestTimestampsSaturate() {
    for (timestamp, age) in [(Int64.min, Int64.max), (.min + 1, .max), (.max, now.milliseconds - .max)] {
        var fact = partition(0)
        fact.oldestUncommitted = WallTime(milliseconds: timestamp)
        #expect(fact.queueAge(at: now) == .milliseconds(age))
        #expect(facts([fact]).clocks(at: now).queueAge == .milliseconds(age))
        #expect(now - EventTime(milliseconds: timestamp) == .milliseconds(age))
    }
    #expect(WallTime(milliseconds: -2) - WallTime(milliseconds: .max) == .milliseconds(.min))
}
