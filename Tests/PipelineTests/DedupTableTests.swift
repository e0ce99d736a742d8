import Model
import Testing
import Testkit

@testable import Pipeline

/// What the table promises, as a dictionary: a key is alive below its bucket.
private struct Remembered {
    var buckets: [Identity: Int64] = [:]
    mutating func insert(_ key: Identity, bucket: Int64, now: Int64) -> Bool {
        if let there = buckets[key], there > now { return false }
        buckets[key] = bucket
        return true
    }
}

struct DedupTableTests {
    /// Jumps of the watermark: by buckets, by more than the tags reach, and to year 9999 and on from there.
    @Test(arguments: 0..<12) func theTableRemembersWhatADictionaryDoes(_ seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        let slack = Int64([0, 3, 1_000, 100_000][seed % 4])
        var table = DedupTable(slack: slack)
        var model = Remembered()
        var now = seed % 3 == 0 ? Int64.min : Int64(random.below(1_000)) - 500
        var wrong = 0
        for step in 0..<20_000 {
            let key = Identity(high: UInt64(random.below(3_000)), low: 1)
            let floor = now == .min ? 0 : now
            var bucket = floor + 1 + Int64(random.below(20))
            switch random.below(400) {
            case 0: bucket += slack
            case 1: bucket += 70_000 + Int64(random.below(200_000))
            case 2: bucket = 253_402_300_799
            default: break
            }
            if bucket <= floor { bucket = floor + 1 }
            if random.below(4) == 0 {
                let expected = model.buckets[key].map { $0 > now } ?? false
                if table.contains(key, now: now) != expected { wrong += 1 }
            } else if table.insert(key, bucket: bucket, now: now) != model.insert(key, bucket: bucket, now: now) {
                wrong += 1
            }
            switch random.below(3_000) {
            case 0: now = floor + 65_000 + Int64(random.below(3_000))
            case 1: now = floor + 1_000_000
            case 2 where step > 15_000: now = max(floor, 253_402_300_000)
            case 3..<200: now = floor + Int64(random.below(3))
            default: break
            }
        }
        #expect(wrong == 0, "seed \(seed)")
    }

    @Test func theTableGrowsAndForgetsWithoutLosingAKey() {
        var table = DedupTable(slack: 0)
        var lost = 0
        let count: UInt64 = 60_000
        for number in 0..<count where !table.insert(Identity(high: number, low: ~number), bucket: 10, now: 0) { lost += 1 }
        for number in 0..<count where !table.contains(Identity(high: number, low: ~number), now: 9) { lost += 1 }
        for number in 0..<count where table.contains(Identity(high: number, low: ~number), now: 10) { lost += 1 }
        #expect(lost == 0)
        let full = table.bytes
        for number in count..<(count * 2) { _ = table.insert(Identity(high: number, low: ~number), bucket: 20, now: 15) }
        #expect(table.bytes <= full * 2 && table.count <= Int(count) * 2)
        for number in 0..<count {
            _ = table.insert(Identity(high: number, low: 7), bucket: 50 + Int64(number), now: 40 + Int64(number))
        }
        #expect(table.count < 2_000, "what expired is swept: \(table.count)")
    }

    /// What leaves is what was there when it was asked to, in order; what came to its bucket since stays, and so do the notes of all that
    /// stay.
    @Test(arguments: 0..<12 as Range<UInt64>) func whatWasToLeaveIsGoneAndAllElseIsFound(_ seed: UInt64) {
        var random = SplitMix(seed: seed)
        var table = DedupTable(slack: 3, noteWords: 1)
        var here: [Identity: Int64] = [:]
        var wrong = 0
        for round in 0..<12 as Range<Int64> {
            func add(_ count: Int) {
                for _ in 0..<count {
                    // Many of them in a few places, some at the very end.
                    let high = random.below(3) == 0 ? random.next() : UInt64.max &- UInt64(random.below(1 << 20))
                    let key = Identity(high: high, low: UInt64(random.below(2)))
                    let bucket = round + 1 + Int64(random.below(3))
                    let isNew = here[key].map { $0 <= round } ?? true
                    if table.insert(key, bucket: bucket, now: round) != isNew { wrong += 1 }
                    if isNew {
                        here[key] = bucket
                        table.set(note: key.high ^ UInt64(bucket), 0, of: key)
                    }
                }
            }
            add(random.below(4_000))
            var leaving: [Int64: Set<Identity>] = [:]
            for bucket in [round + 1, round + 2] where random.below(4) > 0 {
                let slots = table.leave(bucket)
                let keys = slots.map { table.key(at: $0) }
                if Set(keys) != Set(here.filter { $0.value == bucket }.keys) || Set(keys).count != keys.count { wrong += 1 }
                let mixed = keys.map { DedupTable.mixed($0) }
                if mixed != mixed.sorted() { wrong += 1 }
                if zip(slots, keys).contains(where: { table.note(0, at: $0) != $1.high ^ UInt64(bucket) }) { wrong += 1 }
                leaving[bucket] = Set(keys)
            }
            add(random.below(6_000))
            let gone = Set(leaving.keys.filter { _ in random.below(3) > 0 })
            for bucket in gone {
                let left = Set(table.leavingSlots(of: bucket).map { table.key(at: $0) })
                // Those that expired and came again meanwhile stay.
                let expected = leaving[bucket]!.filter { here[$0] == bucket }
                if left != expected { wrong += 1 }
                for key in left { here[key] = nil }
            }
            table.drop(gone, now: round, most: random.below(2) == 0 ? 0 : .max, isAll: gone.count == leaving.count)
            for (key, bucket) in here where bucket > round {
                if !table.contains(key, now: round) || table.expiry(of: key) != bucket { wrong += 1 }
                if table.note(0, of: key) != key.high ^ UInt64(bucket) { wrong += 1 }
            }
            if gone.count < leaving.count { table.drop([], now: round, most: .max, isAll: true) }
        }
        #expect(wrong == 0)
    }
}
