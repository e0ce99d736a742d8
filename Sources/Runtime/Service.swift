import Dispatch
public import Freshness
import Kafka
public import Model
public import Observe
import Pipeline
import State
import Synchronization

/// One topology at work: opens its state, reads its inputs, commits, and ends as its options say.
public final class Service: Sendable {
    public let plan: Plan
    let options: RunOptions
    let clock: any Clock
    let onEvent: @Sendable (OperationalEvent) -> Void
    let version: String
    let board: FactsBoard
    let isStopping = Atomic<Bool>(false)
    /// It is to be started again at once.
    let isReturning = Atomic<Bool>(false)
    private let committer = Mutex<Committer?>(nil)
    private let groupCommitter = Mutex<GroupCommitter?>(nil)
    private let server = Mutex<HTTPServer?>(nil)
    private let brokerAwaySince = Mutex<MonotonicTime?>(nil)

    public init(
        plan: Plan, options: RunOptions, clock: any Clock, version: String,
        onEvent: @escaping @Sendable (OperationalEvent) -> Void
    ) {
        self.plan = plan
        self.options = options
        self.clock = clock
        self.version = version
        self.onEvent = onEvent
        board = FactsBoard(plan: plan, version: version, startedAt: clock.wall())
    }

    /// Asks for an orderly end: drain, commit, leave. `again`: an instance of a group keeps its partitions as long as its session
    /// lasts, because it is about to be started again. From any thread; `run` returns within seconds.
    public func stop(again: Bool = false) {
        if again { isReturning.store(true, ordering: .releasing) }
        isStopping.store(true, ordering: .releasing)
        committer.withLock { $0 }?.stop()
        groupCommitter.withLock { $0 }?.stop()
    }

    /// What is known now. From any thread.
    public var facts: Facts { board.facts }

    /// Where the status page listens; nil before it does, or without `http:`.
    public var address: (host: String, port: UInt16)? { server.withLock { $0.map { ($0.host, $0.port) } } }

    /// Blocks the calling thread until the run is over. Throws what kept it from starting or forced it to stop.
    public func run() throws(Fault) -> RunSummary {
        if case .kafka = plan.source.kind {
            // Before the first connection, so that a refusal for the library's sake comes after its version.
            let library = KafkaLibrary.linked
            onEvent(
                .kafkaLibrary(
                    version: library.version, queues: QueueShare.budget(of: plan.state.memory),
                    queueBackoff: library.hasQueueBackoff ? KafkaLimits.queueBackoff : nil, canScram: library.canScram))
        }
        do throws(Fault) {
            return try plan.delivery.isGroup ? workInGroup() : work()
        } catch {
            onEvent(.failed(error))
            throw error
        }
    }

    private func work() throws(Fault) -> RunSummary {
        let began = clock.monotonic()
        let directory = try StateDirectory(plan.state.directory)
        let store = try StateStore(
            directory: directory, plan: plan, clock: clock, accept: options.accept,
            keys: { id in stateKeyRanges(ofOutput: UInt16(truncatingIfNeeded: id)).map { KeyRange(from: $0.from, to: $0.to) } })
        defer { store.close() }
        let results = try ResultsStore(directory: directory, store: store)
        defer { results.close() }
        board.set(progress: try store.progress())
        try serve()
        defer { server.withLock { $0 }?.stop() }
        if store.head.number > 0 {
            for output in store.added { onEvent(.outputAdded(name: output.name, since: output.sinceWatermark)) }
        }
        try finish(store)
        let restored = try store.restoredLanes()
        guard let (source, start, committer) = try begin(restored, store, results, directory) else { return nothing }
        defer { source.close() }
        self.committer.withLock { $0 = committer }
        if isStopping.load(ordering: .acquiring) { committer.stop() }
        let control = try ControlSocket(directory: directory.path, clock: clock, answer: { committer.answer(line: $0) })
        defer { control.stop() }
        let readBefore = restored.reduce(Books(outputs: 0)) { $0 + $1.books }.joined.read
        try untilDone(committer) { () throws(Fault) in
            board.set(state: .running)
            onEvent(.started(topology: plan.name, version: version, partitions: committer.lanes.count))
            try committer.run(
                until: options.until, isBounded: start.isBounded,
                addFound: { ids throws(Fault) in try start.add(found: ids, to: committer) })
        }
        if committer.cycle.time.ended { onEvent(.ended(read: committer.books.read)) }
        let waits = committer.turnWaits
        let summary = RunSummary(
            books: committer.books, read: committer.books.read - readBefore, commits: committer.commits,
            rows: committer.rowsEmitted,
            stopped: committer.stopped, turnMedian: waits.quantile(0.5) ?? 0, turnWorst: waits.quantile(0.99) ?? 0,
            firstRecordAt: committer.firstRecordAt, lastCommitAt: committer.lastCommitAt, coldReads: committer.crew.coldReads,
            mostState: committer.crew.mostState)
        onEvent(.stopped(commits: summary.commits, after: clock.monotonic() - began))
        return summary
    }

