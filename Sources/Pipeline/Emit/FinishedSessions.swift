import Model

/// Sessions that their own partitions have closed, of which a row comes at once and nothing is kept (S14): no group is looked up for them, and
/// nothing of theirs is allocated one by one.
///
/// They are handed out in the order of their ends, which is that of their rows' keys: a table takes them page by page.
struct FinishedSessions {
    private struct Entry {
        var start: Int64
        var end: Int64
        var lane: LaneNumber
        /// Where the group's bytes begin; behind them are the cell's.
        var offset: Int
        var group: Int32
        var cell: Int32
    }

    private var entries: [Entry] = []
    private var bytes: [UInt8] = []

    var count: Int { entries.count }
    /// Bytes.
    var memory: Int { bytes.count + entries.count * MemoryLayout<Entry>.stride }

    mutating func add(start: Int64, end: Int64, lane: LaneNumber, group: UnsafeRawBufferPointer, cell: UnsafeRawBufferPointer) {
        entries.append(
            Entry(
                start: start, end: end, lane: lane, offset: bytes.count, group: Int32(group.count), cell: Int32(cell.count)))
        bytes.append(contentsOf: group)
        bytes.append(contentsOf: cell)
    }

    /// Hands out all of them, and forgets them.
    mutating func take(
        _ body: (
            _ start: Int64, _ end: Int64, _ lane: LaneNumber, _ group: UnsafeRawBufferPointer, _ cell: UnsafeRawBufferPointer
        ) -> Void
    ) {
        if entries.isEmpty { return }
        let (entries, bytes) = (entries.sorted { ($0.end, $0.start, $0.offset) < ($1.end, $1.start, $1.offset) }, bytes)
        (self.entries, self.bytes) = ([], [])
        bytes.withUnsafeBytes { bytes in
            for entry in entries {
                let cell = entry.offset + Int(entry.group)
                body(
                    entry.start, entry.end, entry.lane, UnsafeRawBufferPointer(rebasing: bytes[entry.offset..<cell]),
                    UnsafeRawBufferPointer(rebasing: bytes[cell..<(cell + Int(entry.cell))]))
            }
        }
    }
}
