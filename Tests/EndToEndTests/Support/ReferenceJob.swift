import Model
import Testing

/// The job that most of these tests run: two outputs over the reference workload, tight enough that every outcome occurs.
struct ReferenceJob {
    var bootstrap = "localhost:1"
    var source: String
    var commit = "100ms"
    var more = ""
    var targets = ""
    var perMinute = "final"

    var yaml: String {
        """
        name: e2e
        kafka: {bootstrap: "\(bootstrap)"}
        source: \(source)
        fields:
          event_id:    {type: uuid, required: true}
          event:       {type: string, required: true}
          ts:          {type: timestamp, unit: ms, required: true}
          country:     {type: string, required: true}
          duration_ms: {type: double, required: true}
        event_time: {field: ts, out_of_orderness: 30s, idle_after: 1h}
        filter: event != 'logout'
        deduplicate: {key: [event_id], within: 5m}
        aggregates:
          per_minute:
            window: {tumbling: 1m}
            allowed_lateness: 1m
            group_by: [event, country]
            measures: {events: count(), total_ms: sum(duration_ms), slowest_ms: max(duration_ms)}
            emit: \(perMinute)
            to:
              - table: per_minute
        \(targets)
          german:
            window: {hopping: 5m, every: 2m}
            allowed_lateness: 30s
            where: country = 'DE'
            group_by: [event]
            measures: {events: count(), total_ms: sum(duration_ms), slowest_ms: max(duration_ms)}
            emit: on_time
            to:
              - table: german
        commit: {every: \(commit)}
        check: {accept: [late_copies]}
        \(more)
        """
    }

    func plan(_ state: String) throws -> Plan { try EndToEndTests.plan(yaml, state: state) }

    static let recomputation = Recomputation(
        outputs: [
            .init(),
            .init(
                size: 300_000, every: 120_000, lateness: 30_000, group: ["event"], admits: { $0.text("country") == "DE" }),
        ], filter: { $0.text("event") != "logout" })
}

/// The tables of the reference job, sorted.
func tables(_ state: String) throws -> [[[String]]] {
    let columns = "events, total_ms, slowest_ms"
    return [
        try sql("\(state)/results.db", "SELECT window_start, window_end, event, country, \(columns) FROM per_minute"),
        try sql("\(state)/results.db", "SELECT window_start, window_end, event, \(columns) FROM german"),
    ].map { $0.sorted { $0.lexicographicallyPrecedes($1) } }
}

/// The stored books, by partition number, or by the place of the path where partitions are files.
func books(_ state: String) throws -> [Int32: Recomputation.Books] {
    let rows = try sql(
        "\(state)/state.db",
        "SELECT read, aggregated, filtered, duplicate, late, partly_late, topic, partition FROM books ORDER BY 7, 8")
    let isFiles = rows.first?[6].contains("/") ?? false
    var found: [Int32: Recomputation.Books] = [:]
    for (place, row) in rows.enumerated() {
        let numbers = row[0..<6].map { Int($0) ?? -1 }
        found[isFiles ? Int32(place) : Int32(row[7]) ?? -1] = Recomputation.Books(
            read: numbers[0], aggregated: numbers[1], filtered: numbers[2], duplicate: numbers[3], late: numbers[4],
            partlyLate: numbers[5])
    }
    return found
}

/// Books and tables are what `answer` says.
func expect(_ state: String, holds answer: Recomputation.Answer, _ location: SourceLocation = #_sourceLocation) throws {
    let found = try books(state)
    #expect(found == answer.books, sourceLocation: location)
    for (index, (rows, expected)) in zip(try tables(state), answer.rows).enumerated() {
        if rows != expected {
            let extra = Set(rows).subtracting(expected).sorted { $0.lexicographicallyPrecedes($1) }
            let missing = Set(expected).subtracting(rows).sorted { $0.lexicographicallyPrecedes($1) }
            Issue.record(
                "output \(index): \(rows.count) rows, expected \(expected.count); extra \(extra.count): \(extra.prefix(3)); missing \(missing.count): \(missing.prefix(3))",
                sourceLocation: location)
        }
    }
}
