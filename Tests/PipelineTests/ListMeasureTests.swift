import Foundation
import Model
import Testing
import Testkit

@testable import Pipeline

/// Words of one measure, freed with it.
private final class Words {
    let start = UnsafeMutablePointer<UInt64>.allocate(capacity: 2)
    init() { start.initialize(repeating: 0, count: 2) }
    deinit {
        VariableText.free(&start[0])
        VariableText.free(&start[1])
        start.deallocate()
    }
    var bytes: UnsafeRawBufferPointer { VariableText.bytes(start[0]) }
    var texts: UnsafeRawBufferPointer { VariableText.bytes(start[1]) }
    var both: [[UInt8]] { [Array(bytes), Array(texts)] }
}

extension SplitMix {
    fileprivate mutating func shuffled<T>(_ values: [T]) -> [T] {
        var values = values
        for at in values.indices.dropFirst().reversed() { values.swapAt(at, Int(next() % UInt64(at + 1))) }
        return values
    }
}

private func parts<T>(_ values: [T], _ count: Int) -> [[T]] {
    let size = max(1, (values.count + count - 1) / count)
    return stride(from: 0, to: values.count, by: size).map { Array(values[$0..<min($0 + size, values.count)]) }
}

private func bytes<R>(_ text: String, _ body: (UnsafeRawBufferPointer) -> R) -> R { Array(text.utf8).withUnsafeBytes(body) }

// MARK: - Distinct sets

private func set(_ values: [UInt64], limit: Int, parts count: Int = 1, seals: Int = 0) -> Words {
    let all = Words()
    for part in parts(values, count) {
        let one = Words()
        for (at, value) in part.enumerated() {
            DistinctSet.add(Identity(high: value % 3, low: value), limit: limit, to: &one.start[0])
            // A seal settles the set in the middle of its life.
            if seals > 0, at % seals == 0 { DistinctSet.settle(one.start[0]) }
        }
        DistinctSet.settle(one.start[0])
        #expect(DistinctSet.merge(one.bytes, into: &all.start[0]))
    }
    DistinctSet.settle(all.start[0])
    return all
}

@Test(arguments: [0, 1, 63, 64, 65, 300, 5_000])
func aSetTellsExactlyHowManyDifferentValuesThereWere(count: Int) {
    var random = SplitMix(seed: UInt64(count))
    let values = (0..<count).map { _ in random.next() % UInt64(max(count, 1)) }
    let different = Set(values).count
    let whole = set(values, limit: 10_000)
    if count > 0 { #expect(DistinctSet.count(whole.bytes) == Int64(different) && DistinctSet.isWhole(whole.bytes)) }
    for cut in [2, 3, 50] {
        #expect(set(random.shuffled(values), limit: 10_000, parts: cut, seals: cut).both == whole.both)
    }
}

@Test func aSetSaysNothingAboveItsLimitHoweverItCameThere() {
    var random = SplitMix(seed: 5)
    let values = (0..<200).map { UInt64($0) }
    #expect(DistinctSet.count(set(values, limit: 200).bytes) == 200)
    let over = set(values, limit: 199)
    #expect(DistinctSet.count(over.bytes) == nil && over.bytes.count == 8 && DistinctSet.isWhole(over.bytes))
    for cut in [1, 2, 7, 199] {
        #expect(set(random.shuffled(values) + values, limit: 199, parts: cut).both == over.both)
        #expect(set([7] + values, limit: 199, parts: cut).both == over.both)
    }
    let few = set([1, 2], limit: 199)
    #expect(DistinctSet.merge(over.bytes, into: &few.start[0]) && few.both == over.both)
}

// MARK: - Frequent values

private func counted(_ values: [String], keep: Int, parts count: Int = 1, seals: Int = 0) -> Words {
    let all = Words()
    for part in parts(values, count) {
        let one = Words()
        for (at, value) in part.enumerated() {
            bytes(value) { FrequentValues.add(ValueKey.text($0), text: $0, kept: keep, to: one.start) }
            if seals > 0, at % seals == 0 { FrequentValues.settle(one.start) }
        }
        FrequentValues.settle(one.start)
        #expect(FrequentValues.isWhole(one.bytes, texts: one.texts))
        #expect(FrequentValues.merge(one.bytes, texts: one.texts, into: all.start))
    }
    FrequentValues.settle(all.start)
    return all
}

private func naive(_ values: [String], _ k: Int) -> [ValueCount] {
    let counts = Dictionary(grouping: values, by: { Array($0.utf8) }).mapValues(\.count)
    let order = counts.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key.lexicographicallyPrecedes($1.key) }
    return order.prefix(k).map { ValueCount(.string(String(decoding: $0.key, as: UTF8.self)), Int64($0.value)) }
}

