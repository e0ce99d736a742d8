import Glibc
import Model
import Observe
import Runtime
import Synchronization
import Topology

/// The reference topology run by the real service, from its first record to its last commit.
enum PipelineRun {
    enum Input {
        case kafka(bootstrap: String, topic: String)
        /// As an instance of this consumer group, exactly once.
        case group(bootstrap: String, topic: String, group: String)
        /// A glob.
        case files(String)
    }

    /// `commitEvery`: other than the topology says, where counts must not depend on the machine's speed.
    static func run(
        _ input: Input, directory: String, topology: String = BenchOptions.topology, commitEvery: TimeSpan? = nil,
        until: RunOptions.Until = .end, memory: ByteCount? = nil
    ) throws(Fault) {
        var plan = try readPlan(topology)
        plan.state.directory = directory
        switch input {
        case .kafka(let bootstrap, let topic):
            plan.kafka.bootstrap = bootstrap
            plan.source.kind = .kafka(topics: [topic], group: "\(topic)-reference", start: .earliest)
        case .group(let bootstrap, let topic, let group):
            plan.kafka.bootstrap = bootstrap
            plan.source.kind = .kafka(topics: [topic], group: group, start: .earliest)
            plan.delivery = .exactlyOnce
        case .files(let pattern): plan.source.kind = .files([pattern])
        }
        if let commitEvery { plan.commitEvery = commitEvery }
        if let memory { plan.state.memory = memory }
        let commits = CommitTimes()
        let handOver = HandOverTimes()
        let service = Service(
            plan: plan, options: RunOptions(until: until), clock: SystemClock(), version: "bench",
            onEvent: {
                commits.note($0)
                handOver.note($0)
            })
        let summary = try service.run()
        tell(summary, commits)
        if plan.delivery.isGroup { handOver.tell() }
        Child.tell("state_bytes", Double(size("\(directory)/state.db") + size("\(directory)/results.db")))
    }

    static func readPlan(_ topology: String) throws(Fault) -> Plan {
        let reading = Topology.read(files: [topology])
        guard let plan = reading.plan else {
            throw Fault(
                "topology", "The topology is wrong: \(reading.problems.map { "\($0)" }.joined(separator: "\n"))",
                place: topology, next: "Run the bench from the package's root.", exit: .topology)
        }
        return plan
    }

    private static func tell(_ summary: RunSummary, _ commits: CommitTimes) {
        let told: [(String, Int64)] = [
            ("read", summary.books.read), ("aggregated", summary.books.aggregated), ("duplicate", summary.books.duplicate),
            ("late", summary.books.late), ("filtered", summary.books.filtered), ("rows", summary.rows),
            ("commits", summary.commits), ("turn_median_ms", summary.turnMedian), ("turn_p99_ms", summary.turnWorst),
            ("stopped", Int64(summary.stopped.count)), ("cold_reads", summary.coldReads), ("most_state", summary.mostState),
            ("first_record_ns", summary.firstRecordAt?.nanoseconds ?? 0),
            ("last_commit_ns", summary.lastCommitAt?.nanoseconds ?? 0),
        ]
        for (name, value) in told { Child.tell(name, Double(value)) }
        commits.tell()
    }

    private static func size(_ path: String) -> Int64 {
        var about = stat()
        return stat(path, &about) == 0 ? Int64(about.st_size) : 0
    }
}

/// How long commits took, from the service's events.
final class CommitTimes: Sendable {
    private let milliseconds = Mutex<[Int64]>([])

    func note(_ event: OperationalEvent) {
        if case .committed(_, _, let took, _) = event { milliseconds.withLock { $0.append(took.milliseconds) } }
    }

    func tell() {
        let sorted = milliseconds.withLock { $0.sorted() }
        guard let most = sorted.last else { return }
        Child.tell("commit_median_ms", Double(sorted[sorted.count / 2]))
        Child.tell("commit_most_ms", Double(most))
    }
}
