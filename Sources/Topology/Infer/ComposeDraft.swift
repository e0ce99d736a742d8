/// A broker and one Weir, as the compose file beside a drafted topology.
enum ComposeDraft {
    static func text(_ draft: Draft, hostFolder: String) -> String {
        var topic = ""
        if case .topic(let name, _) = draft.source { topic = name }
        let weir = """
              weir:
                image: weir:latest\(topic.isEmpty ? "\n    working_dir: \(inside)" : "")
                command: [run, /etc/weir/\(draft.name).yaml]
                environment:\(topic.isEmpty ? "" : "\n      KAFKA_BOOTSTRAP: kafka:19092")
                  WEIR_STATE: /var/lib/weir
                  WEIR_LISTEN: 0.0.0.0:8080
                volumes:
                  - ./\(draft.name).yaml:/etc/weir/\(draft.name).yaml:ro
                  - weir-state:/var/lib/weir\(mounts(draft, hostFolder))
                ports: ["127.0.0.1:8080:8080"]
                read_only: true
                cap_drop: [ALL]
                security_opt: [no-new-privileges:true]
                restart: on-failure
                stop_grace_period: 10s

            """
        guard !topic.isEmpty else { return "services:\n\(weir)\nvolumes:\n  weir-state:\n" }
        return """
            # A broker to try the topology on, and Weir, which starts anew until the topic is there:
            #   docker compose up        then http://localhost:8080
            # Brokers of your own: take `kafka` away and set KAFKA_BOOTSTRAP.
            services:
              kafka:
                image: docker.io/apache/kafka:4.3.1
                environment:
                  KAFKA_NODE_ID: "1"
                  KAFKA_PROCESS_ROLES: broker,controller
                  KAFKA_CONTROLLER_QUORUM_VOTERS: 1@kafka:9093
                  KAFKA_CONTROLLER_LISTENER_NAMES: CONTROLLER
                  KAFKA_LISTENERS: INSIDE://:19092,OUTSIDE://:9092,CONTROLLER://:9093
                  KAFKA_ADVERTISED_LISTENERS: INSIDE://kafka:19092,OUTSIDE://localhost:9092
                  KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
                  KAFKA_INTER_BROKER_LISTENER_NAME: INSIDE
                  KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: "1"
                  KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: "1"
                  KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: "1"
                ports: ["127.0.0.1:9092:9092"]

            \(weir)
            volumes:
              weir-state:

            """
    }

    /// Paths of a file source begin in the folder that the service runs in.
    private static let inside = "/data"

    /// The files of a file source, where the topology looks for them; for a pattern the folder that it begins in.
    private static func mounts(_ draft: Draft, _ hostFolder: String) -> String {
        guard case .files(let paths) = draft.source else { return "" }
        var found: [String] = []
        for path in paths {
            let fixed = beforePattern(path)
            let outside = path.hasPrefix("/") ? fixed : "\(hostFolder)/\(fixed)"
            let mount =
                "\n      - \(Quoted.yaml("\(normal(outside)):\(normal(path.hasPrefix("/") ? fixed : "\(inside)/\(fixed)")):ro"))"
            if !found.contains(mount) { found.append(mount) }
        }
        return found.joined()
    }

    /// The path, or the folders before the first one that has a glob's signs.
    private static func beforePattern(_ path: String) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        guard let first = parts.firstIndex(where: { $0.contains { "*?[".contains($0) } }) else { return path }
        return (path.hasPrefix("/") ? "/" : "") + parts[..<first].joined(separator: "/")
    }

    /// Without `.`, `..` where that can be, and double slashes; what is relative begins with `.`, as compose wants it.
    private static func normal(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != ".." {
                parts.removeLast()
            } else if part != ".." || !path.hasPrefix("/") {
                parts.append(part)
            }
        }
        if path.hasPrefix("/") { return "/" + parts.joined(separator: "/") }
        return parts.isEmpty ? "." : (parts.first == ".." ? "" : "./") + parts.joined(separator: "/")
    }
}
