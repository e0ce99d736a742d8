public import Model
import Observe
import Pipeline
import State

/// A topology's state while no service runs: a command takes the directory's lock, does in one commit what the service would
/// have done, and leaves. Called on one thread, which may wait for disks and brokers.
public final class RestingService {
    private let plan: Plan
    private let clock: any Clock

    private init(_ plan: Plan, _ clock: any Clock) {
        self.plan = plan
        self.clock = clock
    }

    /// Gives `command` to the service that holds the plan's state directory, or, where none runs, does it here; to a group through its
    /// control topic, and then the answer's commit is the order's number. Errors: the
    /// command's own; `command_in_group`, what brokers say, `command_unanswered`, `command_not_now`, `control_no_right`, `inspect_no_state`; what opening the
    /// state gives.
    public static func tell(_ command: Command, _ plan: Plan, clock: any Clock) throws(Fault) -> CommandAnswer {
        if plan.delivery.isGroup {
            let done = try GroupOrders.give(command, plan, clock)
            return CommandAnswer(commit: done.commit, result: JSONTree(done.result) ?? .null)
        }
        try StateDirectory.checkHolds(plan.state.directory)
        if let answer = try ControlClient.ask(command, directory: plan.state.directory, clock: clock) { return answer }
        return try RestingService(plan, clock).run(command)
    }

    private func run(_ command: Command) throws(Fault) -> CommandAnswer {
        let directory = try StateDirectory(plan.state.directory)
        let store = try StateStore(directory: directory, plan: plan, clock: clock)
        defer { store.close() }
        let results = try ResultsStore(directory: directory, store: store)
        defer { results.close() }
        let supplies = try CommandSupplies.fetch(for: command, plan)
        let stored = store.outputIDs.map { UInt16(truncatingIfNeeded: $0) }
        let merge = MergeCore(plan: plan, storedOutputs: stored)
        var places: [PartitionID: (lane: LaneNumber, order: Int64)] = [:]
        for lane in try store.restoredLanes() {
            let isRekeyed = plan.isRekeyed && lane.partition.topic == plan.rekeyedTopic
            let order =
                isRekeyed ? Int64(lane.partition.number) : KafkaSource.order(of: lane.partition, in: plan) ?? Int64(lane.lane)
            places[lane.partition] = (lane.lane, order)
            merge.add(lane: lane.lane, order: order)
            if let watermark = lane.watermark { merge.restore(lane: lane.lane, watermark: watermark) }
        }
        try merge.restore(from: store)
        var cycle = CommitCycle(
            plan: plan, merge: merge, number: store.head.number, time: store.head.time,
            observing: try Command.observing(in: store))
        let work = CommandWork(
            late: LateReapply(plan.heeding(cycle.observing), storedOutputs: stored, lanes: places),
            lookup: { key, included throws(Fault) in try store.closedEntry(before: key, included: included) })
        let effect = try work.run(command, supplies, in: &cycle)
        let commit = cycle.formOrders(at: clock.wall(), progress: try store.progress())
        try store.commit(commit)
        try results.catchUp()
        try publish(store)
        return CommandAnswer(commit: commit.number, result: JSONTree(effect.told) ?? .null)
    }

    /// Rows for topics are sent at once where a broker answers; else the next run sends them.
    private func publish(_ store: StateStore) throws(Fault) {
        guard RowPublisher.isNeeded(plan), try !store.pendingTopicRows(after: 0, limit: 1).isEmpty else { return }
        let publisher = try RowPublisher(plan, store: store, clock: clock, onEvent: { _ in })
        defer { publisher.close() }
        let deadline = clock.monotonic() + RuntimeLimits.lastPublishWait
        while try !publisher.publish(within: .milliseconds(200)), clock.monotonic() < deadline {}
        try store.tend(quiet: true)
    }
}
