import Model

/// The keys of a topology file: each declared once.
enum Language {
    private static let longest = TopologyLimits.spanMilliseconds
    private static let anySpan = Shape.span(0...longest)
    private static let someSpan = Shape.span(1...longest)

    static let topology = Section(
        [
            Key("name", .text(.name), isRequired: true, "The topology's name; state and consumer group are kept under it."),
            Key("owner", .text(.any), "Who is told when something is wrong."),
            Key("description", .text(.any), "One sentence about the topology."),
            Key("kafka", .section(kafka), default: "{}", "How to reach the brokers."),
            Key("source", .section(source), isRequired: true, "Where records come from."),
            Key(
                "fields", .named(.section(field), of: "fields", rule: .identifier), isRequired: true,
                "All that is read of a record; the rest is skipped and costs nothing."),
            Key(
                "event_time", .section(eventTime), isRequired: true,
                "Where the time of an event stands, and how far out of order events come."),
            Key("filter", .condition, absent: .words("every record"), "Records that are taken; the others are `filtered`."),
            Key(
                "deduplicate", .section(deduplicate), absent: .words("copies count too"),
                "By which fields copies of an event are recognised, and for how long."),
            Key(
                "aggregates", .named(.section(aggregate), of: "aggregates", rule: .identifier), isRequired: true,
                "What is computed, an output each."),
            Key("late", .short(late, long: lateLong), default: "ledger", "What is kept about records that came too late."),
            Key("dead_letters", .section(deadLetters), default: "{table: {}}", "Where rejected records go."),
            Key(
                "delivery", .words([Word("exactly_once"), Word("at_least_once")]),
                absent: .words("embedded: one process, one SQLite transaction"),
                "A commit is a Kafka transaction, shared by the instances of a group: with the rows in it, or sent after it."),
            Key("commit", .section(commit), default: "{}", "When progress is made durable."),
            Key("state", .section(state), default: "{}", "Where state lives and what it may take."),
            Key("http", .section(http), absent: .words("none"), "The status page, metrics and probes."),
            Key("check", .section(check), default: "{}", "What `weir check` is told."),
        ], example: Example.topology)

    static let kafka = Section(
        [
            Key("bootstrap", .text(.bootstrap), default: "localhost:9092", "The first brokers to ask."),
            Key(
                "tls", .section(tls), absent: .words("no encryption"),
                "Encrypts the connections; `{}` uses the system's certificates."),
            Key("sasl", .section(sasl), absent: .words("no login"), "Who connects."),
            Key(
                "client", .section(Section(ClientSettings.keys, example: Example.client)),
                "Settings of librdkafka, by its own names."),
        ], example: Example.kafka)
    static let tls = Section(
        [
            Key("ca", .text(.path), "The file with the certificates to trust."),
            Key("certificate", .text(.path), with: "key", "The client's certificate."),
            Key("key", .text(.path), with: "certificate", "The client's private key."),
        ], example: Example.tls)
    static let sasl = Section(
        [
            Key(
                "mechanism", .words([Word("plain"), Word("scram-sha-256"), Word("scram-sha-512")]), isRequired: true,
                "How the password is proved."),
            Key("user", .text(.any), isRequired: true, "The user's name."),
            Key("password", .text(.any), isRequired: true, isSecret: true, "The password, as ${NAME} or ${file:PATH}."),
        ], example: Example.sasl)

    static let source = Section(
        [
            Key("topics", .list(.text(.topic), of: "topics"), "Kafka topics, all partitions of each."),
            Key(
                "files", .list(.text(.path), of: "paths"),
                "Files of NDJSON, also .gz and .zst; `*` and `?` stand for any characters."),
            Key("generator", .section(generator), "Made-up telemetry, the same for the same seed."),
            Key(
                "group", .text(.name), absent: .workedOut("the topology's name"), with: "topics",
                "The consumer group, for lag tools."),
            Key(
                "start", .words([Word("earliest"), Word("latest")], else: .instant), default: "earliest", with: "topics",
                "Where to begin a partition of which no position is known."),
            Key("max_record", .size(1...(1 << 30)), default: "1MiB", "Larger records are rejected."),
            Key("keyed_by", .list(.text(.reference), of: "fields"), "Fields that the producers promise to use as message key."),
            Key(
                "producer", .text(.reference),
                "A field that says who made a record: copies and bad clocks are told by it too, of the 20 largest."),
            Key(
                "format",
                .words(
                    [Word("json")] + ["avro", "protobuf", "debezium"].map { Word($0, notBuilt: "records must be JSON for now") }),
                default: "json", "How records are written."),
            Key("registry", .untyped, notBuilt: "records must be JSON for now", "Where schemas are."),
        ], oneOf: ["topics", "files", "generator"], example: Example.source)
    static let generator = Section(
        [
            Key("rate", .rate, default: "5000/s", "Events per second of event time."),
            Key("seed", .integer(0...Int64.max), default: "1", "The same seed makes the same events."),
            Key("events", .integer(1...Int64.max), absent: .words("without end"), "How many events in all."),
            Key("partitions", .integer(1...1_024), default: "8", "How many partitions."),
            Key("start", .instant, absent: .words("now"), "The event time of the first event."),
            Key("unpaced", .flag, default: "false", "As fast as possible instead of in real time."),
        ], example: Example.generator)

