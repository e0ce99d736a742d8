import Glibc
import Model
import Observe
import Runtime
import Synchronization

/// An instance of a group that serves until it is killed: rows at every commit, ten commits a second.
enum GroupLive {
    static let commitEvery = TimeSpan.milliseconds(100)

    /// Tells when its units came and went as it happens, each as a line `name=monotonic nanoseconds number`.
    static func run(bootstrap: String, topic: String, group: String, rows: String, directory: String) throws(Fault) {
        var plan = try PipelineRun.readPlan(BenchOptions.topology)
        plan.state.directory = directory
        plan.kafka.bootstrap = bootstrap
        plan.source.kind = .kafka(topics: [topic], group: group, start: .earliest)
        plan.delivery = .exactlyOnce
        plan.commitEvery = commitEvery
        for index in plan.aggregates.indices {
            plan.aggregates[index].emit = .everyCommit
            plan.aggregates[index].targets = [.kafka(topic: rows)]
        }
        let clock = SystemClock()
        let service = Service(
            plan: plan, options: RunOptions(until: .stopped), clock: clock, version: "bench",
            onEvent: { event in
                let now = clock.monotonic().nanoseconds
                switch event {
                case .assigned(let units, let kept): say("assigned=\(now) \(units) \(kept)")
                case .revoked(let units, _): say("revoked=\(now) \(units)")
                case .unitRestored(_, let records, let took): say("restored=\(now) \(records) \(took.milliseconds)")
                case .committed(_, let rows, let took, _): say("committed=\(now) \(rows) \(took.milliseconds)")
                case .startedOver(let fault), .failed(let fault): say("fault=\(now) \(fault.code) \(fault.what)")
                default: break
                }
            })
        _ = try service.run()
    }
}

/// When an instance got its units, had their state, and told its first rows.
final class HandOverTimes: Sendable {
    private struct Times {
        var assigned: Int64?
        var restored: Int64?
        var firstRows: Int64?
        var records: Int64 = 0
    }
    private let times = Mutex(Times())
    private let clock = SystemClock()

    func note(_ event: OperationalEvent) {
        let now = clock.monotonic().nanoseconds
        times.withLock { times in
            switch event {
            case .assigned: times.assigned = times.assigned ?? now
            case .unitRestored(_, let records, _):
                times.restored = now
                times.records += records
            case .committed(_, let rows, _, _) where rows > 0: times.firstRows = times.firstRows ?? now
            default: break
            }
        }
    }

    func tell() {
        let times = times.withLock { $0 }
        for (name, value) in [
            ("assigned_ns", times.assigned), ("restored_ns", times.restored), ("first_rows_ns", times.firstRows),
            ("restored_records", times.records),
        ] {
            if let value { Child.tell(name, Double(value)) }
        }
    }
}

/// A child that goes on until it is killed; its lines go to a file.
final class LiveChild {
    struct Line {
        var name: Substring
        var at: MonotonicTime
        var numbers: [Int64]
        var text: Substring
    }

    let began: MonotonicTime
    private let log: String
    private var process = pid_t()

    init(_ arguments: [String], log: String) throws(Fault) {
        self.log = log
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        var pointers: [UnsafeMutablePointer<CChar>?] = ([Figures.ownProgram, "child"] + arguments).map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        began = SystemClock().monotonic()
        guard posix_spawn(&process, pointers[0]!, &actions, nil, &pointers, environ) == 0 else {
            throw failure("The bench could not start itself.")
        }
    }

    deinit { kill() }

    /// kill -9, and waits until it is gone.
    func kill() {
        guard process != 0 else { return }
        Glibc.kill(process, SIGKILL)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        process = 0
    }

    /// What it has told so far.
    func lines() -> [Line] {
        guard let file = fopen(log, "r") else { return [] }
        defer { fclose(file) }
        var lines: [Line] = []
        var buffer = [CChar](repeating: 0, count: 1_024)
        while fgets(&buffer, Int32(buffer.count), file) != nil {
            let line = buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
            let sides = line.split(separator: "=", maxSplits: 1)
            guard sides.count == 2 else { continue }
            let words = sides[1].split { $0 == " " || $0 == "\n" }
            guard let at = words.first.flatMap({ Int64($0) }) else { continue }
            lines.append(
                Line(
                    name: sides[0], at: MonotonicTime(nanoseconds: at), numbers: words.dropFirst().compactMap { Int64($0) },
                    text: sides[1]))
        }
        return lines
    }
}
