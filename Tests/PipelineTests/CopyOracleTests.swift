import Model
import Testing
import Testkit

@testable import Pipeline

/// A stream with copies of every kind, from its seed.
private struct CopyStream {
    struct Event {
        var id: UInt64
        var time: Int64
        var g: String
        var d: Int
        var sdk: String
        /// nil: in time for its clock.
        var ahead: Int64?
    }
    let within: Int64
    let bucket: Int64?
    let outOfOrderness: Int64
    let observe: Bool
    var events: [Event] = []

    init(seed: UInt64) {
        var random = SplitMix(seed: seed)
        within = [1_000, 4_000, 16_000, 60_001][random.below(4)]
        bucket = [nil, nil, 700, 5_000][random.below(4)].map(Int64.init)
        outOfOrderness = Int64([0, 0, 2_000][random.below(3)])
        observe = random.below(4) == 0
        let count = 300 + random.below(700)
        var now: Int64 = 1_000_000
        var sent: [Event] = []
        for _ in 0..<count {
            now += Int64(random.below(Int(within) / 40 + 2))
            if random.below(3) > 0 || sent.isEmpty {
                // A third of the keys are among those that are sampled, so that few events have many of them.
                var id = UInt64(1 + random.below(1 << 30))
                if random.below(3) == 0 { while !BlindSpot.isSampled(Identity(high: 7, low: id)) { id += 1 } }
                let event = Event(
                    id: id, time: now - Int64(random.below(Int(outOfOrderness) + 1)), g: "g\(random.below(3))",
                    d: random.below(3), sdk: "sdk-\(random.below(5) * random.below(6))",
                    ahead: random.below(30) == 0 ? Int64(random.below(500_000)) : nil)
                sent.append(event)
                events.append(event)
            } else {
                // Mostly of late, at times from long ago.
                let back = random.below(4) == 0 ? random.below(sent.count) : random.below(min(sent.count, 20))
                var copy = sent[sent.count - 1 - back]
                copy.ahead = nil
                if random.below(3) == 0 { copy.time = now - Int64(random.below(Int(within) + 1)) }
                if random.below(4) == 0 { copy.g = "g\(random.below(3))" }
                if random.below(6) == 0 { copy.d = random.below(3) }
                if random.below(6) == 0 { copy.sdk = "sdk-9" }
                events.append(copy)
            }
        }
    }

    var plan: Plan {
        copiesPlan(within: within, bucket: bucket, compare: [2, 3], observe: observe, outOfOrderness: outOfOrderness)
    }

    var records: [BenchRecord] {
        events.enumerated().map { offset, event in
            copyRecord(
                Int64(offset), at: event.time, id: event.id, g: event.g, d: Double(event.d), sdk: event.sdk,
                timestamp: event.ahead.map { event.time - $0 })
        }
    }
}

/// The figures as the contract says them, event by event, with dictionaries.
private struct SlowFigures {
    struct Kept {
        var moment: Int64
        var event: CopyStream.Event
    }
    struct Figures: Equatable {
        var copies = 0
        var kinds: [String: Int] = [:]
        var quarter = 0
        var ages: [Int: Int64] = [:]
        var missed = 0
        var missedAges: [Int: Int64] = [:]
    }
    var all = Figures()
    var bySDK: [String: Figures] = [:]
    var fields: [String: Int] = [:]
    var clocks: [String: [Int64]] = [:]
    /// By how much the ages told are off, and how much they may be.
    var largestError: Int64 = 0
    var isExact = true

