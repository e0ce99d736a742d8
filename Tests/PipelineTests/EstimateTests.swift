import Model
import Testing
import Testkit

@testable import Pipeline
@testable import Topology

/// The sizes that estimates reckon with are those of the tables themselves.
@Test func aCellHasTheWordsThatEstimatesReckonWith() throws {
    let types: [FieldType] = [.string, .int, .double, .bool, .uuid, .timestamp(.milliseconds), .json]
    let fields = types.enumerated().map { FieldPlan(name: "f\($0)", type: $1) }
    var aggregate = AggregatePlan(
        name: "a", window: .tumbling(size: .minutes(1), offset: .zero), groupBy: Array(types.indices), measures: [])
    for function in MeasurePlan.Function.allCases {
        for column in [nil] + types.indices.map({ $0 }) where (column == nil) == (function == .count) {
            aggregate.measures.append(MeasurePlan(name: "m", function: function, column: column, share: 0.5))
        }
    }
    aggregate.measures.append(MeasurePlan(name: "m", function: .quantile, column: 1, share: 0.9))
    aggregate.measures.append(MeasurePlan(name: "m", function: .quantile, column: 1, admits: .constant(true)))
    let plan = Plan(
        name: "t", source: SourcePlan(kind: .files([])), fields: fields, eventTime: EventTimePlan(source: .recordTimestamp),
        aggregates: [aggregate])
    let sizes = Sizes(plan: plan, assumed: StateEstimate.Assumptions(plan))
    for count in 0...aggregate.measures.count {
        var some = aggregate
        some.measures = Array(aggregate.measures.prefix(count))
        let layout = CellLayout(some, fields: fields)
        let shape = sizes.shape(of: some, valuesPerCell: 10)
        #expect(shape.words == layout.words && shape.isVariable == !layout.variable.isEmpty)
    }
    #expect(EstimateLimits.cellHeader == CellWord.measures && EstimateLimits.inlineGroup == CellWord.inlineBytes)
}

/// Between a table that has just grown and one that is just about to.
@Test(arguments: [10_000, 24_000, 25_000, 49_000, 50_000, 100_000])
func aKeyTakesTheMemoryThatEstimatesReckonWith(keys: Int) {
    var table = DedupTable(slack: 100)
    for number in 0..<keys {
        let high = UInt64(number) &* 0x9E37_79B9_7F4A_7C15
        _ = table.insert(Identity(high: high, low: ~high), bucket: 5, now: 0)
    }
    let each = Double(table.bytes) / Double(keys)
    #expect(each * EstimateLimits.factor >= EstimateLimits.keyMemory && each <= EstimateLimits.keyMemory * EstimateLimits.factor)
    #expect(EstimateLimits.laneMemory == Double(DedupTable(slack: 1).bytes + FreshKeys().bytes))
}

/// What `check` adds up is what the sketches take.
@Test func theBoundsOfSketchesAreThoseThatChecksReckonWith() {
    #expect(EstimateLimits.distinct == Double(4 + 4_096))
    #expect(EstimateLimits.quantileBytes == 4 + 12 * QuantileSketch.bucketLimit)
    for k in [1, 10, 16, 17, 1_000] { #expect(EstimateLimits.topValues(k) == 2 * FrequentValues.kept(for: k)) }
}
