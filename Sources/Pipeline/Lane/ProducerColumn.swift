import Model

/// The field that names a record's producer (`source.producer`): read only of records that something is told of.
struct ProducerColumn {
    private let column: Int
    private let kind: ColumnKind

    init(_ column: Int, fields: [FieldPlan]) {
        self.column = column
        kind = ColumnKind(fields[column].type)
    }

    /// By which producers are told apart; 0: the record names none. No allocation.
    func hash(_ columns: Columns, _ row: Int) -> UInt64 {
        guard columns.state(column)[row] == ColumnState.ok else { return 0 }
        let hash: UInt64
        switch kind {
        case .string, .json:
            let slice = columns.slices(column)[row]
            hash = Hash64.of(UnsafeRawBufferPointer(start: columns.arena + Int(slice.offset), count: Int(slice.length)))
        case .uuid:
            let bits = columns.uuid(column)[row]
            hash = withUnsafeBytes(of: bits) { Hash64.of($0) }
        case .int, .bool, .time: hash = withUnsafeBytes(of: columns.int64(column)[row]) { Hash64.of($0) }
        case .double: hash = withUnsafeBytes(of: columns.double(column)[row]) { Hash64.of($0) }
        }
        return max(hash, 1)
    }

    func name(_ columns: Columns, _ row: Int) -> String? { columns.text(column, kind, row) }
}

extension Columns {
    /// A value as people read it, at most `CopyLimits.nameBytes` of it; nil: there is none.
    func text(_ column: Int, _ kind: ColumnKind, _ row: Int) -> String? {
        guard state(column)[row] == ColumnState.ok else { return nil }
        switch kind {
        case .string, .json:
            let slice = slices(column)[row]
            let whole = UnsafeBufferPointer(start: arena + Int(slice.offset), count: Int(slice.length))
            if whole.count <= CopyLimits.nameBytes { return String(decoding: whole, as: UTF8.self) }
            var count = CopyLimits.nameBytes
            // No character is cut in two.
            while count > 0, whole[count] & 0xC0 == 0x80 { count -= 1 }
            return String(decoding: whole.prefix(count), as: UTF8.self) + "…"
        case .uuid:
            let bits = uuid(column)[row]
            return UUIDText.text(high: bits.high, low: bits.low)
        case .int: return String(int64(column)[row])
        case .bool: return int64(column)[row] == 0 ? "false" : "true"
        case .time: return Instant.text(int64(column)[row])
        case .double: return double(column)[row].description
        }
    }
}
