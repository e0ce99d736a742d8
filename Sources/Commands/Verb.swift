internal import Model
internal import Topology

/// One option, as help shows it and the parser takes it.
struct OptionDeclaration: Sendable {
    var name: String
    /// What stands for its value in help; nil: a flag.
    var value: String?
    var help: String
    var isRepeatable = false

    static func flag(_ name: String, _ help: String) -> OptionDeclaration {
        OptionDeclaration(name: name, value: nil, help: help)
    }

    static func value(_ name: String, _ value: String, _ help: String, repeatable: Bool = false) -> OptionDeclaration {
        OptionDeclaration(name: name, value: value, help: help, isRepeatable: repeatable)
    }

    static let json = flag("json", "the result as JSON; faults too")
    static let help = flag("help", "this page")
}

/// One command: the same declaration parses its arguments and prints its help.
struct Verb: Sendable {
    var name: String
    /// One line of `weir --help`.
    var summary: String
    /// What follows the name, such as `FILE [option…]`.
    var usage: String
    /// How many operands it takes.
    var operands: ClosedRange<Int> = 0...0
    /// What an operand is, for words about a missing one.
    var operand = "FILE"
    var options: [OptionDeclaration]
    /// Lines under the options.
    var notes: [String] = []
    var run: @Sendable (Arguments, Console) throws(Fault) -> ExitCode

    var allOptions: [OptionDeclaration] { options + [.json, .help] }

    /// Throws `usage` where operands are missing or too many.
    func check(_ arguments: Arguments) throws(Fault) {
        let count = arguments.operands.count
        if count < operands.lowerBound {
            throw usageFault("\(operand) is missing", of: name)
        }
        if count > operands.upperBound {
            let extra = printableWord(arguments.operands[operands.upperBound])
            throw usageFault("`\(extra)` is one argument too many", of: name)
        }
    }
}

/// What was typed does not fit. `hint` stands before the pointer to the help page.
func usageFault(_ what: String, of verb: String?, hint: String? = nil) -> Fault {
    let page = verb.map { "weir \($0) --help" } ?? "weir --help"
    return Fault("usage", what, next: "\(hint.map { "\($0); " } ?? "")see \(page)", exit: .usage)
}

extension Verbs {
    static func unknown(_ name: String) -> Fault {
        if let planned = planned[name] {
            return Fault(
                "command_not_built", "`\(name)` is not built yet: \(planned)", next: "see weir --help for what is there",
                exit: .usage)
        }
        let known = all.map(\.name) + planned.keys.sorted()
        let near = Spelling.nearest(to: name, among: known)
        return usageFault("there is no command `\(printableWord(name))`", of: nil, hint: near.map { "did you mean `\($0)`?" })
    }
}
