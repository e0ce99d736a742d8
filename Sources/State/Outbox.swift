public import Model

/// What waits in the outboxes, and what of it was delivered and can go with the next commit.
struct OutboxLevel: Equatable {
    /// Rows and dead letters in the outboxes, with a little for each row.
    var bytes: Int64
    /// Table rows of commits up to this one are durable in results.db.
    var tablesThrough: Int64
    /// Topic rows and dead letters up to these sequences were acknowledged by the broker.
    var topicRowsThrough: Int64
    var deadLettersThrough: Int64
    var lateThrough: Int64 = 0
    /// True: something delivered still stands in an outbox.
    var hasDelivered: Bool

    static func read(_ database: Database) throws(Fault) -> OutboxLevel {
        var bytes: Int64 = 0
        for table in OutboxWriter.tables { bytes += try database.number(OutboxWriter.size(of: table)) }
        let through = try database.number("SELECT tables_delivered_through FROM head")
        return OutboxLevel(bytes: bytes, tablesThrough: through, topicRowsThrough: 0, deadLettersThrough: 0, hasDelivered: false)
    }
}

/// A row that waits for its Kafka topic.
public struct PendingRow: Equatable, Sendable {
    /// Grows; never reused.
    public var sequence: Int64
    public var commit: Int64
    public var topic: String
    /// The aggregate's name: header `weir-output`.
    public var output: String
    public var key: [UInt8]
    public var value: [UInt8]
}

/// A rejected record that waits for the dead-letter topic.
public struct PendingDeadLetter: Equatable, Sendable {
    public var sequence: Int64
    public var commit: Int64
    public var topic: String
    /// `RejectReason.word`.
    public var reason: String
    /// Where the record was read, with `offset`.
    public var partition: PartitionID
    public var offset: Int64
    public var timestamp: Int64?
    public var size: Int64
    public var payload: [UInt8]?
}

/// The outboxes' way out: called on the committer's queue.
extension StateStore {
    /// Rows for Kafka after `sequence` (0: from the first that waits), at most `limit`, in the order of their commits.
    public func pendingTopicRows(after sequence: Int64, limit: Int) throws(Fault) -> [PendingRow] {
        let query = try database.statement(
            "SELECT sequence, commit_number, target, output, key, value FROM topic_outbox WHERE sequence > ? ORDER BY sequence LIMIT ?"
        )
        query.bind(1, max(sequence, outbox.topicRowsThrough))
        query.bind(2, Int64(limit))
        var rows: [PendingRow] = []
        try query.eachRow { () throws(Fault) in
            rows.append(
                PendingRow(
                    sequence: query.int(0), commit: query.int(1), topic: query.text(2), output: query.text(3),
                    key: Array(query.blob(4)), value: Array(query.blob(5))))
        }
        return rows
    }

    /// By aggregate: rows that the broker has not acknowledged. Cost: one pass over the rows that wait.
    public func topicRowsWaiting() throws(Fault) -> [String: Int64] {
        let query = try database.statement("SELECT output, count(*) FROM topic_outbox WHERE sequence > ? GROUP BY output")
        query.bind(1, outbox.topicRowsThrough)
        var waiting: [String: Int64] = [:]
        try query.eachRow { () throws(Fault) in waiting[query.text(0)] = query.int(1) }
        return waiting
    }

    /// The broker has all rows up to `sequence`; they go with the next commit.
    public func topicRowsDelivered(through sequence: Int64) {
        outbox.topicRowsThrough = max(outbox.topicRowsThrough, sequence)
        outbox.hasDelivered = true
    }

    /// Dead letters for Kafka after `sequence`, at most `limit`, in the order of their commits.
    public func pendingDeadLetters(after sequence: Int64, limit: Int) throws(Fault) -> [PendingDeadLetter] {
        let query = try database.statement(
            """
            SELECT sequence, commit_number, target, reason, topic, partition, "offset", timestamp, size, payload
            FROM dead_letter_outbox WHERE sequence > ? ORDER BY sequence LIMIT ?
            """)
        query.bind(1, max(sequence, outbox.deadLettersThrough))
        query.bind(2, Int64(limit))
        var letters: [PendingDeadLetter] = []
        try query.eachRow { () throws(Fault) in
            letters.append(
                PendingDeadLetter(
                    sequence: query.int(0), commit: query.int(1), topic: query.text(2), reason: query.text(3),
                    partition: PartitionID(topic: query.text(4), number: Int32(truncatingIfNeeded: query.int(5))),
                    offset: query.int(6), timestamp: query.optionalInt(7), size: query.int(8), payload: query.optionalBytes(9)))
        }
        return letters
    }

