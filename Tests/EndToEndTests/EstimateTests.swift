import Freshness
import Model
import Testing
import Testkit
import Topology

/// What `weir describe` reckons, beside what a run at the generator's pace holds once keys and windows come and go.
struct EstimateTests {
    @Test(arguments: ["final", "on_time"])
    func whatIsReckonedIsWhatARunHolds(emit: String) throws {
        let scratch = Scratch()
        let plan = try plan(
            """
            name: estimate
            source: {generator: {rate: 6000/s, seed: 1, partitions: 4}}
            fields:
              event_id:    {type: uuid, required: true}
              event:       {type: string, required: true}
              ts:          {type: timestamp, unit: ms, required: true}
              country:     {type: string, required: true}
              duration_ms: {type: double, required: true}
            event_time: {field: ts, out_of_orderness: 1s}
            deduplicate: {key: [event_id], within: 6s}
            aggregates:
              durations:
                window: {tumbling: 1s}
                allowed_lateness: 2s
                group_by: [event, country]
                measures:
                  events: count()
                  total_ms: sum(duration_ms)
                  slow_ms: quantile(duration_ms, 0.99)
                  people: approx_distinct(event_id)
                emit: \(emit)
            """, state: scratch.file("state"))
        let running = Running(plan)
        try running.until("a first event") { $0.newestEventTime != nil }
        let first = try #require(running.facts.newestEventTime)
        // Longer than keys and windows are held.
        try running.until("keys that went", within: 120) { $0.newestEventTime.map { $0 - first > .seconds(10) } ?? false }
        let memory = Double(running.facts.memory.bytes)
        try running.stop()
        let database = scratch.file("state/state.db")
        func number(_ query: String) throws -> Double { try #require(Double(try sql(database, query)[0][0])) }
        let disk = try number("SELECT sum(pgsize) FROM dbstat WHERE name = 'state'")
        let groups = try number(
            "SELECT count(*) FROM (SELECT DISTINCT substr(key, 12) FROM state WHERE lane >= 0 AND substr(key, 1, 1) = x'63')")
        let estimate = StateEstimate(plan, StateEstimate.Assumptions(plan, groups: Int64(groups)))
        let standing = try #require(estimate.standing)
        #expect(isNear(Double(StateEstimate.memory(standing).bytes), memory))
        #expect(isNear(Double(StateEstimate.disk(standing).bytes), disk))
    }

    private func isNear(_ reckoned: Double, _ measured: Double) -> Bool {
        reckoned <= measured * EstimateLimits.factor && measured <= reckoned * EstimateLimits.factor
    }
}
