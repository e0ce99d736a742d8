import Model

/// Ledger entries and owed rows as values of the changelog. What the unit itself says, its partition, is not repeated.
enum EntryCodec {
    /// `own`: the unit's partition. A re-keyed unit's entries lie in those of its inputs.
    static func encode(_ row: LateRow, of own: PartitionID) -> [UInt8] {
        var writer = RecordWriter(capacity: 96)
        writer.number(row.at.milliseconds)
        writer.text(row.output)
        writer.number(row.offset)
        for time in [row.eventTime, row.windowStart, row.windowEnd, row.watermark] { writer.number(time.milliseconds) }
        writer.number(row.lateBy.milliseconds)
        writer.bytes(row.identity ?? [])
        if let kind = row.reapplied {
            writer.byte(kind == .counted ? 1 : 2)
            writer.number(row.reappliedIn ?? 0)
        }
        if row.partition != own {
            writer.byte(3)
            write(row.partition, to: &writer)
        }
        return writer.bytes
    }

    static func write(_ id: PartitionID, to writer: inout RecordWriter) {
        writer.text(id.topic)
        writer.number(Int64(id.number))
    }

    static func partition(from reader: inout RecordReader) throws(RecordDamage) -> PartitionID {
        PartitionID(topic: try reader.text(), number: try reader.narrow())
    }

    static func late(_ bytes: UnsafeRawBufferPointer, of partition: PartitionID) throws(RecordDamage) -> LateRow {
        var reader = try RecordReader(bytes)
        var row = LateRow(
            at: WallTime(milliseconds: try reader.number()), output: try reader.text(), partition: partition,
            offset: try reader.number(), eventTime: try reader.time(), windowStart: try reader.time(),
            windowEnd: try reader.time(), watermark: try reader.time(), lateBy: TimeSpan(milliseconds: try reader.number()),
            identity: try reader.bytes())
        if row.identity?.isEmpty == true { row.identity = nil }
        // Of an entry that lies in the unit's own partition and was not applied again nothing follows.
        while !reader.isAtEnd {
            let kind = try reader.byte()
            switch kind {
            case 1, 2:
                row.reapplied = kind == 1 ? .counted : .copy
                row.reappliedIn = try reader.number()
            case 3: row.partition = try self.partition(from: &reader)
            default: throw .damaged
            }
        }
        try reader.end()
        return row
    }

    static func encode(_ row: DeadLetterRow) -> [UInt8] {
        var writer = RecordWriter(capacity: 64 + (row.payload?.count ?? 0))
        writer.number(row.at.milliseconds)
        writer.byte(row.reason.rawValue)
        writer.byte(row.field == nil ? 0 : 1)
        if let field = row.field { writer.text(field) }
        writer.number(row.offset)
        writer.number(row.timestamp)
        writer.number(row.size)
        writer.byte(row.payload == nil ? 0 : 1)
        if let payload = row.payload { writer.bytes(payload) }
        return writer.bytes
    }

    static func deadLetter(_ bytes: UnsafeRawBufferPointer, of partition: PartitionID) throws(RecordDamage) -> DeadLetterRow {
        var reader = try RecordReader(bytes)
        let at = WallTime(milliseconds: try reader.number())
        guard let reason = RejectReason(rawValue: try reader.byte()) else { throw .damaged }
        let field = try reader.flag() ? try reader.text() : nil
        let row = DeadLetterRow(
            at: at, reason: reason, field: field, partition: partition, offset: try reader.number(),
            timestamp: try reader.optionalNumber(), size: try reader.number(),
            payload: try reader.flag() ? try reader.bytes() : nil)
        try reader.end()
        return row
    }

