import Model
import Testing
import Topology

@testable import Rehearsal

/// Extreme values through derived fields, a whole lane and a commit: the books balance, and what can't be told is null.
struct ExtremeValueTests {
    private static let file = """
        topology:
          name: extremes
          source: {topics: [in]}
          fields:
            ts: {type: timestamp, unit: ms, required: true}
            other: {type: timestamp, unit: ms}
            n: {type: int}
            s: {type: string}
            p: {type: string}
            at: {expr: "coalesce(other, ts)"}
            age: {expr: other - ts}
            later: {expr: ts + n}
            day: {expr: "date_trunc('day', other)"}
            year: {expr: "date_part('year', other)"}
            part: {expr: "substr(s, n)"}
            found: {expr: s LIKE p}
            number: {expr: cast(s AS int)}
            read: {expr: cast(s AS timestamp)}
            told: {expr: cast(other AS string)}
          event_time: {field: at, out_of_orderness: 1m}
          aggregates:
            all:
              window: {tumbling: 1d}
              group_by: [part, found]
              measures:
                events: count()
                ages: count(age)
                laters: max(later)
                days: min(day)
                years: max(year)
                numbers: sum(number)
                reads: last(read)
                tolds: max(told)
              to: [{table: all}]
        cases:
          - name: times at both ends
            steps:
              - feed:
                  - {value: {ts: 0, other: 9223372036854775807, n: 1, s: a}}
                  - {value: {ts: 0, other: -9223372036854775808, n: 1, s: a}}
                  - {value: {ts: 9223372036854775807, n: 1}}
                  - {value: {ts: -9223372036854775808, n: -1}}
                  - {value: {ts: -62167219200000, n: -9223372036854775808, s: "9999-12-31T23:59:59.9999Z", p: "%%%_%"}}
                  - {value: {ts: 253402300799999, n: 9223372036854775807, s: ""}}
              - expect:
                  outcomes: {read: 6, aggregated: 2, rejected: 4}
                  rows:
                    - {window_start: -62167219200000, events: 1, part: "9999-12-31T23:59:59.9999Z", found: true, ages: 0, numbers: null, reads: null, laters: null}
              - restart: crash
              - end
              - expect:
                  rows:
                    - {window_start: 253402214400000, events: 1, part: "", found: null, ages: 0, numbers: null, laters: null}
          - name: ints at both ends
            steps:
              - feed:
                  - {value: {ts: 1, other: 0, n: 9223372036854775807, s: "-9223372036854775808", p: ""}}
                  - {value: {ts: -1, other: 0, n: -9223372036854775808, s: "9223372036854775808", p: "_"}}
                  - {value: {ts: 1, other: 1, n: 0, s: "-9223372036854775808", p: "-%8"}}
              - end
              - expect:
                  outcomes: {read: 3, aggregated: 3}
                  rows:
                    - {events: 1, part: "", found: false, ages: 1, laters: null, numbers: -9223372036854775808, tolds: "1970-01-01T00:00:00.000Z"}
                    - {events: 1, part: "9223372036854775808", found: false, ages: 1, laters: null, numbers: null, years: 1970}
                    - {events: 1, part: "-9223372036854775808", found: true, ages: 1, laters: 1, numbers: -9223372036854775808, days: 0}
          - name: what no field holds
            steps:
              - feed:
                  - {raw: "not json"}
                  - {value: {ts: 1, n: 1.5}}
                  - {value: {ts: 1, s: 7}}
                  - {value: {ts: 1, other: "2026-01-01T00:00:00Z"}}
                  - {value: {ts: 1}}
              - end
              - expect:
                  outcomes: {read: 5, aggregated: 1, rejected: 4}
                  rows: [{events: 1, part: null, found: null, ages: 0, laters: null, days: null, numbers: null, reads: null, tolds: null}]
        """

    @Test func whateverARecordHoldsTheBooksBalance() throws {
        var surroundings = Topology.Surroundings.machine
        let bytes = Array(Self.file.utf8)
        surroundings.bytes = { _ throws(Fault) in bytes }
        let reading = TestFileReader.read("extremes.test.yaml", from: surroundings)
        let test = try #require(reading.test, "\(reading.problems.map { $0.text() })")
        #expect(test.cases.count == 3)
        for one in test.cases {
            let result = CaseRunner.run(one, of: test)
            #expect(result.isOK, "\(one.name): \(result)")
        }
    }
}
