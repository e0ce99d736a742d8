import Model
import State
import Synchronization

/// What a command needs that takes a while to get: fetched before the command waits for its commit.
enum CommandSupplies: Sendable {
    case none
    /// `next`: more entries are selected, after this one.
    case late([LateReader.Candidate], next: Int64?)

    /// May wait for disks and brokers. Errors: those of `LateReader`.
    static func fetch(for command: Command, _ plan: Plan) throws(Fault) -> CommandSupplies {
        switch command {
        case .commit: return .none
        case .observe:
            try Command.checkObserves(plan)
            return .none
        case .reapplyLate(let selection):
            try Command.checkLedger(plan)
            let ledger = try LateLedger(directory: plan.state.directory)
            defer { ledger.close() }
            var selection = selection
            selection.isAcrossPartitions = plan.isRekeyed
            let (candidates, next) = try LateReader(plan, ledger).candidates(selection)
            return .late(candidates, next: next)
        }
    }
}

extension Command {
    /// Error: `late_no_ledger`.
    static func checkLedger(_ plan: Plan) throws(Fault) {
        if case .ledger = plan.late { return }
        throw Fault(
            "late_no_ledger", "The topology keeps no late ledger.", place: "late",
            next: "Late events can be applied again with `late: ledger`; a replay counts a range once more.", exit: .answerIsNo)
    }
}

/// What a command does, where a commit is formed.
struct CommandWork {
    /// As `decisions` keeps it, and as the answer tells it.
    struct Effect {
        var kept: [UInt8]
        var told: [UInt8]
    }
    let late: LateReapply
    let lookup: ClosedLookup

    /// Error: `state_damaged`, and then nothing may be committed any more.
    func run(_ command: Command, _ supplies: CommandSupplies, in cycle: inout CommitCycle) throws(Fault) -> Effect {
        let effect: Effect
        switch supplies {
        case .none:
            var result = Array("{}".utf8)
            if case .observe(let what) = command { result = cycle.observe(what) }
            effect = Effect(kept: result, told: result)
        case .late(let candidates, let next):
            let outcome = try late.run(candidates, in: &cycle, lookup)
            effect = Effect(
                kept: LateReapply.result(outcome, next: nil, entries: false),
                told: LateReapply.result(outcome, next: next, entries: true))
        }
        cycle.record(command.decision(effect.kept))
        return effect
    }
}

/// Where commands wait for the commit that will hold what they do. Whoever gives one waits for its answer; the committer takes
/// them at its ticks.
final class CommandDesk: Sendable {
    struct Order: Sendable {
        let command: Command
        let supplies: CommandSupplies
        fileprivate let reply: Reply<Result<Done, Fault>>

        func answer(_ outcome: Result<Done, Fault>) { reply.give(outcome) }
    }

    private struct Desk {
        var waiting: [Order] = []
        var isClosed = false
    }
    private let desk = Mutex(Desk())

    /// Blocks until the command's commit is durable, or it was refused. From any thread but the committer's; `hurry` wakes that.
    func ask(_ command: Command, _ supplies: CommandSupplies, hurry: () -> Void) -> Result<Done, Fault> {
        let order = Order(command: command, supplies: supplies, reply: Reply())
        let isTaken = desk.withLock { desk in
            guard !desk.isClosed, desk.waiting.count < RuntimeLimits.commandsWaiting else { return false }
            desk.waiting.append(order)
            return true
        }
        guard isTaken else { return .failure(Self.notNow) }
        hurry()
        return order.reply.wait()
    }

    /// The committer's: what waits, in the order it was given.
    func take() -> [Order] {
        desk.withLock { desk in
            defer { desk.waiting = [] }
            return desk.waiting
        }
    }

    /// Nobody takes any more: what waits is refused, and so is what comes.
    func close() {
        let left = desk.withLock { desk in
            desk.isClosed = true
            defer { desk.waiting = [] }
            return desk.waiting
        }
        for order in left { order.answer(.failure(Self.notNow)) }
    }

    static let notNow = Fault(
        "command_not_now", "The service takes no command now: it starts, stops, or has too many waiting.",
        next: "Try again in a moment.", exit: .answerIsNo, isTransient: true)
}
