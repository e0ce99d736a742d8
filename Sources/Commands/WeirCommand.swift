internal import Glibc
internal import Kafka
internal import Model
internal import Runtime

/// The command line: from the process's arguments to its exit code.
public enum WeirCommand {
    /// `arguments` begin with the program's name. Ends the process.
    public static func runAndExit(_ arguments: [String]) -> Never {
        AllocatorSettings.apply()
        // A reader that went away is an end (`weir demo | head`), not a reason to die in the middle of a commit.
        signal(SIGPIPE, SIG_IGN)
        exit(run(Array(arguments.dropFirst()), on: .standard).rawValue)
    }

    /// `words`: what follows the program's name.
    static func run(_ words: [String], on console: Console) -> ExitCode {
        do throws(Fault) {
            return try dispatch(words, console)
        } catch {
            console.tell(error, asJSON: words.contains("--json"))
            return error.exit
        }
    }

    private static func dispatch(_ words: [String], _ console: Console) throws(Fault) -> ExitCode {
        guard let first = words.first else {
            console.out(HelpText.page)
            return .usage
        }
        let rest = Array(words.dropFirst())
        switch first {
        case "--help", "-h": return try help(rest, console, asJSON: rest.contains("--json"))
        case "--version": return version(rest, console)
        default: break
        }
        guard let verb = Verbs.all.first(where: { $0.name == first }) else { throw Verbs.unknown(first) }
        let parsed = try Arguments.parse(rest, for: verb)
        if parsed.has("help") {
            console.out(parsed.has("json") ? HelpDocument.of(verb) : HelpText.of(verb))
            return .done
        }
        try verb.check(parsed)
        switch verb.name {
        case "help": return try help(parsed.operands, console, asJSON: parsed.has("json"))
        case "version": return version(rest, console)
        default: return try verb.run(parsed, console)
        }
    }

    private static func help(_ operands: [String], _ console: Console, asJSON: Bool) throws(Fault) -> ExitCode {
        guard let name = operands.first(where: { !$0.hasPrefix("-") }) else {
            console.out(asJSON ? HelpDocument.page : HelpText.page)
            return .done
        }
        guard let verb = Verbs.all.first(where: { $0.name == name }) else { throw Verbs.unknown(name) }
        console.out(asJSON ? HelpDocument.of(verb) : HelpText.of(verb))
        return .done
    }

    private static func version(_ words: [String], _ console: Console) -> ExitCode {
        let library = KafkaLibrary.linked.version
        console.out(
            words.contains("--json")
                ? "{\"version\":\"\(Version.text)\",\"librdkafka\":\"\(library)\"}\n"
                : "weir \(Version.text) with librdkafka \(library)\n")
        return .done
    }
}

public enum Version {
    public static let text = "0.1.0"
}
