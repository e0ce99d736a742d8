import Model
import Testing
import Testkit

@testable import Pipeline
@testable import Topology

/// Derived fields and errors of expressions through a whole lane.
@Suite struct ExpressionErrorTests {
    private static func plan(_ fields: String, time: String = "ts", rest: String = "") throws -> Plan {
        let file = """
            name: t
            source: {topics: [in]}
            fields:
              ts: {type: timestamp, unit: ms}
              i: {type: int}
              z: {type: int}
              secret: {type: string, class: personal}
            \(fields)
            event_time: {field: \(time)}
            \(rest)
            """
        let reading = Topology.read(
            files: ["t.yaml"],
            from: Topology.Surroundings(
                bytes: { _ throws(Fault) in Array(file.utf8) }, environment: { _ in nil },
                zone: { name throws(Fault) in
                    throw Fault("zone_unknown", "unknown", place: name, next: "none", exit: .topology)
                }))
        return try #require(reading.plan, "\(reading.problems.map { $0.text() })")
    }

    private static let count = "aggregates:\n  a: {window: {tumbling: 1m}, measures: {n: count()}}"

    private static func records(_ texts: [String]) -> [BenchRecord] {
        texts.enumerated().map { BenchRecord(Array("{\"ts\":1000,\($1)}".utf8), offset: Int64($0)) }
    }

    @Test func anErrorIsCountedWhereSomebodyWroteTheExpression() throws {
        let plan = try Self.plan(
            "  q: {expr: i / z}\n  k: {expr: CASE WHEN i / z > 1 THEN 1 ELSE 0 END}\n  safe: {expr: 'if(z = 0, 0, i / z)'}",
            rest: """
                filter: i * i > 0
                aggregates:
                  a: {window: {tumbling: 1m}, measures: {s: sum(i / z) where i > 0, n: count()}}
                  b: {window: {tumbling: 1m}, where: z > 0 OR i / z > 0, measures: {n: count()}}
                  c: {window: {tumbling: 1m}, group_by: [q, k, safe], measures: {n: count()}}
                """)
        #expect(ExpressionPlaces(plan).names == ["field q", "field k", "field safe", "filter", "a.s", "b.where"])
        let bench = try LaneBench(plan, partitions: 1)
        try bench.feed(
            Self.records([
                #""i":4,"z":2"#, #""i":4,"z":0"#, #""i":9223372036854775807,"z":1"#, #""i":-4,"z":0"#, #""i":4"#,
            ]), to: 0)
        bench.end()
        let books = bench.books[0]
        #expect(books.expressionErrors == [2, 2, 0, 1, 1, 2])
        #expect(books.balances && books.aggregated == 4 && books.filtered == 1)
        #expect((books + books).expressionErrors == [4, 4, 0, 2, 2, 4])
        let rows = bench.durable.rows
        #expect(rows.filter { $0.output == 0 }.map(\.measures) == [[.int(2), .int(4)]])
        #expect(rows.filter { $0.output == 1 }.map(\.measures) == [[.int(1)]])
    }

    @Test func aFieldThatNothingUsesIsNotComputed() throws {
        let plan = try Self.plan("  q: {expr: i / z}\n  k: {expr: q + 1}", rest: Self.count)
        #expect(plan.columnsInUse == [0])
        let bench = try LaneBench(plan, partitions: 1)
        try bench.feed(Self.records([#""i":4,"z":0"#]), to: 0)
        bench.end()
        #expect(bench.books[0].expressionErrors == [] && bench.books[0].aggregated == 1)
    }

    @Test func aRequiredDerivedFieldWithoutAValueRejectsTheRecord() throws {
        let plan = try Self.plan("  q: {expr: i / z, required: true}", rest: Self.count)
        let bench = try LaneBench(plan, partitions: 1)
        try bench.feed(Self.records([#""i":4,"z":2"#, #""i":4,"z":0"#, #""i":4"#]), to: 0)
        bench.end()
        let books = bench.books[0]
        #expect(books.aggregated == 1 && books.rejectedByReason[Int(RejectReason.missingField.rawValue)] == 2)
        #expect(books.expressionErrors == [1])
    }

    @Test func aDerivedTimestampCanBeTheEventTime() throws {
        let plan = try Self.plan("  at: {expr: ts + 60000}", time: "at", rest: Self.count)
        let bench = try LaneBench(plan, partitions: 1)
        try bench.feed(Self.records([#""i":4"#]) + [BenchRecord(Array("{}".utf8), offset: 1)], to: 0)
        bench.end()
        #expect(bench.durable.rows.map(\.windowStart) == [EventTime(milliseconds: 60_000)])
        #expect(bench.books[0].rejectedByReason[Int(RejectReason.missingField.rawValue)] == 1)
    }

    @Test func aDerivedFieldIsPartOfWhatReadsIt() throws {
        func parts(_ field: String) throws -> [String] {
            try Self.plan("  q: {expr: \(field)}", rest: "aggregates:\n  a: {window: {tumbling: 1m}, measures: {s: sum(q)}}")
                .fingerprint.map(\.text)
        }
        #expect(try parts("i + z") != parts("i - z"))
        #expect(try parts("i + z") == parts("(i  +  z)"))
    }

    @Test func whatIsDerivedFromPersonalFieldsIsPersonal() throws {
        let plan = try Self.plan("  low: {expr: lower(trim(secret))}\n  q: {expr: i + z}", rest: Self.count)
        #expect(plan.fields.filter { !$0.isHidden && $0.isPersonal }.map(\.name) == ["secret", "low"])
        #expect(plan.fields.first { $0.name == "q" }?.isPersonal == false)
    }
}
