import CRdKafka

/// What the group's scenes found, beside its runs in the comparison.
struct GroupReport {
    /// For each unique event once all input is read and no window is closed by the input's end.
    var caughtUpBytes = 0.0
    /// Of each run to the end: bytes in the changelog for each unique event, and records there for a thousand of them.
    var changelogBytes: [Double] = []
    var changelogRecords: [Double] = []
    /// CPU for an event with 64 partitions, by that with 8, pair by pair; empty: not measured.
    var manyPartitions: [Double] = []

    var restoredEntries: Int64 = 0
    var restoredRecords: Int64 = 0
    var restoredBytes: Int64 = 0
    var restoreSeconds = 0.0
    /// From the start of the process.
    var startToAssigned = 0.0
    var startToFirstRow = 0.0

    /// Events a second that were sent while latencies were taken.
    var pacedRate = 0.0
    /// Milliseconds: median, p99 and the longest.
    var latencyMedian = 0.0
    var latencyWorst = 0.0
    var latencyMost = 0.0

    var restartToOutput = 0.0

    /// Seconds.
    var longestStop = 0.0
    var keptUnits: Int64 = 0
    /// From the start of the second instance, seconds: its assignment, and its last unit's readiness.
    var joinToAssigned = 0.0
    var joinToRestored = 0.0
    /// The longest that a record waited for its row while the second instance joined, seconds.
    var worstInJoin = 0.0

    var probes = 0
    var lostProbes = 0
    var doubledProbes = 0

    /// Wrong answers.
    var problems: [String] = []

    /// From this on the library looks at full queues by itself, which many partitions need.
    static let libraryForManyPartitions: Int32 = 0x0202_0000
    static var library: String { String(cString: rd_kafka_version_str()) }
    static var canManyPartitions: Bool { rd_kafka_version() >= libraryForManyPartitions }

    var entriesPerSecond: Double { restoreSeconds > 0 ? Double(restoredEntries) / restoreSeconds : 0 }

    var restoreLine: String {
        "\(restoredEntries) entries in \(restoredRecords) offsets (\(restoredBytes) bytes), \(fixed(restoreSeconds, 2)) s, "
            + "\(fixed(entriesPerSecond / 1e6, 2)) M entries/s; from the start \(fixed(startToAssigned, 2)) s to the assignment, "
            + "\(fixed(startToFirstRow, 2)) s to the first rows"
    }
    var latencyLine: String {
        "record to read_committed row at \(fixed(pacedRate, 0)) events/s: median \(fixed(latencyMedian, 0)) ms, "
            + "p99 \(fixed(latencyWorst, 0)) ms, longest \(fixed(latencyMost, 0)) ms"
    }
    var joinLine: String {
        "\(keptUnits) kept units stood still \(fixed(longestStop, 2)) s; the second instance had its units after "
            + "\(fixed(joinToAssigned, 2)) s and their state after \(fixed(joinToRestored, 2)) s; the longest wait for a row meanwhile was "
            + "\(fixed(worstInJoin, 2)) s"
    }

    /// What depends on the machine and its load: told beside what is aimed at, and no gate.
    var aims: [Report.Gate] {
        [
            .init(name: "restore, M entries per second", value: entriesPerSecond / 1e6, bound: 1, isLeast: true),
            .init(name: "restart to first new row s", value: restartToOutput, bound: 3),
            .init(name: "rebalance, stop of kept units s", value: longestStop, bound: 3),
            .init(name: "paced events per second", value: pacedRate, bound: 99_000, isLeast: true),
            .init(name: "record to row p99 ms", value: latencyWorst, bound: 500),
        ]
    }

    func gates(_ bounds: Gates.Group) -> [Report.Gate] {
        var gates: [Report.Gate] = [
            .init(name: "changelog bytes per unique event, caught up", value: caughtUpBytes, bound: bounds.changelogBytes),
            .init(name: "probes lost", value: Double(lostProbes), bound: 0),
            .init(name: "probes with two rows", value: Double(doubledProbes), bound: 0),
            .init(name: "units kept in a rebalance", value: Double(keptUnits), bound: 1, isLeast: true),
        ]
        if !manyPartitions.isEmpty {
            gates.append(.init(name: "CPU, 64 partitions / 8", value: manyPartitions.median, bound: bounds.mostOfManyPartitions))
        }
        return gates
    }

    func show() {
        say("librdkafka \(Self.library)")
        say(
            "changelog: \(fixed(caughtUpBytes, 2)) bytes per unique event when caught up, \(fixed(changelogBytes.median, 2)) with every window closed, "
                + "\(fixed(changelogRecords.median, 1)) records for a thousand")
        say("restore: \(restoreLine)")
        say(latencyLine)
        say("kill -9: \(fixed(restartToOutput, 2)) s from the restart to the first new row")
        say("rebalance: \(joinLine)")
        if manyPartitions.isEmpty { say("64 partitions against 8: not measured, wants librdkafka 2.2 or later") }
        for aim in aims {
            let bound = "aim: \(aim.isLeast ? "at least" : "at most") \(fixed(aim.bound, 2))"
            say(
                "\(aim.holds ? "meets " : "MISSES") \(Report.padded(aim.name, 40)) \(Report.padded(fixed(aim.value, 2), 10)) \(bound)"
            )
        }
    }

    var json: String {
        let values: [(String, Double)] = [
            ("changelog_bytes_per_unique_event", caughtUpBytes),
            ("changelog_bytes_per_unique_event_to_the_end", changelogBytes.median), ("restored_entries", Double(restoredEntries)),
            ("restore_seconds", restoreSeconds), ("start_to_first_row_seconds", startToFirstRow), ("paced_rate", pacedRate),
            ("latency_median_ms", latencyMedian), ("latency_p99_ms", latencyWorst), ("latency_longest_ms", latencyMost),
            ("restart_to_output_seconds", restartToOutput), ("kept_units_stop_seconds", longestStop),
            ("kept_units", Double(keptUnits)), ("second_instance_assigned_seconds", joinToAssigned),
            ("second_instance_restored_seconds", joinToRestored), ("longest_wait_in_join_seconds", worstInJoin),
            ("probes_lost", Double(lostProbes)), ("probes_doubled", Double(doubledProbes)),
        ]
        let lines = ["    \"librdkafka\": \"\(Self.library)\""] + values.map { "    \"\($0.0)\": \(fixed($0.1, 3))" }
        return "{\n\(lines.joined(separator: ",\n"))\n  }"
    }
}