    /// The broker has all dead letters up to `sequence`; they go with the next commit.
    public func deadLettersDelivered(through sequence: Int64) {
        outbox.deadLettersThrough = max(outbox.deadLettersThrough, sequence)
        outbox.hasDelivered = true
    }
}

/// Puts rows into the outboxes and takes delivered ones out, inside a transaction.
struct OutboxWriter {
    let database: Database

    static let tables = ["table_outbox", "topic_outbox", "dead_letter_outbox", "late_outbox"]

    static func size(of table: String) -> String {
        let content =
            switch table {
            case "table_outbox": "length(row_key) + length(row)"
            case "topic_outbox": "length(key) + length(value)"
            default: "coalesce(length(payload), 0)"
            }
        return "SELECT total(\(content) + \(StateLimits.outboxOverhead)) FROM \(table)"
    }

    /// Returns the bytes that the row takes.
    func write(
        _ row: Row, of aggregate: AggregatePlan, fields: [FieldPlan], to topic: String, commit: Int64, sequence: Int64
    ) throws(Fault) -> Int64 {
        let insert = try database.statement("INSERT INTO topic_outbox VALUES (?, ?, ?, ?, ?, ?)")
        let key = RowJSON.key(row, of: aggregate, fields: fields)
        let value = RowJSON.value(row, of: aggregate, fields: fields)
        insert.bind(1, sequence)
        insert.bind(2, commit)
        insert.bind(3, topic)
        insert.bind(4, aggregate.name)
        insert.bind(5, key)
        insert.bind(6, value)
        try insert.run()
        return Int64(key.count + value.count) + StateLimits.outboxOverhead
    }

    /// A page of rows as `TablePages` packs them. Returns the bytes that it takes.
    func write(_ page: [UInt8], table: String, commit: Int64, sequence: Int64) throws(Fault) -> Int64 {
        let insert = try database.statement("INSERT INTO table_outbox VALUES (?, ?, ?, ?, ?)")
        insert.bind(1, sequence)
        insert.bind(2, commit)
        insert.bind(3, table)
        insert.bind(4, [])
        insert.bind(5, page)
        try insert.run()
        return Int64(page.count) + StateLimits.outboxOverhead
    }

    func write(
        _ letter: DeadLetter, from partition: PartitionID, to topic: String, commit: Int64, sequence: Int64
    ) throws(Fault) -> Int64 {
        let insert = try database.statement("INSERT INTO dead_letter_outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        insert.bind(1, sequence)
        insert.bind(2, commit)
        insert.bind(3, topic)
        insert.bind(4, letter.reason.word)
        insert.bind(5, partition.topic)
        insert.bind(6, partition.number)
        insert.bind(7, letter.offset)
        insert.bind(8, letter.timestamp)
        insert.bind(9, letter.size)
        insert.bind(10, letter.payload)
        try insert.run()
        return Int64(letter.payload?.count ?? 0) + StateLimits.outboxOverhead
    }

    /// Deletes what was delivered, a bounded number of rows, and says what is left.
    func deleteDelivered(_ level: OutboxLevel) throws(Fault) -> OutboxLevel {
        guard level.hasDelivered else { return level }
        var left = level
        left.hasDelivered = false
        let (pages, entries) = (StateLimits.outboxPageDeletesPerCommit, StateLimits.outboxDeletesPerCommit)
        let edges = [
            ("table_outbox", "commit_number", level.tablesThrough, pages),
            ("topic_outbox", "sequence", level.topicRowsThrough, entries),
            ("dead_letter_outbox", "sequence", level.deadLettersThrough, entries),
            ("late_outbox", "sequence", level.lateThrough, entries),
        ]
        for (table, column, through, limit) in edges {
            let edge = try database.statement(
                """
                SELECT max(sequence), count(*) FROM (
                    SELECT sequence FROM \(table) WHERE \(column) <= ? ORDER BY sequence LIMIT ?)
                """)
            edge.bind(1, through)
            edge.bind(2, Int64(limit))
            var last: Int64?
            try edge.eachRow { () throws(Fault) in
                last = edge.optionalInt(0)
                if edge.int(1) == Int64(limit) { left.hasDelivered = true }
            }
            guard let last else { continue }
            let size = try database.statement("\(OutboxWriter.size(of: table)) WHERE sequence <= ?")
            size.bind(1, last)
            left.bytes -= try size.number() ?? 0
            let delete = try database.statement("DELETE FROM \(table) WHERE sequence <= ?")
            delete.bind(1, last)
            try delete.run()
        }
        // What is gone from the outbox must be in results.db: a start compares.
        let update = try database.statement("UPDATE head SET tables_delivered_through = max(tables_delivered_through, ?)")
        update.bind(1, level.tablesThrough)
        try update.run()
        return left
    }
}
