import Foundation
import Model
import Testing
import Testkit

@testable import Pipeline

/// The bytes of a sketch that took these values in this order, cut in parts that were merged.
private func bytes<T>(
    _ values: [T], parts: Int, add: (T, inout UInt64) -> Void, merge: (UnsafeRawBufferPointer, inout UInt64) -> Bool
) -> [UInt8] {
    var total: UInt64 = 0
    defer { VariableText.free(&total) }
    let size = max(1, (values.count + parts - 1) / parts)
    for start in stride(from: 0, to: values.count, by: size) {
        var part: UInt64 = 0
        for value in values[start..<min(start + size, values.count)] { add(value, &part) }
        #expect(merge(VariableText.bytes(part), &total))
        VariableText.free(&part)
    }
    return Array(VariableText.bytes(total))
}

private func hash(_ value: UInt64) -> UInt64 { withUnsafeBytes(of: value) { Hash64.of($0) } }

private func distinct(_ values: [UInt64], parts: Int = 1) -> [UInt8] {
    bytes(values, parts: parts, add: { DistinctSketch.add(hash($0), to: &$1) }, merge: { DistinctSketch.merge($0, into: &$1) })
}

private func quantiles(_ values: [Double], parts: Int = 1) -> [UInt8] {
    bytes(values, parts: parts, add: { QuantileSketch.add($0, to: &$1) }, merge: { QuantileSketch.merge($0, into: &$1) })
}

private func nearestRank(_ q: Double, _ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted[max(1, min(sorted.count, Int((q * Double(sorted.count)).rounded(.up)))) - 1]
}

@Test(arguments: [0, 1, 2, 500, 1_023, 1_024, 2_000, 20_000, 300_000])
func distinctValuesAreCountedWithinTheStatedError(_ count: Int) {
    var errors: [Double] = []
    for seed in 0..<8 {
        let values = (0..<count).map { UInt64($0) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(seed) }
        let estimate = distinct(values + values.prefix(count / 3)).withUnsafeBytes { DistinctSketch.estimate($0) }
        if count <= 1_000 { #expect(abs(estimate - Int64(count)) <= 1) }
        errors.append(Double(estimate - Int64(count)) / Double(max(count, 1)))
    }
    // Four standard errors for one sketch; their root mean square stays near one.
    #expect(errors.allSatisfy { abs($0) <= 4 * 0.01625 })
    let spread = (errors.reduce(0) { $0 + $1 * $1 } / Double(errors.count)).squareRoot()
    #expect(spread <= 2 * 0.01625)
}

@Test(arguments: [3, 1_000, 1_500, 5_000])
func aDistinctSketchKnowsNeitherOrderNorCut(_ count: Int) {
    var random = SplitMix(seed: UInt64(count))
    let values = (0..<count).map { _ in random.next() % UInt64(count) }
    let whole = distinct(values)
    for parts in [2, 3, 7, 50] {
        #expect(distinct(random.shuffled(values), parts: parts) == whole)
    }
    #expect(distinct(Array(values.reversed()) + values) == whole)
}

@Test func quantilesOfFewValuesAreExact() {
    var random = SplitMix(seed: 7)
    for count in 1...64 {
        let values = (0..<count).map { _ in Double(Int64(bitPattern: random.next()) % 1_000) / 8 }
        let sketch = quantiles(values)
        for q in [0, 0.01, 0.25, 0.5, 0.75, 0.99, 1] {
            #expect(sketch.withUnsafeBytes { QuantileSketch.quantile(q, of: $0) } == nearestRank(q, values))
        }
    }
}

@Test(arguments: [65, 1_000, 40_000])
func quantilesOfManyValuesAreWithinOnePerCent(_ count: Int) {
    var random = SplitMix(seed: UInt64(count))
    let kinds: [(inout SplitMix) -> Double] = [
        { Double($0.next() % 1_000_000) / 7 },
        { -exp(Double($0.next() % 2_000) / 100) },
        { Double(Int64($0.next() % 2_001) - 1_000) },
        { exp(Double(Int64($0.next() % 1_200) - 600)) },
        { _ in .leastNonzeroMagnitude },
        { $0.next() % 2 == 0 ? .greatestFiniteMagnitude : -.greatestFiniteMagnitude },
    ]
    for (kind, make) in kinds.enumerated() where kind != 3 {
        let values = (0..<count).map { _ in make(&random) }
        let sketch = quantiles(values)
        for q in [0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1] {
            let right = nearestRank(q, values)
            let answer = sketch.withUnsafeBytes { QuantileSketch.quantile(q, of: $0) } ?? .nan
            #expect(abs(answer - right) <= 0.01 * abs(right), "kind \(kind) q \(q): \(answer), not \(right)")
        }
    }
}

@Test(arguments: [10, 64, 65, 3_000])
func aQuantileSketchKnowsNeitherOrderNorCut(_ count: Int) {
    var random = SplitMix(seed: UInt64(count) + 99)
    let values = (0..<count).map { _ in Double(Int64(bitPattern: random.next()) % 100_000) / 3 }
    let whole = quantiles(values)
    for parts in [2, 3, 7, 50] { #expect(quantiles(random.shuffled(values), parts: parts) == whole) }
}

/// More buckets than are kept: the largest values keep their 1 %, whatever the order in which they came.
@Test func onlyTheLowestBucketsAreJoined() {
    var random = SplitMix(seed: 3)
    let values = (0..<12_000).map { exp(Double($0) * 0.05 - 300) }
    let sketch = quantiles(random.shuffled(values), parts: 5)
    #expect(sketch == quantiles(values))
    #expect(sketch.count <= 4 + 12 * QuantileSketch.bucketLimit)
    for q in [0.9, 0.99, 1] {
        let right = nearestRank(q, values)
        let answer = sketch.withUnsafeBytes { QuantileSketch.quantile(q, of: $0) } ?? .nan
        #expect(abs(answer - right) <= 0.01 * right)
    }
}

@Test func damagedSketchesAreRefused() {
    let good: [[UInt8]] = [distinct([1, 2, 3]), distinct(Array(0..<5_000))]
    let other: [[UInt8]] = [quantiles([1, 2, 3]), quantiles((0..<500).map(Double.init))]
    for (sketches, isWhole) in [(good, DistinctSketch.isWhole), (other, QuantileSketch.isWhole)] {
        for sketch in sketches {
            #expect(sketch.withUnsafeBytes(isWhole))
            for damaged in [Array(sketch.dropLast()), [], [9] + sketch.dropFirst(), [1, 9] + sketch.dropFirst(2), sketch + [0]] {
                #expect(!damaged.withUnsafeBytes(isWhole))
            }
        }
    }
}

extension SplitMix {
    fileprivate mutating func shuffled<T>(_ values: [T]) -> [T] {
        var values = values
        for at in values.indices.dropFirst().reversed() { values.swapAt(at, Int(next() % UInt64(at + 1))) }
        return values
    }
}
