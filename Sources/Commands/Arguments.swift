internal import Model
internal import Observe
internal import Topology

/// A verb's arguments, read by its declaration: `--name value`, `--name=value`, flags, operands; `--` ends the options.
struct Arguments: Equatable, Sendable {
    var operands: [String] = []
    /// By option; flags have an empty list.
    private(set) var values: [String: [String]] = [:]

    func has(_ name: String) -> Bool { values[name] != nil }
    func all(_ name: String) -> [String] { values[name] ?? [] }
    /// The value of an option that stands once.
    func value(_ name: String) -> String? { values[name]?.last }

    static func parse(_ words: [String], for verb: Verb) throws(Fault) -> Arguments {
        var parsed = Arguments()
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--" {
                parsed.operands += rest
                break
            }
            if word == "-h" {
                parsed.values["help"] = []
            } else if word.hasPrefix("--") {
                try parsed.take(word.dropFirst(2), &rest, verb)
            } else if word.hasPrefix("-"), word.count > 1 {
                throw unknown(word, verb)
            } else {
                parsed.operands.append(word)
            }
        }
        return parsed
    }

    private mutating func take(_ text: Substring, _ rest: inout ArraySlice<String>, _ verb: Verb) throws(Fault) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let option = verb.allOptions.first(where: { $0.name == name }) else { throw Self.unknown("--\(name)", verb) }
        guard let placeholder = option.value else {
            if parts.count > 1 { throw usageFault("--\(name) takes no value", of: verb.name) }
            values[name] = []
            return
        }
        if values[name] != nil, !option.isRepeatable { throw usageFault("--\(name) stands twice", of: verb.name) }
        // A value that begins like an option is a forgotten value, unless it is written with `=`.
        let inline = parts.count > 1 ? String(parts[1]) : nil
        let next = rest.first.flatMap { $0.hasPrefix("--") ? nil : $0 }
        guard let value = inline ?? next, !value.isEmpty else {
            throw usageFault("--\(name) needs a value", of: verb.name, hint: "write --\(name) \(placeholder)")
        }
        if inline == nil { rest.removeFirst() }
        values[name, default: []].append(value)
    }

    private static func unknown(_ word: String, _ verb: Verb) -> Fault {
        let name = String(word.drop { $0 == "-" })
        let near = Spelling.nearest(to: name, among: verb.allOptions.map(\.name))
        return usageFault(
            "`\(printableWord(word))` is no option of weir \(verb.name)", of: verb.name,
            hint: near.map { "did you mean `--\($0)`?" })
    }
}

/// A word of the command line in a message: no control characters, no novels.
func printableWord(_ word: String) -> String {
    word.count > CommandsLimits.shownWord ? printable(String(word.prefix(CommandsLimits.shownWord))) + "…" : printable(word)
}

// MARK: - Values

extension Arguments {
    /// A whole number; `k` and `M` stand for thousands and millions.
    func integer(_ name: String, in range: ClosedRange<Int64>, of verb: String) throws(Fault) -> Int64? {
        guard let text = value(name) else { return nil }
        var digits = text[...]
        var factor: Int64 = 1
        switch text.last {
        case "k": (digits, factor) = (text.dropLast(), 1_000)
        case "M": (digits, factor) = (text.dropLast(), 1_000_000)
        default: break
        }
        let (number, overflow) = (Int64(digits) ?? .min).multipliedReportingOverflow(by: factor)
        guard !overflow, range.contains(number) else {
            throw usageFault(
                "--\(name) is `\(printableWord(text))`", of: verb,
                hint: "write a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Events per second, with or without `/s`.
    func rate(_ name: String, of verb: String) throws(Fault) -> Double? {
        guard let text = value(name) else { return nil }
        let number = Double(text.hasSuffix("/s") ? text.dropLast(2) : text[...])
        guard let number, number > 0, number <= CommandsLimits.rate else {
            throw usageFault(
                "--\(name) is `\(printableWord(text))`", of: verb, hint: "write events per second, such as --\(name) 5000")
        }
        return number
    }

    func instant(_ name: String, of verb: String) throws(Fault) -> EventTime? {
        guard let text = value(name) else { return nil }
        guard let instant = Instant.parse(text), !instant.isFiner else {
            throw usageFault(
                "--\(name) is `\(printableWord(text))`", of: verb,
                hint: "write RFC 3339 with its zone, such as 2026-01-31T08:00:00Z")
        }
        return EventTime(milliseconds: instant.milliseconds)
    }
}

/// `HOST:PORT`; an IPv6 host stands in brackets.
struct HostPort: Equatable, Sendable {
    var host: String
    var port: UInt16

    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, !host.contains("/") else { return nil }
        self.host = String(host)
        self.port = port
    }

    init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// `http://HOST:PORT`, with nothing behind it but a slash.
    init?(url: String) {
        guard url.hasPrefix("http://") else { return nil }
        var rest = url.dropFirst("http://".count)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        self.init(String(rest))
    }

    var url: String { "http://\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}
