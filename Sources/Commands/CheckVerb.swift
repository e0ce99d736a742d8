internal import Glibc
internal import Model
internal import Topology

extension Verbs {
    static let check = Verb(
        name: "check", summary: "all problems of a topology, without a network", usage: "FILE… [option…]", operands: 1...1_000,
        options: [
            .value("with", "FILE", "laid over each FILE, such as a file for production", repeatable: true),
            .flag("strict", "warnings are errors"),
            .value("sarif", "FILE", "the problems as SARIF 2.1.0, to FILE or, with -, to stdout"),
        ],
        notes: [
            "Each problem stands on one line, FILE:LINE:COLUMN first. Ends with 0 if every FILE can",
            "be run, 3 if one is wrong, 2 if one can't be read.",
        ]
    ) { arguments, console throws(Fault) in
        var exit = ExitCode.done
        var documents: [String] = []
        var found: [Problem] = []
        let sarif = arguments.value("sarif")
        let isTextWanted = sarif != "-"
        if !isTextWanted, arguments.has("json") {
            throw usageFault("--json and --sarif - both write to stdout", of: "check", hint: "give --sarif a file")
        }
        for file in arguments.operands {
            let reading = Topology.read(files: [file] + arguments.all("with"), strict: arguments.has("strict"))
            // A file that can't be read outranks one that is wrong: nothing is known of it.
            if reading.exit == .usage || exit == .done { exit = reading.exit }
            found += reading.problems
            guard isTextWanted else { continue }
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
        if let sarif {
            let text = Problem.sarif(found, version: Version.text) + "\n"
            if isTextWanted { try write(text, to: sarif) } else { console.out(text) }
        }
        return exit
    }

    private static func write(_ text: String, to path: String) throws(Fault) {
        let file = fopen(path, "w")
        var isWritten = file.map { fputs(text, $0) >= 0 } ?? false
        if let file, fclose(file) != 0 { isWritten = false }
        guard !isWritten else { return }
        throw Fault(
            "sarif_unwritable", "the SARIF log can't be written", place: path, next: "Check the path and its permissions.",
            exit: .usage)
    }
}
