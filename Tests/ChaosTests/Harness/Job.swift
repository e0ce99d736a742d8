/// The topology that a scenario runs, and the same as the verifier sees it: both are written from these few choices.
struct Job: Sendable {
    enum Delivery: String, Sendable {
        case embedded
        case exactlyOnce = "exactly_once"
        case atLeastOnce = "at_least_once"
    }

    var delivery = Delivery.exactlyOnce
    var partitions: Int32 = 6
    /// Message keys are the users, and every group holds the user: nothing to merge (S14).
    var isKeyed = false
    /// Copies come in any partition (`scope: topic`); windows wait long enough that nothing is late.
    var isRekeyed = false
    var commit = "100ms"
    /// Of the output `minute`.
    var emission = Subject.Emission.onTime
    /// Operators apply late events again; there are no sessions.
    var appliesLate = false
    /// Rows of `hop` also go to a table.
    var hasTable = false

    /// Between the sessions of `visits`, such that they are short beside a run, and some are joined by late events.
    private var gap: String { isKeyed ? "10s" : "2s" }

    /// The topics of one run.
    struct Topics: Sendable {
        var group: String
        var input: String { "\(group)-in" }
        var minute: String { "\(group)-minute" }
        var hop: String { "\(group)-hop" }
        var visits: String { "\(group)-visits" }
        var dead: String { "\(group)-dead" }
        var changelog: String { "\(group).weir.chaos.changelog" }
        var partials: String { "\(group).weir.chaos.partials" }
        var rekey: String { "\(group).weir.chaos.rekey" }
        static let outputs: Int32 = 3
    }

    func yaml(_ topics: Topics, bootstrap: String, state: String, instance: String) -> String {
        let emit = [.final: "final", .onTime: "on_time", .early: "{every: commit}"][emission, default: "final"]
        let group = delivery == .embedded ? "" : ", group: \(topics.group)"
        return """
            name: chaos
            kafka: {bootstrap: "\(bootstrap)"}
            source: {topics: [\(topics.input)]\(group)\(isKeyed ? ", keyed_by: [user]" : "")}
            fields:
              id:    {type: string}
              ts:    {type: timestamp, unit: ms, required: true}
              user:  {type: string, required: true}
              kind:  {type: string, required: true}
              place: {type: string}
              n:     {type: int}
              x:     {type: double}
            event_time: {field: ts, out_of_orderness: 30s, idle_after: 1h}
            filter: kind != 'skip'
            deduplicate: {key: [id], within: 5m\(isRekeyed ? ", scope: topic" : "")}
            aggregates:
              minute:
                window: {tumbling: 1m}
                allowed_lateness: \(isRekeyed ? "10m" : "1m")
                group_by: [\(isKeyed ? "user, kind" : "kind, place")]
                measures: {events: count(), n: sum(n), x: sum(x), top: max(x)}
                emit: \(emit)
                to:
                  - kafka: {topic: \(topics.minute)}
              hop:
                window: {hopping: 5m, every: 2m}
                allowed_lateness: \(isRekeyed ? "10m" : "30s")
                where: place = 'x'
                group_by: [user]
                measures: {events: count(), x: sum(x)}
                emit: final
                to:
                  - kafka: {topic: \(topics.hop)}
            \(hasTable ? "      - table: hop" : "")
            \(appliesLate ? "" : visits(topics, emit))
            dead_letters: {topic: \(topics.dead)}
            commit: {every: \(commit)}
            \(delivery == .embedded ? "" : "delivery: \(delivery.rawValue)")
            state: {directory: "\(state)"\(appliesLate ? ", keep_closed: 24h" : "")\(delivery == .embedded ? "" : ", instance: \(instance)")}
            check: {accept: [late_copies]}

            """
    }

    private func visits(_ topics: Topics, _ emit: String) -> String {
        """
          visits:
            window: {session: \(gap)}
            allowed_lateness: \(isRekeyed ? "10m" : "30s")
            group_by: [\(isKeyed ? "user, kind" : "kind, place")]
            measures: {events: count(), n: sum(n), top: max(x)}
            emit: \(emit)
            to:
              - kafka: {topic: \(topics.visits)}
        """
    }

    var subject: Subject {
        Subject(
            fields: [
                .init(name: "id", kind: .text), .init(name: "user", kind: .text, isRequired: true),
                .init(name: "kind", kind: .text, isRequired: true), .init(name: "place", kind: .text),
                .init(name: "n", kind: .int), .init(name: "x", kind: .double),
            ],
            time: "ts", outOfOrderness: 30_000, skips: ("kind", "skip"), identity: "id", within: 300_000, isRekeyed: isRekeyed,
            outputs: [
                .init(
                    name: "minute", size: 60_000, every: 60_000, lateness: isRekeyed ? 600_000 : 60_000,
                    group: isKeyed ? ["user", "kind"] : ["kind", "place"],
                    measures: [
                        .init(name: "events", fold: .count), .init(name: "n", fold: .sum("n")),
                        .init(name: "x", fold: .sum("x")), .init(name: "top", fold: .max("x")),
                    ], emission: emission, isKeyed: isKeyed),
                .init(
                    name: "hop", size: 300_000, every: 120_000, lateness: isRekeyed ? 600_000 : 30_000, group: ["user"],
                    takes: ("place", "x"),
                    measures: [.init(name: "events", fold: .count), .init(name: "x", fold: .sum("x"))], emission: .final,
                    isKeyed: isKeyed),
            ] + (appliesLate ? [] : [visits]), delivery: delivery == .exactlyOnce ? .once : .copies)
    }

    private var visits: Subject.Output {
        Subject.Output(
            name: "visits", size: 0, every: 0, lateness: isRekeyed ? 600_000 : 30_000,
            group: isKeyed ? ["user", "kind"] : ["kind", "place"],
            measures: [
                .init(name: "events", fold: .count), .init(name: "n", fold: .sum("n")),
                .init(name: "top", fold: .max("x")),
            ], emission: emission, isKeyed: isKeyed, gap: isKeyed ? 10_000 : 2_000)
    }
}
