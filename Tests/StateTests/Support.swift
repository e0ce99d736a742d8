import CSys
import Glibc
import Model
import Testing
import Testkit

@testable import State

extension Scratch {
    /// A copy of every file as it is on the disk now: what a process that is killed at this moment leaves.
    func copy() -> Scratch {
        let other = Scratch()
        shell("cp '\(path)'/* '\(other.path)'/")
        return other
    }
}

@discardableResult
func shell(_ command: String) -> String {
    guard let pipe = popen(command, "r") else { return "" }
    defer { pclose(pipe) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while true {
        let count = fread(&buffer, 1, buffer.count, pipe)
        if count == 0 { break }
        bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}

struct StillClock: Clock {
    func wall() -> WallTime { WallTime(milliseconds: 1_000_000) }
    func monotonic() -> MonotonicTime { MonotonicTime(nanoseconds: 0) }
}

func at(_ milliseconds: Int64) -> EventTime { EventTime(milliseconds: milliseconds) }

func usage(_ name: String = "usage", targets: [AggregatePlan.Target] = [.table(name: "usage", keep: nil)]) -> AggregatePlan {
    AggregatePlan(
        name: name, window: .tumbling(size: .minutes(1), offset: .zero), groupBy: [0, 1],
        measures: [
            MeasurePlan(name: "events", function: .count), MeasurePlan(name: "total", function: .sum, column: 1),
            MeasurePlan(name: "mean", function: .avg, column: 2),
        ], targets: targets)
}

func plan(
    aggregates: [AggregatePlan] = [usage()], late: LatePlan = .ledger(keep: .days(30)), deadLetters: DeadLetterPlan = .standard,
    name: String = "t", parts: [FingerprintPart]? = nil
) -> Plan {
    Plan(
        name: name, source: SourcePlan(kind: .files([])),
        fields: [
            FieldPlan(name: "country", type: .string), FieldPlan(name: "size", type: .int), FieldPlan(name: "ms", type: .double),
        ], eventTime: EventTimePlan(source: .recordTimestamp), aggregates: aggregates, late: late, deadLetters: deadLetters,
        fingerprint: parts
            ?? [FingerprintPart(name: "source", text: "kind: files\nkey: a", place: "t.yaml:3")]
            + aggregates.map { FingerprintPart(name: "aggregate \($0.name)", text: "window: 60000\nlate: 0", place: "t.yaml:9") })
}

func open(_ scratch: Scratch, _ plan: Plan = plan(), accept: Bool = false, keys: (Int32) -> [KeyRange] = { _ in [] })
    throws -> (StateDirectory, StateStore)
{
    let directory = try StateDirectory(scratch.path)
    return (directory, try StateStore(directory: directory, plan: plan, clock: StillClock(), accept: accept, keys: keys))
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

extension StateLog {
    func put(_ key: [UInt8], _ value: [UInt8]) {
        key.withUnsafeBytes { k in value.withUnsafeBytes { put(k, $0) } }
    }
    func delete(_ key: [UInt8]) { key.withUnsafeBytes { delete($0) } }
    func deleteRange(_ from: [UInt8], _ to: [UInt8]) {
        from.withUnsafeBytes { f in to.withUnsafeBytes { deleteRange(from: f, to: $0) } }
    }
}

let partition = PartitionID(topic: "events", number: 0)

func lane(
    _ number: LaneNumber = 0, _ changes: StateLog = StateLog(), books: Books = Books(outputs: 1), watermark: EventTime? = nil,
    nextOffset: Int64 = 0, late: [LateEntry] = [], deadLetters: [DeadLetter] = [], of partition: PartitionID = partition
) -> SealedLane {
    SealedLane(
        lane: number, partition: partition, changes: changes, partials: StateLog(), books: books, watermark: watermark,
        newestEventTime: watermark, nextOffset: nextOffset,
        lastRecord: nextOffset > 0 ? RecordFingerprint(offset: nextOffset - 1, timestamp: 5, hash: .max - 3) : nil, late: late,
        deadLetters: deadLetters, lastOpenClose: watermark.map { $0 + .minutes(1) }, memory: 0)
}

func commit(
    _ number: Int64, _ lanes: [SealedLane] = [], merge: StateLog = StateLog(), rows: [Row] = [], decisions: [Decision] = [],
    time: CombinedTime = CombinedTime(), progress: [OutputProgress] = [], at wall: Int64 = 1_000
) -> Commit {
    Commit(
        number: number, at: WallTime(milliseconds: wall), lanes: lanes, merge: merge, rows: rows, decisions: decisions,
        time: time,
        progress: progress)
}

func row(_ country: String?, start: Int64 = 0, count: Int64 = 1, revision: Int64 = 1, output: Int = 0) -> Row {
    Row(
        output: output, windowStart: at(start), windowEnd: at(start + 60_000),
        group: [country.map(Value.string) ?? .null, .int(7)],
        measures: [.int(count), .wide(Int128(count) * 10), .double(0.5)], revision: revision, final: false, asOf: at(start))
}

/// Every key of a lane, as the store gives them back.
func restored(_ store: StateStore, _ lane: LaneNumber) throws -> [[UInt8]: [UInt8]] {
    var all: [[UInt8]: [UInt8]] = [:]
    var last: [UInt8] = []
    try store.forEachState(lane: lane) { key, value in
        let key = Array(key)
        #expect(all.isEmpty || last.lexicographicallyPrecedes(key))
        last = key
        all[key] = Array(value)
    }
    return all
}

/// What the code of the fault is that `body` throws; nil if it throws none.
func faultCode(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch let fault as Fault {
        return fault.code
    } catch {
        return "\(error)"
    }
}
