import Model
import Testing

@testable import Topology

@Suite struct FingerprintTests {
    private static let base = """
        name: orders
        kafka: {bootstrap: "a:1"}
        source:
          topics: [in]
          group: g
          max_record: 1MiB
          keyed_by: [user]
        fields:
          ts: {type: timestamp, unit: ms}
          id: {type: uuid}
          user: {type: string}
          country: {type: string, default: none}
          amount: {type: int}
          unused: {type: int}
        event_time: {field: ts, out_of_orderness: 5m, idle_after: 30s, max_future: 10m}
        filter: amount > 0
        deduplicate: {key: [id], within: 16m, observe: false}
        aggregates:
          first:
            window: {tumbling: 1m}
            allowed_lateness: 10m
            where: country IS NOT NULL
            group_by: [user, country]
            measures: {n: count(), total: sum(amount) where amount < 9}
            emit: final
            to: [{table: t}]
          second:
            window: {hopping: 10m, every: 1m}
            measures: {n: count()}
        """

    private static func parts(_ text: String) -> [String: String] {
        let reading = read(text)
        // Some edits make doubtful topologies; here only what they do to the fingerprint counts.
        // What an edit leaves without a reader, or makes doubtful, is told; the fingerprint doesn't look at it.
        #expect(
            Set(reading.problems.map(\.code)).isSubset(of: [
                .unusedField, .neverTrue, .lateCopies, .filesApart, .samePath, .personalRows,
            ]))
        #expect(reading.plan != nil)
        return Dictionary(uniqueKeysWithValues: (reading.plan?.fingerprint ?? []).map { ($0.name, $0.text) })
    }

    @Test func theFingerprintIsCanonicalLinesWithTheirPlace() {
        #expect(
            read(Self.base).plan?.fingerprint == [
                FingerprintPart(
                    name: "source",
                    text: """
                        topics: in
                        max_record: 1MiB
                        event_time: ts
                        out_of_orderness: 5m
                        max_future: 10m
                        filter: amount > 0
                        keyed_by: user
                        field: amount int at amount
                        field: ts timestamp ms at ts
                        field: user string at user
                        """, place: "t.yaml:3"),
                FingerprintPart(
                    name: "deduplicate",
                    text: """
                        key: id uuid at id
                        within: 16m
                        bucket: 1m
                        """, place: "t.yaml:17"),
                FingerprintPart(
                    name: "aggregate first",
                    text: """
                        window: tumbling 1m
                        allowed_lateness: 10m
                        where: country IS NOT NULL
                        group_by: user, country
                        measure n: count()
                        measure total: sum(amount) where amount < 9
                        keyed: true
                        field: amount int at amount
                        field: country string at country default 'none'
                        field: user string at user
                        """, place: "t.yaml:19"),
                FingerprintPart(
                    name: "aggregate second",
                    text: """
                        window: hopping 10m every 1m
                        allowed_lateness: 0s
                        group_by: 
                        measure n: count()
                        keyed: false
                        """, place: "t.yaml:27"),
            ])
    }

    /// An edit and the parts that it changes.
    @Test(
        arguments: [
            // Words, places, pace and memory: nothing.
            ("name: orders", "name: orders\nowner: me\ndescription: words", []), ("a:1", "b:2", []),
            ("group: g", "group: h\n  start: latest", []),
            ("idle_after: 30s", "idle_after: 60s", []), ("observe: false", "observe: true", []),
            ("emit: final", "emit: {every: 5s}", []),
            ("to: [{table: t}]", "to: [{table: u}, {kafka: {topic: o}}]", []),
            ("to: [{table: t}]", "freshness: {within: 1h}", []),
            (
                "name: orders", "name: orders\ncommit: {every: 1s}\nstate: {directory: /d, memory: 1GiB}\nhttp: {}\nlate: count",
                []
            ),
            ("unused: {type: int}", "unused: {type: string, path: a.b, required: true}", []), ("  unused: {type: int}\n", "", []),
            ("user: {type: string}", "user: {type: string, class: personal}", []), ("topics: [in]", "topics: [in] # words", []),
            ("filter: amount > 0", "filter: ( AMOUNT > 0.0 )".replacing("AMOUNT", with: "amount"), []),
            ("where: country IS", "where: country is", []),
            ("window: {tumbling: 1m}", "window: {tumbling: 60s}", []), ("within: 16m", "within: 16m, bucket: 60s", []),
            // The source.
            ("topics: [in]", "topics: [in, more]", ["source"]), ("max_record: 1MiB", "max_record: 2MiB", ["source"]),
            ("out_of_orderness: 5m", "out_of_orderness: 4m", ["source"]), ("max_future: 10m", "max_future: 9m", ["source"]),
            ("unit: ms", "unit: s", ["source"]), ("unit: ms}", "unit: ms, path: at}", ["source"]),
            ("{field: ts,", "{record: timestamp,", ["source"]),
            ("filter: amount > 0", "filter: amount > 1", ["source"]), ("filter: amount > 0\n", "", ["source"]),
            ("keyed_by: [user]", "keyed_by: [id]", ["source", "aggregate first"]),
            ("topics: [in]\n  group: g", "files: [a.ndjson]", ["source"]),
            // Duplicates.
            ("within: 16m", "within: 15m, bucket: 1m", ["deduplicate"]),
            ("within: 16m", "within: 16m, bucket: 2s", ["deduplicate"]),
            ("key: [id]", "key: [id, user]", ["deduplicate"]), ("id: {type: uuid}", "id: {type: string}", ["deduplicate"]),
            ("deduplicate: {key: [id], within: 16m, observe: false}\n", "", ["deduplicate"]),
            // Aggregates.
            ("tumbling: 1m}", "tumbling: 2m}", ["aggregate first"]),
            ("tumbling: 1m}", "tumbling: 1m, offset: 1s}", ["aggregate first"]),
            ("allowed_lateness: 10m", "allowed_lateness: 11m", ["aggregate first"]),
            ("where: country IS NOT NULL", "where: country = 'x'", ["aggregate first"]),
            ("[user, country]", "[country, user]", ["aggregate first"]), ("[user, country]", "[country]", ["aggregate first"]),
            ("amount < 9", "amount < 8", ["aggregate first"]), ("total: sum", "whole: sum", ["aggregate first"]),
            ("sum(amount)", "avg(amount)", ["aggregate first"]),
            ("default: none", "default: other", ["aggregate first"]), ("every: 1m}", "every: 2m}", ["aggregate second"]),
            ("  second:", "  third:", ["aggregate second", "aggregate third"]),
            ("amount: {type: int}", "amount: {type: double}", ["source", "aggregate first"]),
        ] as [(String, String, [String])])
    func anEditChangesItsPartAlone(old: String, new: String, changed: [String]) {
        let edited = Self.base.replacing(old, with: new, maxReplacements: 1)
        #expect(edited != Self.base)
        let before = Self.parts(Self.base)
        let after = Self.parts(edited)
        let different = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }
        #expect(different == Set(changed))
    }

    @Test(arguments: [
        ("{rate: 5000/s}", "{rate: 4000/s}", true), ("{seed: 1}", "{seed: 2}", true), ("{}", "{partitions: 4}", true),
        ("{}", "{events: 5}", true),
        ("{}", "{start: 2026-01-01T00:00:00Z}", true), ("{}", "{unpaced: true}", false), ("{}", "{seed: 1, rate: 5000/s}", false),
    ])
    func whatTheGeneratorMakesBelongsToTheSource(old: String, new: String, isChange: Bool) {
        let before = Self.parts(small(source: "{generator: \(old)}"))
        let after = Self.parts(small(source: "{generator: \(new)}"))
        #expect((before != after) == isChange)
    }
}
