internal import Model

/// The pages of `--help`, made from the declarations that parse.
enum HelpText {
    static var page: String {
        var text = "weir – exact windows over event streams: duplicates dropped, freshness told\n\n"
        text += "usage: weir COMMAND [option…]      a first look: weir demo\n\n"
        let width = Verbs.all.map(\.name.count).max() ?? 0
        for verb in Verbs.all { text += "  \(padded(verb.name, width))  \(verb.summary)\n" }
        text += """

            Every command has --help, and --json for machines. Results go to stdout,
            progress and logs to stderr; colours only on a terminal, never with NO_COLOR.
            \(exitCodes)

            """
        return text
    }

    static let exitCodes = """
        exit codes: 0 done, 1 the answer is no, 2 usage or file, 3 topology wrong,
          4 broker or rights, 5 state refused, 6 disk, 7 fenced, 8 choice (run --resume)
        """

    static func of(_ verb: Verb) -> String {
        var text =
            "weir \(verb.name) – \(verb.summary)\n\nusage: weir \(verb.name)\(verb.usage.isEmpty ? "" : " ")\(verb.usage)\n\n"
        let names = verb.allOptions.map { "--\($0.name)\($0.value.map { " \($0)" } ?? "")" }
        let width = min(names.map(\.count).max() ?? 0, 26)
        for (name, option) in zip(names, verb.allOptions) {
            let help = option.isRepeatable ? "\(option.help); repeatable" : option.help
            let lead = "  \(padded(name, width))  "
            let indent = String(repeating: " ", count: width + 4)
            let lines = wrapped(help, CommandsLimits.columns - width - 4)
            text += (name.count > width ? "  \(name)\n\(indent)" : lead) + lines.joined(separator: "\n\(indent)") + "\n"
        }
        if !verb.notes.isEmpty {
            text += "\n" + wrapped(verb.notes.joined(separator: " "), CommandsLimits.columns).joined(separator: "\n") + "\n"
        }
        return text
    }

    private static func wrapped(_ text: String, _ width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + [line]
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