    init(_ stream: CopyStream) {
        let within = stream.within
        let bucket = stream.bucket ?? max(within / 16, 1_000)
        var kept: [UInt64: Kept] = [:]
        var longer: [UInt64: Int64] = [:]
        var watermark: Int64?
        func end(_ moment: Int64, _ horizon: Int64) -> Int64 {
            let raw = moment + horizon
            return (raw / bucket + (raw % bucket > 0 ? 1 : 0)) * bucket
        }
        func bucketOf(_ age: Int64) -> Int { (0..<AgeHistogram.most).first { OctaveBuckets.upperBound($0) >= max(age, 1) }! }
        /// What can be told of an age: the key was remembered in the bucket before `end - horizon`.
        func told(_ moment: Int64, _ horizon: Int64, _ time: Int64) -> Int64 {
            let last = end(moment, horizon) - horizon
            let supposed = min(max(time, last - bucket + 1), last)
            return max(0, (watermark ?? supposed) - supposed)
        }
        for event in stream.events {
            if let ahead = event.ahead, ahead > 60_000 {
                clocks[event.sdk, default: []].append(ahead)
                continue
            }
            let before = watermark
            defer { watermark = max(watermark ?? .min, event.time - stream.outOfOrderness) }
            if let first = kept[event.id], before.map({ $0 < end(first.moment, within) }) ?? true {
                let age = told(first.moment, within, event.time)
                let real = max(0, (before ?? first.moment) - first.moment)
                largestError = max(largestError, abs(age - real))
                if age != real { isExact = false }
                var kind = "conflicting"
                let differs = [event.g != first.event.g ? "g" : nil, event.d != first.event.d ? "d" : nil].compactMap(\.self)
                if differs.isEmpty { kind = event.time == first.event.time ? "exact" : "retimed" }
                if !differs.isEmpty { fields[differs.count == 1 ? differs[0] : "several", default: 0] += 1 }
                func count(_ figures: inout Figures) {
                    figures.copies += 1
                    figures.kinds[kind, default: 0] += 1
                    figures.ages[bucketOf(age), default: 0] += 1
                    if Double(age) >= 0.75 * Double(within) - 3 && age >= within / 4 * 3 { figures.quarter += 1 }
                }
                count(&all)
                count(&bySDK[event.sdk, default: Figures()])
                continue
            }
            let moment = max(event.time, before ?? event.time)
            kept[event.id] = Kept(moment: moment, event: event)
            guard BlindSpot.isSampled(Identity(high: 7, low: event.id)) else { continue }
            if let first = longer[event.id], before.map({ $0 < end(first, within * 16) }) ?? true {
                let age = told(first, within * 16, event.time)
                for key in ["", event.sdk] {
                    var figures = key.isEmpty ? all : bySDK[key] ?? Figures()
                    figures.missed += 1
                    figures.missedAges[bucketOf(age), default: 0] += 1
                    if key.isEmpty { all = figures } else { bySDK[key] = figures }
                }
            } else {
                longer[event.id] = moment
            }
        }
    }
}

extension SlowFigures.Figures {
    init(_ told: CopyFigures) {
        copies = Int(told.copies)
        for (kind, count) in [("exact", told.exact), ("retimed", told.retimed), ("conflicting", told.conflicting)] where count > 0
        {
            kinds[kind] = Int(count)
        }
        quarter = Int(told.oldestQuarter)
        for (bucket, count) in told.ages.counts.enumerated() where count > 0 { ages[bucket] = count }
        missed = Int(told.missed)
        for (bucket, count) in told.missedAges.counts.enumerated() where count > 0 { missedAges[bucket] = count }
    }
}

struct CopyOracleTests {
    /// What the lane says of the stream, cut at random: batches of so many records at most, a commit and a crash after one in so many.
    private func told(
        _ bench: LaneBench, _ stream: CopyStream, _ random: inout SplitMix, _ odds: (batch: Int, commit: Int, crash: Int)
    ) throws -> LaneFigures {
        bench.append(stream.records, to: 0)
        while bench.hasMore {
            try bench.deliver(0, limit: 1 + random.below(odds.batch))
            if random.below(odds.commit) == 0 { bench.commit() }
            if random.below(odds.crash) == 0 { try bench.crash() }
        }
        bench.commit()
        return bench.figures
    }

