public import Model

/// A row of a table as a record of a group's results topic: the table and the row's key, and its values.
public enum ResultsRecord {
    /// The same window and group of the same table give the same bytes, so that a cleaner keeps the last revision.
    public static func key(_ row: Row, table: String) -> [UInt8] {
        CanonicalKey.bytes(windowStart: row.windowStart, windowEnd: row.windowEnd, group: row.group).withUnsafeBytes {
            key(table, $0)
        }
    }

    static func key(_ table: String, _ rowKey: UnsafeRawBufferPointer) -> [UInt8] {
        let name = Array(table.utf8)
        return withUnsafeBytes(of: UInt16(clamping: name.count).bigEndian, Array.init) + name + rowKey
    }

    public static func value(_ row: Row) -> [UInt8] {
        var bytes = [RecordWriter.version]
        RowBytes.append(row, to: &bytes)
        return bytes
    }

    /// The table's name, and `row_key`.
    static func decode(
        key: UnsafeRawBufferPointer
    ) throws(RecordDamage) -> (table: String, rowKey: UnsafeRawBufferPointer) {
        guard key.count > 2 else { throw .damaged }
        let length = Int(UInt16(bigEndian: key.loadUnaligned(as: UInt16.self)))
        guard length > 0, key.count >= 2 + length else { throw .damaged }
        return (String(decoding: key[2..<2 + length], as: UTF8.self), UnsafeRawBufferPointer(rebasing: key[(2 + length)...]))
    }

    /// What `RowBytes` wrote.
    static func decode(value: UnsafeRawBufferPointer) throws(RecordDamage) -> UnsafeRawBufferPointer {
        var reader = try RecordReader(value)
        return reader.rest()
    }
}