    static let field = Section(
        [
            Key(
                "type",
                .words(["string", "int", "double", "bool", "uuid", "timestamp", "json"].map { Word($0) }),
                absent: .workedOut("with `expr` what it gives"), "What the field holds."),
            Key(
                "unit", .words([Word("s"), Word("ms"), Word("us"), Word("ns")]),
                absent: .words("RFC 3339 text", when: { $0["type"]?.word == "timestamp" && $0["expr"] == nil }),
                "The unit of a timestamp that is a number."),
            Key("zone", .text(.zone), "The zone of a timestamp's text that states none."),
            Key("path", .text(.fieldPath), absent: .workedOut("the field's name"), "Where it stands in the record."),
            Key("required", .flag, default: "false", "Records without it, or with null, are rejected."),
            Key("default", .untyped, "Stands in for a missing value or null."),
            Key(
                "class", .words([Word("personal")]), absent: .workedOut("with `expr` as the fields in it"),
                "`personal`: its value never leaves in a rejected record's payload."),
            Key("expr", .expression, "A field computed from others."),
        ], example: Example.field)

    static let eventTime = Section(
        [
            Key("field", .text(.reference), "The field of type timestamp that says when it happened."),
            Key("record", .words([Word("timestamp")]), "`timestamp`: the record's own."),
            Key("out_of_orderness", anySpan, default: "0s", "How much older than the newest a record usually is at most."),
            Key("idle_after", someSpan, default: "30s", "A partition silent for so long holds nothing back."),
            Key("max_future", anySpan, default: "10m", "Event times further past the record's timestamp are rejected."),
        ], oneOf: ["field", "record"], example: Example.eventTime)

    static let deduplicate = Section(
        [
            Key("key", .list(.text(.reference), of: "fields"), isRequired: true, "The fields by which copies are recognised."),
            Key(
                "within", someSpan, isRequired: true,
                "How long a key is remembered, in event time: longer takes more memory, shorter lets late copies through."),
            Key("bucket", someSpan, absent: .workedOut("`within`/16, at least 1s"), "The grain of forgetting."),
            Key("observe", .flag, default: "false", "Copies are counted as duplicates but pass, to try a key out."),
            Key(
                "scope", .words([Word("partition"), Word("topic")]), default: "partition",
                "Where copies meet: in their own partition or file, or in all (`topic`: more work)."),
            Key(
                "compare", .section(compare), absent: .words("copies are not told apart"),
                "Tells exact, retimed and conflicting copies apart, at 8 bytes a key."),
            Key(
                "duplicates",
                .short(.words([Word("count"), Word("ledger")]), long: duplicatesLong),
                default: "count", "What is kept about copies one by one; other than `count` at 8 bytes a key."),
        ], example: Example.deduplicate)

    static let compare = Section(
        [
            Key(
                "ignore", .list(.text(.reference), of: "fields"), absent: .words("no field"),
                "Fields that may differ, such as the time of sending.")
        ], example: Example.compare)

    static let duplicatesLong = Section(
        [
            Key("ledger", .section(copyLedger), "An entry for each copy, with the places of the copy and of the kept event."),
            Key("topic", .text(.topic), "A topic for the same as JSON objects."),
        ], oneOf: ["ledger", "topic"], example: Example.duplicates)
    static let copyLedger = Section(
        [Key("keep", someSpan, default: "1d", "Older entries are deleted.")], example: Example.copyLedger)

