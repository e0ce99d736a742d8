import CRdKafka
import CSQLite
import Dispatch
import Model
import Runtime
import Synchronization
import Testkit

/// Runs a scenario and judges what came of it.
enum Run {
    /// Never throws for what the product did wrong: that stands in the figures.
    static func run(_ scenario: Scenario, on cluster: KafkaCluster) -> Figures {
        do {
            let fleet = try Fleet(scenario, cluster)
            do {
                try go(fleet)
                try judge(fleet)
            } catch {
                fleet.note { $0.problems.append("\(error)") }
            }
            fleet.note { $0.seconds = Int(fleet.elapsed / 1_000) }
            return fleet.figures
        } catch {
            var figures = Figures()
            figures.name = scenario.name
            figures.problems = ["\(error)"]
            return figures
        }
    }

    private static func go(_ fleet: Fleet) throws {
        let (scenario, topics) = (fleet.scenario, fleet.topics)
        try create(topics.input, scenario.job.partitions, fleet.cluster)
        for topic in [topics.minute, topics.hop, topics.visits, topics.dead] {
            try create(topic, Job.Topics.outputs, fleet.cluster)
        }
        let feeder = try Feeder(
            bootstrap: fleet.cluster.bootstrap, topic: topics.input,
            traffic: Traffic(
                seed: scenario.seed, partitions: scenario.job.partitions, isScattered: scenario.job.isRekeyed,
                isExact: scenario.job.isRekeyed || scenario.job.appliesLate),
            perSecond: scenario.perSecond)
        let length = Int64(scenario.seconds) * 1_000
        if scenario.feeding == .before {
            feeder.feed(elapsed: length)
            try feeder.flush()
        }
        let probe = try Probe(fleet)
        defer { probe.stop() }
        let began = fleet.elapsed
        try fleet.startAll()
        // A slow machine gets more time for what was ordered.
        _ = try eventually("the scenario's end", within: Double(scenario.seconds * 8)) { () -> Bool? in
            let elapsed = fleet.elapsed - began
            if scenario.feeding == .along { feeder.feed(elapsed: elapsed) }
            try fleet.tick()
            return elapsed >= length && (fleet.isStruck || elapsed >= 4 * length) || fleet.isDone ? true : nil
        }
        try fleet.calm()
        try feeder.flush()
        if scenario.feeding == .along { try fleet.end() }
        probe.stop()
        fleet.note { $0.stall = probe.longest }
        for (index, orders) in scenario.orders {
            let instance = fleet.members[index]
            let (wanted, seen) = (orders.count(where: \.mustDie), instance.ownEnds.count { $0 == 128 + 9 })
            guard seen < wanted else { continue }
            let what = orders.map { $0.variables.description }.joined(separator: ", ")
            fleet.note {
                $0.problems.append("\(instance.name) ended \(seen) times of \(wanted) by \(what): \(instance.words())")
            }
        }
        try fleet.drain()
    }

    /// Brokers hear of a new topic one after the other.
    private static func create(_ topic: String, _ partitions: Int32, _ cluster: KafkaCluster) throws {
        do throws(Fault) {
            try cluster.create(topic, partitions: partitions)
        } catch {
            if error.code != "topic_missing" { throw error }
        }
        let client = try LogReader(bootstrap: cluster.bootstrap).client(.uncommitted)
        _ = try eventually("the topic \(topic)", within: 60) { client.ends(topic, partitions: partitions, within: 1_000) }
    }

    private static func judge(_ fleet: Fleet) throws {
        let (scenario, topics) = (fleet.scenario, fleet.topics)
        let reader = LogReader(bootstrap: fleet.cluster.bootstrap)
        let log = try reader.read(topics.input, partitions: scenario.job.partitions, .committed)
        let subject = scenario.job.subject
        let applied = scenario.job.appliesLate ? StoredBooks.applied(fleet.directories, topic: topics.input) : []
        let expected = Expectation(subject, log: log, applied: applied)
        var judgement = Judgement(subject, expected)
        var aborted = 0
        for (topic, output) in [
            (topics.minute, "minute"), (topics.hop, "hop"), (topics.visits, "visits"), (topics.dead, nil as String?),
        ] {
            let committed = try reader.read(topic, partitions: Job.Topics.outputs, .committed)
            aborted += try reader.read(topic, partitions: Job.Topics.outputs, .uncommitted).count - committed.count
            if let output, !subject.outputs.contains(where: { $0.name == output }) { continue }
            if let output { judgement.rows(of: output, committed) } else { judgement.letters(committed) }
        }
        if scenario.job.delivery != .embedded {
            let count = scenario.job.partitions
            let (isMerged, isRekeyed) = (!scenario.job.isKeyed, scenario.job.isRekeyed)
            let inner =
                [(topics.changelog, count * (1 + (isMerged ? 1 : 0) + (isRekeyed ? 1 : 0)))]
                + (isMerged ? [(topics.partials, count)] : []) + (isRekeyed ? [(topics.rekey, count)] : [])
            for (topic, partitions) in inner {
                aborted += try reader.read(topic, partitions: partitions, .uncommitted).count
                aborted -= try reader.read(topic, partitions: partitions, .committed).count
            }
        }
        var books = try StoredBooks.read(fleet.directories, topic: topics.input)
        if subject.isRekeyed {
            books[Ledger.rekeyed] = try StoredBooks.read(fleet.directories, topic: topics.rekey).values
                .reduce(into: Ledger()) { $0.counts.merge($1.counts, uniquingKeysWith: +) }
        }
        judgement.books(books)
        judgement.applied(applied)
        if scenario.job.appliesLate, applied.isEmpty { judgement.say("nothing was applied again") }
        if scenario.mustAbort, aborted == 0 { judgement.say("no aborted record was seen: the faults struck nothing") }
        // A copy is never ahead of its changelog, whoever dies when.
        let wiped = fleet.told("\"state_wiped\"")
        if wiped > 0 { judgement.say("\(wiped) local copies were given up, and nothing was done to any") }
        let ends = fleet.all.flatMap(\.ownEnds)
        fleet.note { figures in
            figures.records = log.count
            figures.rows = judgement.rows
            figures.copies = judgement.copies
            figures.aborted = aborted
            figures.rebalances = fleet.told("\"assigned\"")
            figures.ownEnds = ends
            figures.problems += judgement.problems
        }
    }
}

