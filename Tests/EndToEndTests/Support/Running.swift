import Dispatch
import Freshness
import Glibc
import Model
import Observe
import Runtime
import Synchronization
import Testing
import Testkit
import Topology

/// A topology text as a plan whose state lies in `state`.
func plan(_ yaml: String, state: String) throws -> Plan {
    let reading = Topology.read(
        files: ["e2e.yaml"],
        from: Topology.Surroundings(
            bytes: { _ throws(Fault) in Array(yaml.utf8) }, environment: { _ in nil },
            zone: { name throws(Fault) in throw Fault("zone_unknown", "none", place: name, next: "none", exit: .topology) }))
    var plan = try #require(reading.plan, "\(reading.problems.map { $0.text() }.joined(separator: "\n"))")
    plan.state.directory = state
    return plan
}

/// A service at work on a thread of its own.
final class Running: Sendable {
    let service: Service
    private let heard: Heard
    private let outcome = Mutex<Result<RunSummary, Fault>?>(nil)

    final class Heard: Sendable {
        private let events = Mutex<[OperationalEvent]>([])
        func add(_ event: OperationalEvent) {
            if case .committed = event { return }
            events.withLock { $0.append(event) }
        }
        var all: [OperationalEvent] { events.withLock { $0 } }
    }

    init(_ plan: Plan, _ options: RunOptions = RunOptions()) {
        let heard = Heard()
        self.heard = heard
        service = Service(plan: plan, options: options, clock: SystemClock(), version: "test", onEvent: { heard.add($0) })
        Thread.start { [self] in
            let result: Result<RunSummary, Fault>
            do throws(Fault) { result = .success(try service.run()) } catch { result = .failure(error) }
            outcome.withLock { $0 = result }
        }
    }

    /// Everything told but commits.
    var events: [OperationalEvent] { heard.all }
    var facts: Facts { service.facts }
    var isOver: Bool { outcome.withLock { $0 != nil } }

    /// What the run ended with; waits for it.
    func result(within seconds: Double = 60) throws -> Result<RunSummary, Fault> {
        do {
            return try eventually("the end of the run", within: seconds) { outcome.withLock { $0 } }
        } catch {
            service.stop()
            throw error
        }
    }

    @discardableResult
    func summary(within seconds: Double = 60) throws -> RunSummary { try result(within: seconds).get() }

    func fault(within seconds: Double = 60) throws -> Fault {
        switch try result(within: seconds) {
        case .success(let summary): throw NoFault(summary: summary)
        case .failure(let fault): return fault
        }
    }

    /// Waits until `condition` holds of the facts; a run that ends before is an error.
    func until(_ what: String, within seconds: Double = 60, _ condition: (Facts) -> Bool) throws {
        do {
            _ = try eventually(what, within: seconds) { () -> Bool? in
                if let over = outcome.withLock({ $0 }), !condition(facts) { throw EndedEarly(what: what, how: "\(over)") }
                return condition(facts) ? true : nil
            }
        } catch {
            service.stop()
            throw error
        }
    }

    /// Stops it as SIGTERM does.
    @discardableResult
    func stop() throws -> RunSummary {
        service.stop()
        return try summary(within: 30)
    }
}

struct NoFault: Error { var summary: RunSummary }
struct EndedEarly: Error { var what: String, how: String }

/// Runs to the end and gives the summary.
@discardableResult
func run(_ plan: Plan, _ options: RunOptions = RunOptions(until: .end), within seconds: Double = 60) throws -> RunSummary {
    try Running(plan, options).summary(within: seconds)
}

/// The fault that a run ends with.
func refusal(_ plan: Plan, _ options: RunOptions = RunOptions(until: .end)) throws -> Fault {
    try Running(plan, options).fault(within: 30)
}

private enum Thread {
    /// A thread that may block for as long as it likes.
    static func start(_ body: @escaping @Sendable () -> Void) {
        final class Box {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        let box = Unmanaged.passRetained(Box(body))
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { raw in
                Unmanaged<Box>.fromOpaque(raw!).takeRetainedValue().body()
                return nil
            }, box.toOpaque())
        pthread_detach(thread)
    }
}
