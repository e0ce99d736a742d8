import Model
import State

/// Commands on the committer's queue: what they do is decided before a commit is formed, and told when that is durable.
extension Committer {
    /// A command that will be in the next commit.
    struct Accepted {
        var order: CommandDesk.Order
        var result: [UInt8]

        func answer(_ commit: Int64) { order.answer(.success(Done(commit: commit, result: result))) }
    }

    /// Does what waits, as part of the commit that is formed next. Error: `state_damaged`; nothing may be committed any more.
    func takeOrders() throws(Fault) -> [Accepted] {
        let orders = desk.take()
        if orders.isEmpty { return [] }
        var places: [PartitionID: (lane: LaneNumber, order: Int64)] = [:]
        for (number, lane) in lanes { places[lane.partition] = (number, source.order(of: lane.partition) ?? Int64(number)) }
        let store = store
        let stored = store.outputIDs.map { UInt16(truncatingIfNeeded: $0) }
        var accepted: [Accepted] = []
        for (at, order) in orders.enumerated() {
            let work = CommandWork(
                late: LateReapply(plan.heeding(cycle.observing), storedOutputs: stored, lanes: places),
                lookup: { key, included throws(Fault) in try store.closedEntry(before: key, included: included) })
            do throws(Fault) {
                accepted.append(Accepted(order: order, result: try work.run(order.command, order.supplies, in: &cycle).told))
            } catch {
                for order in orders[..<at] { order.answer(.failure(CommandDesk.notNow)) }
                for order in orders[at...] { order.answer(.failure(error)) }
                throw error
            }
        }
        return accepted
    }

    /// What the socket's line says, done. Called on the socket's queue.
    func answer(line: ArraySlice<UInt8>) -> [UInt8] {
        do throws(Fault) {
            let command = try Command(line: line)
            let supplies = try CommandSupplies.fetch(for: command, plan)
            return CommandAnswer.line(desk.ask(command, supplies, hurry: hurry))
        } catch {
            return CommandAnswer.line(.failure(error))
        }
    }
}
