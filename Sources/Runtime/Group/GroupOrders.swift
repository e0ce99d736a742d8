import Kafka
import Model

/// How operators order something of a whole group: as records of its control topic, one partition, whose last record of each kind is
/// kept for good. Every instance reads them; each unit heeds them in a commit of its own. May be called wherever the brokers are
/// reached, whether an instance runs there or not.
enum GroupOrders {
    /// What the line says, done. Called on the socket's queue.
    static func answer(line: ArraySlice<UInt8>, _ plan: Plan, _ clock: any Clock) -> [UInt8] {
        do throws(Fault) {
            return CommandAnswer.line(.success(try give(try Command(line: line), plan, clock)))
        } catch {
            return CommandAnswer.line(.failure(error))
        }
    }

    /// Writes the order down for the group and returns when the brokers have it. `commit`: its number, at least. Errors:
    /// `command_in_group`, `observe_no_deduplicate`, `topic_missing` where no instance ever ran, what brokers say, `command_unanswered`;
    /// of late events those of `reapply`.
    static func give(_ command: Command, _ plan: Plan, _ clock: any Clock) throws(Fault) -> Done {
        if case .reapplyLate(let selection) = command { return try reapply(selection, plan, clock) }
        guard case .observe(let what) = command, case .kafka(_, let group, _) = plan.source.kind else {
            throw ControlSocket.inGroup
        }
        try Command.checkObserves(plan)
        let place = GroupLayout.Topics(group: group, name: plan.name).controlPartition
        let settings = KafkaSettings(plan.kafka)
        let queries = try KafkaQueries(settings, group: group)
        defer { queries.close(within: RuntimeLimits.closeLimit) }
        _ = try queries.partitions(of: [place.topic], toWrite: true, within: RuntimeLimits.questionLimit)
        let before = try standing(queries, place)
        try write(command.line, key: Array(command.word.utf8), settings, place)
        let end = try queries.watermarks(of: [place], within: RuntimeLimits.questionLimit)[place]?.upperBound ?? 0
        var json = JSONText()
        json.beginObject()
        json.member("before", plan.heeding(before).deduplicate?.observe ?? false)
        let order = ObserveOrder(number: end, at: WallTime(milliseconds: 0), observe: what.observe)
        json.member("observe", plan.heeding(order).deduplicate?.observe ?? false)
        json.endObject()
        return Done(commit: end, result: json.bytes)
    }

    static func write(_ value: [UInt8], key: [UInt8], _ settings: KafkaSettings, _ place: PartitionID) throws(Fault) {
        let producer = try KafkaProducer(settings, onEvent: { _ in })
        defer { producer.close(within: RuntimeLimits.closeLimit) }
        try producer.send(
            [
                OutgoingRecord(topic: place.topic, partition: place.number, key: key, value: value)
            ], within: RuntimeLimits.questionLimit)
        let report = producer.flush(within: RuntimeLimits.owedLimit)
        if let failure = report.failures.first?.fault { throw failure }
        // Given twice it is the same order.
        if !report.isComplete { throw ControlClient.unanswered(place.description) }
    }

    /// The order that stands in the plan's group.
    static func standing(_ plan: Plan) throws(Fault) -> ObserveOrder? {
        guard case .kafka(_, let group, _) = plan.source.kind else { return nil }
        let place = GroupLayout.Topics(group: group, name: plan.name).controlPartition
        let queries = try KafkaQueries(KafkaSettings(plan.kafka), group: group)
        defer { queries.close(within: RuntimeLimits.closeLimit) }
        _ = try queries.partitions(of: [place.topic], within: RuntimeLimits.questionLimit)
        return try standing(queries, place)
    }

    /// The order that stands; nil: none was ever given, or not among the last records that are looked at.
    private static func standing(_ queries: KafkaQueries, _ place: PartitionID) throws(Fault) -> ObserveOrder? {
        guard let range = try queries.watermarks(of: [place], within: RuntimeLimits.questionLimit)[place], !range.isEmpty else {
            return nil
        }
        let offsets = Array(range.suffix(RuntimeLimits.ordersLookedAt))
        let found = try queries.records(
            of: place, at: offsets, bytes: RuntimeLimits.lateBytes, within: RuntimeLimits.questionLimit
        ).found
        let orders = found.compactMap { offset, record in
            record.payload.flatMap { Self.order($0, at: offset, given: record.timestamp) }
        }
        return orders.max { $0.number < $1.number }
    }

    /// nil: it is no order of this kind.
    static func order(_ value: some Sequence<UInt8>, at offset: Int64, given: Int64) -> ObserveOrder? {
        guard case .observe(let what)? = try? Command(line: value) else { return nil }
        return ObserveOrder(number: offset + 1, at: WallTime(milliseconds: given), observe: what.observe)
    }

    /// How a unit writes down that it heeds an order, and from where on.
    static func decision(_ heeded: HeededOrder) -> Decision {
        var json = JSONText()
        json.beginObject()
        json.member("order", heeded.order.number)
        json.member("from", heeded.from)
        json.endObject()
        return Command.observe(Command.Observing(heeded.order)).decision(json.bytes)
    }
}
