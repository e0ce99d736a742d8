import Model
import Testing
import Testkit

@testable import Pipeline

/// A partition with one window of a day, and the books after each record.
private func outcomes(
    _ dedup: DeduplicatePlan, window: Int64 = 86_400_000, lateness: Int64 = 0, outOfOrderness: Int64 = 0, maxFuture: Int64? = nil,
    batches: Int = .max, crashes: Bool = false, _ events: [(id: UInt64, time: Int64)]
) throws -> String {
    var plan = SmallStream.plan(
        window: .tumbling(size: .milliseconds(window), offset: .zero), lateness: .milliseconds(lateness),
        outOfOrderness: .milliseconds(outOfOrderness), deduplicate: dedup)
    if let maxFuture { plan.eventTime.maxFuture = .milliseconds(maxFuture) }
    let bench = try LaneBench(plan, partitions: 1)
    for (offset, event) in events.enumerated() {
        var record = SmallStream.record(Int64(offset), at: event.time, id: event.id)
        if maxFuture != nil { record.timestamp = events[0].time }
        bench.append([record], to: 0)
    }
    var told = ""
    var before = Books(outputs: 1)
    while bench.hasMore {
        try bench.deliver(0, limit: batches == .max ? 1 : batches)
        if crashes {
            bench.commit()
            try bench.crash()
        }
        let books = bench.books[0]
        told += String(repeating: "a", count: Int(books.aggregated - before.aggregated))
        told += String(repeating: "d", count: Int(books.duplicate - before.duplicate))
        told += String(repeating: "l", count: Int(books.late - before.late))
        told += String(repeating: "r", count: Int(books.rejected - before.rejected))
        before = books
    }
    return told
}

private let minute: Int64 = 60_000

struct DedupTests {
    /// t1: window 1 m, lateness 10 m, within 10 m; the event at 0 s arrives at watermark W and once more right after.
    @Test(arguments: [(10 * minute - 1, "ad"), (10 * minute, "ad"), (11 * minute - 1, "ad"), (11 * minute, "ll")])
    func anEventThatIsCountedIsRememberedHoweverLateItIs(_ watermark: Int64, _ expected: String) throws {
        let told = try outcomes(
            DeduplicatePlan(key: [0], within: .minutes(10)), window: minute, lateness: 10 * minute,
            [(1, watermark), (2, 0), (2, 0)])
        #expect(told == "a" + expected)
    }

    /// t2: `within` 16 s, buckets of 1 s; the event at 500 ms is remembered while W < 17 s.
    @Test(arguments: [(16_499, "d"), (16_500, "d"), (16_501, "d"), (16_999, "d"), (17_000, "a"), (17_500, "a")])
    func aKeyIsRememberedToTheEndOfItsBucket(_ watermark: Int64, _ expected: String) throws {
        let dedup = DeduplicatePlan(key: [0], within: .seconds(16))
        for crashes in [false, true] {
            #expect(try outcomes(dedup, crashes: crashes, [(1, 500), (2, watermark), (1, watermark)]) == "aa" + expected)
        }
    }

    @Test func copiesDoNotExtendTheTime() throws {
        let dedup = DeduplicatePlan(key: [0], within: .seconds(16))
        #expect(try outcomes(dedup, [(1, 0), (1, 15_000), (2, 15_999), (1, 15_999), (2, 16_000), (1, 16_000)]) == "adadda")
    }

    /// t3: a copy from long before the first is still a copy.
    @Test func aCopyFromBeforeTheFirstIsADuplicate() throws {
        let dedup = DeduplicatePlan(key: [0], within: .seconds(1))
        #expect(try outcomes(dedup, outOfOrderness: 3_600_000, [(1, 3_000_000), (1, 0), (1, 2_999_999)]) == "add")
    }

    /// t4: what event time ends first is not looked up, and not remembered.
    @Test func aCopyFromTheFutureIsRejected() throws {
        let dedup = DeduplicatePlan(key: [0], within: .minutes(10))
        #expect(try outcomes(dedup, maxFuture: 1_000, [(1, 0), (1, 1_001), (2, 1_001), (2, 1_000), (1, 1_000)]) == "arrad")
    }

    /// t5: the key of a late event is not remembered; a late copy of a known one is a duplicate.
    @Test func lateEventsAreNotRememberedAndLateCopiesAreDuplicates() throws {
        let dedup = DeduplicatePlan(key: [0], within: .minutes(10))
        let told = try outcomes(
            dedup, window: minute, [(1, 5 * minute), (2, 0), (2, 0), (2, 5 * minute), (2, 0), (2, 5 * minute)])
        #expect(told == "alladd")
    }

    /// t7: three copies in one batch and one known from before.
    @Test(arguments: 1...8) func howABatchIsCutChangesNoCopy(_ size: Int) throws {
        let dedup = DeduplicatePlan(key: [0], within: .minutes(10))
        let events: [(UInt64, Int64)] = [(4, 1), (1, 2), (2, 3), (3, 4), (3, 5), (4, 6), (3, 7), (1, 8)]
        let told = try outcomes(dedup, batches: size, crashes: true, events)
        #expect(told.filter { $0 == "a" }.count == 4 && told.filter { $0 == "d" }.count == 4)
    }

