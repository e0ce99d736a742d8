import Model
import Testing

@testable import Topology

/// Whether what `weir describe` spells, as YAML and as JSON, reads back to the same plan, places apart.
func readsBack(_ text: String, with overlays: [String: String] = [:], variables: [String: String] = [:]) {
    let first = read(text, with: overlays, variables: variables)
    #expect(first.plan != nil, "\(texts(first))")
    for spelled in [first.spelled, first.spelledJSON] {
        let again = read(spelled, variables: variables)
        #expect(again.plan.map(placeless) == first.plan.map(placeless), "\(spelled)\(texts(again))")
        #expect(again.spelled.replacing("  # default", with: "") == first.spelled.replacing("  # default", with: ""))
        #expect(again.spelledJSON == first.spelledJSON)
        // All is written now; what has no words in the language is left out still.
        #expect(again.defaults.count == first.spelled.split(separator: "\n").count { $0.drop { $0 == " " }.hasPrefix("#") })
    }
    #expect(first.defaults.count == first.spelled.split(separator: "\n").count { $0.hasSuffix("  # default") })
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

@Test func everyDefaultIsShownAlsoWhereTheReaderWorksItOut() throws {
    let fields = "p: {type: string, class: personal}\nup: {expr: upper(p)}\nat: {type: timestamp}"
    let reading = read(small(fields: fields, more: "deduplicate: {key: [id], within: 16m}\ncheck: {accept: [unused_field]}"))
    let defaults = reading.defaults.map { "\($0.path): \($0.value)" }
    for wanted in [
        "kafka.tls: no encryption", "source.group: small", "source.start: earliest", "fields.s.path: s", "fields.up.type: string",
        "fields.up.class: personal", "fields.at.unit: RFC 3339 text", "filter: every record", "deduplicate.bucket: 1m",
        "aggregates.a.window.offset: 0s", "aggregates.a.where: all that pass the filter",
        "aggregates.a.group_by: one row a window",
        "aggregates.a.to[0].table: a", "aggregates.a.freshness: none", "http: none", "commit.every: 250ms",
    ] { #expect(defaults.contains(wanted), "\(wanted)") }
    for absent in ["fields.up.path", "fields.p.type", "fields.p.class", "fields.s.unit", "name", "source.topics"] {
        #expect(!reading.defaults.contains { $0.path == absent }, "\(absent)")
    }
}

/// A default that is worked out from a variable would hold in one environment only.
@Test func whatHangsOnAVariableIsNotWrittenOut() {
    let text = small(more: "deduplicate: {key: [id], within: '${W:-16m}'}").replacing("name: small", with: "name: '${N}'")
    readsBack(text, variables: ["N": "n", "W": "32m"])
    let spelled = read(text, variables: ["N": "inner"]).spelled
    #expect(!spelled.contains("inner") && spelled.contains("group: \"${N}\"  # default"))
    #expect(spelled.contains("  # bucket: within/16, at least 1s  # default\n"))
}
