/// librdkafka's settings that a topology may give, by librdkafka's own names. What decides about delivery, security or
/// offsets is Weir's own business and not in the list.
enum ClientSettings {
    static let keys: [Key] = [
        number("queued.max.messages.kbytes", 1...2_097_151, "KiB", "Size of a partition's queue in the client."),
        number("queued.min.messages", 1...10_000_000, "", "Records a partition's queue should hold."),
        number("fetch.message.max.bytes", 1...1_000_000_000, "bytes", "Bytes asked for of a partition in one request."),
        number("fetch.max.bytes", 0...2_147_483_135, "bytes", "Bytes asked for in one request."),
        number("fetch.wait.max.ms", 0...300_000, "ms", "How long a broker may wait for data."),
        number("fetch.min.bytes", 1...100_000_000, "bytes", "What a broker should wait for."),
        number("fetch.error.backoff.ms", 0...300_000, "ms", "Pause after a failed fetch."),
        number("fetch.queue.backoff.ms", 0...300_000, "ms", "Pause while a queue is full."),
        number("receive.message.max.bytes", 1_000...2_147_483_647, "bytes", "Largest response."),
        number("message.max.bytes", 1_000...1_000_000_000, "bytes", "Largest request."),
        number("socket.timeout.ms", 10...300_000, "ms", "How long a request may take."),
        number("socket.connection.setup.timeout.ms", 1_000...2_147_483_647, "ms", "How long a connection may take."),
        number("connections.max.idle.ms", 0...2_147_483_647, "ms", "Unused connections are closed."),
        number("reconnect.backoff.ms", 0...3_600_000, "ms", "First pause before connecting again."),
        number("reconnect.backoff.max.ms", 0...3_600_000, "ms", "Longest pause before connecting again."),
        number("topic.metadata.refresh.interval.ms", 1_000...3_600_000, "ms", "How often partitions are looked for."),
        number("broker.address.ttl", 0...86_400_000, "ms", "How long a broker's address is remembered."),
        number("linger.ms", 0...900_000, "ms", "How long rows wait for company."),
        number("batch.size", 1...2_147_483_647, "bytes", "Largest batch of rows."),
        word("compression.codec", ["none", "gzip", "snappy", "lz4", "zstd"], "How rows are compressed."),
        word("broker.address.family", ["any", "v4", "v6"], "Which addresses are used."),
        word("socket.keepalive.enable", ["true", "false"], "Keeps quiet connections open."),
        Key("client.id", .text(.name), "The client's name in the brokers' logs."),
        Key("client.rack", .text(.name), "The client's place, for brokers near to it."),
    ]

    private static func number(_ name: String, _ range: ClosedRange<Int64>, _ unit: String, _ doc: String) -> Key {
        Key(name, .integer(range), unit: unit, doc)
    }

    private static func word(_ name: String, _ words: [String], _ doc: String) -> Key {
        Key(name, .words(words.map { Word($0) }), doc)
    }
}