    /// Files have no timestamps of their own: nothing guards against a leap to year 9999.
    @Test(arguments: [false, true]) func aLeapOfEventTimeKeepsItsKeys(_ crashes: Bool) throws {
        let far: Int64 = 253_402_300_799_000
        let told = try outcomes(
            DeduplicatePlan(key: [0], within: .minutes(10)), crashes: crashes,
            [(1, 0), (2, far), (2, far), (3, far - 1), (3, far), (1, far), (1, far), (2, far), (4, -far / 5), (4, far)])
        #expect(told == "aadadaddla")
    }

    @Test func fieldsOfAKeyDoNotRunIntoEachOther() throws {
        var plan = SmallStream.plan(deduplicate: DeduplicatePlan(key: [0, 1], within: .minutes(10)))
        plan.fields = [
            FieldPlan(name: "p", type: .string), FieldPlan(name: "q", type: .string),
            FieldPlan(name: "ts", type: .timestamp(.milliseconds)),
        ]
        plan.eventTime.source = .field(2)
        plan.aggregates[0].groupBy = []
        let bench = try LaneBench(plan, partitions: 1)
        let keys = [
            #""p":"x:y","q":"z""#, #""p":"x","q":"y:z""#, #""p":"","q":"z""#, #""p":null,"q":"z""#, #""q":"z""#,
            #""p":"null","q":"z""#,
            #""q":"\u007a","p":"x:y""#, #""p":"null","q":"z""#, #""p":"","q":"z""#,
        ]
        try bench.feed(keys.enumerated().map { BenchRecord(Array("{\($1),\"ts\":5}".utf8), offset: Int64($0)) }, to: 0)
        #expect(bench.books[0].aggregated == 7 && bench.books[0].duplicate == 2 && bench.books[0].unidentified == 4)
    }

    /// Over 50 horizons the state stays as small as what one horizon remembers, and a restore equals never having stopped.
    @Test(arguments: [1, 7]) func stateIsBoundedOverManyHorizons(_ perSecond: Int) throws {
        let dedup = DeduplicatePlan(key: [0], within: .seconds(32))
        let plan = SmallStream.plan(window: .tumbling(size: .seconds(10), offset: .zero), deduplicate: dedup)
        let bench = try LaneBench(plan, partitions: 1)
        let steady = try LaneBench(plan, partitions: 1)
        var most = (entries: 0, bytes: 0)
        var mostBeside = (entries: 0, bytes: 0)
        var offset: Int64 = 0
        for second in 0..<(32 * 50) {
            let records = (0..<perSecond).map { at in
                defer { offset += 1 }
                // Every fifth second brings a copy of an event of 31 s before.
                let origin = at == 0 && second > 31 && second % 5 == 0 ? second - 31 : second
                let id = UInt64(origin * perSecond + at) + 1
                return SmallStream.record(offset, at: Int64(second) * 1_000, id: id)
            }
            try bench.feed(records, to: 0)
            try steady.feed(records, to: 0)
            bench.commit()
            steady.commit()
            if second % 97 == 0 { try bench.crash() }
            let state = try #require(bench.durable.states[0])
            // Figures of copies, and the sample of keys that is kept for 16 horizons.
            let beside = state.entries.filter { [StateKey.copies, StateKey.sample].contains($0.key[0]) }
            let besideBytes = beside.reduce(0) { $0 + $1.key.count + $1.value.count }
            most = (max(most.entries, state.entries.count - beside.count), max(most.bytes, state.byteCount - besideBytes))
            mostBeside = (max(mostBeside.entries, beside.count), max(mostBeside.bytes, besideBytes))
        }
        #expect(bench.durable.states == steady.durable.states)
        #expect(bench.books == steady.books && bench.books[0].duplicate == (32 * 50 - 31) / 5)
        // 17 buckets of 2 s, a chunk each; two open windows.
        #expect(most.entries <= 18 + 2 && most.bytes <= 36 * perSecond * 16 + 20 * 80, "\(most)")
        // One key in 256 of the 512 s, each in a bucket of its own at most, and the figures.
        let sampled = max(512 * perSecond / 256 * 2, 12)
        #expect(mostBeside.entries <= sampled + 1 && mostBeside.bytes <= sampled * 29 + 200, "\(mostBeside)")
        #expect(bench.keys[0] <= 1_024)
    }

    /// Chunks of a bucket that took more than one holds.
    @Test func manyKeysOfOneBucketSurviveACrash() throws {
        let plan = SmallStream.plan(deduplicate: DeduplicatePlan(key: [0], within: .minutes(10)))
        let bench = try LaneBench(plan, partitions: 1)
        let count = 20_000
        var sizes: [Int] = []
        var next = 0
        for size in [1, 200, 54, 1, 255, 17_000, 300, count - 17_811] {
            try bench.feed((next..<(next + size)).map { SmallStream.record(Int64($0), at: 0, id: UInt64($0) + 1) }, to: 0)
            next += size
            bench.commit()
            try bench.crash()
            sizes.append(bench.keys[0])
        }
        #expect(sizes.last == count && bench.books[0].aggregated == Int64(count))
        try bench.feed((0..<count).map { SmallStream.record(Int64(count + $0), at: 0, id: UInt64($0) + 1) }, to: 0)
        #expect(bench.books[0].duplicate == Int64(count))
    }
}
