internal import Model
internal import Observe
internal import Topology

extension Verbs {
    static let describe = Verb(
        name: "describe", summary: "the plan with every default, and what uses what", usage: "FILE [option…]",
        operands: 1...1,
        options: [
            .value("with", "FILE", "laid over FILE, such as a file for production", repeatable: true),
            .flag("yaml", "only the topology with every default, as a file that reads back to the same plan"),
            .flag("acls", "only the rights that the topology's user needs on the brokers, as commands that grant them"),
            .value("rate", "N/s", "events a second, for what is held at one time; default: the generator's"),
            .value("keys-per-million", "N", "different keys among a million events; default: 1M"),
            .value("groups", "N", "groups in each window of an aggregate; default: 1000"),
            .value("partitions", "N", "input partitions; default: the generator's, else 8"),
        ],
        notes: [
            "Values stand as they were written: what comes from the environment or a file, secrets too, is shown",
            "as its ${…}. A wrong topology is told as weir check tells it, with the same exit codes.",
        ]
    ) { arguments, console throws(Fault) in
        let file = arguments.operands[0]
        let reading = Topology.read(files: [file] + arguments.all("with"))
        guard let plan = reading.plan else {
            if arguments.has("json") {
                console.out(TopologyInput.problemsJSON(file: file, reading) + "\n")
            } else {
                for problem in reading.problems {
                    console.out(
                        TopologyInput.text(
                            problem, caret: console.isOutTerminal, hasColour: console.hasColour && console.isOutTerminal))
                }
                console.out(TopologyInput.summary(file, reading) + "\n")
            }
            return reading.exit
        }
        let most = CommandsLimits.assumed
        let assumed = StateEstimate.Assumptions(
            plan, keysPerMillion: try arguments.integer("keys-per-million", in: 1...1_000_000, of: "describe"),
            groups: try arguments.integer("groups", in: 1...most, of: "describe"),
            partitions: try arguments.integer("partitions", in: 1...most, of: "describe"),
            rate: try arguments.rate("rate", of: "describe"))
        let description = Description(plan, assuming: assumed)
        if arguments.has("json") {
            console.out(DescriptionJSON.text(description, name: plan.name, reading))
        } else if arguments.has("acls") {
            console.out(AccessList.text(plan))
        } else if arguments.has("yaml") {
            console.out(reading.spelled)
        } else {
            console.out(reading.spelled + "\n" + DescriptionText.tables(description))
        }
        return .done
    }
}
