internal import Model
internal import Observe
internal import Runtime
internal import Topology

extension Verbs {
    static let status = Verb(
        name: "status", summary: "how a running service is doing", usage: "[FILE] [option…]", operands: 0...1,
        options: [
            .value("url", "URL", "where it serves its page; default: FILE's `http:`, else http://127.0.0.1:8080"),
            .value("with", "FILE", "laid over FILE", repeatable: true),
            .flag("watch", "again every 2 s until SIGINT"),
        ],
        notes: [
            "Outputs and how fresh they are, what holds the watermark, the clocks, lag and books. Ends",
            "with 1 if nothing answers.",
        ],
        run: { arguments, console throws(Fault) in try StatusVerb.run(arguments, console) })
}

enum StatusVerb {
    static func run(_ arguments: Arguments, _ console: Console) throws(Fault) -> ExitCode {
        let signals = arguments.has("watch") ? StopSignals() : nil
        let address = try address(arguments)
        let path = arguments.has("json") ? "/status.json" : "/status.txt"
        while true {
            let text = try ask(address, path, arguments.operands.first)
            if console.isOutTerminal, signals != nil, !arguments.has("json") {
                console.out("\u{1B}[H\u{1B}[J" + text)
            } else {
                console.out(text)
            }
            guard let signals, !console.isOutClosed else { return .done }
            if signals.wait(milliseconds: CommandsLimits.watch) { return .done }
        }
    }

    private static func ask(_ address: HostPort, _ path: String, _ file: String?) throws(Fault) -> String {
        let answer: HTTPGet.Answer
        do throws(Fault) {
            answer = try HTTPGet.get(host: address.host, port: address.port, path: path, clock: SystemClock())
        } catch {
            guard error.code == "http_not_reachable" else { throw error }
            throw Fault(
                "service_not_running", "no service answers", place: address.url,
                next: "Start one with `weir run \(file.map(printableWord) ?? "FILE")`, or name its address with --url.",
                exit: .answerIsNo, isTransient: true)
        }
        guard answer.status == 200 else {
            throw Fault(
                "http_malformed", "the answer is HTTP \(answer.status)", place: address.url,
                next: "Check that a Weir listens at this address.", exit: .answerIsNo)
        }
        return String(decoding: answer.body, as: UTF8.self)
    }

    private static func address(_ arguments: Arguments) throws(Fault) -> HostPort {
        if let url = arguments.value("url") {
            guard let address = HostPort(url: url) ?? HostPort(url) else {
                throw usageFault("--url is `\(printableWord(url))`", of: "status", hint: "write http://HOST:PORT")
            }
            return address
        }
        guard let file = arguments.operands.first else { return HostPort(host: "127.0.0.1", port: 8_080) }
        let reading = Topology.read(files: [file] + arguments.all("with"))
        guard let plan = reading.plan else {
            let first = reading.problems.first { $0.severity == .error }
            throw Fault(
                "topology_wrong", first?.what ?? "no plan", place: first?.place.description ?? file,
                next: "See all problems with weir check, or name the service's address with --url.", exit: reading.exit)
        }
        guard let http = plan.http else {
            throw Fault(
                "http_off", "the topology has no `http:`", place: file,
                next: "Add http: {listen: 127.0.0.1:8080}, or name the service's address with --url.", exit: .answerIsNo)
        }
        switch http.host {
        case "0.0.0.0": return HostPort(host: "127.0.0.1", port: http.port)
        case "::": return HostPort(host: "::1", port: http.port)
        default: return HostPort(host: http.host, port: http.port)
        }
    }
}
