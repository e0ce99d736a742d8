import Dispatch
import Freshness
import Kafka
import Model
import Observe
import Pipeline
import State
import Synchronization

/// An instance of a consumer group: the same topology on several machines, sharing its partitions (S20, S21).
extension Service {
    /// From the first question to the brokers to the end of the run.
    func workInGroup() throws(Fault) -> RunSummary {
        guard case .kafka(let topics, let group, _) = plan.source.kind else { return nothing }
        if options.range != nil {
            throw Fault(
                "replay_in_group", "A replay is a run of its own and joins no group.", place: "delivery",
                next: "Leave `delivery` out of the topology that you replay.", exit: .usage)
        }
        if let choice = options.resume.first {
            throw Fault(
                "resume_in_group", "A group's state holds for one place in the log: it can't go on elsewhere.",
                place: "\(choice.partition)", next: "To read from another place, start anew under another source.group.",
                exit: .usage)
        }
        let directory = try StateDirectory(plan.state.directory)
        try serve()
        defer { stopServing() }
        let control = try ControlSocket(
            directory: directory.path, clock: clock, answer: { [plan, clock] in GroupOrders.answer(line: $0, plan, clock) })
        defer { control.stop() }
        let start = clock.monotonic()
        let own = GroupLayout.Topics(group: group, name: plan.name)
        while !isStopping.load(ordering: .acquiring) {
            do throws(Fault) {
                return try instance(in: directory, topics: topics, group: group)
            } catch {
                // The brokers went away between two questions: from the beginning.
                guard error.isTransient || InternalTopics.isYet(toCome: error, own, since: start, now: clock.monotonic()) else {
                    throw error
                }
                if error.code == "member_put_out" { onEvent(.startedOver(error)) }
                board.set(state: .waiting(error))
                nap()
            }
        }
        return nothing
    }

    private func instance(in directory: StateDirectory, topics: [String], group: String) throws(Fault) -> RunSummary {
        let began = clock.monotonic()
        guard let source = try connect([]) as? KafkaSource else { return nothing }
        defer { source.close() }
        let settings = KafkaSettings(plan.kafka)
        let inputs = try source.partitions()
        let layout = GroupLayout(plan: plan, group: group, inputs: inputs)
        let internals = InternalTopics(plan: plan, layout: layout)
        try internals.ensure(source.queries)
        let store = try GroupStore(
            directory: directory, plan: plan, layout: layout, clock: clock, accept: options.accept,
            keys: { id in stateKeyRanges(ofOutput: UInt16(truncatingIfNeeded: id)).map { KeyRange(from: $0.from, to: $0.to) } })
        defer { store.close() }
        if let notice = store.notice { onEvent(.startedOver(notice)) }
        let log = try KafkaLog(
            settings, memory: RuntimeLimits.logMemory, partitions: RuntimeLimits.restoresAtOnce + 2 + layout.inputs.count,
            onEvent: { _ in })
        defer { log.close(within: RuntimeLimits.closeLimit) }
        let instance = plan.state.instance ?? directory.instance
        let committer = try GroupCommitter(
            GroupCommitter.Parts(
                plan: plan, layout: layout, options: options, clock: clock, board: board, onEvent: onEvent, directory: directory,
                source: source, store: store,
                restores: UnitRestore.Context(
                    layout: layout, store: store, log: log, queries: source.queries, clock: clock,
                    partitions: layout.units, deleteRetention: try internals.deleteRetention(source.queries)),
                inHand: RecordsInHand(directory, onEvent: onEvent),
                sender: plan.delivery == .atLeastOnce || Mutant.rowsOutsideTransaction.isOn
                    ? try GroupSender(
                        settings, isStopping: { [self] in isStopping.load(ordering: .acquiring) },
                        onFault: { [self] in onEvent(.outboxStuck(output: $0.place, rows: 0, $0)) }) : nil,
                feed: internals.hasTables
                    ? ResultsFeed(
                        plan: plan, layout: layout, log: log, queries: source.queries, clock: clock,
                        follower: try ResultsFollower(directory: directory, store: store)) : nil,
                bounds: options.until == .stopped ? nil : try source.ends(of: inputs),
                makeProducer: { [self] () throws(Fault) in try producer("\(plan.name)-\(instance)", settings, internals) }))
        committer.tellUnreadable()
        register(committer)
        defer { register(nil) }
        let membership = try KafkaMembership(
            settings, group: group, instance: "\(plan.name)-\(instance)", clock: clock, onEvent: { _ in },
            onChange: { [mailbox = committer.mailbox] change in
                switch change {
                case .assigned(let partitions, let identity): mailbox.post(.assigned(partitions, identity))
                case .revoked(_, let lost):
                    let settled = Reply<Void>()
                    mailbox.post(.revoked(isLost: lost, settled: settled))
                    settled.wait()
                case .failed(let fault): mailbox.post(.failed(fault))
                }
            })
        try membership.join(
            topics + (layout.mergeLanes > 0 ? [layout.topics.partials] : [])
                + (layout.rekeyed.isEmpty ? [] : [layout.topics.rekey]))
        onEvent(.started(topology: plan.name, version: version, partitions: inputs.count))
        // Who ends by a fault is probably started again.
        var isLeaving = options.until != .stopped
        defer {
            committer.mailbox.close()
            membership.close(leaving: isLeaving, within: RuntimeLimits.closeLimit)
            committer.close()
        }
        try committer.run()
        if options.until == .stopped {
            isLeaving = !isReturning.load(ordering: .acquiring) && hasCompany(group, source.queries)
        }
        if committer.isEnded { onEvent(.ended(read: committer.crew.books(plan).read)) }
        let summary = committer.summary
        onEvent(.stopped(commits: summary.commits, after: clock.monotonic() - began))
        return summary
    }

    /// Where nobody could take over, leaving would only make the next start of a member wait.
    private func hasCompany(_ group: String, _ queries: KafkaQueries) -> Bool {
        do throws(Fault) {
            return try queries.members(of: group, within: RuntimeLimits.closeLimit) > 1
        } catch {
            return false
        }
    }

    private func producer(_ id: String, _ settings: KafkaSettings, _ internals: InternalTopics) throws(Fault) -> KafkaTransactions
    {
        let made = try KafkaTransactions(
            settings, transactionalID: id, uncompressed: [internals.layout.topics.changelog], clock: clock, onEvent: { _ in })
        FaultPoint.hit(.beforeInitTransactions)
        do throws(Fault) {
            try made.prepare(warming: internals.written, within: RuntimeLimits.prepareLimit)
        } catch {
            made.close(within: RuntimeLimits.closeLimit)
            throw error
        }
        return made
    }
}