/// Values of which the n-th comes about 1/n as often as the first.
private func skewed(_ count: Int, different: Int, seed: UInt64) -> [String] {
    var random = SplitMix(seed: seed)
    return (0..<count).map { _ in
        let share = Double(random.next() >> 11) * 0x1p-53
        let rank = Int(exp(share * log(Double(different))))
        return "v\(rank)-" + String(repeating: "x", count: rank % 40)
    }
}

@Test(arguments: [1, 30, 700, 5_000])
func frequentValuesAreExactWhileTheyAreFew(count: Int) {
    let values = skewed(count, different: 300, seed: UInt64(count)) + ["", "é", "e\u{301}"]
    let whole = counted(values, keep: 256)
    for k in [1, 3, 10, 400] {
        #expect(FrequentValues.top(k, of: whole.bytes, texts: whole.texts, kind: .string) == naive(values, k))
    }
    #expect(FrequentValues.lost(whole.bytes) == 0)
    var random = SplitMix(seed: 9)
    for cut in [2, 3, 50] {
        #expect(counted(random.shuffled(values), keep: 256, parts: cut, seals: cut).both == whole.both)
    }
}

@Test(arguments: [(40_000, 1), (40_000, 3), (40_000, 64)])
func manyFrequentValuesAreCountedWithinTheStatedError(count: Int, cuts: Int) {
    let values = skewed(count, different: 60_000, seed: UInt64(cuts))
    let keep = 256
    let sketch = counted(values, keep: keep, parts: cuts)
    let lost = Int64(FrequentValues.lost(sketch.bytes))
    #expect(lost > 0 && lost <= Int64(values.count) / Int64(keep + 1))
    #expect(sketch.bytes.count <= 16 + 32 * 2 * keep)
    let right = Dictionary(naive(values, .max).map { ($0.value, $0.count) }) { first, _ in first }
    let told = FrequentValues.top(10, of: sketch.bytes, texts: sketch.texts, kind: .string)
    #expect(told.count == 10)
    for one in told {
        let all = right[one.value] ?? 0
        #expect(one.count <= all && all - one.count <= lost, "\(one) of \(all)")
    }
    // Who leads by more than the error is told in the right place.
    let best = naive(values, 11)
    for at in 0..<10 where best[at].count - best[at + 1].count > lost && (at == 0 || best[at - 1].count - best[at].count > lost) {
        #expect(told[at].value == best[at].value)
    }
    #expect(counted(values, keep: keep, parts: cuts, seals: 100).both == sketch.both)
}

@Test func frequentNumbersAndIdentitiesComeBackAsWhatTheyWere() {
    let cases: [(ColumnKind, [(Identity, Value)])] = [
        (.int, [Int64.min, -1, 0, .max].map { (Identity(high: 0, low: UInt64(bitPattern: $0)), .int($0)) }),
        (.double, [-1.5, 0, 1e300].map { (Identity(high: 0, low: $0.bitPattern), .double($0)) }),
        (.bool, [(Identity(high: 0, low: 0), .bool(false)), (Identity(high: 0, low: 1), .bool(true))]),
        (.uuid, [(Identity(high: 1, low: 2), .uuid(high: 1, low: 2)), (Identity(high: 1, low: 3), .uuid(high: 1, low: 3))]),
        (.time, [-5, 5].map { (Identity(high: 0, low: UInt64(bitPattern: $0)), .time(EventTime(milliseconds: $0))) }),
    ]
    for (kind, values) in cases {
        let words = Words()
        // The later ones more often; the first two equally often.
        for (at, value) in values.enumerated() {
            for _ in 0..<max(at, 1) { FrequentValues.add(value.0, text: nil, kept: 256, to: words.start) }
        }
        FrequentValues.settle(words.start)
        let wanted = values.enumerated().map { ValueCount($1.1, Int64(max($0, 1))) }
        let order = wanted.dropFirst(2).reversed() + wanted.prefix(2)
        #expect(FrequentValues.top(10, of: words.bytes, texts: words.texts, kind: kind) == Array(order), "\(kind)")
    }
}

// MARK: - Largest values

private func largest(_ values: [Double], keep: Int, once: Bool, parts count: Int = 1) -> Words {
    let all = Words()
    for part in parts(values, count) {
        let one = Words()
        for value in part { LargestValues.add(LargestValues.ordered(value), keep: keep, once: once, to: &one.start[0]) }
        #expect(LargestValues.merge(one.bytes, into: &all.start[0]))
    }
    return all
}

