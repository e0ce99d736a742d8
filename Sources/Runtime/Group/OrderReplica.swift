import Kafka
import Model
import Observe

/// This instance's reading of the group's orders. Used on the run's thread.
final class OrderReplica {
    private let log: KafkaLog
    private let queries: KafkaQueries
    private let place: PartitionID
    private var reader: LogReader?
    private var position: Int64?
    /// The end of the topic when this instance first looked: what lies before it stands, what comes later is news.
    private var firstEnd: Int64 = 0
    private var hasTold = false
    /// The order that stands of copies; nil: none was heard of.
    private(set) var observing: ObserveOrder?
    /// The last orders to apply late events again, in the order they were given.
    private(set) var late: [LateOrder] = []

    init(log: KafkaLog, queries: KafkaQueries, place: PartitionID) {
        self.log = log
        self.queries = queries
        self.place = place
    }

    /// Takes what has come; never waits for more. True: another order stands now.
    func poll(_ onEvent: (OperationalEvent) -> Void) throws(Fault) -> Bool {
        if reader == nil { try open() }
        guard let reader else { return false }
        let before = observing
        while try reader.next(
            within: .zero,
            { batch throws(Fault) in
                for index in 0..<batch.count { take(batch, index, onEvent) }
            })
        {}
        position = reader.position
        if !hasTold, reader.position >= firstEnd {
            hasTold = true
            if let observing, let observe = observing.observe { onEvent(.observeOrdered(observe, since: observing.at)) }
        }
        return observing != before
    }

    private func take(_ batch: LogBatch, _ index: Int, _ onEvent: (OperationalEvent) -> Void) {
        let offset = batch.offset(index)
        if let tree = batch.value(index).flatMap({ JSONTree($0) }) {
            if let order = LateOrder(tree, at: offset) {
                late.append(order)
                if late.count > RuntimeLimits.lateOrdersKept { late.removeFirst() }
                return
            }
            if LateAnswer(tree) != nil { return }
        }
        guard let order = batch.value(index).flatMap({ GroupOrders.order($0, at: offset, given: batch.timestamp(index)) }) else {
            // Other instances may be newer than this one.
            return onEvent(.failed(Self.unknown("\(place)@\(offset)")))
        }
        observing = order
        guard offset >= firstEnd else { return }
        let command = Command.observe(Command.Observing(order))
        onEvent(.commanded(command.word, asked: String(decoding: command.line, as: UTF8.self), commit: order.number))
    }

    /// Refuses to go on where a unit has heeded an order that the topic does not hold: it was made anew, and later orders would seem to
    /// be earlier ones. Asks the brokers only where that could be.
    func checkHolds(_ heeded: Int64) throws(Fault) {
        guard heeded > position ?? 0 else { return }
        let end = try queries.watermarks(of: [place], within: RuntimeLimits.questionLimit)[place]?.upperBound ?? 0
        guard end < heeded else { return }
        throw Fault(
            "control_log_lost", "The group's orders end at \(end), and one of its units has heeded order \(heeded).",
            place: "\(place)", next: "The topic was deleted: bring it back, or start anew under another source.group.",
            exit: .state)
    }

    /// What was heard stays known; it is read on from there.
    func close() {
        reader?.close()
        reader = nil
    }

    private func open() throws(Fault) {
        let range = try queries.watermarks(of: [place], within: RuntimeLimits.questionLimit)[place] ?? 0..<0
        if position == nil { firstEnd = range.upperBound }
        reader = try log.reader(of: place, from: max(position ?? 0, range.lowerBound))
    }

    private static func unknown(_ place: String) -> Fault {
        Fault(
            "control_unknown", "The group was ordered something that this instance does not know.", place: place,
            next: "Run the same version everywhere, and let nothing else write to this topic.", exit: .answerIsNo)
    }
}

extension GroupCommitter {
    /// What operators have ordered meanwhile: lanes hear of it with their next seal.
    func followOrders() throws(Fault) {
        guard let orders else { return }
        if try orders.poll(parts.onEvent) { parts.board.set(observing: orders.observing) }
    }
}
