import Model

/// What one comparison runs.
struct BenchOptions {
    var seed: UInt64 = 1
    /// Events per second of event time.
    var rate: Double = 2_000
    var events: Int64 = 2_000_000
    var runs = 3
    /// nil: a broker of the bench's own.
    var bootstrap: String?
    var out = "bench.json"
    var gates = Gates.standard
    /// Only the group's figures, and the runs that they are held against.
    var isGroupOnly = false
    /// Only a group at work: latency, restart, rebalance.
    var isLiveOnly = false
    /// Events a second that are sent to a group at work.
    var paced: Double = 100_000
    /// What the seed is known to give; nil: only the recomputation says it.
    var known: (unique: Int64, windows: Int)? = (1_900_782, 6_731)

    static let topology = "topologies/reference.yaml"
    /// The same job with a filter that all events pass and a derived field, so that its answer is the same.
    static let expressions = "bench/expressions.yaml"
    /// The same traffic in sessions.
    static let sessions = "bench/sessions.yaml"
    /// The same job with a count of different events and two quantiles of durations beside its measures.
    static let sketches = "bench/sketches.yaml"
    /// Event time's now at the first event: 2026-01-01T00:00:00Z.
    static let start = EventTime(milliseconds: 1_767_225_600_000)
    static let partitions: Int32 = 8
    static let manyPartitions: Int32 = 64
    /// Runs before those that count.
    static let warmUps = 8

    init(_ arguments: [String]) throws(Fault) {
        var rest = arguments[...]
        if rest.first == "group" {
            rest.removeFirst()
            isGroupOnly = true
        } else if rest.first == "handover" {
            rest.removeFirst()
            isGroupOnly = true
            isLiveOnly = true
            runs = 0
            events = 1_000
            known = nil
        }
        while let word = rest.popFirst() {
            switch word {
            case "--long":
                // A hundred seconds of event time: every key stays alive, as in ten minutes of heavy traffic.
                seed = 7
                rate = 100_000
                events = 10_000_000
                gates = .long
                known = nil
            case "--runs": runs = Int(try Self.number(&rest, word))
            case "--events":
                events = try Self.number(&rest, word)
                known = nil
            case "--paced": paced = Double(try Self.number(&rest, word))
            case "--bootstrap": bootstrap = try Self.value(&rest, word)
            case "--out": out = try Self.value(&rest, word)
            default:
                throw Fault(
                    "usage", "Unknown argument \(word).",
                    next: "Known: group, handover, --long --runs --events --paced --bootstrap --out.",
                    exit: .usage)
            }
        }
    }

    private static func value(_ rest: inout ArraySlice<String>, _ word: String) throws(Fault) -> String {
        guard let value = rest.popFirst() else {
            throw Fault("usage", "\(word) needs a value.", next: "Give one.", exit: .usage)
        }
        return value
    }

    private static func number(_ rest: inout ArraySlice<String>, _ word: String) throws(Fault) -> Int64 {
        guard let number = Int64(try value(&rest, word)), number > 0 else {
            throw Fault("usage", "\(word) needs a number above 0.", next: "Give one.", exit: .usage)
        }
        return number
    }
}

/// What a run must not exceed, or must reach.
struct Gates {
    /// Of the drain's events per second.
    var leastOfDrain = 0.4
    /// CPU seconds, user and system, of the whole client for a million events.
    var mostCPU = 1.2
    var mostMegabytes: Double
    /// Milliseconds that a lane waits for its turn.
    var turnMedian = 20.0
    var turnWorst = 100.0
    /// Seconds from the start of the process.
    var firstRecord = 0.5
    var group = Group()

    /// Of the run as an instance of a group.
    struct Group {
        /// Of the embedded run's events per second.
        var leastOfEmbedded = 0.85
        var leastOfDrain = 0.33
        var mostCPU = 1.5
        /// In the changelog, for a unique event: keys, values, and ten a record for Kafka's own.
        var changelogBytes = 20.0
        /// CPU for an event of a topic with 64 partitions, by that of one with 8.
        var mostOfManyPartitions = 1.25
    }

    static let standard = Gates(mostMegabytes: 500)
    static let long = Gates(mostMegabytes: 1_100)
}