    /// Where an earlier run saw the end of its input, what a crash kept from its topics is sent, and nothing else is done.
    private func finish(_ store: StateStore) throws(Fault) {
        guard store.head.time.ended else { return }
        if RowPublisher.isNeeded(plan) {
            let publisher = try RowPublisher(plan, store: store, clock: clock, onEvent: onEvent)
            defer { publisher.close() }
            while try !publisher.publish(within: RuntimeLimits.startRetry) {
                if let fault = publisher.fault { throw fault }
                if isStopping.load(ordering: .acquiring) { break }
            }
            try store.tend(quiet: true)
        }
        try store.checkNotEnded()
    }

    /// Source, lanes and committer, ready to run; nil if the run was stopped before a broker answered everything.
    private func begin(
        _ restored: [RestoredLane], _ store: StateStore, _ results: ResultsStore, _ directory: StateDirectory
    ) throws(Fault) -> (any Source, RunStart, Committer)? {
        while let source = try connect(restored) {
            let publisher =
                RowPublisher.isNeeded(plan) ? try RowPublisher(plan, store: store, clock: clock, onEvent: onEvent) : nil
            let start = RunStart(
                plan: plan, options: options, clock: clock, directory: directory, store: store, source: source, onEvent: onEvent,
                isStopping: { [self] in isStopping.load(ordering: .acquiring) })
            do throws(Fault) {
                let committer = try start.committer(
                    results: results, directory: directory, publisher: publisher, board: board)
                try start.openLanes(restored, into: committer)
                publisher?.lookAtTopics(plan)
                return (source, start, committer)
            } catch {
                // The broker went away between two questions: from the beginning.
                publisher?.close()
                source.close()
                guard error.isTransient else { throw error }
                board.set(state: .waiting(error))
                nap()
            }
        }
        return nil
    }

    private func untilDone(_ committer: Committer, _ body: () throws(Fault) -> Void) throws(Fault) {
        defer {
            committer.close()
            self.committer.withLock { $0 = nil }
        }
        try body()
    }

    var nothing: RunSummary {
        RunSummary(
            books: Books(outputs: plan.aggregates.count), read: 0, commits: 0, rows: 0, stopped: [:], turnMedian: 0, turnWorst: 0)
    }

    func serve() throws(Fault) {
        guard let http = plan.http else { return }
        let board = board
        let clock = clock
        let started = try HTTPServer(host: http.host, port: http.port, facts: { (board.facts, clock.wall()) })
        server.withLock { $0 = started }
        onEvent(.listening(host: started.host, port: started.port))
    }

    /// The source, or nil if the run was stopped before a broker answered.
    func connect(_ restored: [RestoredLane]) throws(Fault) -> (any Source)? {
        switch plan.source.kind {
        case .files(let patterns): return try FileSource(patterns, maxRecord: plan.source.maxRecord)
        case .generator(let generator):
            return GeneratorSource(generator, kept: restored.compactMap(\.fileFingerprint).first, clock: clock)
        case .kafka(let topics, let group, let start):
            var awaySince: MonotonicTime?
            while !isStopping.load(ordering: .acquiring) {
                do throws(Fault) {
                    let plan = plan
                    let connecting = Connecting { () throws(Fault) in
                        try KafkaSource(plan, topics: topics, group: group, start: start, onEvent: { [self] in hear($0) })
                    }
                    guard let source = try connecting.wait(unless: { isStopping.load(ordering: .acquiring) }) else { return nil }
                    board.set(brokerUp: true)
                    if let awaySince { onEvent(.brokerBack(after: clock.monotonic() - awaySince)) }
                    return source
                } catch {
                    guard error.isTransient else { throw error }
                    if awaySince == nil {
                        awaySince = clock.monotonic()
                        onEvent(.brokerAway(error))
                    }
                    board.set(state: .waiting(error))
                    nap()
                }
            }
            return nil
        }
    }

    func stopServing() { server.withLock { $0 }?.stop() }

    /// Whom `stop` reaches.
    func register(_ committer: GroupCommitter?) {
        groupCommitter.withLock { $0 = committer }
        if isStopping.load(ordering: .acquiring) { committer?.stop() }
    }

    func nap() {
        // The run's own thread has nothing else to do until a broker answers.
        let wait = DispatchSemaphore(value: 0)
        _ = wait.wait(timeout: .now() + .milliseconds(Int(RuntimeLimits.startRetry.milliseconds)))
    }

    private func hear(_ event: KafkaEvent) {
        switch event {
        case .brokersAway(let fault), .refused(let fault):
            board.set(brokerUp: false)
            let now = clock.monotonic()
            brokerAwaySince.withLock { $0 = $0 ?? now }
            onEvent(.brokerAway(fault))
        case .brokersBack:
            board.set(brokerUp: true)
            let since = brokerAwaySince.withLock { since in
                defer { since = nil }
                return since
            }
            onEvent(.brokerBack(after: since.map { clock.monotonic() - $0 } ?? .zero))
        case .reopened, .log: break
        }
    }
}
