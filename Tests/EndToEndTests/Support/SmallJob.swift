import Model
import Testing

/// Small JSON records, one aggregate: how many and what sum for each key in ten seconds.
struct SmallJob {
    var bootstrap = "localhost:1"
    var source: String
    var eventTime = "out_of_orderness: 0s, idle_after: 1h"
    var window = "{tumbling: 10s}"
    var lateness = "0s"
    var emit = "final"
    var to = "- table: n"
    var fields = ""
    var more = ""

    var yaml: String {
        """
        name: small
        kafka: {bootstrap: "\(bootstrap)"}
        source: \(source)
        fields:
          ts: {type: timestamp, unit: ms, required: true}
          k:  {type: string}
          v:  {type: int}
        \(fields)
        event_time: {field: ts, \(eventTime)}
        aggregates:
          n:
            window: \(window)
            allowed_lateness: \(lateness)
            group_by: [k]
            measures: {n: count(), v: sum(v)}
            emit: \(emit)
            to:
              \(to)
        commit: {every: 50ms}
        \(more)
        """
    }

    func plan(_ state: String) throws -> Plan { try EndToEndTests.plan(yaml, state: state) }
}

/// 2026-01-01T00:00:00Z.
let newYear: Int64 = 1_767_225_600_000

/// A record of the small job, `seconds` after new year.
func event(_ seconds: Double, _ key: String = "a", _ value: Int = 1) -> String {
    #"{"ts": \#(newYear + Int64(seconds * 1_000)), "k": "\#(key)", "v": \#(value)}"#
}

/// Rows of the small job: `start in seconds, key, n, v`.
func smallRows(_ state: String) throws -> [[String]] {
    try sql("\(state)/results.db", "SELECT (window_start - \(newYear)) / 1000, k, n, v FROM n ORDER BY 1, 2")
}

/// A table of a state directory that may not be there yet.
func stored(_ state: String, _ query: String) throws -> [[String]] { try sql("\(state)/state.db", query) }