    static let aggregate = Section(
        [
            Key("window", .section(window), isRequired: true, "The stretches of event time."),
            Key(
                "allowed_lateness", anySpan, default: "0s",
                "How long after its end a window still takes records and corrects its row."),
            Key(
                "where", .condition, absent: .words("all that pass the filter"), "Records that this aggregate takes."),
            Key(
                "group_by", .list(.text(.reference), of: "fields"), absent: .words("one row a window"),
                "A row for each combination of values."),
            Key(
                "measures", .named(.measure, of: "measures", rule: .identifier), isRequired: true,
                "What is computed in each row, as measures.md lists it."),
            Key(
                "emit",
                .short(
                    .words([Word("final"), Word("on_time")]),
                    long: Section(
                        [
                            Key("every", .words([Word("commit")], else: someSpan), isRequired: true, "The pace of early rows.")
                        ], example: Example.emit)),
                default: "final", "When rows come."),
            Key(
                "to", .list(.section(target), of: "targets"), absent: .workedOut("a table with the aggregate's name"),
                "Where rows go."),
            Key("freshness", .section(freshness), absent: .words("none"), "The promise to readers."),
            Key(
                "from", .text(.reference), absent: .words("the records"),
                "Another aggregate whose partial results are rolled up: its windows into longer ones, its groups into fewer; the same"
                    + " measures, and its lateness."),
        ], example: Example.aggregate)
    static let window = Section(
        [
            Key("tumbling", someSpan, "Windows of this size, side by side."),
            Key("hopping", someSpan, "Windows of this size that overlap."),
            Key("every", someSpan, with: "hopping", "How far apart hopping windows begin."),
            Key("offset", anySpan, default: "0s", "Windows begin so much after multiples of their step since 1970."),
            Key(
                "session", someSpan,
                "Windows that grow with the events of their group and end when none comes for so long."),
            Key("cumulative", someSpan, "Windows that begin this far apart and grow by steps up to it."),
            Key("step", someSpan, with: "cumulative", "By how much cumulative windows grow; it divides their size."),
            Key(
                "calendar", .words(CalendarUnit.allCases.map { Word($0.rawValue) }),
                "Windows of a zone's calendar; a day can have 23 or 25 hours."),
            Key("zone", .text(.zone), default: "UTC", with: "calendar", "The calendar's time zone."),
            Key(
                "week_starts", .words([Word("monday"), Word("sunday")]), default: "monday", with: "calendar",
                "The first day of a week."),
        ], oneOf: ["tumbling", "hopping", "session", "cumulative", "calendar"], example: Example.window)
    static let target = Section(
        [
            Key(
                "kafka",
                .section(
                    Section(
                        [Key("topic", .text(.topic), isRequired: true, "The topic that rows go to.")],
                        example: Example.kafkaTarget)),
                "Rows to a Kafka topic."),
            Key(
                "table",
                .short(
                    .text(.identifier),
                    long: Section(
                        [
                            Key("name", .text(.identifier), isRequired: true, "The table's name."),
                            Key("keep", someSpan, absent: .words("for ever"), "Rows whose window ended longer ago are deleted."),
                        ], example: Example.tableTarget)), "Rows to a table in results.db."),
        ], oneOf: ["kafka", "table"], example: Example.target)
    static let freshness = Section(
        [
            Key("within", someSpan, isRequired: true, "How old the results may be."),
            Key("objective", .percent, absent: .words("none"), "The share of time in which they are."),
            Key("hours", .text(.hours), absent: .words("always"), "The hours that count."),
        ], example: Example.freshness)

    static let late = Shape.words([Word("count"), Word("ledger")])
    static let lateLong = Section(
        [
            Key("ledger", .section(ledger), "An entry for each refusal."),
            Key("topic", .text(.topic), "A Kafka topic for late records, once for each output that refused them."),
        ], oneOf: ["ledger", "topic"], example: Example.late)
    static let ledger = Section([Key("keep", someSpan, default: "30d", "Older entries are deleted.")], example: Example.ledger)
    static let deadLetters = Section(
        [
            Key("topic", .text(.topic), "A Kafka topic for them."),
            Key("table", .section(deadTable), "A table in results.db."),
        ], oneOf: ["topic", "table"], example: Example.deadLetters)
    static let deadTable = Section(
        [
            Key("keep", someSpan, default: "30d", "Older entries are deleted."),
            Key("limit", .size((1 << 20)...(1 << 50)), default: "1GiB", "At this size input stops with the cause."),
        ], example: Example.deadTable)

    static let commit = Section(
        [
            Key(
                "every", .span(10...60_000), default: "250ms",
                "The time between two commits: shorter makes results earlier, longer costs less.")
        ], example: Example.commit)
    static let state = Section(
        [
            Key("directory", .text(.path), default: "./state", "Where state.db and results.db are."),
            Key("memory", .size(0...(1 << 50)), default: "512MiB", "What the process may take, client queues included."),
            Key(
                "instance", .text(.name), absent: .words("made once and kept in the directory"),
                "This instance's name in a group."),
            Key(
                "tables", .words([Word("own"), Word("all")]), default: "own",
                "Which rows the tables of an instance of a group hold: those of its partitions, or everybody's."),
            Key(
                "keep_closed", anySpan, absent: .words("24h; in a group nothing"),
                "How long, by event time, what closed windows held is kept on disk with `late: ledger`, so that late events can be applied again."
            ),
        ], example: Example.state)
    static let http = Section(
        [Key("listen", .listen, default: "127.0.0.1:8080", "The address to listen on.")], example: Example.http)
    static let check = Section(
        [
            Key(
                "accept", .list(.words(Problem.Code.acceptable.map { Word($0.rawValue) }), of: "warnings"),
                "Warnings that are meant to be so.")
        ], example: Example.check)
}