    private func expectEqual(_ told: LaneFigures, _ slow: SlowFigures) {
        #expect(SlowFigures.Figures(told.copies.total) == slow.all)
        let producers = Dictionary(
            uniqueKeysWithValues: told.copies.producers.map { ($0.name ?? "", SlowFigures.Figures($0.figures)) })
        #expect(producers == slow.bySDK)
    }

    /// However batches are cut, commits and crashes fall: the figures are those of the slow count.
    @Test(arguments: 0..<120 as Range<UInt64>)
    func figuresAreThoseOfASlowCount(seed: UInt64) throws {
        let stream = CopyStream(seed: seed)
        let slow = SlowFigures(stream)
        var random = SplitMix(seed: seed &+ 1_000)
        let bench = try LaneBench(stream.plan, partitions: 1)
        let told = try told(bench, stream, &random, (batch: 60, commit: 3, crash: 6))
        expectEqual(told, slow)
        let fields = Dictionary(uniqueKeysWithValues: told.conflicts.map { ($0.key ?? "several", Int($0.value)) })
        #expect(fields == slow.fields)
        let clocks = Dictionary(
            uniqueKeysWithValues: told.clocks.producers.map { ($0.name ?? "", [$0.figures.records, $0.figures.ahead.largest]) })
        #expect(clocks == slow.clocks.mapValues { [Int64($0.count), $0.max() ?? 0] })
        let bucket = stream.bucket ?? max(stream.within / 16, 1_000)
        #expect(slow.largestError < bucket)
        let books = bench.books[0]
        #expect(Int(stream.observe ? books.duplicateObserved : books.duplicate) == slow.all.copies)
    }

    /// The same where all keys that can leave memory, and what is noted of them is on disk.
    @Test(arguments: 0..<80 as Range<UInt64>)
    func figuresOfKeysOnDiskAreThoseOfASlowCount(seed: UInt64) throws {
        let stream = CopyStream(seed: seed)
        let slow = SlowFigures(stream)
        var plan = stream.plan
        if seed % 3 == 0 { plan.deduplicate?.duplicates = .ledger(keep: .days(1)) }
        var random = SplitMix(seed: seed &+ 2_000)
        let bench = try LaneBench(plan, partitions: 1, spillsTo: seed % 2 == 0 ? 0 : 1)
        let told = try told(bench, stream, &random, (batch: 30, commit: 2, crash: 9))
        expectEqual(told, slow)
        let fields = Dictionary(uniqueKeysWithValues: told.conflicts.map { ($0.key ?? "several", Int($0.value)) })
        #expect(fields == slow.fields)
        #expect(bench.coldReads > 0 || slow.all.copies < 200)
    }

    /// The streams together have what they are meant to have.
    @Test func theStreamsHaveCopiesOfEveryKind() {
        var sum = SlowFigures.Figures()
        for seed in 0..<120 as Range<UInt64> {
            let slow = SlowFigures(CopyStream(seed: seed)).all
            sum.copies += slow.copies
            sum.missed += slow.missed
            sum.quarter += slow.quarter
            sum.kinds.merge(slow.kinds) { $0 + $1 }
        }
        #expect(sum.copies > 5_000 && sum.missed > 500 && sum.quarter > 200)
        #expect(sum.kinds.values.allSatisfy { $0 > 500 } && sum.kinds.count == 3)
    }