    static func encode(_ row: DecisionRow) -> [UInt8] {
        var writer = RecordWriter(capacity: 32)
        writer.number(row.at.milliseconds)
        writer.number(row.commit)
        switch row.decision {
        case .idle(let lane):
            writer.byte(1)
            writer.number(Int64(lane))
        case .speaks(let lane, let watermark):
            writer.byte(2)
            writer.number(Int64(lane))
            writer.time(watermark)
        case .advanced(let watermark):
            writer.byte(3)
            writer.number(watermark.milliseconds)
        case .resumed(let lane, let from, let to):
            writer.byte(4)
            for number in [Int64(lane), from, to] { writer.number(number) }
        case .ended: writer.byte(5)
        case .commanded(let word, let asked, let result):
            writer.byte(6)
            for text in [word, asked, result] { writer.text(text) }
        }
        return writer.bytes
    }

    static func decision(_ bytes: UnsafeRawBufferPointer) throws(RecordDamage) -> DecisionRow {
        var reader = try RecordReader(bytes)
        let at = WallTime(milliseconds: try reader.number())
        let commit = try reader.number()
        let decision: Decision
        switch try reader.byte() {
        case 1: decision = .idle(lane: try reader.narrow())
        case 2: decision = .speaks(lane: try reader.narrow(), watermark: try reader.optionalTime())
        case 3: decision = .advanced(to: try reader.time())
        case 4: decision = .resumed(lane: try reader.narrow(), from: try reader.number(), to: try reader.number())
        case 5: decision = .ended
        case 6:
            decision = .commanded(word: try reader.text(), asked: try reader.text(), result: try reader.text())
        default: throw .damaged
        }
        try reader.end()
        return DecisionRow(at: at, commit: commit, decision: decision)
    }

    static func encode(_ row: OwedRow) -> [UInt8] {
        var writer = RecordWriter(capacity: 32 + row.topic.utf8.count + row.key.count + row.value.count)
        writer.text(row.topic)
        writer.text(row.output)
        writer.bytes(row.key)
        writer.bytes(row.value)
        return writer.bytes
    }

    static func owed(_ bytes: UnsafeRawBufferPointer) throws(RecordDamage) -> OwedRow {
        var reader = try RecordReader(bytes)
        let row = OwedRow(
            topic: try reader.text(), output: try reader.text(), key: try reader.bytes(), value: try reader.bytes())
        try reader.end()
        return row
    }
}

/// The topology that a unit's state was made by: the value of the changelog's `T`. An instance that restores the unit judges by it
/// as a start judges by state.db.
struct UnitTopology: Equatable {
    var name: String
    var parts: [String: String]
    var outputs: [String]

    init(_ plan: Plan) {
        name = plan.name
        parts = Dictionary(plan.fingerprint.map { ($0.name, $0.text) }, uniquingKeysWith: { first, _ in first })
        outputs = plan.aggregates.map(\.name)
    }

    /// The same topology gives the same bytes.
    func encode() -> [UInt8] {
        var writer = RecordWriter(capacity: 1_024)
        writer.text(name)
        writer.number(Int64(parts.count))
        for (name, text) in parts.sorted(by: { $0.key < $1.key }) {
            writer.text(name)
            writer.text(text)
        }
        writer.number(Int64(outputs.count))
        for output in outputs { writer.text(output) }
        return writer.bytes
    }

    static func read(_ bytes: [UInt8]) throws(RecordDamage) -> UnitTopology {
        var outcome: Result<UnitTopology, RecordDamage> = .failure(.damaged)
        bytes.withUnsafeBytes { bytes in
            do throws(RecordDamage) {
                outcome = .success(try UnitTopology(bytes))
            } catch {
                outcome = .failure(error)
            }
        }
        return try outcome.get()
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(RecordDamage) {
        var reader = try RecordReader(bytes)
        name = try reader.text()
        parts = [:]
        outputs = []
        for _ in 0..<(try reader.count()) {
            let part = try reader.text()
            parts[part] = try reader.text()
        }
        for _ in 0..<(try reader.count()) { outputs.append(try reader.text()) }
        try reader.end()
    }
}
