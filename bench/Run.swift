import Model

/// The figures of one run.
struct Run {
    /// Events per second from the first batch to the last event or commit.
    var rate: Double
    /// Events per second of the whole process, start and end included.
    var wholeRate: Double
    /// User and system seconds for a million events.
    var cpu: Double
    var megabytes: Double
    var stateBytes: Double
    /// Seconds from the start of the process.
    var firstRecord: Double
    var commits: Double
    var commitMedian: Double
    var commitMost: Double
    var turnMedian: Double
    var turnWorst: Double
    /// Seconds from the start of the process: a group's first assignment, its last unit's readiness, its first rows, its last commit.
    private var handOver: [Double]

    init(_ figures: Figures, events: Int64) {
        let count = Double(events)
        rate = count / max(figures["last_commit_ns"] - figures["first_record_ns"], 1) * 1e9
        wholeRate = count / figures.wall
        cpu = figures.cpu / count * 1e6
        megabytes = figures["peak_kb"] / 1_024
        stateBytes = figures["state_bytes"] / count
        firstRecord = (figures["first_record_ns"] - Double(figures.began.nanoseconds)) / 1e9
        commits = figures["commits"]
        commitMedian = figures["commit_median_ms"]
        commitMost = figures["commit_most_ms"]
        turnMedian = figures["turn_median_ms"]
        turnWorst = figures["turn_p99_ms"]
        handOver = ["assigned_ns", "restored_ns", "first_rows_ns", "last_commit_ns"].map {
            (figures[$0] - Double(figures.began.nanoseconds)) / 1e9
        }
    }

    /// What the table and bench.json show, with the places after the point and whether more is better.
    static let columns: [(name: String, places: Int, isMoreBetter: Bool, value: @Sendable (Run) -> Double)] = [
        ("events_per_second", 0, true, { $0.rate }),
        ("events_per_second_whole_process", 0, true, { $0.wholeRate }),
        ("cpu_seconds_per_million", 3, false, { $0.cpu }),
        ("peak_megabytes", 0, false, { $0.megabytes }),
        ("state_bytes_per_event", 1, false, { $0.stateBytes }),
        ("start_to_first_record_seconds", 3, false, { $0.firstRecord }),
        ("commits", 0, true, { $0.commits }),
        ("commit_median_ms", 0, false, { $0.commitMedian }),
        ("commit_longest_ms", 0, false, { $0.commitMost }),
        ("turn_wait_median_ms", 0, false, { $0.turnMedian }),
        ("turn_wait_p99_ms", 0, false, { $0.turnWorst }),
    ]

    var handOverLine: String {
        let (assigned, ready) = (fixed(handOver[0], 2), fixed(handOver[1], 2))
        return "from the start: assigned \(assigned) s, first record \(fixed(firstRecord, 2)) s, last unit ready \(ready) s, "
            + "first rows \(fixed(handOver[2], 2)) s, last commit \(fixed(handOver[3], 2)) s"
    }

    var line: String {
        "\(fixed(rate / 1e6, 2)) M events/s, \(fixed(cpu, 2)) CPU s per M, \(fixed(megabytes, 0)) MB, \(fixed(commits, 0)) commits"
    }
}

func fixed(_ value: Double, _ places: Int) -> String {
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    guard value.isFinite, abs(value * scale) < 1e15 else { return "\(value)" }
    let rounded = Int64((abs(value) * scale).rounded())
    let whole = rounded / Int64(scale)
    let rest = String(rounded % Int64(scale))
    let sign = value < 0 && rounded != 0 ? "-" : ""
    return places == 0 ? "\(sign)\(whole)" : "\(sign)\(whole)." + String(repeating: "0", count: places - rest.count) + rest
}

extension [Double] {
    var median: Double {
        let sorted = sorted()
        if isEmpty { return 0 }
        return count % 2 == 1 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2
    }
}
