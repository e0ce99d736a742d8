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
    let uses = Lineage(plan).fields.map { "\($0.field): \($0.usedBy.joined(separator: ", "))" }
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

/// Through computed fields, and through the parts of expressions that nobody named.
@Test func theWayOfAFieldIsFollowedThroughWhatIsComputedFromIt() throws {
    let fields = """
        seconds: {expr: d / 1000}
        long:    {expr: seconds > 60 AND i > 1}
        kind:    {expr: "coalesce(upper(s), 'NONE')"}
        """
    let aggregate = """
        where: long
        group_by: [kind]
        to: [{table: x}, {kafka: {topic: rows}}]
        """
    let text = small(fields: fields, aggregate: aggregate, more: "filter: lower(s) != 'x'\ndeduplicate: {key: [id], within: 1h}")
        .replacing("measures: {events: count()}", with: "measures: {events: count(), total: sum(seconds * 2) where b}")
    let plan = try #require(read(text).plan)
    let lineage = Lineage(plan)
    #expect(
        lineage.fields.map { "\($0.field): \($0.usedBy.joined(separator: ", "))" } == [
            "ts: event_time", "id: deduplicate", "s: a group_by via kind, filter", "i: a where via long",
            "d: a where via seconds, long, a.total via seconds", "b: a.total", "j: ", "seconds: a where via long, a.total",
            "long: a where", "kind: a group_by",
        ])
    let decided = "filter(s) deduplicate(id) where(i via long, d via seconds, long)"
    #expect(
        lineage.columns.map { column in
            let by = column.decided.map { "\($0.by)(\($0.fields.map(\.text).joined(separator: ", ")))" }.joined(separator: " ")
            return "\(column.name) = \(column.means) from \(column.from.map(\.text).joined(separator: ", ")) by \(by)"
        } == [
            "window_start = start of the window from ts by \(decided)", "window_end = end of the window from ts by \(decided)",
            "kind = group from s via kind by \(decided)", "events = count() from  by \(decided)",
            "total = sum(multiply(seconds, 2.0)) where b from d via seconds by \(decided) its where(b)",
            "revision = how often the row came from  by ", "final = no correction will come from  by ",
            "as_of = the watermark from ts by ",
        ])
    #expect(lineage.columns.allSatisfy { $0.to == ["table x", "topic rows"] && $0.output == "a" })
}

@Test func whatIsTouchedIsToldWithWhatWeirMakes() throws {
    let text = small(aggregate: "to: [{table: x}, {kafka: {topic: rows}}]", more: "dead_letters: {topic: dead}\nhttp: {}")
    let plan = try #require(read(text).plan)
    let description = Description(plan, assuming: StateEstimate.Assumptions(plan))
    #expect(
        description.touched.map { "\($0.how) \($0.kind) \($0.name) \($0.isMade) \($0.holds.count)" } == [
            "reads topic in false 0", "writes group small true 0", "writes table x true 1", "writes topic rows false 0",
            "writes topic dead false 0", "writes state ./state/state.db true \(OwnTables.state.count)",
            "writes state ./state/results.db true \(OwnTables.results.count)", "listens address 127.0.0.1:8080 false 0",
        ])
    #expect(
        description.memory.map { "\($0.name) \($0.bytes.bytes >> 20)" } == [
            "state.memory 512", "prefetch queues 128", "page caches 56", "the program 32", "keys and windows 296",
        ])
    #expect(description.estimate.standing == nil && description.estimate.perMillion.map(\.name) == ["cells of a"])
}

/// What the process takes is part of `state.memory`, at any size, and most of it is for keys and windows.
@Test(arguments: ["64MiB", "512MiB", "64GiB"]) func whatStateMemoryIsSharedOutToComesToIt(_ size: String) throws {
    for more in ["", "\ndeduplicate: {key: [s], within: 2h, scope: topic}"] {
        let text = small(aggregate: "to: [{table: x}]", more: "state: {memory: \(size)}") + more
        let plan = try #require(read(text).plan, "\(read(text).problems)")
        let shares = plan.memoryShares
        let parts = [shares.queues, shares.handedOn, shares.pages, shares.program, shares.state]
        #expect(parts.reduce(0, +) == plan.state.memory.bytes && parts.allSatisfy { $0 >= 0 })
        #expect(shares.state * 16 >= plan.state.memory.bytes * 7, "\(parts)")
        let told = Description(plan, assuming: StateEstimate.Assumptions(plan)).memory
        #expect(told.dropFirst().reduce(0) { $0 + $1.bytes.bytes } == told.first?.bytes.bytes)
    }
}

@Test func aGroupsOwnTopicsAreToldToo() throws {
    let text = small(aggregate: "to: [{kafka: {topic: rows}}, {table: x}]", more: "delivery: exactly_once")
    let plan = try #require(read(text).plan)
    let touched = Description(plan, assuming: StateEstimate.Assumptions(plan)).touched
    let topics = GroupLayout.Topics(group: "small", name: "small")
    #expect(
        touched.filter { $0.kind == "topic" && $0.isMade }.map(\.name) == [
            topics.changelog, topics.watermarks, topics.partials, topics.results,
        ])
    let rekeying = text + "\ndeduplicate: {key: [s], within: 2h, scope: topic}"
    let more = try #require(read(rekeying).plan, "\(read(rekeying).problems)")
    #expect(
        Description(more, assuming: StateEstimate.Assumptions(more)).touched.filter { $0.kind == "topic" && $0.isMade }.map(
            \.name)
            == [topics.changelog, topics.watermarks, topics.partials, topics.rekey, topics.results, topics.control])
    #expect(touched.contains { $0.kind == "state" && $0.holds == OwnTables.state + OwnTables.group })
}

/// More events, groups, partitions or overlapping windows never take less.
@Test func anEstimateGrowsWithWhatIsAssumed() throws {
    func memory(_ aggregate: String, _ change: (inout StateEstimate.Assumptions) -> Void = { _ in }) throws -> [Int64] {
        let aggregate = "group_by: [s]\nemit: on_time\nallowed_lateness: 5m" + aggregate
        let plan = try #require(read(small(aggregate: aggregate, more: "deduplicate: {key: [id], within: 1h}")).plan)
        var assumed = StateEstimate.Assumptions(plan, rate: 1_000)
        change(&assumed)
        let estimate = StateEstimate(plan, assumed)
        return try [estimate.perMillion, #require(estimate.standing)].flatMap {
            [StateEstimate.memory($0).bytes, StateEstimate.disk($0).bytes]
        }
    }
    let least = try memory("")
    for more in [
        try memory("") { $0.groups *= 10 }, try memory("") { $0.partitions *= 10 },
    ] { #expect(zip(least, more).allSatisfy { $0 < $1 }) }
    let faster = try memory("") { $0.rate = 2_000 }
    #expect(faster[0] == least[0] && faster[2] > least[2] && faster[3] > least[3])
    let fewer = try memory("") { $0.keysPerMillion /= 2 }
    #expect(zip(fewer, least).allSatisfy { $0 < $1 })
}
