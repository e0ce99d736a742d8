import Model

@testable import Pipeline

/// What one record came to, as a whole value to compare.
enum Decoded: Equatable, CustomStringConvertible {
    case undecodable
    case fields([Cell])

    enum Cell: Equatable, CustomStringConvertible {
        case missing, null, wrongType, badTime
        case value(Value)
        var description: String {
            switch self {
            case .missing: "missing"
            case .null: "null"
            case .wrongType: "wrongType"
            case .badTime: "badTime"
            case .value(let value): "\(value)"
            }
        }
    }

    var description: String {
        switch self {
        case .undecodable: "undecodable"
        case .fields(let cells): cells.map(\.description).joined(separator: " | ")
        }
    }
}

/// Records in memory of their own, as an input would hand them over.
final class OwnedBatch {
    let batch: RecordBatch
    private let bytes: UnsafeMutableRawPointer
    private let payloads: UnsafeMutablePointer<UnsafeRawPointer?>
    private let lengths: UnsafeMutablePointer<Int>
    private let numbers: UnsafeMutablePointer<Int64>

    /// nil is a tombstone.
    init(_ records: [[UInt8]?], first: Int64 = 0) {
        bytes = .allocate(byteCount: max(records.reduce(0) { $0 + ($1?.count ?? 0) }, 1), alignment: 1)
        payloads = .allocate(capacity: max(records.count, 1))
        lengths = .allocate(capacity: max(records.count, 1))
        numbers = .allocate(capacity: max(records.count, 1))
        var at = bytes
        for (index, record) in records.enumerated() {
            (payloads + index).initialize(to: record == nil ? nil : UnsafeRawPointer(at))
            (lengths + index).initialize(to: record?.count ?? 0)
            (numbers + index).initialize(to: first + Int64(index))
            if let record {
                at.copyMemory(from: record, byteCount: record.count)
                at += record.count
            }
        }
        batch = RecordBatch(count: records.count, payloads: payloads, lengths: lengths, offsets: numbers, timestamps: numbers)
    }

    deinit {
        bytes.deallocate()
        payloads.deallocate()
        lengths.deallocate()
        numbers.deallocate()
    }
}

extension Columns {
    func decoded(_ row: Int, _ fields: [FieldPlan]) -> Decoded {
        if errors[row] != 0 { return .undecodable }
        return .fields(fields.indices.map { cell(row, $0, fields[$0].type) })
    }

    private func cell(_ row: Int, _ column: Int, _ type: FieldType) -> Decoded.Cell {
        switch FieldState(rawValue: state(column)[row])! {
        case .missing: .missing
        case .null: .null
        case .wrongType: .wrongType
        case .badTime: .badTime
        case .error: preconditionFailure("a decoder computes nothing")
        case .ok: .value(value(row, column, type))
        }
    }

    private func value(_ row: Int, _ column: Int, _ type: FieldType) -> Value {
        switch type {
        case .string, .json:
            let slice = slices(column)[row]
            let bytes = UnsafeBufferPointer(start: arena + Int(slice.offset), count: Int(slice.length))
            return .string(String(decoding: bytes, as: UTF8.self))
        case .int: return .int(int64(column)[row])
        case .double: return .double(double(column)[row])
        case .bool: return .bool(int64(column)[row] != 0)
        case .uuid: return .uuid(high: uuid(column)[row].high, low: uuid(column)[row].low)
        case .timestamp: return .time(EventTime(milliseconds: int64(column)[row]))
        }
    }
}

extension RecordDecoder {
    /// Every record's outcome, however many calls it takes.
    func all(_ records: [[UInt8]?], _ fields: [FieldPlan], skip: [UInt8]? = nil) -> [Decoded?] {
        let owned = OwnedBatch(records)
        var outcomes: [Decoded?] = []
        while outcomes.count < records.count {
            let first = outcomes.count
            let columns =
                skip?.withUnsafeBufferPointer { decode(owned.batch, from: first, skip: $0.baseAddress) }
                ?? decode(owned.batch, from: first, skip: nil)
            if columns.count == 0 { return outcomes }
            for row in 0..<columns.count {
                outcomes.append(skip?[first + row] == 1 ? nil : columns.decoded(row, fields))
            }
        }
        return outcomes
    }
}
