import Model
import Testing
import Testkit
import Topology

@testable import Rehearsal

/// Late events that are applied again, against a model that knows no lateness at all.
struct ReapplyTests {
    /// A stream of a few partitions, far out of order, with copies.
    private struct Stream {
        struct Event {
            var partition: Int32
            var id: Int
            var at: Int64
            var group: String
            var value: Int64
        }
        var events: [Event] = []
        var partitions: Int32

        init(seed: UInt64) {
            var random = SplitMix(seed: seed &* 0x9E37_79B9_7F4A_7C15 &+ 7)
            partitions = 1 + Int32(random.below(3))
            var clock: Int64 = 0
            for id in 0..<(20 + random.below(60)) {
                clock += Int64(random.below(400)) * 100
                let late = random.below(3) == 0 ? Int64(random.below(3_000)) * 100 : Int64(random.below(50)) * 100
                events.append(
                    Event(
                        partition: Int32(random.below(Int(partitions))), id: id, at: max(clock - late, 0),
                        group: ["a", "b", "c"][random.below(3)], value: Int64(random.below(100)) - 20))
                if random.below(5) == 0, let copied = events.last {
                    // A copy comes soon, to the same partition, as producers send them.
                    events.append(copied)
                }
            }
        }
    }

    private static func topology(_ emit: String, keyed: Bool) -> String {
        """
        name: again
        source: {topics: [in]\(keyed ? ", keyed_by: [k]" : "")}
        fields: {id: {type: int, required: true}, t: {type: timestamp, unit: ms, required: true}, k: {type: string}, v: {type: int}}
        event_time: {field: t, out_of_orderness: 3s, idle_after: 30s}
        deduplicate: {key: [id], within: 7d}
        aggregates:
          fixed:
            window: {tumbling: 10s}
            group_by: [k]
            measures: {n: count(), total: sum(v), least: min(v), most: max(v), people: approx_distinct(id), mid: "quantile(v, 0.5)"}
            emit: \(emit)
          sliding:
            window: {hopping: 20s, every: 5s}
            allowed_lateness: 2s
            group_by: [k]
            measures: {n: count(), total: sum(v), least: min(v), most: max(v)}
            emit: \(emit)
          minutes:
            from: fixed
            window: {tumbling: 1m}
            measures: {n: count(), total: sum(v), least: min(v), most: max(v)}
            emit: \(emit)
        """
    }

    /// A row as it matters: output, window, group, count, sum, least, most.
    private struct Shown: Hashable, CustomStringConvertible {
        var output: String
        var start: Int64
        var group: String
        var n: Int64
        var total: Int64
        var least: Int64
        var most: Int64
        /// Of `fixed` alone: different events, and the middle one's value.
        var people: Int64?
        var mid: Double?
        var description: String { "\(output) \(start) \(group): \(n) \(total) \(least) \(most) \(people ?? 0) \(mid ?? 0)" }
    }

    /// Every window of every event, each event once: no watermark, no lateness, no commit.
    private static func model(_ events: [Stream.Event]) -> Set<Shown> {
        struct Place: Hashable {
            var output: String
            var start: Int64
            var group: String
        }
        var seen: Set<[Int]> = []
        var values: [Place: [Int64]] = [:]
        for event in events where seen.insert([Int(event.partition), event.id]).inserted {
            values[Place(output: "fixed", start: event.at / 10_000 * 10_000, group: event.group), default: []].append(event.value)
            values[Place(output: "minutes", start: event.at / 60_000 * 60_000, group: ""), default: []].append(event.value)
            let last = event.at / 5_000 * 5_000
            for start in stride(from: last - 15_000, through: last, by: 5_000) {
                values[Place(output: "sliding", start: start, group: event.group), default: []].append(event.value)
            }
        }
        return Set(
            values.map { place, values in
                Shown(
                    output: place.output, start: place.start, group: place.group, n: Int64(values.count),
                    total: values.reduce(0, +), least: values.min() ?? 0, most: values.max() ?? 0,
                    people: place.output == "fixed" ? Int64(values.count) : nil,
                    mid: place.output == "fixed" ? Double(values.sorted()[(values.count + 1) / 2 - 1]) : nil)
            })
    }

    private static func shown(_ row: Observation.Row) -> Shown {
        func int(_ name: String) -> Int64 {
            switch row[name] {
            case .int(let number): number
            case .time(let time): time.milliseconds
            default: .min
            }
        }
        var mid: Double?
        if case .double(let number) = row["mid"] { mid = number }
        var group = ""
        if case .string(let text) = row["k"] { group = text }
        return Shown(
            output: row.output, start: int("window_start"), group: group, n: int("n"), total: int("total"), least: int("least"),
            most: int("most"), people: row.output == "fixed" ? int("people") : nil, mid: mid)
    }

    @Test(arguments: ["final", "on_time", "{every: 2s}"], [false, true])
    func afterAllLateEventsAreAppliedAgainNothingWasLate(emit: String, keyed: Bool) throws {
        var late: Int64 = 0
        for seed in FuzzSeeds.of(Array(1...40)) {
            let stream = Stream(seed: seed)
            let plan = try plan(Self.topology(emit, keyed: keyed))
            var events = stream.events
            if keyed {
                // What the producers promise: a key has one partition.
                for at in events.indices {
                    events[at].partition = Int32(["a", "b", "c"].firstIndex(of: events[at].group) ?? 0) % stream.partitions
                }
            }
            var random = SplitMix(seed: seed ^ 0xFEED)
            let rehearsal = try Rehearsal(plan: plan, partitions: Int(stream.partitions))
            var partly: Int64 = 0
            for event in events {
                try rehearsal.feed(
                    #"{"id":\#(event.id),"t":\#(event.at),"k":"\#(event.group)","v":\#(event.value)}"#, to: event.partition)
                switch random.below(30) {
                case 0: try rehearsal.reapply()
                case 1: try rehearsal.restart(.crash)
                case 2: try rehearsal.restart(.clean)
                case 3: try rehearsal.advance(.seconds(40))
                default: break
                }
            }
            if random.below(2) == 0 { try rehearsal.reapply() }
            let after = try rehearsal.endWithAllAppliedAgain()
            partly = after.count("partly_late") ?? 0
            late += after.count("reapplied") ?? 0
            let wanted = Self.model(events)
            let came = Set(after.latest.map(Self.shown))
            if partly == 0 {
                #expect(came == wanted, "seed \(seed)")
            } else {
                // Partly late events have no entry (S12): only their sliding windows may lack them.
                let strict = { (rows: Set<Shown>) in rows.filter { $0.output != "sliding" } }
                #expect(strict(came) == strict(wanted), "seed \(seed)")
            }
        }
        #expect(late > 100, "there was too little to apply again: \(late)")
    }

    private func plan(_ yaml: String) throws -> Plan {
        let reading = Topology.read(
            files: ["again.yaml"],
            from: Topology.Surroundings(
                bytes: { _ throws(Fault) in Array(yaml.utf8) }, environment: { _ in nil },
                zone: { name throws(Fault) in throw Fault("zone_unknown", "none", place: name, next: "none", exit: .topology) }))
        return try #require(reading.plan, "\(reading.problems.map { $0.text() }.joined(separator: "\n"))")
    }
}
