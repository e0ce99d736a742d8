internal import Model
internal import Runtime

extension Verbs {
    static let observe = Verb(
        name: "observe", summary: "let copies pass for a while, or drop them again",
        usage: "on | off | reset | show FILE [option…]", operands: 2...2, operand: "FILE",
        options: [
            .value("with", "FILE", "laid over FILE", repeatable: true),
            .value("state", "DIRECTORY", "another directory than the topology's `state:` names"),
        ],
        notes: [
            "`on`: copies are counted, and pass; `off`: they are dropped. Either stands until the next order, over restarts and",
            "whatever `deduplicate.observe` says; `reset`: what it says holds again; `show`: what holds now, and by whose word. The service does it if one runs; a group hears of it through its control topic.",
        ],
        run: { arguments, console throws(Fault) in try ObserveVerb.run(arguments, console) })
}

/// `observe` of `deduplicate`, switched while the service runs (S9).
enum ObserveVerb {
    static func run(_ arguments: Arguments, _ console: Console) throws(Fault) -> ExitCode {
        let word = arguments.operands[0]
        let what = Command.Observing(rawValue: word)
        guard what != nil || word == "show" else {
            throw usageFault("`\(printableWord(word))` is no way to treat copies", of: "observe", hint: "on, off, reset or show")
        }
        let isJSON = arguments.has("json")
        let (read, exit) = TopologyInput.plan([arguments.operands[1]] + arguments.all("with"), on: console, asJSON: isJSON)
        guard var plan = read else { return exit }
        if let directory = arguments.value("state") { plan.state.directory = directory }
        guard let what else {
            let order = try Command.standing(plan)
            let observe = plan.heeding(order).deduplicate?.observe ?? false
            console.out(isJSON ? json(order, observe, plan) : text(order, observe))
            return .done
        }
        let answer = try RestingService.tell(.observe(what), plan, clock: SystemClock())
        guard let observe = answer.result["observe"]?.flag, let before = answer.result["before"]?.flag else {
            throw Fault(
                "command_unanswered", "The service's answer can't be read; what it did stands in its decisions.",
                place: plan.state.directory, next: "See the table `decisions`.", exit: .answerIsNo)
        }
        console.out(isJSON ? json(what, observe, before, answer.commit) : text(what, observe, before, answer.commit, plan))
        return .done
    }

    private static func text(_ what: Command.Observing, _ observe: Bool, _ before: Bool, _ commit: Int64, _ plan: Plan) -> String
    {
        let place = plan.delivery.isGroup ? "each partition's next commit on (order \(commit))" : "commit \(commit) on"
        let change = observe == before ? "as before" : before ? "they were let pass before" : "they were dropped before"
        let stands = what == .reset ? "as the topology says" : "until the next order"
        return "copies are \(observe ? "let pass" : "dropped") from \(place), \(stands); \(change)\n"
    }

    private static func text(_ order: ObserveOrder?, _ observe: Bool) -> String {
        let how = observe ? "let pass" : "dropped"
        guard let order, order.observe != nil else { return "copies are \(how), as the topology says\n" }
        return "copies are \(how) by order since \(Instant.text(order.at.milliseconds)), whatever the topology says\n"
    }

    private static func json(_ order: ObserveOrder?, _ observe: Bool, _ plan: Plan) -> String {
        var json = JSONText()
        json.beginObject()
        json.member("observe", observe)
        json.member("topology", plan.deduplicate?.observe ?? false)
        json.key("ordered_at")
        if let order, order.observe != nil { json.int(order.at.milliseconds) } else { json.null() }
        json.endObject()
        return json.text + "\n"
    }

    private static func json(_ what: Command.Observing, _ observe: Bool, _ before: Bool, _ commit: Int64) -> String {
        var json = JSONText()
        json.beginObject()
        json.member("commit", commit)
        json.member("order", what.rawValue)
        json.member("observe", observe)
        json.member("before", before)
        json.endObject()
        return json.text + "\n"
    }
}
