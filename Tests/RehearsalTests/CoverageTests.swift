import Model
import Pipeline
import Rehearsal
import Testing
import Testkit

private func names(_ items: [Coverage.Item]) -> [String] { items.map { "\($0.place): \($0.branch)" } }

private func plan(_ emit: AggregatePlan.Emission = .onTime, lateness: TimeSpan = .minutes(1)) -> Plan {
    var plan = SmallStream.plan(
        lateness: lateness, emit: emit, deduplicate: DeduplicatePlan(key: [0], within: .minutes(10)),
        measures: [
            MeasurePlan(name: "n", function: .count),
            MeasurePlan(name: "large", function: .count, admits: .compare(column: 3, .greater, .double(5))),
        ])
    plan.aggregates[0].admits = .isNull(column: 2, negated: true)
    plan.filter = .compare(column: 3, .greaterOrEqual, .double(0))
    return plan
}

@Test func nothingIsReachedBeforeACaseRan() {
    let plan = plan()
    let coverage = Coverage(plan: plan, reach: Reach(plan: plan))
    #expect(coverage.percent == 0)
    #expect(coverage.missing == coverage.items)
    #expect(Set(names(coverage.items)).count == coverage.items.count)
}

/// Each item is reached by what it names, and by nothing else.
@Test func eachBranchIsReachedByItself() {
    let plan = plan()
    let empty = Reach(plan: plan)
    let output = plan.aggregates[0].name
    let reaches: [(String, (inout Reach) -> Void)] = [
        ("filter: true", { $0.filter?.isTrue = 1 }), ("filter: false", { $0.filter?.isFalse = 1 }),
        ("filter: null", { $0.filter?.isNull = 1 }), ("\(output).where: true", { $0.outputs[0].admits?.isTrue = 1 }),
        ("\(output).where: false", { $0.outputs[0].admits?.isFalse = 1 }),
        ("\(output).large: true", { $0.outputs[0].measures[1].admits?.isTrue = 1 }),
        ("\(output).large: false", { $0.outputs[0].measures[1].admits?.isFalse = 1 }),
        ("rejected: undecodable", { $0.rejectedByReason[Int(RejectReason.undecodable.rawValue)] = 1 }),
        ("rejected: missing_field", { $0.rejectedByReason[Int(RejectReason.missingField.rawValue)] = 1 }),
        ("rejected: wrong_type", { $0.rejectedByReason[Int(RejectReason.wrongType.rawValue)] = 1 }),
        ("rejected: bad_time", { $0.rejectedByReason[Int(RejectReason.badTime.rawValue)] = 1 }),
        ("rejected: future_time", { $0.rejectedByReason[Int(RejectReason.futureTime.rawValue)] = 1 }),
        ("deduplicate: duplicate", { $0.duplicates = 1 }), ("\(output): row on time", { $0.outputs[0].rows = 1 }),
        ("\(output): revision", { $0.outputs[0].revisions = 1 }), ("\(output): late", { $0.outputs[0].lateRefusals = 1 }),
    ]
    var all = empty
    for (name, change) in reaches {
        var reach = empty
        change(&reach)
        change(&all)
        let coverage = Coverage(plan: plan, reach: reach)
        #expect(names(coverage.items.filter(\.isReached)) == [name])
    }
    let rest = names(Coverage(plan: plan, reach: all).missing)
    // No record without `d` gets past the filter.
    #expect(!names(Coverage(plan: plan, reach: all).items).contains("\(output).large: null"))
    #expect(rest.allSatisfy { ["deduplicate: unidentified", "partition: idle", "rejected: tombstone"].contains($0) })
}

/// What no record of the topology can do is not asked for.
@Test func whatCannotBeIsNotAskedFor() {
    var plan = plan(.final, lateness: .zero)
    plan.deduplicate = nil
    plan.filter = .isNull(column: 3, negated: true)
    plan.fields[3].fallback = .double(0)
    plan.source.kind = .files(["a.ndjson"])
    let items = names(Coverage(plan: plan, reach: Reach(plan: plan)).items)
    for absent in ["filter: null", "deduplicate: duplicate", "rejected: tombstone", "partition: idle", "lateness: partly late"] {
        #expect(!items.contains(absent))
    }
    #expect(!items.contains { $0.hasSuffix("revision") || $0.hasSuffix("large: null") })
    plan.aggregates[0].window = .hopping(size: .minutes(2), every: .minutes(1), offset: .zero)
    #expect(names(Coverage(plan: plan, reach: Reach(plan: plan)).items).contains("lateness: partly late"))
}
