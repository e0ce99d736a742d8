internal import CSys
internal import Freshness
internal import Glibc
internal import Model
internal import Observe
internal import Runtime

extension Verbs {
    static let demo = Verb(
        name: "demo", summary: "a generated stream, aggregates and a dashboard; no Kafka", usage: "[option…]",
        options: [
            .value("seconds", "N", "end by itself after so long; default: at SIGINT"),
            .value("rate", "R", "events per second; default 2000"),
            .value("port", "PORT", "of the dashboard; default 8080, or another one if that is taken"),
        ],
        notes: [
            "Reads made-up telemetry with copies and stragglers, drops the copies, and counts. The state",
            "lies in a temporary directory that is removed at the end.",
        ],
        run: { arguments, console throws(Fault) in try DemoVerb.run(arguments, console) })
}

enum DemoVerb {
    static func run(_ arguments: Arguments, _ console: Console) throws(Fault) -> ExitCode {
        let signals = StopSignals()
        let seconds = try arguments.integer("seconds", in: 1...86_400, of: "demo")
        let asJSON = arguments.has("json")
        let state = try TemporaryDirectory()
        let plan = try plan(arguments, state: state.path, console)
        let serving = ServedTopology(plan: plan, options: RunOptions(), level: .warning, console: console)
        let end = seconds.map { serving.start + .seconds($0) }
        var screen = DemoScreen(console: console, isSilent: asJSON)
        let report = try serving.run(signals) { facts, now in
            screen.show(
                facts, address: serving.service.address.map { HostPort(host: $0.host, port: $0.port) }, at: serving.clock.wall())
            if let end, now >= end, !serving.wasStopped { serving.stop() }
            if console.isOutClosed, !serving.wasStopped { serving.stop() }
        }
        screen.end()
        console.out(asJSON ? report.json : report.text)
        withExtendedLifetime(state) {}
        return report.exit(wasStopped: true)
    }

    private static func plan(_ arguments: Arguments, state: String, _ console: Console) throws(Fault) -> Plan {
        var plan = try TopologyInput.builtIn(BuiltInTopologies.demo, name: "demo.yaml")
        plan.state.directory = state
        if let rate = try arguments.rate("rate", of: "demo"), case .generator(var generator) = plan.source.kind {
            generator.rate = rate
            plan.source.kind = .generator(generator)
        }
        let wanted = UInt16(try arguments.integer("port", in: 0...65_535, of: "demo") ?? 8_080)
        let isTaken = isTaken(port: wanted)
        if isTaken { console.error("weir: port \(wanted) is taken, the dashboard gets another one\n") }
        plan.http = HTTPPlan(host: "127.0.0.1", port: isTaken ? 0 : wanted)
        return plan
    }

    /// Whether another program listens there on this machine.
    private static func isTaken(port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // Without it a port whose last connections are still fading would look taken.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return result != 0 && errno == EADDRINUSE
    }
}
