internal import Model

/// The commands, in the order of `weir --help`.
enum Verbs {
    static let all: [Verb] = [
        demo, `init`, check, test, describe, schema, run, status, inspect, late, observe, generate, bench, help, version,
    ]

    /// What the product will have, by name, and what it will do.
    static let planned: [String: String] = [
        "backfill": "a range again, beside the live run", "diff": "a backfill against what is live",
        "promote": "a backfill takes over", "discard": "a backfill is thrown away", "why": "why an output is not fresh",
        "doctor": "what is wrong with this machine, broker and rights", "dead": "the dead letters",
    ]

    private static let help = Verb(
        name: "help", summary: "this page, or a command's: weir help run", usage: "[COMMAND]", operands: 0...1,
        operand: "COMMAND",
        options: [], run: { _, _ throws(Fault) in .done })

    private static let version = Verb(
        name: "version", summary: "Weir's version", usage: "", options: [], run: { _, _ throws(Fault) in .done })
}
