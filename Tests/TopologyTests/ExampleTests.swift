import Model
import Testing

@testable import Topology

@Suite struct ExampleTests {
    /// The specification's example without what isn't built yet.
    private static let example = """
        name: product-usage
        owner: product-analytics            # who is told
        description: Usage per minute, by event and country.

        kafka:
          bootstrap: ${KAFKA_BOOTSTRAP:-localhost:9092}
          tls: {ca: /etc/ca.pem, certificate: /etc/c.pem, key: /etc/k.pem}
          sasl: {mechanism: scram-sha-256, user: weir, password: "${file:/run/secrets/kafka}"}
          client: {queued.max.messages.kbytes: 65536}

        source:
          topics: [telemetry.events]
          group: product-usage
          start: earliest
          max_record: 1MiB
          keyed_by: [user_id]
          format: json

        fields:
          event_id:    {type: uuid, required: true}
          ts:          {type: timestamp, unit: ms, required: true}
          user_id:     {type: string, class: personal}
          event:       {type: string, required: true}
          country:     {type: string, path: geo.country, default: unknown}
          duration_ms: {type: double}

        event_time: {field: ts, out_of_orderness: 5m, idle_after: 30s, max_future: 10m}

        filter: event != 'heartbeat'

        deduplicate: {key: [event_id], within: 15m}

        aggregates:
          usage_per_minute:
            window: {tumbling: 1m}
            allowed_lateness: 10m
            where: country IS NOT NULL
            group_by: [event, country]
            measures:
              events: count()
              total_ms: sum(duration_ms)
              german_ms: avg(duration_ms) where country = 'DE'
            emit: on_time
            to:
              - kafka: {topic: usage.per-minute}
              - table: usage_per_minute
              - table: {name: usage_kept, keep: 400d}
            freshness: {within: 2m, objective: 99%, hours: "Mon-Fri 08:00-20:00 Europe/Berlin"}

        late: ledger
        dead_letters: {topic: telemetry.dead-letters}
        commit: {every: 250ms}
        state: {directory: ./state, memory: 512MiB}
        http: {listen: 127.0.0.1:8080}
        """

    @Test func theExampleOfTheSpecificationBecomesItsPlan() {
        let reading = read(Self.example, files: ["/run/secrets/kafka": "geheim\n"], strict: true)
        // It promises less than its own out_of_orderness, which event times ahead of the clock can fulfil.
        #expect(reading.problems.map(\.code) == [.freshnessUnmet])
        #expect(reading.problems.map(\.severity) == [.note])
        var plan = reading.plan
        plan?.fingerprint = []
        #expect(
            plan
                == Plan(
                    name: "product-usage", owner: "product-analytics", description: "Usage per minute, by event and country.",
                    kafka: KafkaPlan(
                        bootstrap: "localhost:9092", tls: .init(ca: "/etc/ca.pem", certificate: "/etc/c.pem", key: "/etc/k.pem"),
                        sasl: .init(mechanism: "SCRAM-SHA-256", user: "weir", password: "geheim"),
                        client: ["queued.max.messages.kbytes": "65536"]),
                    source: SourcePlan(
                        kind: .kafka(topics: ["telemetry.events"], group: "product-usage", start: .earliest), keyedBy: ["user_id"]
                    ),
                    fields: [
                        FieldPlan(name: "event_id", type: .uuid, required: true),
                        FieldPlan(name: "ts", type: .timestamp(.milliseconds), required: true),
                        FieldPlan(name: "user_id", type: .string, isPersonal: true),
                        FieldPlan(name: "event", type: .string, required: true),
                        FieldPlan(name: "country", type: .string, path: ["geo", "country"], fallback: .string("unknown")),
                        FieldPlan(name: "duration_ms", type: .double),
                    ],
                    eventTime: EventTimePlan(source: .field(1), outOfOrderness: .minutes(5)),
                    filter: .compare(column: 3, .notEqual, .string("heartbeat")),
                    deduplicate: DeduplicatePlan(key: [0], within: .minutes(15)),
                    aggregates: [
                        AggregatePlan(
                            name: "usage_per_minute", window: .tumbling(size: .minutes(1), offset: .zero),
                            allowedLateness: .minutes(10), admits: .isNull(column: 4, negated: true), groupBy: [3, 4],
                            measures: [
                                MeasurePlan(name: "events", function: .count),
                                MeasurePlan(name: "total_ms", function: .sum, column: 5),
                                MeasurePlan(
                                    name: "german_ms", function: .avg, column: 5,
                                    admits: .compare(column: 4, .equal, .string("DE"))),
                            ],
                            emit: .onTime,
                            targets: [
                                .kafka(topic: "usage.per-minute"), .table(name: "usage_per_minute", keep: nil),
                                .table(name: "usage_kept", keep: .days(400)),
                            ],
                            freshness: FreshnessPlan(
                                within: .minutes(2), objective: 0.99, hours: "Mon-Fri 08:00-20:00 Europe/Berlin"))
                    ],
                    deadLetters: .topic("telemetry.dead-letters"), http: HTTPPlan()))
    }

    @Test func theLeastThatATopologyNeedsIsEnough() {
        let reading = read(
            """
            name: least
            source: {generator: {}}
            fields: {at: {type: timestamp, required: true}}
            event_time: {record: timestamp}
            aggregates: {all: {window: {tumbling: 1h}, measures: {n: count()}}}
            """)
        #expect(texts(reading) == [])
        var plan = reading.plan
        plan?.fingerprint = []
        #expect(
            plan
                == Plan(
                    name: "least", source: SourcePlan(kind: .generator(GeneratorPlan())),
                    fields: [FieldPlan(name: "at", type: .timestamp(.text(zone: nil)), required: true)],
                    eventTime: EventTimePlan(source: .recordTimestamp),
                    aggregates: [
                        AggregatePlan(
                            name: "all", window: .tumbling(size: .hours(1), offset: .zero), groupBy: [],
                            measures: [MeasurePlan(name: "n", function: .count)], targets: [.table(name: "all", keep: nil)])
                    ]))
    }

    @Test(arguments: ["reference", "demo"])
    func theRepositorysTopologiesPassTheStrictCheck(name: String) {
        // The tests run in the package's folder or are told where it is by this file's own place.
        let folder = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let reading = Topology.read(files: ["/\(folder)/topologies/\(name).yaml"], strict: true)
        #expect(texts(reading) == [])
        #expect(reading.plan?.name == name)
        #expect(reading.exit == .done)
    }
}
