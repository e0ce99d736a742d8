import Model
import Pipeline
import Testing
import Topology

@testable import Rehearsal

private typealias Conditions = (filter: String, admits: String, measure: String)

/// `filter`, the aggregate's `where` and a measure's; empty: none.
private let conditions: [Conditions] = [
    ("a > 1", "b", "s = 'x'"), ("k = 'k'", "k != 'x'", "k = 'k'"), ("b IS NULL OR b", "b", "b"), ("b OR b IS NULL", "NOT b", "b"),
    ("b IS NULL OR NOT b", "", "b IS NULL"), ("a IS NULL OR (a >= 0 AND a < 5)", "a > 1", "a = 1"),
    ("a IS NOT NULL", "a < 5", "a > 0"),
    ("a > 0 AND b", "a IS NULL", ""), ("a > 0 OR b", "a IS NULL", "b"), ("a > 0 OR b", "a IS NULL OR a = 0", "NOT b"),
    ("a IN (1, NULL)", "a = 1", ""), ("a NOT IN (1, NULL)", "", ""), ("a IN (1, 7) OR a IS NULL", "a = 0", "a = 1"),
    ("NOT (a IS NULL)", "NOT (a > 0)", "a / c > 1"), ("c IS NOT NULL AND a IS NOT NULL", "a / c >= 0", "a / c IS NULL"),
    ("coalesce(a, 3) > 1", "coalesce(a, c) = 2", "c = 2"), ("coalesce(a / c, 1) = 1", "", "coalesce(a, 1) = 1"),
    ("CASE WHEN a > 1 THEN 'more' WHEN a IS NULL THEN 'none' ELSE 'less' END = 'more'", "a IS NULL", "a > 5"),
    ("CASE WHEN a > 1 THEN b END", "c > 0", "a IS NULL"), ("if(b, a, 1) > 0", "if(b IS NULL, 1, 2) = 2", "b IS NULL"),
    ("cast(s AS int) = 5", "cast(s AS int) IS NULL", "s IS NULL"), ("cast(a AS string) = '1'", "s = cast(a AS string)", ""),
    ("h > 0", "h = 0", "a = 1"), ("t = 'big'", "t = 'big'", "t = 'small'"), ("", "t = 'none'", "a IS NULL"),
    ("t != 'none'", "t IN ('big', 'huge')", "t = 'huge'"), ("t NOT IN ('big', NULL)", "a IS NULL", "a > 5"),
    ("a = 1 AND b IS NULL", "a = 1", "b IS NULL"), ("(a > 0) = b", "a IS NULL", "b IS NULL"),
    ("a = c", "a IS NULL OR c IS NULL", "a > c"),
    ("b AND NOT b", "a > 0", "b"), ("a % 2 = 1", "nullif(a, 1) = 7", "nullif(a, 1) IS NULL"), ("TRUE", "FALSE", "b"),
    // Values that hang together in other ways are not seen through: here too much is asked for.
    ("(a > 0) = b", "a > 0", "b"), ("coalesce(a, 3) > 1", "coalesce(a, c) = 2", "coalesce(a, c, 0) = 0"),
    ("CASE WHEN a > 1 THEN b END", "b", "a > 1"),
]
private let seenThrough = conditions.count - 3

private func plan(_ at: Int) throws -> Plan {
    let (filter, admits, measure) = conditions[at]
    let text = """
        name: small
        source: {files: [a]}
        fields:
          at: {type: timestamp, unit: ms}
          k: {type: string, required: true}
          a: {type: int}
          b: {type: bool}
          c: {type: int}
          s: {type: string}
          h: {expr: a / 2}
          t: {expr: CASE WHEN a > 5 THEN 'big' WHEN a IS NULL THEN 'none' ELSE 'small' END}
        event_time: {field: at}
        \(filter.isEmpty ? "" : "filter: \(filter)")
        aggregates:
          all:
            window: {tumbling: 1h}
            \(admits.isEmpty ? "" : "where: \(admits)")
            measures: {n: count()\(measure.isEmpty ? "" : ", m: \"count() where \(measure)\"")}
        """
    var surroundings = Topology.Surroundings.machine
    surroundings.bytes = { _ throws(Fault) in Array(text.utf8) }
    let reading = Topology.read(files: ["small.yaml"], from: surroundings)
    return try #require(reading.plan, "\(conditions[at]): \(reading.problems.map { $0.text() })")
}

