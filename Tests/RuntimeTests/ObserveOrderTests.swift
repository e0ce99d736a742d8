import Model
import Runtime
import Testing
import Testkit

@testable import Pipeline

/// One partition whose lane is sealed, ordered about and lost at random; what is durable is what the last kept seal left.
private struct Ordered {
    struct Event {
        var id: UInt64
        var time: Int64
    }
    let plan: Plan
    let events: [Event]
    var core: LaneCore
    var state = KeyedState()
    var books = Books(outputs: 1)
    var watermark: EventTime?
    var newest: EventTime?
    var committed: Int64 = 0
    /// The orders that seals told as new, with where each begins to hold.
    var told: [(number: Int64, from: Int64)] = []

    init(_ plan: Plan, _ events: [Event]) throws {
        self.plan = plan
        self.events = events
        core = try Self.core(plan)
    }

    private static func core(_ plan: Plan) throws -> LaneCore {
        try LaneCore(
            LaneConfiguration(
                plan: plan, lane: 0, partition: PartitionID(topic: "in", number: 0), partitionOrder: 0, storedOutputs: [0]))
    }

    func read(_ count: Int) throws {
        let from = Int(core.nextOffset)
        let rows = (from..<min(from + count, events.count)).map {
            SmallStream.record(Int64($0), at: events[$0].time, id: events[$0].id)
        }
        if rows.isEmpty { return }
        try core.process(rows.map(\.payload), offsets: rows.map(\.offset), timestamps: rows.map(\.timestamp))
    }

    /// `isKept`: the commit becomes durable.
    mutating func seal(_ order: ObserveOrder?, isKept: Bool) {
        let sealed = core.seal(SealRequest(due: [false], observing: order))
        guard isKept else { return }
        state.apply(sealed.changes)
        books = sealed.books
        watermark = sealed.watermark
        newest = sealed.newestEventTime
        committed = sealed.nextOffset
        told += sealed.heeded.map { ($0.order.number, $0.from) }
    }

    mutating func crash() throws -> Bool {
        core = try Self.core(plan)
        core.restore(books: books, watermark: watermark, newestEventTime: newest, nextOffset: committed, lastRecord: nil)
        var isWhole = true
        state.eachEntry { if !core.restore(key: $0, value: $1) { isWhole = false } }
        return isWhole
    }
}

struct ObserveOrderTests {
    private static func plan(observe: Bool) -> Plan {
        SmallStream.plan(
            window: .tumbling(size: .days(1), offset: .zero), lateness: .days(30),
            deduplicate: DeduplicatePlan(key: [0], within: .days(1), observe: observe))
    }

    /// Wherever a stream is cut, sealed and lost: a record is judged by the last order whose seal was committed before it, and read again
    /// it is judged the same.
    @Test(arguments: 0..<300)
    func aRecordIsJudgedByTheOrderThatWasCommittedBeforeIt(seed: Int) throws {
        var draw = SplitMix(seed: UInt64(seed) &+ 91)
        let asWritten = draw.upTo(2) == 0
        let events = (0..<(40 + draw.upTo(200))).map { Ordered.Event(id: UInt64(1 + draw.upTo(30)), time: Int64($0)) }
        var lane = try Ordered(Self.plan(observe: asWritten), events)
        var orders: [ObserveOrder] = []
        var standing: ObserveOrder?
        func give() -> ObserveOrder {
            let order = ObserveOrder(
                number: Int64(orders.count + 1), at: WallTime(milliseconds: 0), observe: [true, false, nil][draw.upTo(3)])
            orders.append(order)
            return order
        }
        while lane.committed < events.count {
            switch draw.upTo(8) {
            case 0:
                // What nobody has committed was never ordered.
                #expect(try lane.crash())
                // A start gives the order that stands before anything is read: at times one that was given while nobody ran.
                if draw.upTo(2) == 0 {
                    let order = give()
                    lane.core.heed(order)
                    standing = order
                } else if draw.upTo(2) == 0, let standing {
                    lane.core.heed(standing)
                }
            case 1:
                standing = give()
                lane.seal(standing, isKept: true)
            case 2:
                // A commit that never became durable: the process is gone with it.
                lane.seal(ObserveOrder(number: 1_000, at: WallTime(milliseconds: 0), observe: true), isKept: false)
                #expect(try lane.crash())
            case 3:
                // An old order, from somebody who has not heard of the new one.
                lane.seal(orders.isEmpty ? nil : orders[draw.upTo(orders.count)], isKept: true)
            case 4: lane.seal(standing, isKept: true)
            default: try lane.read(1 + draw.upTo(20))
            }
        }
        var kept: Set<UInt64> = []
        var expected = Books(outputs: 1)
        var told = lane.told[...]
        var observe = asWritten
        for (offset, event) in events.enumerated() {
            while let next = told.first, next.from <= offset {
                observe = orders[Int(next.number) - 1].observe ?? asWritten
                told.removeFirst()
            }
            expected.read += 1
            if kept.insert(event.id).inserted {
                expected.aggregated += 1
            } else if observe {
                expected.aggregated += 1
                expected.duplicateObserved += 1
            } else {
                expected.duplicate += 1
            }
        }
        #expect(lane.books == expected)
        #expect(zip(lane.told, lane.told.dropFirst()).allSatisfy { $0.number < $1.number })
    }

    @Test func damagedOrdersAreToldAndThoseOfAnotherTimeAreLeftAlone() throws {
        var lane = try Ordered(Self.plan(observe: false), [])
        lane.seal(ObserveOrder(number: 7, at: WallTime(milliseconds: 0), observe: true), isKept: true)
        let (key, value) = try #require(lane.state.entries.first { $0.key == [StateKey.order] })
        func takes(_ plan: Plan, _ value: [UInt8]) throws -> Bool {
            let core = try Ordered(plan, []).core
            return key.withUnsafeBytes { key in value.withUnsafeBytes { core.restore(key: key, value: $0) } }
        }
        #expect(try takes(lane.plan, value))
        for at in value.indices {
            var damaged = value
            damaged[at] ^= 0x40
            #expect(try !takes(lane.plan, damaged), "byte \(at)")
        }
        // Where nothing is deduplicated any more, nobody looks at it.
        #expect(try takes(SmallStream.plan(), value))
    }
}
