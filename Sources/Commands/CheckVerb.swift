internal import Model
internal import Topology

extension Verbs {
    static let check = Verb(
        name: "check", summary: "all problems of a topology, without a network", usage: "FILE… [option…]", operands: 1...1_000,
        options: [
            .value("with", "FILE", "laid over each FILE, such as a file for production", repeatable: true),
            .flag("strict", "warnings are errors"),
        ],
        notes: [
            "Each problem stands on one line, FILE:LINE:COLUMN first. Ends with 0 if every FILE can",
            "be run, 3 if one is wrong, 2 if one can't be read.",
        ]
    ) { arguments, console throws(Fault) in
        var exit = ExitCode.done
        var documents: [String] = []
        for file in arguments.operands {
            let reading = Topology.read(files: [file] + arguments.all("with"), strict: arguments.has("strict"))
            // A file that can't be read outranks one that is wrong: nothing is known of it.
            if reading.exit == .usage || exit == .done { exit = reading.exit }
            if arguments.has("json") {
                documents.append(TopologyInput.problemsJSON(file: file, reading))
                continue
            }
            for problem in reading.problems {
                let isTerminal = console.isOutTerminal
                console.out(
                    TopologyInput.text(problem, caret: isTerminal, hasColour: console.hasColour && isTerminal))
            }
            console.out(TopologyInput.summary(file, reading) + "\n")
        }
        if arguments.has("json") { console.out("{\"files\":[\(documents.joined(separator: ","))]}\n") }
        return exit
    }
}