    /// In order, and with the times of the first: ages are exact.
    @Test func agesOfExactCopiesAreExact() throws {
        let bench = try LaneBench(copiesPlan(within: 64_000), partitions: 1)
        var offset: Int64 = 0
        var ages: [Int64] = []
        for id in 1...200 as ClosedRange<UInt64> {
            let time = Int64(id) * 5_000
            let age = Int64(id * 7_919 % 60_000)
            try bench.feed([copyRecord(offset, at: time, id: id)], to: 0)
            ages.append(age)
            offset += 1
        }
        // Each once more, when the watermark has moved by its age: a stream of its own for each.
        for (at, age) in ages.enumerated() {
            let one = try LaneBench(copiesPlan(within: 64_000), partitions: 1)
            let time = Int64(at + 1) * 5_000
            try one.feed(
                [copyRecord(0, at: time, id: 1), copyRecord(1, at: time + age, id: 2), copyRecord(2, at: time, id: 1)], to: 0)
            one.commit()
            #expect(one.figures.copies.total.ages.sum == age)
        }
    }

    /// The estimate against the truth, which a large horizon shows: within four standard errors.
    @Test func whatIsMissedIsEstimated() throws {
        let bench = try LaneBench(copiesPlan(within: 2_000, compare: nil, producer: nil), partitions: 1)
        var random = SplitMix(seed: 5)
        var missed = 0
        var offset: Int64 = 0
        for round in 0..<40 {
            var records: [BenchRecord] = []
            for at in 0..<1_500 {
                let number = round * 1_500 + at
                // Ten a second; each comes again after 20 s, when its key is forgotten.
                let time = Int64(number) * 100
                records.append(copyRecord(offset, at: time, id: UInt64(number + 1)))
                offset += 1
                if number >= 200, random.below(2) == 0 {
                    records.append(copyRecord(offset, at: time - 20_000, id: UInt64(number - 200 + 1)))
                    offset += 1
                    missed += 1
                }
            }
            try bench.feed(records, to: 0)
            bench.commit()
        }
        let told = bench.figures.copies.total
        #expect(told.copies == 0)
        let error = abs(Double(told.missedEstimate) - Double(missed))
        #expect(error < 4 * (Double(missed) * 256).squareRoot(), "told \(told.missedEstimate), missed \(missed)")
        let horizon = try #require(told.horizon(catching: 0.999))
        #expect((20_000...22_501).contains(horizon.milliseconds))
    }

    /// One key in 256, whatever the keys look like.
    @Test(arguments: ["counted", "random", "timed", "high"]) func theSampleIsOneKeyIn256(of keys: String) {
        var random = SplitMix(seed: 3)
        let count = 200_000
        var sampled = 0
        for number in 0..<count {
            let next = UInt64(number)
            let key =
                switch keys {
                case "counted": Identity(high: 7, low: next)
                case "random": Identity(high: random.next(), low: random.next())
                case "timed": Identity(high: (1_767_225_600_000 + next) << 16 | 0x7000, low: 0x8000_0000_0000_0000)
                default: Identity(high: next << 40, low: 0)
                }
            if BlindSpot.isSampled(key) { sampled += 1 }
        }
        #expect((count / 256 * 9 / 10...count / 256 * 11 / 10).contains(sampled), "\(sampled)")
    }

    /// Histogram against sorted values.
    @Test func quantilesAreAtMostAnEighthTooHigh() {
        var random = SplitMix(seed: 9)
        for _ in 0..<50 {
            var histogram = AgeHistogram()
            var values: [Int64] = []
            for _ in 0..<(1 + random.below(400)) {
                let value = Int64(random.next() >> (20 + UInt64(random.below(44))))
                values.append(value)
                histogram.record(value)
            }
            values.sort()
            for share in [0.0, 0.25, 0.5, 0.9, 0.999, 1.0] {
                let exact = values[max(0, Int((share * Double(values.count)).rounded(.up)) - 1)]
                let told = histogram.quantile(share) ?? -1
                #expect(told >= exact && Double(told) <= Double(max(exact, 1)) * 1.125 + 1)
            }
            let again = AgeHistogram(counts: histogram.counts, sum: histogram.sum, largest: histogram.largest)
            #expect(again == histogram && histogram.sum == values.reduce(0, +))
            #expect(histogram.cumulative().allSatisfy { row in row.count == Int64(values.count { $0 <= row.bound }) })
        }
    }
}
