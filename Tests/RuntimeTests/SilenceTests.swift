import Model
import Pipeline
import Synchronization
import Testing
import Testkit

@testable import Runtime

/// Moves when it is told to.
private final class HandClock: Clock, Sendable {
    private let now = Mutex<Int64>(1_000_000_000_000)
    func monotonic() -> MonotonicTime { MonotonicTime(nanoseconds: now.withLock { $0 }) }
    func wall() -> WallTime { WallTime(milliseconds: now.withLock { $0 } / 1_000_000) }
    func advance(_ span: TimeSpan) { now.withLock { $0 += span.milliseconds * 1_000_000 } }
}

/// A partition of which everything was taken.
private final class QuietInput: PartitionInput, Sendable {
    let id = PartitionID(topic: "t", number: 0)
    let caughtUp: Int64?
    init(caughtUp: Int64?) { self.caughtUp = caughtUp }
    func open(at offset: Int64, wake: @escaping @Sendable () -> Void) throws(Fault) {}
    func take(limit: Int) -> Taken { .nothing }
    func release() {}
    var endOffset: Int64? { caughtUp }
    var caughtUpOffset: Int64? { caughtUp }
    func close() {}
}

/// What a broker says of the log's end.
private final class Ends: Source, Sendable {
    enum Word {
        case end(Int64)
        case nothing, fails
    }
    let word: Word
    let asked = Atomic<Int>(0)
    let input: QuietInput
    init(_ word: Word, _ input: QuietInput) {
        self.word = word
        self.input = input
    }
    func partitions() throws(Fault) -> [PartitionID] { [input.id] }
    func input(_ id: PartitionID) throws(Fault) -> any PartitionInput { input }
    var grows: Bool { true }
    func confirmedEnds(of ids: [PartitionID]) throws(Fault) -> [PartitionID: Int64]? {
        defer { asked.add(1, ordering: .relaxed) }
        switch word {
        case .end(let end): return [input.id: end]
        case .nothing: return [:]
        case .fails: throw Fault("broker_unreachable", "No broker answers.", next: "Wait.", exit: .broker, isTransient: true)
        }
    }
}

/// One lane that has been silent for long enough, and whether it may be left out (S6).
private struct SilentLane {
    let clock = HandClock()
    let crew: LaneCrew
    let source: Ends
    let lane: Lane

    init(_ word: Ends.Word, caughtUp: Int64? = 0) throws {
        let plan = SmallStream.plan()
        let configuration = LaneConfiguration(
            plan: plan, lane: 0, partition: PartitionID(topic: "t", number: 0), partitionOrder: 0, storedOutputs: [1])
        let input = QuietInput(caughtUp: caughtUp)
        source = Ends(word, input)
        crew = LaneCrew(source: source, idleAfter: .seconds(30), clock: clock)
        lane = Lane(
            configuration: configuration, core: try LaneCore(configuration), input: input, clock: clock, isIdle: false,
            bound: nil,
            warmBelow: .min, watermarkBound: nil, inHand: nil, bell: RunBell())
        crew.add(lane)
    }

    func isFullyRead() -> Bool {
        clock.advance(.seconds(1))
        return crew.seal(wait: true) { _ in SealRequest(due: [false]) }.contains { $0.isFullyRead }
    }

    /// Seals, again and again, until the broker was asked so often.
    func ask(_ times: Int) throws {
        _ = try eventually("asked") {
            _ = isFullyRead()
            return source.asked.load(ordering: .relaxed) >= times ? true : nil
        }
    }
}

struct SilenceTests {
    @Test func aPartitionWhoseEndTheBrokerConfirmedIsFullyRead() throws {
        let silent = try SilentLane(.end(0))
        for _ in 0..<29 { #expect(!silent.isFullyRead()) }
        #expect(silent.source.asked.load(ordering: .relaxed) == 0)
        _ = try eventually("left out") { silent.isFullyRead() ? true : nil }
    }

    /// Silence alone shows nothing: the broker is away, knows nothing of the partition, or has more.
    @Test(arguments: ["fails", "nothing", "more"]) func withoutTheBrokersWordNoPartitionIsFullyRead(word: String) throws {
        let silent = try SilentLane(word == "fails" ? .fails : word == "nothing" ? .nothing : .end(1))
        silent.clock.advance(.minutes(10))
        try silent.ask(3)
        for _ in 0..<5 { #expect(!silent.isFullyRead()) }
    }

    /// Where the input itself has not come to an end: nothing was fetched yet, or it is not assigned.
    @Test func aPartitionThatIsNotAssignedIsNeverFullyRead() throws {
        let silent = try SilentLane(.end(0), caughtUp: nil)
        silent.clock.advance(.minutes(10))
        for _ in 0..<5 { #expect(!silent.isFullyRead()) }
        #expect(silent.source.asked.load(ordering: .relaxed) == 0)
    }

    /// On a full disk nothing is read: a silence that is our own counts for nothing, and begins anew afterwards.
    @Test func whatWeDoNotReadOurselvesIsNotSilent() throws {
        let silent = try SilentLane(.end(0))
        silent.clock.advance(.minutes(10))
        silent.crew.pause(true)
        silent.clock.advance(.minutes(10))
        for _ in 0..<5 { #expect(!silent.isFullyRead()) }
        #expect(silent.source.asked.load(ordering: .relaxed) == 0)
        silent.crew.pause(false)
        _ = try eventually("left out") { silent.isFullyRead() ? true : nil }
    }
}
