import Glibc
import Model
import Runtime
import State
import Testing
import Testkit

@testable import Rehearsal

private let base: Int64 = 1_767_225_600_000
private let outOfOrderness: Int64 = 20

private struct Event {
    var partition: Int32
    /// Seconds after `base`.
    var seconds: Int64
    var id: UInt64
    var group: String

    var payload: [UInt8] { SmallStream.record(0, at: base + seconds * 1_000, id: id, group: group).payload ?? [] }
    var fed: FedRecord { FedRecord(partition: partition, payload: payload) }
}

/// Out of order by more than the watermark waits for, with copies, in two partitions.
private func events(_ random: inout SplitMix, _ count: Int) -> [Event] {
    var clock: Int64 = 100
    return (0..<count).map { _ in
        clock += Int64(random.below(8))
        return Event(
            partition: Int32(random.below(2)), seconds: clock - Int64(random.below(90)), id: UInt64(random.below(count / 2)) + 1,
            group: ["a", "b"][random.below(2)])
    }
}

/// What the semantics say, record by record, without a lane, a merge or a store.
private struct PlainModel {
    var late = 0
    var duplicate = 0
    var counts: [String: Int64] = [:]

    init(_ events: [Event]) {
        var newest: [Int32: Int64] = [:]
        var known: [Int32: Set<UInt64>] = [:]
        for event in events {
            let before = newest[event.partition].map { $0 - outOfOrderness }
            newest[event.partition] = max(newest[event.partition] ?? event.seconds, event.seconds)
            let end = (event.seconds / 60 + 1) * 60
            let isKnown = known[event.partition, default: []].contains(event.id)
            if isKnown {
                duplicate += 1
            } else if let before, end <= before {
                late += 1
            } else {
                known[event.partition, default: []].insert(event.id)
                counts["\(event.seconds / 60) \(event.group)", default: 0] += 1
            }
        }
    }
}

private func plan() -> Plan {
    var plan = SmallStream.plan(
        outOfOrderness: .seconds(outOfOrderness), deduplicate: DeduplicatePlan(key: [0], within: .hours(10)))
    plan.aggregates[0].targets = [.table(name: "out", keep: nil)]
    return plan
}

private func counts(_ rows: [Observation.Row]) -> [String: Int64] {
    var counts: [String: Int64] = [:]
    for row in rows {
        guard case .time(let start)? = row["window_start"], case .string(let group)? = row["g"], case .int(let n)? = row["n"]
        else { continue }
        counts["\((start.milliseconds - base) / 60_000) \(group)", default: 0] += n
    }
    return counts
}

@Test(arguments: 0..<30) func disorderInTwoPartitionsGivesWhatTheSemanticsSay(_ seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let events = events(&random, 120)
    let model = PlainModel(events)
    let run = try Rehearsal(plan: plan(), partitions: 2)
    run.commitsOnlyWhenTold = true
    var rest = events[...]
    while !rest.isEmpty {
        let size = random.below(9) + 1
        try run.feed(rest.prefix(size).map(\.fed))
        rest = rest.dropFirst(size)
        switch random.below(5) {
        case 0: try run.restart(.crash)
        case 1: try run.restart(.clean)
        case 2: try run.commit()
        default: break
        }
    }
    try run.end()
    let seen = try run.observe()
    #expect(counts(seen.latest) == model.counts)
    #expect(seen.latest.map(\.revision).allSatisfy { $0 == 1 })
    #expect(seen.count("late") == Int64(model.late))
    #expect(seen.count("duplicate") == Int64(model.duplicate))
    #expect(seen.count("aggregated") == Int64(events.count - model.late - model.duplicate))
    #expect(seen.watermark?.milliseconds == events.map { base + $0.seconds * 1_000 }.max())
}

/// A topology's variant by its name, so that a failure names it.
private func variant(_ name: String) -> Plan {
    var plan = plan()
    switch name {
    case "late by a minute": plan.aggregates[0].allowedLateness = .minutes(1)
    case "hopping": plan.aggregates[0].window = .hopping(size: .seconds(60), every: .seconds(20), offset: .seconds(5))
    case "keyed": plan.aggregates[0].isKeyed = true
    case "filtered": plan.filter = .compare(column: 2, .equal, .string("a"))
    case "all copies": plan.deduplicate = nil
    case "two outputs":
        var second = plan.aggregates[0]
        second.name = "hours"
        second.window = .tumbling(size: .hours(1), offset: .zero)
        second.groupBy = []
        second.measures.append(MeasurePlan(name: "most", function: .max, column: 3))
        second.targets = [.table(name: "hours", keep: nil)]
        plan.aggregates.append(second)
    default: break
    }
    return plan
}

@Test(arguments: ["plain", "late by a minute", "hopping", "keyed", "filtered", "all copies", "two outputs"])
func aServiceOverFilesGivesTheSame(_ name: String) throws {
    var random = SplitMix(seed: 7)
    var events = events(&random, 200)
    // What `keyed_by` promises: a group lies in one partition. Else rows would depend on which lanes a commit finds done.
    if name == "keyed" { for at in events.indices { events[at].partition = events[at].group == "a" ? 0 : 1 } }
    let scratch = Scratch()
    let path = scratch.path
    for partition in [Int32(0), 1] {
        scratch.write("\(partition).ndjson", events.filter { $0.partition == partition }.flatMap { $0.payload + [10] })
    }
    var plan = variant(name)
    plan.source = SourcePlan(kind: .files(["\(path)/*.ndjson"]))
    plan.state.directory = "\(path)/state"
    let service = Service(
        plan: plan, options: RunOptions(until: .end), clock: SystemClock(), version: "test", onEvent: { _ in })
    let summary = try service.run()

    let rehearsal = try Rehearsal(plan: variant(name), partitions: 2)
    try rehearsal.feed(events.map(\.fed))
    try rehearsal.end()
    let seen = try rehearsal.observe()
    #expect(seen.rows.count > 3)
    #expect(summary.rows == Int64(seen.rows.count))
    #expect(rehearsal.told.commits.books.values.reduce(Books(outputs: plan.aggregates.count)) { $0 + $1 } == summary.books)

    let directory = try StateDirectory(plan.state.directory)
    let store = try StateStore(directory: directory, plan: plan, clock: SystemClock())
    let results = try ResultsStore(directory: directory, store: store)
    #expect(store.head.time.watermark == seen.watermark)
    #expect(try store.progress() == rehearsal.store.progress())
    for (index, aggregate) in plan.aggregates.enumerated() {
        // `as_of` is the combined watermark of the commit that emitted: it follows the pace.
        let rows = rehearsal.told.latest.filter { $0.output == index }
        #expect(try results.holds(exactly: rows, in: aggregate.name, comparingAsOf: false))
    }
    results.close()
    store.close()
}
