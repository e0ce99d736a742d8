import CSQLite
import Glibc
import Kafka
import Model
import Runtime
import Testkit

/// What only a group has: a changelog, restores, restarts under the eyes of others, partitions that move.
struct GroupScenes {
    let bootstrap: String
    let topic: String
    let directory: String
    let options: BenchOptions
    let truth: Truth
    private let clock = SystemClock()

    init(bootstrap: String, topic: String, directory: String, options: BenchOptions, truth: Truth) {
        self.bootstrap = bootstrap
        self.topic = topic
        self.directory = directory
        self.options = options
        self.truth = truth
    }

    private static let name = "reference"
    /// How long a group at work is watched before anything is counted, and while it is.
    private static let warmUp = TimeSpan.seconds(6)
    private static let watched = TimeSpan.seconds(15)
    /// What comes back or joins has so long.
    private static let patience = TimeSpan.seconds(60)

    private var settings: KafkaSettings { KafkaSettings(KafkaPlan(bootstrap: bootstrap), clientID: "weir-bench") }

    // MARK: The changelog of a run

    struct Changelog {
        var records: Int64 = 0
        /// Keys and values, and ten a record for Kafka's own.
        var bytes: Int64 = 0
        /// The same by the first byte of the key, and of tombstones.
        var byTag: [UInt8: Int64] = [:]
        var tombstones: Int64 = 0
        mutating func add(_ key: UnsafeRawBufferPointer?, _ value: UnsafeRawBufferPointer?) {
            let size = Int64((key?.count ?? 0) + (value?.count ?? 0) + 10)
            records += 1
            bytes += size
            if value == nil { tombstones += size } else { byTag[key?.first ?? 0, default: 0] += size }
        }
        /// Bytes for each of so many events.
        func line(for events: Int64) -> String {
            let parts = byTag.sorted { $0.value > $1.value }.map {
                "\(Character(Unicode.Scalar($0.key))) \(fixed(Double($0.value) / Double(events), 2))"
            }
            return "\(parts.joined(separator: ", ")), tombstones \(fixed(Double(tombstones) / Double(events), 2))"
        }
    }

    /// What a finished run of `group` has written to its changelog, read back.
    func changelog(of group: String) throws(Fault) -> Changelog {
        let topic = GroupLayout.Topics(group: group, name: Self.name).changelog
        let queries = try KafkaQueries(settings)
        defer { queries.close(within: .seconds(5)) }
        let log = try KafkaLog(settings, memory: .mebibytes(32), partitions: 1) { _ in }
        defer { log.close(within: .seconds(5)) }
        var size = Changelog()
        let ranges = try queries.watermarks(of: try queries.partitions(of: [topic], within: .seconds(30)), within: .seconds(30))
        for (id, range) in ranges where !range.isEmpty {
            let reader = try log.reader(of: id, from: range.lowerBound)
            try reader.read(to: range.upperBound) { batch throws(Fault) in
                for index in 0..<batch.count {
                    size.add(batch.key(index), batch.value(index))
                }
            }
            reader.close()
        }
        return size
    }

    // MARK: A restore from nothing

    /// Reads everything without closing, loses its state, and goes on to the end: the answer must be that of one run.
    func restore(into report: inout GroupReport) throws(Fault) {
        let group = "\(topic)-restore"
        let state = "\(directory)/restore"
        defer { removeTree(state) }
        _ = try Figures.of(["child", "group", bootstrap, topic, group, state, "now"])
        let entries = try Self.entries(in: "\(state)/state.db")
        let changelog = try changelog(of: group)
        removeTree(state)
        let figures = try Figures.of(["child", "group", bootstrap, topic, group, state, "end"])
        let problems = try Answer.problems(in: state, figures: figures, truth: truth)
        if let first = problems.first { report.problems.append("restore: \(problems.count) differences, such as \(first)") }
        report.restoredEntries = entries
        report.restoredRecords = Int64(figures["restored_records"])
        report.restoredBytes = changelog.bytes
        report.caughtUpBytes = Double(changelog.bytes) / Double(truth.unique)
        report.restoreSeconds = (figures["restored_ns"] - figures["assigned_ns"]) / 1e9
        report.startToFirstRow = (figures["first_rows_ns"] - Double(figures.began.nanoseconds)) / 1e9
        report.startToAssigned = (figures["assigned_ns"] - Double(figures.began.nanoseconds)) / 1e9
        say("restore: \(report.restoreLine)")
    }

    /// Remembered keys, of which an entry of the table holds many, and cells and partials; a page of cells counts as one.
    private static func entries(in file: String) throws(Fault) -> Int64 {
        var database: OpaquePointer?
        defer { sqlite3_close(database) }
        var query: OpaquePointer?
        defer { sqlite3_finalize(query) }
        let sql = "SELECT sum(CASE substr(key, 1, 1) WHEN x'6b' THEN length(value) / 16 ELSE 1 END) FROM state"
        guard sqlite3_open_v2(file, &database, SQLITE_OPEN_READONLY, nil) == SQLITE_OK,
            sqlite3_prepare_v2(database, sql, -1, &query, nil) == SQLITE_OK, sqlite3_step(query) == SQLITE_ROW
        else { throw failure("The state can't be read.", place: file) }
        return sqlite3_column_int64(query, 0)
    }

    // MARK: A group at work