/// A record for each choice of values and gaps.
private let records: [FedRecord] = {
    var records: [FedRecord] = []
    for a in [nil, "-7", "0", "1", "2", "3", "7"] {
        for b in [nil, "true", "false"] {
            for c in [nil, "-2", "0", "2"] {
                for (s, k) in [(nil, "k"), ("\"x\"", "x"), ("\"5\"", "k"), ("\"1\"", "k")] {
                    var text = "{\"at\":1767225600000,\"k\":\"\(k)\""
                    for (name, value) in [("a", a), ("b", b), ("c", c), ("s", s)] {
                        if let value { text += ",\"\(name)\":\(value)" }
                    }
                    records.append(FedRecord(payload: Array("\(text)}".utf8)))
                }
            }
        }
    }
    return records
}()

/// What coverage asks of a condition is what some record brings about, and all of that.
@Test(arguments: conditions.indices)
func whatIsAskedForIsWhatRecordsReach(at: Int) throws {
    let plan = try plan(at)
    let run = try Rehearsal(plan: plan, partitions: nil)
    try run.feed(records)
    let reach = run.reach
    let filter = plan.filter.map { [$0] } ?? []
    let aggregate = plan.aggregates[0]
    let outer = filter + (aggregate.admits.map { [$0] } ?? [])
    func compare(_ what: String, _ condition: Predicate?, _ outer: [Predicate], _ counts: ConditionCounts?) throws {
        guard let condition else { return }
        let counts = try #require(counts)
        let seen = Reachable(isTrue: counts.isTrue > 0, isFalse: counts.isFalse > 0, isNull: counts.isNull > 0)
        let can = Reachable(condition, within: outer, of: plan)
        let both = Reachable(
            isTrue: can.isTrue || seen.isTrue, isFalse: can.isFalse || seen.isFalse, isNull: can.isNull || seen.isNull)
        #expect(can == both && (can == seen || at >= seenThrough), "\(what) of \(conditions[at]): \(seen)")
    }
    try compare("filter", plan.filter, [], reach.filter)
    try compare("where", aggregate.admits, filter, reach.outputs[0].admits)
    try compare("measure", aggregate.measures.last?.admits, outer, reach.outputs[0].measures.last?.admits)
}

/// An expected null is refused where none can be, so what is said never to be null must not be.
@Test(arguments: [
    ("k", false), ("a", true), ("upper(k)", false), ("upper(s)", true), ("length(k) + 1", true), ("coalesce(a, 1)", false),
    ("coalesce(a, c)", true), ("coalesce(a / c, 1)", true), ("CASE WHEN a > 1 THEN 'x' ELSE 'y' END", false),
    ("CASE WHEN a > 1 THEN 'x' END", true), ("CASE WHEN a > 1 THEN s ELSE 'y' END", true), ("a IS NULL", false), ("a > 1", true),
    ("k = 'x'", false), ("cast(k AS int)", true),
])
func whatCanBeNullIsNotSaidToHaveAValue(expression: String, canBe: Bool) throws {
    let text = """
        name: small
        source: {files: [a]}
        fields:
          at: {type: timestamp, unit: ms}
          k: {type: string, required: true}
          a: {type: int}
          c: {type: int}
          s: {type: string}
          x: {expr: "\(expression)"}
        event_time: {field: at}
        aggregates: {all: {window: {tumbling: 1h}, group_by: [x], measures: {n: count()}}}
        """
    var surroundings = Topology.Surroundings.machine
    surroundings.bytes = { _ throws(Fault) in Array(text.utf8) }
    let reading = Topology.read(files: ["small.yaml"], from: surroundings)
    let plan = try #require(reading.plan, "\(reading.problems.map { $0.text() })")
    #expect(plan.canBeNull(column: plan.aggregates[0].groupBy[0]) == canBe)
}
