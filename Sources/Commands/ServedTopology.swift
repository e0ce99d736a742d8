internal import Freshness
internal import Model
internal import Observe
internal import Runtime
internal import Synchronization

/// A service in the background of a command: started, watched, stopped by a signal or by the command.
final class ServedTopology: Sendable {
    let service: Service
    let clock = SystemClock()
    let start: MonotonicTime
    private let plan: Plan
    private let log: EventLog
    private let console: Console
    private let stopped = Mutex(false)

    init(plan: Plan, options: RunOptions, level: OperationalEvent.Level, console: Console) {
        self.plan = plan
        self.console = console
        start = clock.monotonic()
        let log = EventLog(clock: clock, form: console.isErrorTerminal ? .text : .json, leastLevel: level) { line in
            console.error(String(decoding: line, as: UTF8.self))
        }
        self.log = log
        service = Service(plan: plan, options: options, clock: clock, version: Version.text) { event in
            // On a terminal the command's last words say it.
            if case .failed = event, console.isErrorTerminal { return }
            log.tell(event)
        }
    }

    /// Somebody asked for the end before the input was over.
    var wasStopped: Bool { stopped.withLock { $0 } }

    /// `again`: it is about to be started again.
    func stop(again: Bool = false) {
        stopped.withLock { $0 = true }
        service.stop(again: again)
    }

    /// Runs to the end; `onTick` is called on this thread a few times a second.
    func run(_ signals: StopSignals, onTick: (Facts, MonotonicTime) -> Void) throws(Fault) -> RunReport {
        let before = ResourceUse.now
        let service = service
        let work = Background("service") { () throws(Fault) in try service.run() }
        defer { log.tellSuppressed(all: true) }
        let summary = try work.wait(
            signals, console,
            onStop: { stop(again: signals.saysAgain) },
            onTick: {
                onTick(service.facts, clock.monotonic())
                log.tellSuppressed()
            })
        let use = ResourceUse.now
        return RunReport(
            topology: plan.name, summary: summary, elapsed: clock.monotonic() - start,
            use: ResourceUse(cpuSeconds: use.cpuSeconds - before.cpuSeconds, peakMemory: use.peakMemory),
            outputs: plan.aggregates.map(\.name), expressionPlaces: ExpressionPlaces(plan).names)
    }
}