/// The books as any SQLite tool finds them. Of a partition that several instances owned one after the other, the furthest count.
enum StoredBooks {
    static func read(_ directories: [String], topic: String) throws -> [Int32: Ledger] {
        var found: [Int32: Ledger] = [:]
        for directory in directories {
            for (partition, ledger) in try read("\(directory)/state.db", topic)
            where ledger["read"] >= found[partition]?["read"] ?? 0 {
                found[partition] = ledger
            }
        }
        return found
    }

    /// Late events that some ledger calls counted.
    static func applied(_ directories: [String], topic: String) -> Set<Refusal> {
        var found: Set<Refusal> = []
        for directory in directories {
            var handle: OpaquePointer?
            defer { sqlite3_close(handle) }
            guard sqlite3_open_v2("\(directory)/state.db", &handle, SQLITE_OPEN_READONLY, nil) == SQLITE_OK else { continue }
            sqlite3_busy_timeout(handle, 5_000)
            var statement: OpaquePointer?
            defer { sqlite3_finalize(statement) }
            let text = "SELECT output, partition, \"offset\" FROM late WHERE topic = '\(topic)' AND reapplied_as = 'counted'"
            guard sqlite3_prepare_v2(handle, text, -1, &statement, nil) == SQLITE_OK else { continue }
            while sqlite3_step(statement) == SQLITE_ROW {
                found.insert(
                    Refusal(
                        output: String(cString: sqlite3_column_text(statement, 0)),
                        partition: sqlite3_column_int(statement, 1), offset: sqlite3_column_int64(statement, 2)))
            }
        }
        return found
    }

    private static func read(_ file: String, _ topic: String) throws -> [(Int32, Ledger)] {
        var handle: OpaquePointer?
        defer { sqlite3_close(handle) }
        guard sqlite3_open_v2(file, &handle, SQLITE_OPEN_READONLY, nil) == SQLITE_OK else { return [] }
        sqlite3_busy_timeout(handle, 5_000)
        var statement: OpaquePointer?
        defer { sqlite3_finalize(statement) }
        guard sqlite3_prepare_v2(handle, "SELECT * FROM books WHERE topic = '\(topic)'", -1, &statement, nil) == SQLITE_OK else {
            return []
        }
        var found: [(Int32, Ledger)] = []
        while sqlite3_step(statement) == SQLITE_ROW {
            var (partition, ledger): (Int32, Ledger) = (-1, Ledger())
            for column in 0..<sqlite3_column_count(statement) {
                let name = String(cString: sqlite3_column_name(statement, column))
                let number = Int(sqlite3_column_int64(statement, column))
                switch name {
                case "partition": partition = Int32(number)
                case "read", "aggregated", "filtered", "duplicate", "late", "unidentified", "rekeyed": ledger[name] = number
                case "partly_late": ledger["partly late"] = number
                default:
                    if name.hasPrefix("rejected_") { ledger["rejected \(name.dropFirst("rejected_".count))"] = number }
                }
            }
            found.append((partition, ledger))
        }
        return found
    }
}

/// Looks at the ends of the outputs from a thread of its own: the longest time in which no reader of committed rows saw anything new.
final class Probe: Sendable {
    private let isStopping = Mutex(false)
    private let most = Mutex<Int64>(0)
    private let done = DispatchSemaphore(value: 0)

    init(_ fleet: Fleet) throws {
        let reader = LogReader(bootstrap: fleet.cluster.bootstrap)
        let first = try reader.client(.committed)
        let topic = fleet.topics.minute
        DispatchQueue.global().async { [self] in
            let clock = SystemClock()
            var (last, since): ([Int64], MonotonicTime) = ([], clock.monotonic())
            var client = first
            while !isStopping.withLock({ $0 }) {
                if let ends = client.ends(topic, partitions: Job.Topics.outputs, within: 1_000) {
                    if ends != last {
                        // Until the first row the instances only start.
                        if last.contains(where: { $0 > 0 }) { keep(clock.monotonic() - since) }
                        (last, since) = (ends, clock.monotonic())
                    }
                } else if let other = try? reader.client(.committed) {
                    // This one may go on asking a broker that is gone.
                    client = other
                }
                rest(milliseconds: 100)
            }
            if last.contains(where: { $0 > 0 }) { keep(clock.monotonic() - since) }
            done.signal()
        }
    }

    /// Milliseconds.
    var longest: Int64 { most.withLock { $0 } }

    private func keep(_ span: TimeSpan) { most.withLock { $0 = max($0, span.milliseconds) } }

    func stop() {
        let isFirst = isStopping.withLock { stopping in
            defer { stopping = true }
            return !stopping
        }
        if isFirst { done.wait() }
    }
}
