internal import Glibc
public import Model
import Synchronization

/// A real broker for tests. `WEIR_TEST_KAFKA` names one that runs already; else the script `../shared/kafka/kafka`, found beside
/// the package, starts one.
public final class KafkaCluster: Sendable {
    public let bootstrap: String
    /// The TLS and SASL listener of a secure cluster.
    public let secureBootstrap: String?
    /// Where its data and pids are; nil: somebody else's broker.
    public let directory: String?
    /// What every client but the script's tools goes through, if it is there.
    public let relay: Relay?
    private let isStopped = Mutex(false)

    private init(bootstrap: String, secureBootstrap: String? = nil, directory: String?, relay: Relay? = nil) {
        self.bootstrap = bootstrap
        self.secureBootstrap = secureBootstrap
        self.directory = directory
        self.relay = relay
    }

    /// For `.enabled(if:)`. Under CI it is always true, so that tests fail rather than disappear.
    public static var isAvailable: Bool { environment("CI") != nil || environment("WEIR_TEST_KAFKA") != nil || canStart }
    /// For tests that need a broker of their own.
    public static var canStart: Bool { environment("CI") != nil || script != nil }
    public static let reason = "no broker: set WEIR_TEST_KAFKA, or put the test broker at ../shared/kafka/kafka"

    /// The broker that all tests of the process share. Use topics of your own.
    public static func shared() throws(Fault) -> KafkaCluster {
        try one.withLock { one throws(Fault) -> KafkaCluster in
            if let known = one { return known }
            let made: KafkaCluster
            if let bootstrap = environment("WEIR_TEST_KAFKA") {
                made = KafkaCluster(bootstrap: bootstrap, directory: nil)
            } else {
                made = try exclusive()
            }
            one = made
            return made
        }
    }
    private static let one = Mutex<KafkaCluster?>(nil)

    /// A cluster for one test, which stops it. `heap`: of each broker, such as `1g`. It ends with the process at the latest.
    public static func exclusive(
        brokers: Int = 1, secure: Bool = false, settings: [String] = [], heap: String? = nil
    ) throws(Fault) -> KafkaCluster {
        guard let script else { throw broken(reason) }
        let directory = try temporaryDirectory("weir-kafka")
        let watch =
            "while kill -0 \(ownProcess) 2>/dev/null; do sleep 0.5; done; '\(script)' stop --dir '\(directory)'; rm -rf '\(directory)'"
        // A crash of the tests must not leave brokers behind.
        try Command.start(["/bin/sh", "-c", "(setsid /bin/sh -c \"$0\" </dev/null >/dev/null 2>&1 &)", watch])
        var arguments = [script, "start", "--dir", directory, "--brokers", "\(brokers)"]
        if secure { arguments.append("--secure") }
        if let heap { arguments += ["--heap", heap] }
        for setting in settings { arguments += ["--set", setting] }
        let plain = try Command.run(arguments)
        let secured = secure ? try Command.run([script, "bootstrap", "--secure", "--dir", directory]) : nil
        return KafkaCluster(bootstrap: plain, secureBootstrap: secured, directory: directory)
    }

    /// One broker that says of itself that it is where `relay` listens.
    public static func relayed(settings: [String] = [], heap: String? = nil) throws(Fault) -> KafkaCluster {
        let relay = try Relay()
        let place = "127.0.0.1:\(relay.port)"
        let behind = try exclusive(settings: settings + ["advertised.listeners=PLAINTEXT://\(place)"], heap: heap)
        guard let port = behind.bootstrap.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw broken("No port in \(behind.bootstrap).")
        }
        relay.lead(to: port)
        return KafkaCluster(bootstrap: place, directory: behind.directory, relay: relay)
    }

    /// The brokers, as far as they are ours and run.
    public var processes: [Int32] {
        guard let directory else { return [] }
        var found: [Int32] = []
        while let process = Self.number(in: "\(directory)/\(found.count + 1)/pid") { found.append(process) }
        return found
    }

    private static func number(in path: String) -> Int32? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var line = [UInt8](repeating: 0, count: 32)
        let count = fread(&line, 1, line.count, file)
        return Int32(String(decoding: line[..<count].prefix { $0 > 32 }, as: UTF8.self))
    }

    /// Ends the brokers and removes their data.
    public func stop() {
        let first = isStopped.withLock { stopped in
            defer { stopped = true }
            return !stopped
        }
        guard first, let directory else { return }
        relay?.stop()
        try? command(["stop"])
        try? Command.start(["/bin/rm", "-rf", directory])
    }

    /// kill -9.
    public func kill(broker: Int = 1) throws(Fault) { try command(["kill"], broker) }
    public func restart(broker: Int = 1) throws(Fault) { try command(["restart"], broker) }
    /// SIGSTOP.
    public func pause(broker: Int = 1) throws(Fault) { try command(["pause"], broker) }
    public func resume(broker: Int = 1) throws(Fault) { try command(["resume"], broker) }

    /// Brokers that are stopped go on, those that are down are started again.
    public func bringUp() throws(Fault) {
        guard let script = Self.script, let directory else { return }
        let told = try Command.run([script, "status", "--dir", directory])
        for (index, line) in told.split(separator: "\n").enumerated() {
            if line.hasSuffix(" up") { try resume(broker: index + 1) } else { try restart(broker: index + 1) }
        }
    }

    /// One of Kafka's own tools; `--bootstrap-server` is added. Takes a second or two (a JVM starts).
    @discardableResult
    public func tool(_ name: String, _ arguments: [String]) throws(Fault) -> String {
        guard let script = Self.script else { throw Self.broken(Self.reason) }
        return try Command.run([script, "tool", name, "--bootstrap-server", bootstrap] + arguments)
    }

    public var plan: KafkaPlan { KafkaPlan(bootstrap: bootstrap) }

    private func command(_ words: [String], _ broker: Int? = nil) throws(Fault) {
        guard let script = Self.script, let directory else { throw Self.broken("not a broker of our own") }
        _ = try Command.run([script] + words + ["--dir", directory] + (broker.map { ["\($0)"] } ?? []))
    }

    static func broken(_ what: String) -> Fault {
        Fault("test_broker", what, next: "Look at the test broker's logs.", exit: .broker)
    }

    /// The script, in `shared/kafka` beside this package or a folder above it.
    static let script: String? = {
        var folder = #filePath.split(separator: "/").dropLast(3).map(String.init)
        while true {
            let candidate = "/" + (folder + ["shared", "kafka", "kafka"]).joined(separator: "/")
            if isExecutable(candidate) { return candidate }
            if folder.isEmpty { return nil }
            folder.removeLast()
        }
    }()
}