    /// Latency, then a kill, then a second instance: one after the other on the same group under the same load.
    func live(into report: inout GroupReport) throws(Fault) {
        let input = "\(topic)-live"
        let rows = "\(topic)-rows"
        let queries = try KafkaQueries(settings)
        defer { queries.close(within: .seconds(5)) }
        try queries.createTopic(input, partitions: BenchOptions.partitions, within: .seconds(30))
        try queries.createTopic(rows, partitions: 1, within: .seconds(30))
        _ = try queries.partitions(of: [input, rows], within: .seconds(30))
        let place = "\(directory)/live"
        guard mkdir(place, 0o755) == 0 else { throw failure("No folder.", place: place) }
        defer { removeTree(place) }
        let first = ["group-live", bootstrap, input, "\(input)-group", rows, "\(place)/a"]
        var one = try LiveChild(first, log: "\(place)/a.log")
        defer { one.kill() }
        try wait("the first instance has its units") { one.lines().contains { $0.name == "restored" } }
        let traffic = PacedTraffic(bootstrap: bootstrap, topic: input, rows: rows, rate: options.paced)
        defer { traffic.stop() }
        try rest(Self.warmUp, traffic)
        try latency(traffic, &report)
        one.kill()
        traffic.probes.look(since: clock.wall())
        one = try LiveChild(first, log: "\(place)/a2.log")
        try wait("the killed instance writes again") { () throws(Fault) in
            try traffic.check()
            return traffic.probes.firstNew != nil
        }
        if let firstNew = traffic.probes.firstNew { report.restartToOutput = Self.seconds(from: one.began, to: firstNew) }
        say("kill -9: \(fixed(report.restartToOutput, 2)) s from the restart to the first new row")
        try rest(Self.warmUp, traffic)
        try join(one, traffic, first, place, &report)
        report.probes = traffic.probes.all.count
        report.lostProbes = traffic.probes.missing
        report.doubledProbes = traffic.probes.all.count { $0.rows > 1 }
        say("probes: \(report.probes), lost \(report.lostProbes), doubled \(report.doubledProbes)")
    }

    private func latency(_ traffic: PacedTraffic, _ report: inout GroupReport) throws(Fault) {
        let from = clock.monotonic()
        let before = traffic.count
        try rest(Self.watched, traffic)
        let to = clock.monotonic()
        report.pacedRate = Double(traffic.count - before) / Self.seconds(from: from, to: to)
        // The last of them have time to arrive.
        try rest(.seconds(3), traffic)
        let waits = traffic.probes.waits(from: from, to: to)
        guard !waits.isEmpty else { return }
        report.latencyMedian = waits[waits.count / 2]
        report.latencyWorst = waits[min(waits.count - 1, waits.count * 99 / 100)]
        report.latencyMost = waits.last ?? 0
        say("latency: \(report.latencyLine)")
    }

    /// A second instance joins; what the first keeps stands still from its last commit before to the moment when it goes on.
    private func join(
        _ one: LiveChild, _ traffic: PacedTraffic, _ arguments: [String], _ place: String, _ report: inout GroupReport
    ) throws(Fault) {
        let from = clock.monotonic()
        let second = try LiveChild(arguments.dropLast() + ["\(place)/b"], log: "\(place)/b.log")
        defer { second.kill() }
        let own = BenchOptions.partitions * 2
        try wait("the second instance has restored its units") { () throws(Fault) in
            try traffic.check()
            let lines = second.lines()
            guard let units = lines.last(where: { $0.name == "assigned" })?.numbers.first, units > 0 else { return false }
            return lines.count { $0.name == "restored" } >= Int(units)
        }
        let to = clock.monotonic()
        try rest(Self.warmUp, traffic)
        var revoked: MonotonicTime?
        for line in one.lines() where line.at >= from {
            if line.name == "revoked" { revoked = line.at }
            guard line.name == "assigned", let began = revoked, line.numbers.count == 2 else { continue }
            // One that keeps all of them has only been asked again.
            report.longestStop = max(report.longestStop, Self.seconds(from: began, to: line.at))
            if line.numbers[0] < Int64(own) { report.keptUnits = line.numbers[1] }
            revoked = nil
        }
        let joined = second.lines().filter { $0.at < to }
        let moments = joined.filter { $0.name == "restored" || $0.name == "assigned" }.map {
            "\($0.name) \(fixed(Self.seconds(from: from, to: $0.at), 2))"
        }
        say("the second instance: \(moments.joined(separator: ", "))")
        report.joinToAssigned = Self.seconds(from: from, to: joined.last { $0.name == "assigned" }?.at ?? from)
        report.joinToRestored = Self.seconds(from: from, to: joined.last { $0.name == "restored" }?.at ?? from)
        report.worstInJoin = (traffic.probes.waits(from: from, to: to).last ?? 0) / 1_000
        say("rebalance: \(report.joinLine)")
        // Both are needed until every probe's row has come.
        traffic.silence()
        try? wait("every probe's row") { traffic.probes.missing == 0 }
    }

    private func rest(_ span: TimeSpan, _ traffic: PacedTraffic) throws(Fault) {
        let until = clock.monotonic() + span
        while clock.monotonic() < until {
            try traffic.check()
            usleep(20_000)
        }
    }

    private func wait(_ what: String, _ isSo: () throws(Fault) -> Bool) throws(Fault) {
        let deadline = clock.monotonic() + Self.patience
        while try !isSo() {
            guard clock.monotonic() < deadline else { throw failure("Waited in vain: \(what).") }
            usleep(10_000)
        }
    }

    private static func seconds(from: MonotonicTime, to: MonotonicTime) -> Double {
        Double(to.nanoseconds - from.nanoseconds) / 1e9
    }
}
