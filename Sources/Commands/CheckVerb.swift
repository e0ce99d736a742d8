internal import Glibc
internal import Model
internal import Topology

extension Verbs {
    static let check = Verb(
        name: "check", summary: "all problems of a topology, without a network", usage: "FILE… [option…]", operands: 1...1_000,
        options: [
            .value("with", "FILE", "laid over each FILE, such as a file for production", repeatable: true),
            .flag("strict", "warnings are errors"),
            .value("rate", "N/s", "events a second that the source brings, to judge the memory by"),
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
        let rate = try arguments.rate("rate", of: "check")
        let isTextWanted = sarif != "-"
        if !isTextWanted, arguments.has("json") {
            throw usageFault("--json and --sarif - both write to stdout", of: "check", hint: "give --sarif a file")
        }
        for file in arguments.operands {
            let reading = Topology.read(files: [file] + arguments.all("with"), strict: arguments.has("strict"), rate: rate)
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
        var fault: Fault?
        if let sarif {
            let text = Problem.sarif(found, version: Version.text) + "\n"
            if isTextWanted { fault = failure(of: text, to: sarif) } else { console.out(text) }
        }
        if arguments.has("json") {
            // One document on stdout, whatever happened to the log.
            let error = fault.map { ",\(FaultText.json($0).dropFirst().dropLast(2))" } ?? ""
            console.out("{\"files\":[\(documents.joined(separator: ","))]\(error)}\n")
        } else if let fault {
            throw fault
        }
        return fault?.exit ?? exit
    }

    /// Writes the log; nil: it is written.
    private static func failure(of text: String, to path: String) -> Fault? {
        let file = fopen(path, "w")
        var isWritten = file.map { fputs(text, $0) >= 0 } ?? false
        if let file, fclose(file) != 0 { isWritten = false }
        guard !isWritten else { return nil }
        return Fault(
            "sarif_unwritable", "the SARIF log can't be written", place: path, next: "Check the path and its permissions.",
            exit: .usage)
    }
}
