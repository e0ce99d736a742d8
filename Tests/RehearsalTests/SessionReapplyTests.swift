import Model
import Testing
import Testkit
import Topology

@testable import Rehearsal

/// Late events that are applied again to sessions, against a model that sorts all events and cuts them at the gaps.
struct SessionReapplyTests {
    private struct Event {
        var partition: Int32
        var offset: Int64
        var id: Int
        var at: Int64
        var group: String
        var value: Int64
    }

    private static let outOfOrderness: Int64 = 3_000
    private static let outputs: [(name: String, gap: Int64, lateness: Int64)] = [("short", 4_000, 0), ("long", 15_000, 6_000)]

    /// Far out of order, with copies.
    private static func stream(seed: UInt64, keyed: Bool) -> (events: [Event], partitions: Int32) {
        var random = SplitMix(seed: seed &* 0x9E37_79B9_7F4A_7C15 &+ 11)
        let partitions = 1 + Int32(random.below(3))
        let groups = [3, 20][random.below(2)]
        var offsets: [Int32: Int64] = [:]
        var events: [Event] = []
        var clock: Int64 = 0
        func add(_ event: Event) {
            var event = event
            event.offset = offsets[event.partition, default: 0]
            offsets[event.partition] = event.offset + 1
            events.append(event)
        }
        for id in 0..<(20 + random.below(60)) {
            clock += Int64(random.below(80)) * 100
            let late = random.below(3) == 0 ? Int64(random.below(1_200)) * 100 : Int64(random.below(40)) * 100
            let group = random.below(groups)
            let partition = Int32(random.below(Int(partitions)))
            add(
                Event(
                    partition: keyed ? Int32(group) % partitions : partition, offset: 0, id: id, at: max(clock - late, 0),
                    group: "g\(group)", value: Int64(random.below(100)) - 20))
            // One that is only just too late, and one that is in time for a session which touches it.
            let output = outputs[random.below(2)]
            let watermark = (events.filter { $0.partition == partition }.map(\.at).max() ?? 0) - outOfOrderness
            let at = watermark - output.gap - output.lateness - Int64(random.below(500))
            if random.below(4) == 0, at >= 0 {
                for (number, at) in [at, at + output.gap - 1 - Int64(random.below(1_500))].enumerated() {
                    add(
                        Event(
                            partition: partition, offset: 0, id: 1_000 + 2 * id + number, at: at, group: "\(id)",
                            value: Int64(random.below(100))))
                }
            }
            // A copy comes soon, to the same partition, as producers send them.
            if random.below(5) == 0, let copied = events.last { add(copied) }
        }
        return (events, partitions)
    }

    private static func topology(_ emit: String, keyed: Bool) -> String {
        """
        name: again
        source: {topics: [in]\(keyed ? ", keyed_by: [k]" : "")}
        fields: {id: {type: int, required: true}, t: {type: timestamp, unit: ms, required: true}, k: {type: string}, v: {type: int}}
        event_time: {field: t, out_of_orderness: \(outOfOrderness)ms, idle_after: 30s}
        deduplicate: {key: [id], within: 7d}
        aggregates:
        """
            + outputs.map { output in
                """

                  \(output.name):
                    window: {session: \(output.gap)ms}
                    allowed_lateness: \(output.lateness)ms
                    group_by: [k]
                    measures: {n: count(), total: sum(v), least: min(v), early: first(v), newest: last(v),
                               people: approx_distinct(id), mid: "quantile(v, 0.5)"}
                    emit: \(emit)
                """
            }.joined()
    }

    private struct Shown: Hashable, CustomStringConvertible {
        var output: String
        var start: Int64
        var end: Int64
        var group: String
        /// Count, sum, least, first, last, different ones.
        var numbers: [Int64]
        var mid: Double
        var description: String { "\(output) \(start)–\(end) \(group): \(numbers) \(mid)" }
    }

    /// Each event once, in order of time, cut where nothing comes for a gap.
    private static func model(_ events: [Event]) -> Set<Shown> {
        var seen: Set<[Int]> = []
        let once = events.filter { seen.insert([Int($0.partition), $0.id]).inserted }
        var shown: Set<Shown> = []
        for output in outputs {
            for (group, own) in Dictionary(grouping: once, by: \.group) {
                var runs: [[Event]] = []
                for event in own.sorted(by: { ($0.at, $0.partition, $0.offset) < ($1.at, $1.partition, $1.offset) }) {
                    if let last = runs.last?.last, event.at < last.at + output.gap {
                        runs[runs.count - 1].append(event)
                    } else {
                        runs.append([event])
                    }
                }
                for run in runs {
                    let values = run.map(\.value)
                    shown.insert(
                        Shown(
                            output: output.name, start: run[0].at, end: run[run.count - 1].at + output.gap, group: group,
                            numbers: [
                                Int64(run.count), values.reduce(0, +), values.min() ?? 0, values[0], values[values.count - 1],
                                Int64(run.count),
                            ], mid: Double(values.sorted()[(values.count + 1) / 2 - 1])))
                }
            }
        }
        return shown
    }

