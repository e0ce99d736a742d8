/// A broker and one Weir, as the compose file beside a drafted topology.
enum ComposeDraft {
    static func text(_ draft: Draft) -> String {
        var topic = ""
        if case .topic(let name, _) = draft.source { topic = name }
        let weir = """
              weir:
                image: weir:latest
                command: [run, /etc/weir/\(draft.name).yaml]
                environment:
                  KAFKA_BOOTSTRAP: kafka:19092
                  WEIR_STATE: /var/lib/weir
                  WEIR_LISTEN: 0.0.0.0:8080
                volumes:
                  - ./\(draft.name).yaml:/etc/weir/\(draft.name).yaml:ro
                  - weir-state:/var/lib/weir\(mounts(draft))
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

    /// The files of a file source, where the topology names them: below the directory that the service runs in.
    private static func mounts(_ draft: Draft) -> String {
        guard case .files(let paths) = draft.source else { return "" }
        return paths.map { path in
            let inside = path.hasPrefix("/") ? path : "/var/lib/weir/\(path)"
            let outside = path.hasPrefix("/") || path.hasPrefix(".") ? path : "./\(path)"
            return "\n      - \(Quoted.yaml("\(outside):\(inside):ro"))"
        }.joined()
    }
}