private func largest(_ values: [String], keep: Int, once: Bool, parts count: Int = 1) -> Words {
    let all = Words()
    for part in parts(values, count) {
        let one = Words()
        for value in part { bytes(value) { LargestValues.add($0, keep: keep, once: once, to: &one.start[0]) } }
        #expect(LargestValues.merge(one.bytes, into: &all.start[0]))
    }
    return all
}

@Test(arguments: [1, 2, 7, 100], [false, true])
func theLargestNumbersAreThoseOfTheSortedList(keep: Int, once: Bool) {
    var random = SplitMix(seed: UInt64(keep))
    for count in [1, 5, 100, 900] {
        let values = (0..<count).map { _ in Double(Int64(random.next() % 200) - 100) / 4 } + [-0.0, 0, 1e300, -1e300]
        let sorted = (once ? Array(Set(values.map { $0 == 0 ? 0 : $0 })) : values).sorted(by: >)
        let whole = largest(values, keep: keep, once: once)
        #expect(LargestValues.values(whole.bytes, kind: .double) == sorted.prefix(keep).map { .double($0 == 0 ? 0 : $0) })
        #expect(LargestValues.isWhole(whole.bytes))
        for cut in [2, 9] { #expect(largest(random.shuffled(values), keep: keep, once: once, parts: cut).both == whole.both) }
    }
}

@Test(arguments: [1, 2, 7, 100], [false, true])
func theLargestTextsAreThoseOfTheSortedList(keep: Int, once: Bool) {
    var random = SplitMix(seed: UInt64(keep))
    for count in [1, 5, 100, 900] {
        let values = skewed(count, different: 100, seed: random.next()) + ["", "", "日本", "z"]
        let sorted = (once ? Array(Set(values)) : values).sorted { $1.utf8.lexicographicallyPrecedes($0.utf8) }
        let whole = largest(values, keep: keep, once: once)
        #expect(LargestValues.values(whole.bytes, kind: .string) == sorted.prefix(keep).map { .string($0) })
        #expect(LargestValues.isWhole(whole.bytes))
        for cut in [2, 9] { #expect(largest(random.shuffled(values), keep: keep, once: once, parts: cut).both == whole.both) }
    }
}

@Test func intsAndTimesKeepTheirOrderAtBothEnds() {
    let values: [Int64] = [.min, -1, 0, 1, .max]
    let words = Words()
    for value in values { LargestValues.add(LargestValues.ordered(value), keep: 10, once: true, to: &words.start[0]) }
    #expect(LargestValues.values(words.bytes, kind: .int) == values.reversed().map { .int($0) })
    #expect(LargestValues.values(words.bytes, kind: .time) == values.reversed().map { .time(EventTime(milliseconds: $0)) })
}

// MARK: - Damage

@Test func damagedListsAndSetsAreRefused() {
    let ids = set(Array(0..<100), limit: 1_000)
    let over = set(Array(0..<100), limit: 10)
    let numbers = largest([3, 1, 2], keep: 5, once: true)
    let texts = largest(["b", "a"], keep: 5, once: false)
    let top = counted(skewed(500, different: 100, seed: 1), keep: 256)
    let heap = Array(top.texts)
    func isWholeTop(_ bytes: UnsafeRawBufferPointer) -> Bool {
        heap.withUnsafeBytes { FrequentValues.isWhole(bytes, texts: $0) }
    }
    let cases: [(Words, (UnsafeRawBufferPointer) -> Bool)] = [
        (ids, DistinctSet.isWhole), (over, DistinctSet.isWhole), (numbers, LargestValues.isWhole), (texts, LargestValues.isWhole),
        (top, isWholeTop),
    ]
    for (words, isWhole) in cases {
        let good = Array(words.bytes)
        #expect(good.withUnsafeBytes(isWhole))
        var damaged = [Array(good.dropLast()), [], [9] + good.dropFirst(), [1, 9] + good.dropFirst(2), good + [0]]
        // A tail is never stored.
        damaged.append(good.enumerated().map { $0 == 3 ? 1 : $1 })
        if good.count > 40 { damaged.append(Array(good.prefix(16)) + good.dropFirst(16).reversed()) }
        for bytes in damaged { #expect(!bytes.withUnsafeBytes(isWhole)) }
    }
    #expect(!FrequentValues.isWhole(top.bytes, texts: UnsafeRawBufferPointer(rebasing: top.texts.dropLast())))
}
