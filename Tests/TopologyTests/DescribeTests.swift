import Model
import Testing

@testable import Topology

/// Whether what `weir describe` spells reads back to the same plan, places apart.
private func readsBack(_ text: String, variables: [String: String] = [:]) {
    let first = read(text, variables: variables)
    let again = read(first.spelled, variables: variables)
    #expect(first.plan != nil, "\(texts(first))")
    #expect(again.plan.map(placeless) == first.plan.map(placeless), "\(first.spelled)\(texts(again))")
    #expect(again.spelled.replacing("  # default", with: "") == first.spelled.replacing("  # default", with: ""))
}

private func placeless(_ plan: Plan) -> Plan {
    var plan = plan
    for index in plan.fingerprint.indices { plan.fingerprint[index].place = "" }
    return plan
}

@Test(
    arguments: [
        "", "late: count", "dead_letters: {topic: a.dead}", "http: {}", "kafka: {tls: {}, client: {linger.ms: 5}}",
        "filter: \"s = 'it''s: \\\"#\\\"' AND i > 1\"", "description: \"- a: b # c\"", "owner: \"-\"",
        "deduplicate: {key: [id], within: 1h}", "check: {accept: [late_copies, files_apart]}",
        "kafka: {sasl: {mechanism: plain, user: u, password: '${PASSWORD}'}}", "commit: {every: '${PACE:-1s}'}",
    ])
func whatIsSpelledReadsBackToTheSamePlan(more: String) {
    readsBack(small(more: more), variables: ["PASSWORD": "geheim"])
}

@Test func targetsAndEmissionReadBack() {
    let aggregate = "group_by: [s]\nemit: {every: 10s}\nto: [{table: {name: x, keep: 9d}}, {kafka: {topic: rows}}]"
    readsBack(small(fields: "n: {type: string, default: 'null'}\nz: {type: int, path: a.b, default: -1}", aggregate: aggregate))
}

@Test func aDescriptionShowsNoSecretAndMarksDefaults() {
    let more = "kafka: {bootstrap: '${HOSTS}', sasl: {mechanism: plain, user: u, password: '${PASSWORD}'}}"
    let reading = read(small(more: more), variables: ["PASSWORD": "geheim", "HOSTS": "inner:1"])
    #expect(reading.plan != nil)
    #expect(!reading.spelled.contains("geheim") && !reading.spelled.contains("inner"))
    #expect(reading.spelled.contains("password: \"${PASSWORD}\""))
    #expect(reading.spelled.contains("  every: 250ms  # default\n") && !reading.spelled.contains("name: small  # default"))
}

@Test func aDescriptionTellsWhereEachFieldIsUsed() throws {
    let aggregate = "where: b\ngroup_by: [s]"
    let plan = try #require(
        read(small(aggregate: aggregate, more: "filter: i > 1 OR d > i\ndeduplicate: {key: [id], within: 1h}")).plan)
    let uses = Description(plan).fields.map { "\($0.field): \($0.usedBy.joined(separator: ", "))" }
    #expect(
        uses == ["ts: event_time", "id: deduplicate", "s: a group_by", "i: filter", "d: filter", "b: a where", "j: "])
}