    /// Events in time for a session of their own that overlaps one which is over in their partition: those stay apart (S11), unless a late
    /// event is applied again to them.
    private static func apart(_ events: [Event]) -> Int {
        struct Session {
            var output: Int
            var group: String
            var start: Int64
            var end: Int64
        }
        var found = 0
        var watermarks: [Int32: Int64] = [:]
        var sessions: [Session] = []
        for event in events {
            let before = watermarks[event.partition] ?? .min
            watermarks[event.partition] = max(before, event.at - outOfOrderness)
            for (at, output) in outputs.enumerated() {
                let all = sessions.indices.filter {
                    sessions[$0].output == at && sessions[$0].group == event.group && sessions[$0].start < event.at + output.gap
                        && sessions[$0].end > event.at
                }
                let open = all.filter { sessions[$0].end + output.lateness > before }
                if open.isEmpty, event.at + output.gap + output.lateness <= before { continue }
                found += all.count - open.count
                let joined = Session(
                    output: at, group: event.group, start: min(event.at, open.map { sessions[$0].start }.min() ?? .max),
                    end: max(event.at + output.gap, open.map { sessions[$0].end }.max() ?? .min))
                for index in open.reversed() { sessions.remove(at: index) }
                sessions.append(joined)
            }
        }
        return found
    }

    private static func shown(_ row: Observation.Row) -> Shown {
        func int(_ name: String) -> Int64 {
            switch row[name] {
            case .int(let number): number
            case .time(let time): time.milliseconds
            default: .min
            }
        }
        var mid = Double.nan
        if case .double(let number) = row["mid"] { mid = number }
        var group = ""
        if case .string(let text) = row["k"] { group = text }
        return Shown(
            output: row.output, start: int("window_start"), end: int("window_end"), group: group,
            numbers: ["n", "total", "least", "early", "newest", "people"].map(int), mid: mid)
    }

    @Test(arguments: ["final", "on_time", "{every: 2s}"], [false, true])
    func afterAllLateEventsAreAppliedAgainNoSessionWasCutByThem(emit: String, keyed: Bool) throws {
        var late: Int64 = 0
        var whole = 0
        for seed in FuzzSeeds.of(Array(1...40)) {
            let (events, partitions) = Self.stream(seed: seed, keyed: keyed)
            let plan = try plan(Self.topology(emit, keyed: keyed))
            let isApart = keyed && Self.apart(events) > 0
            var random = SplitMix(seed: seed ^ 0xFEED)
            let rehearsal = try Rehearsal(plan: plan, partitions: Int(partitions))
            for event in events {
                try rehearsal.feed(
                    #"{"id":\#(event.id),"t":\#(event.at),"k":"\#(event.group)","v":\#(event.value)}"#, to: event.partition)
                switch random.below(24) {
                case 0...5: try rehearsal.reapply()
                case 6: try rehearsal.restart(.crash)
                case 7: try rehearsal.restart(.clean)
                // What silence closes is another order of things than the model's, where partitions decide alone.
                case 8 where !keyed: try rehearsal.advance(.seconds(40))
                default: break
                }
            }
            if random.below(2) == 0 { try rehearsal.reapply() }
            let after = try rehearsal.endWithAllAppliedAgain()
            late += after.count("reapplied") ?? 0
            let (came, wanted) = (after.latest.map(Self.shown), Self.model(events))
            if isApart {
                // Each event stands in one session all the same.
                for output in Self.outputs {
                    func count(_ rows: some Sequence<Shown>) -> Int64 {
                        rows.filter { $0.output == output.name }.reduce(0) { $0 + $1.numbers[0] }
                    }
                    #expect(count(came) == count(wanted), "seed \(seed)")
                }
            } else {
                whole += 1
                #expect(Set(came) == wanted && came.count == wanted.count, "seed \(seed)")
            }
        }
        #expect(late > 200 && whole > 12, "there was too little to apply again: \(late), \(whole)")
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
