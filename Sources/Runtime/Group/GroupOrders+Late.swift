import Kafka
import Model
import State

/// How late events are applied again in a group (S13): the ledger of this state directory says which, and the owner of their partition,
/// whichever instance that is, does it.
extension GroupOrders {
    /// Selected entries of one partition, and those before others; the answer's `next` says where another command goes on. Returns once
    /// the owner's commit is durable; `commit` is the order's number. Errors: `late_no_ledger`, `late_nothing_kept`, `inspect_no_state`,
    /// `topic_missing` where no instance ever ran so, `command_unanswered`, what brokers say, what the owner met.
    static func reapply(_ selection: LateSelection, _ plan: Plan, _ clock: any Clock) throws(Fault) -> Done {
        try Command.checkLedger(plan)
        guard plan.keepsClosedForLate, case .kafka(_, let group, _) = plan.source.kind else { throw nothingKept }
        let ledger = try LateLedger(directory: plan.state.directory)
        defer { ledger.close() }
        let selected = try ledger.entries(selection)
        guard let unit = selected.first.map({ LateLedgerEntry.unit(of: $0.number) }) else {
            return Done(commit: 0, result: LateReapply.result([], next: nil, entries: true))
        }
        let entries = selected.map(\.number).prefix { LateLedgerEntry.unit(of: $0) == unit }
        let isAll = entries.count == selected.count && selected.count < selection.limit
        let order = LateOrder(Array(entries))
        let place = GroupLayout.Topics(group: group, name: plan.name).controlPartition
        let settings = KafkaSettings(plan.kafka)
        let queries = try KafkaQueries(settings, group: group)
        defer { queries.close(within: RuntimeLimits.closeLimit) }
        _ = try queries.partitions(of: [place.topic], toWrite: true, within: RuntimeLimits.questionLimit)
        let end = try queries.watermarks(of: [place], within: RuntimeLimits.questionLimit)[place]?.upperBound ?? 0
        try write(order.value, key: order.key, settings, place)
        let (number, answer) = try wait(for: order, settings, place, from: end, clock)
        let outcome = (answer.result["entries"]?.items ?? []).compactMap { item -> (entry: Int64, became: LateReapply.Became)? in
            guard let entry = item["entry"]?.int, let became = item["became"]?.text.flatMap(LateReapply.Became.init(rawValue:))
            else { return nil }
            return (entry, became)
        }
        let next = answer.result["next"]?.int ?? (isAll ? nil : entries.last)
        return Done(commit: number, result: LateReapply.result(outcome, next: next, entries: true))
    }

    private static func wait(
        for order: LateOrder, _ settings: KafkaSettings, _ place: PartitionID, from: Int64, _ clock: any Clock
    ) throws(Fault) -> (number: Int64, answer: CommandAnswer) {
        let log = try KafkaLog(settings, memory: RuntimeLimits.logMemory, partitions: 1, onEvent: { _ in })
        defer { log.close(within: RuntimeLimits.closeLimit) }
        let reader = try log.reader(of: place, from: from)
        defer { reader.close() }
        let deadline = clock.monotonic() + RuntimeLimits.commandWait
        var number: Int64 = 0
        while clock.monotonic() < deadline {
            var found: LateAnswer?
            _ = try reader.next(within: RuntimeLimits.answerLook) { batch throws(Fault) in
                for index in 0..<batch.count {
                    guard let tree = batch.value(index).flatMap({ JSONTree($0) }) else { continue }
                    if LateOrder(tree, at: 0)?.token == order.token { number = batch.offset(index) + 1 }
                    if let answer = LateAnswer(tree), answer.token == order.token { found = answer }
                }
            }
            if let found { return (number, try found.answer.get()) }
        }
        throw ControlClient.unanswered(place.description)
    }

    private static let nothingKept = Fault(
        "late_nothing_kept", "The group keeps nothing of closed windows, so late events can't be applied to them again.",
        place: "state.keep_closed", next: "Give it `state: {keep_closed: 24h}`; windows are kept from the next start on.",
        exit: .answerIsNo)
}
