import Dispatch
import Glibc
import Inputs
import Kafka
import Model
import Runtime
import Synchronization

/// Events that can be told apart in the rows, since each is a group of its own: from the moment before one is handed to the
/// producer to the moment when its row is read with read_committed.
final class Probes: Sendable {
    struct Probe {
        var sent: MonotonicTime
        var seen: MonotonicTime?
        var rows = 0
    }

    private struct State {
        var probes: [Probe] = []
        /// The first row that was written at or after this is waited for, milliseconds.
        var since: Int64?
        var firstNew: MonotonicTime?
    }
    private let state = Mutex(State())

    /// The number of the next.
    func send(at now: MonotonicTime) -> Int {
        state.withLock { state in
            state.probes.append(Probe(sent: now))
            return state.probes.count - 1
        }
    }

    func note(_ number: Int, at now: MonotonicTime) {
        state.withLock { state in
            guard state.probes.indices.contains(number) else { return }
            state.probes[number].rows += 1
            if state.probes[number].seen == nil { state.probes[number].seen = now }
        }
    }

    func note(rowWritten written: Int64, at now: MonotonicTime) {
        state.withLock { state in
            if let since = state.since, written >= since, state.firstNew == nil { state.firstNew = now }
        }
    }

    /// From now on the first row written at or after `time` is looked for.
    func look(since time: WallTime) {
        state.withLock { state in
            state.since = time.milliseconds
            state.firstNew = nil
        }
    }

    var firstNew: MonotonicTime? { state.withLock { $0.firstNew } }
    var all: [Probe] { state.withLock { $0.probes } }
    var missing: Int { all.count { $0.seen == nil } }

    /// Milliseconds, of those sent in between, sorted; those that were never seen are left out.
    func waits(from: MonotonicTime, to: MonotonicTime) -> [Double] {
        all.filter { from <= $0.sent && $0.sent < to }.compactMap { probe in
            probe.seen.map { Double($0.nanoseconds - probe.sent.nanoseconds) / 1e6 }
        }.sorted()
    }
}

/// The reference workload at the pace of the clock, with probes among it, and a reader of the rows; both on threads of their own.
final class PacedTraffic: Sendable {
    static let probeEvery = TimeSpan.milliseconds(5)
    private static let pause: useconds_t = 1_000

    let probes = Probes()
    private let isOver = Atomic<Bool>(false)
    private let isSilent = Atomic<Bool>(false)
    private let sent = Atomic<Int64>(0)
    private let fault = Mutex<Fault?>(nil)
    private let group = DispatchGroup()
    private let clock = SystemClock()
    private let bootstrap: String
    private let topic: String
    private let rows: String

    init(bootstrap: String, topic: String, rows: String, rate: Double) {
        self.bootstrap = bootstrap
        self.topic = topic
        self.rows = rows
        DispatchQueue(label: "bench.paced").async(group: group) { self.guarded { () throws(Fault) in try self.produce(rate) } }
        DispatchQueue(label: "bench.rows").async(group: group) { self.guarded { () throws(Fault) in try self.read() } }
    }

    /// Events sent so far.
    var count: Int64 { sent.load(ordering: .relaxed) }

    func check() throws(Fault) { if let fault = fault.withLock({ $0 }) { throw fault } }

    /// No more events; rows are still read.
    func silence() { isSilent.store(true, ordering: .releasing) }

    func stop() {
        silence()
        isOver.store(true, ordering: .releasing)
        group.wait()
    }

    private func guarded(_ body: () throws(Fault) -> Void) {
        do throws(Fault) {
            try body()
        } catch {
            fault.withLock { $0 = $0 ?? error }
        }
    }

    private func produce(_ rate: Double) throws(Fault) {
        let producer = try KafkaProducer(KafkaSettings(KafkaPlan(bootstrap: bootstrap), clientID: "weir-bench")) { _ in }
        defer { producer.close(within: .seconds(5)) }
        var workload = ReferenceWorkload(
            rate: rate, partitions: BenchOptions.partitions, start: EventTime(milliseconds: clock.wall().milliseconds))
        let batch = WorkloadBatch()
        var nextProbe = clock.monotonic()
        while !isSilent.load(ordering: .acquiring) {
            let due = clock.wall().milliseconds
            batch.fill(from: &workload, dueBy: due)
            for at in 0..<batch.count {
                try producer.send(
                    topic: topic, partition: batch.partitions[at],
                    key: UnsafeRawBufferPointer(start: batch.keys[at], count: batch.keyLengths[at]),
                    value: UnsafeRawBufferPointer(start: batch.payloads[at], count: batch.lengths[at]),
                    timestamp: batch.timestamps[at], within: .seconds(60))
            }
            sent.add(Int64(batch.count), ordering: .relaxed)
            let now = clock.monotonic()
            if now >= nextProbe {
                nextProbe = now + Self.probeEvery
                try probe(producer, now)
            }
            // Behind its pace it does not rest.
            if batch.count < batch.capacity { usleep(Self.pause) }
        }
        _ = producer.flush(within: .seconds(30))
    }

    private func probe(_ producer: KafkaProducer, _ now: MonotonicTime) throws(Fault) {
        let number = probes.send(at: now)
        let time = clock.wall().milliseconds
        let digits = String(number, radix: 16)
        let id = "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
        let value = Array(
            #"{"event_id":"\#(id)","event":"probe","ts":\#(time),"country":"probe-\#(number)","duration_ms":1.5}"#.utf8)
        let key = Array("probe-\(number)".utf8)
        var failure: Fault?
        key.withUnsafeBytes { key in
            value.withUnsafeBytes { value in
                do throws(Fault) {
                    try producer.send(
                        topic: topic, partition: Int32(number) % BenchOptions.partitions, key: key, value: value, timestamp: time,
                        within: .seconds(60))
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw failure }
    }

    private func read() throws(Fault) {
        let log = try KafkaLog(
            KafkaSettings(KafkaPlan(bootstrap: bootstrap), clientID: "weir-bench"), memory: .mebibytes(16), partitions: 1
        ) { _ in }
        defer { log.close(within: .seconds(5)) }
        let reader = try log.reader(of: PartitionID(topic: rows, number: 0), from: 0)
        while !isOver.load(ordering: .acquiring) {
            _ = try reader.next(within: .milliseconds(50)) { batch throws(Fault) in
                let now = clock.monotonic()
                for index in 0..<batch.count {
                    probes.note(rowWritten: batch.timestamp(index), at: now)
                    if let number = Self.number(batch.key(index)) { probes.note(number, at: now) }
                }
            }
        }
        reader.close()
    }

    /// Behind `"probe-`; nil: the row is not a probe's.
    private static func number(_ key: UnsafeRawBufferPointer?) -> Int? {
        let mark: StaticString = "\"probe-"
        let length = mark.utf8CodeUnitCount
        guard let key, let start = key.baseAddress else { return nil }
        var at = 0
        while at + length <= key.count, memcmp(start + at, mark.utf8Start, length) != 0 { at += 1 }
        guard at + length <= key.count else { return nil }
        at += length
        var number = 0
        while at < key.count, case 0x30...0x39 = key[at] {
            number = number * 10 + Int(key[at] - 0x30)
            at += 1
        }
        return number
    }
}
