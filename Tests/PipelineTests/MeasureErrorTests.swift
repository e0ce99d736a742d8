import Model
import Testing
import Testkit

@testable import Pipeline

/// What a measure can't take or tell is null, counted and never a wrong number.
struct MeasureErrorTests {
    private static func plan(_ measures: [MeasurePlan], hopping: Bool = false, emit: AggregatePlan.Emission = .final) -> Plan {
        SmallStream.plan(
            window: hopping
                ? .hopping(size: .seconds(60), every: .seconds(20), offset: .zero) : .tumbling(size: .seconds(60), offset: .zero),
            emit: emit, measures: measures)
    }

    private static func text(_ offset: Int64, _ text: String, at time: Int64 = 60_000) -> BenchRecord {
        BenchRecord(Array("{\"ts\":\(time),\"g\":\"\(text)\",\"d\":1}".utf8), offset: offset)
    }

    @Test func aTextLongerThanAMeasureTakesIsAnErrorOfItsRecord() throws {
        var plan = Self.plan(
            [
                MeasurePlan(name: "n", function: .count), MeasurePlan(name: "least", function: .min, column: 2),
                MeasurePlan(name: "latest", function: .last, column: 2),
                MeasurePlan(name: "often", function: .top, column: 2, limit: 5),
                MeasurePlan(name: "most", function: .largest, column: 2, limit: 5),
                MeasurePlan(name: "different", function: .exactDistinct, column: 2, limit: 5),
            ], hopping: true)
        plan.aggregates[0].groupBy = []
        #expect(ExpressionPlaces(plan).names == ["out.least", "out.latest", "out.often", "out.most", "out.different"])
        let listed = String(repeating: "b", count: MeasureLimits.listedTextBytes)
        let long = String(repeating: "a", count: MeasureLimits.textBytes)
        let bench = try LaneBench(plan, partitions: 1)
        // Three windows each; a record counts once. Two batches: what came before is not forgotten.
        try bench.feed([Self.text(0, listed), Self.text(1, listed + "b"), Self.text(2, long)], to: 0)
        try bench.feed([Self.text(3, long + "a")], to: 0)
        bench.end()
        #expect(bench.books[0].expressionErrors == [1, 1, 3, 3, 0])
        #expect(bench.books[0].balances && bench.books[0].aggregated == 4)
        #expect(
            bench.durable.rows.map(\.measures)
                == Array(
                    repeating: [
                        .int(4), .string(long), .null, .counted([ValueCount(.string(listed), 1)]), .list([.string(listed)]),
                        .int(4),
                    ], count: 3))
    }

    @Test func aSumBeyondTheRangeOfDoublesIsNullAndCountedByRow() throws {
        let plan = Self.plan(
            [
                MeasurePlan(name: "n", function: .count), MeasurePlan(name: "total", function: .sum, column: 3),
                MeasurePlan(name: "mean", function: .avg, column: 3), MeasurePlan(name: "spread", function: .stddev, column: 3),
                MeasurePlan(name: "most", function: .max, column: 3),
            ], emit: .everyCommit)
        #expect(ExpressionPlaces(plan).names == ["out.total", "out.mean", "out.spread"])
        let bench = try LaneBench(plan, partitions: 2)
        try bench.feed([SmallStream.record(0, at: 1, d: 1e308)], to: 0)
        bench.commit()
        try bench.feed([SmallStream.record(0, at: 2, d: 1e308), SmallStream.record(1, at: 2, group: "b", d: 1)], to: 1)
        bench.commit()
        try bench.feed([SmallStream.record(2, at: 3, d: -1e308)], to: 1)
        bench.end()
        var errors = RowErrors(plan)
        errors.note(bench.durable.rows)
        let own = bench.durable.rows.filter { $0.group == [.string("a")] }
        // Each partition's sum is in range; the sum of both is not, until the last record brings it back.
        #expect(own.map(\.revision) == [1, 2, 3])
        #expect(own.map { $0.measures[1] } == [.double(1e308), .null, .double(1e308)])
        #expect(own.map { $0.measures[4] } == Array(repeating: .double(1e308), count: 3))
        #expect(own.map(\.errors) == [[], [1, 2], [3]])
        #expect(errors.counts == [1, 1, 1])
        let books = Books(outputs: 1).adding(errors)
        #expect(books.expressionErrors == [1, 1, 1] && books.balances)
    }

    @Test func aSumOfIntsNeverWraps() throws {
        var plan = Self.plan([
            MeasurePlan(name: "total", function: .sum, column: 3), MeasurePlan(name: "mean", function: .avg, column: 3),
        ])
        plan.fields[3].type = .int
        let bench = try LaneBench(plan, partitions: 1)
        let most = Int64.max
        let records = (0..<3).map { BenchRecord(Array("{\"ts\":1,\"g\":\"a\",\"d\":\(most)}".utf8), offset: Int64($0)) }
        try bench.feed(records, to: 0)
        bench.end()
        #expect(bench.durable.rows.map(\.measures) == [[.wide(Int128(most) * 3), .double(Double(most))]])
        #expect(bench.durable.rows.map(\.errors) == [[]])
    }

    @Test func moreDifferentValuesThanTheLimitAreToldAsNone() throws {
        let plan = Self.plan([MeasurePlan(name: "different", function: .exactDistinct, column: 3, limit: 3)], emit: .everyCommit)
        let bench = try LaneBench(plan, partitions: 2)
        for (offset, d) in [1, 2, 1, 2].enumerated() {
            try bench.feed([SmallStream.record(Int64(offset), at: 1, d: Double(d))], to: 0)
        }
        bench.commit()
        try bench.feed([SmallStream.record(0, at: 1, d: 3), SmallStream.record(1, at: 1, d: 1)], to: 1)
        bench.commit()
        try bench.feed([SmallStream.record(2, at: 1, d: 4)], to: 1)
        bench.commit()
        try bench.crash()
        bench.end()
        #expect(bench.durable.rows.map { $0.measures[0] } == [.int(2), .int(3), .null])
        #expect(bench.durable.rows.map(\.errors) == [[], [], [0]])
    }
}
