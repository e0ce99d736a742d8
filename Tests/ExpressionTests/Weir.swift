import Model

@testable import Pipeline
@testable import Topology

/// The rows as JSON records through the production decoder; conditions through the production reader and column runtime.
final class Weir {
    private let decoder: RecordDecoder
    let decoded: Columns
    private let records: Records

    init(_ rows: [Row]) throws {
        decoder = try RecordDecoder(fields: Fields.plans)
        records = Records(rows.map(\.json))
        decoded = decoder.decode(records.batch, skip: nil)
        for row in 0..<rows.count where decoded.errors[row] != 0 { throw Refused(what: "undecodable: \(rows[row])") }
        guard decoded.count == rows.count else { throw Refused(what: "decoded \(decoded.count) of \(rows.count) rows") }
        for (row, cells) in rows.map(\.cells).enumerated() {
            for (column, cell) in cells.enumerated() where cell != .null {
                guard decoded.state(column)[row] == FieldState.ok.rawValue else {
                    throw Refused(what: "\(Fields.plans[column].name) was not read: \(rows[row])")
                }
            }
        }
    }

    func answers(_ text: String) throws -> [Bool?] { answers(try Self.predicate(text)) }

    /// `plans`: the fields, and behind them the columns that the condition computes.
    func answers(_ predicate: Predicate, _ plans: [FieldPlan] = Fields.plans) -> [Bool?] {
        let program = PredicateProgram(predicate, fields: plans, capacity: decoded.count)
        let stage = ComputeStage(plans)
        let columns = plans.count > Fields.plans.count ? stage.run(decoded) : decoded
        let truths = withExtendedLifetime(stage) { program.evaluate(columns, count: columns.count) }
        return (0..<decoded.count).map { truths[$0] == 2 ? nil : truths[$0] == 1 }
    }

    /// As a topology's reader does, without the file around it.
    static func predicate(_ text: String) throws -> Predicate {
        var typing = Typing(fields: FieldTable(Fields.plans))
        let predicate = typing.predicate(try Parser.condition(text))
        guard let predicate else { throw Refused(what: "Weir: \(text): \(typing.faults.map(\.what))") }
        return predicate
    }

    /// The same out of a whole file.
    static func reading(_ text: String) -> Topology.Reading {
        let file = """
            name: fuzz
            source: {topics: [in]}
            fields:
            \(Fields.yaml)
            event_time: {field: at}
            filter: |-
              \(text)
            aggregates:
              a: {window: {tumbling: 1m}, measures: {events: count()}}
            """
        return Topology.read(
            files: ["t.yaml"],
            from: Topology.Surroundings(
                bytes: { _ throws(Fault) in Array(file.utf8) }, environment: { _ in nil },
                zone: { name throws(Fault) in
                    throw Fault("zone_unknown", "unknown", place: name, next: "none", exit: .topology)
                }))
    }
}

/// Records in memory of their own, as an input hands them over.
private final class Records {
    let batch: RecordBatch
    private let bytes: UnsafeMutablePointer<UInt8>
    private let payloads: UnsafeMutablePointer<UnsafeRawPointer?>
    private let lengths: UnsafeMutablePointer<Int>
    private let numbers: UnsafeMutablePointer<Int64>

    init(_ texts: [String]) {
        bytes = .allocate(capacity: texts.reduce(1) { $0 + $1.utf8.count })
        payloads = .allocate(capacity: texts.count)
        lengths = .allocate(capacity: texts.count)
        numbers = .allocate(capacity: texts.count)
        var at = bytes
        for (index, text) in texts.enumerated() {
            let utf8 = Array(text.utf8)
            at.initialize(from: utf8, count: utf8.count)
            (payloads + index).initialize(to: UnsafeRawPointer(at))
            (lengths + index).initialize(to: utf8.count)
            (numbers + index).initialize(to: Int64(index))
            at += utf8.count
        }
        batch = RecordBatch(count: texts.count, payloads: payloads, lengths: lengths, offsets: numbers, timestamps: numbers)
    }

    deinit {
        bytes.deallocate()
        payloads.deallocate()
        lengths.deallocate()
        numbers.deallocate()
    }
}
