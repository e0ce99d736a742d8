public import Model

/// A late record that waits for its topic, once for each output that refused it (S13).
public struct PendingLate: Equatable, Sendable {
    public var sequence: Int64
    public var topic: String
    public var late: LateOnTopic
}

/// A late record on its topic: the original bytes, and in headers what a ledger entry says.
public struct LateOnTopic: Equatable, Sendable {
    /// The aggregate's name.
    public var output: String
    public var partition: PartitionID
    public var offset: Int64
    public var eventTime: EventTime
    public var windowStart: EventTime
    public var windowEnd: EventTime
    public var watermark: EventTime
    public var lateBy: TimeSpan
    public var record: LateRecord

    public init(_ entry: LateEntry, of partition: PartitionID, plan: Plan) {
        self.init(
            output: plan.aggregates[entry.output].name, partition: partition, offset: entry.offset, eventTime: entry.eventTime,
            windowStart: entry.windowStart, windowEnd: entry.windowEnd, watermark: entry.watermark, lateBy: entry.lateBy,
            record: entry.record ?? LateRecord(timestamp: nil, size: 0, payload: nil))
    }

    init(
        output: String, partition: PartitionID, offset: Int64, eventTime: EventTime, windowStart: EventTime, windowEnd: EventTime,
        watermark: EventTime, lateBy: TimeSpan, record: LateRecord
    ) {
        self.output = output
        self.partition = partition
        self.offset = offset
        self.eventTime = eventTime
        self.windowStart = windowStart
        self.windowEnd = windowEnd
        self.watermark = watermark
        self.lateBy = lateBy
        self.record = record
    }

    /// Names and texts of the record's headers.
    public var headers: [(name: String, text: String)] {
        var headers = [
            ("weir-output", output), ("weir-topic", partition.topic), ("weir-partition", String(partition.number)),
            ("weir-offset", String(offset)), ("weir-size", String(record.size)),
            ("weir-event-time", String(eventTime.milliseconds)), ("weir-window-start", String(windowStart.milliseconds)),
            ("weir-window-end", String(windowEnd.milliseconds)), ("weir-watermark", String(watermark.milliseconds)),
            ("weir-late-by", String(lateBy.milliseconds)),
        ]
        if let timestamp = record.timestamp { headers.append(("weir-timestamp", String(timestamp))) }
        return headers
    }
}

extension StateStore {
    /// Late records for Kafka after `sequence`, at most `limit`, in the order of their commits.
    public func pendingLate(after sequence: Int64, limit: Int) throws(Fault) -> [PendingLate] {
        let query = try database.statement(
            """
            SELECT sequence, target, output, topic, partition, "offset", timestamp, size, event_time, window_start, window_end,
                watermark, late_by, payload
            FROM late_outbox WHERE sequence > ? ORDER BY sequence LIMIT ?
            """)
        query.bind(1, max(sequence, outbox.lateThrough))
        query.bind(2, Int64(limit))
        func time(_ column: Int32) -> EventTime { EventTime(milliseconds: query.int(column)) }
        var pending: [PendingLate] = []
        try query.eachRow { () throws(Fault) in
            pending.append(
                PendingLate(
                    sequence: query.int(0), topic: query.text(1),
                    late: LateOnTopic(
                        output: query.text(2),
                        partition: PartitionID(topic: query.text(3), number: Int32(truncatingIfNeeded: query.int(4))),
                        offset: query.int(5), eventTime: time(8), windowStart: time(9), windowEnd: time(10), watermark: time(11),
                        lateBy: .milliseconds(query.int(12)),
                        record: LateRecord(
                            timestamp: query.optionalInt(6), size: query.int(7), payload: query.optionalBytes(13)))))
        }
        return pending
    }

    /// The broker has all late records up to `sequence`; they go with the next commit.
    public func lateDelivered(through sequence: Int64) {
        outbox.lateThrough = max(outbox.lateThrough, sequence)
        outbox.hasDelivered = true
    }
}

extension OutboxWriter {
    /// Returns the bytes that the record takes.
    func write(_ late: LateOnTopic, to topic: String, commit: Int64, sequence: Int64) throws(Fault) -> Int64 {
        let insert = try database.statement("INSERT INTO late_outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        insert.bind(1, sequence)
        insert.bind(2, commit)
        insert.bind(3, topic)
        insert.bind(4, late.output)
        insert.bind(5, late.partition.topic)
        insert.bind(6, late.partition.number)
        insert.bind(7, late.offset)
        insert.bind(8, late.record.timestamp)
        insert.bind(9, late.record.size)
        for (at, time) in [late.eventTime, late.windowStart, late.windowEnd, late.watermark].enumerated() {
            insert.bind(Int32(10 + at), time)
        }
        insert.bind(14, late.lateBy.milliseconds)
        insert.bind(15, late.record.payload)
        try insert.run()
        return Int64(late.record.payload?.count ?? 0) + StateLimits.outboxOverhead
    }
}
