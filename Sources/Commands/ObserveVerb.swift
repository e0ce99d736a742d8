internal import Model
internal import Runtime

extension Verbs {
    static let observe = Verb(
        name: "observe", summary: "let copies pass for a while, or drop them again",
        usage: "on | off | reset FILE [option…]", operands: 2...2, operand: "FILE",
        options: [
            .value("with", "FILE", "laid over FILE", repeatable: true),
            .value("state", "DIRECTORY", "another directory than the topology's `state:` names"),
        ],
        notes: [
            "`on`: copies are counted, and pass; `off`: they are dropped. Either stands until the next order, over restarts and",
            "whatever `deduplicate.observe` says; `reset`: what it says holds again. The service does it if one runs; a group hears of it through its control topic.",
        ],
        run: { arguments, console throws(Fault) in try ObserveVerb.run(arguments, console) })
}

/// `observe` of `deduplicate`, switched while the service runs (S9).
enum ObserveVerb {
    static func run(_ arguments: Arguments, _ console: Console) throws(Fault) -> ExitCode {
        let word = arguments.operands[0]
        guard let what = Command.Observing(rawValue: word) else {
            throw usageFault("`\(printableWord(word))` is no way to treat copies", of: "observe", hint: "on, off or reset")
        }
        let isJSON = arguments.has("json")
        let (read, exit) = TopologyInput.plan([arguments.operands[1]] + arguments.all("with"), on: console, asJSON: isJSON)
        guard var plan = read else { return exit }
        if let directory = arguments.value("state") { plan.state.directory = directory }
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
