import Model

/// A unit's head as bytes: the value of the changelog's `H`, and what state.db keeps of it.
struct HeadCodec {
    /// By the plan's output index, as in `GroupStore`.
    let outputIDs: [Int32]

    /// What one commit leaves of a unit, with the number of its next ledger entry.
    struct Content: Equatable {
        var head: UnitHead
        var nextEntry: Int64
    }

    private enum Has {
        static let end: UInt8 = 1
        static let rekeyed: UInt8 = 2
    }

    func encode(_ content: Content) -> [UInt8] {
        let head = content.head
        var writer = RecordWriter(capacity: 192)
        writer.number(Int64(head.lane))
        writer.text(head.partition.topic)
        writer.number(Int64(head.partition.number))
        writer.number(head.sequence)
        writer.number(head.at.milliseconds)
        writer.number(content.nextEntry)
        writer.byte(head.isIdle ? 1 : 0)
        writer.byte((head.isEnded ? Has.end : 0) | (head.books.rekeyed > 0 ? Has.rekeyed : 0))
        writer.number(head.nextOffset)
        for time in [head.watermark, head.newestEventTime, head.largestClose, head.combined, head.closedThrough] {
            writer.time(time)
        }
        writer.byte(head.lastRecord == nil ? 0 : 1)
        if let last = head.lastRecord {
            writer.number(last.offset)
            writer.number(last.timestamp)
            writer.word(last.hash)
        }
        write(head.books, to: &writer)
        writer.number(Int64(head.progress.count))
        for (output, told) in head.progress.sorted(by: { $0.key < $1.key }) {
            writer.number(Int64(output))
            writer.time(told.completeThrough)
            writer.time(told.finalThrough)
        }
        // Only an input whose records are handed on has it: the heads of all others are as they ever were.
        if head.books.rekeyed > 0 { writer.number(head.books.rekeyed) }
        return writer.bytes
    }

    private func write(_ books: Books, to writer: inout RecordWriter) {
        for count in [books.read, books.aggregated, books.filtered, books.duplicate, books.late] { writer.number(count) }
        for count in [books.redelivered, books.unidentified, books.partlyLate, books.duplicateObserved] { writer.number(count) }
        writer.number(Int64(books.rejectedByReason.count))
        for count in books.rejectedByReason { writer.number(count) }
        let refusals = books.lateRefusals.enumerated().filter { $0.element > 0 }
        writer.number(Int64(refusals.count))
        for (output, count) in refusals {
            writer.number(Int64(outputIDs[output]))
            writer.number(count)
        }
    }

    func decode(_ bytes: UnsafeRawBufferPointer) throws(RecordDamage) -> Content {
        var reader = try RecordReader(bytes)
        let lane = try reader.narrow()
        let partition = PartitionID(topic: try reader.text(), number: try reader.narrow())
        let sequence = try reader.number()
        let at = WallTime(milliseconds: try reader.number())
        let nextEntry = try reader.number()
        guard nextEntry > 0, nextEntry <= UnitEntries.limit else { throw .damaged }
        let isIdle = try reader.flag()
        let has = try reader.byte()
        guard has <= Has.end | Has.rekeyed else { throw .damaged }
        let nextOffset = try reader.number()
        let watermark = try reader.optionalTime()
        let newest = try reader.optionalTime()
        let largestClose = try reader.optionalTime()
        let combined = try reader.optionalTime()
        let closedThrough = try reader.optionalTime()
        var lastRecord: RecordFingerprint?
        if try reader.flag() {
            lastRecord = RecordFingerprint(offset: try reader.number(), timestamp: try reader.number(), hash: try reader.word())
        }
        var books = try readBooks(from: &reader)
        var progress: [Int32: OutputProgress] = [:]
        for _ in 0..<(try reader.count()) {
            let output = try reader.narrow()
            progress[output] = OutputProgress(
                completeThrough: try reader.optionalTime(), finalThrough: try reader.optionalTime())
        }
        if has & Has.rekeyed != 0 { books.rekeyed = try reader.number() }
        try reader.end()
        return Content(
            head: UnitHead(
                lane: lane, partition: partition, sequence: sequence, at: at, books: books, watermark: watermark,
                newestEventTime: newest, nextOffset: nextOffset, lastRecord: lastRecord, largestClose: largestClose,
                isIdle: isIdle, isEnded: has & Has.end != 0, combined: combined, closedThrough: closedThrough, progress: progress),
            nextEntry: nextEntry)
    }

    private func readBooks(from reader: inout RecordReader) throws(RecordDamage) -> Books {
        var books = Books(outputs: outputIDs.count)
        books.read = try reader.number()
        books.aggregated = try reader.number()
        books.filtered = try reader.number()
        books.duplicate = try reader.number()
        books.late = try reader.number()
        books.redelivered = try reader.number()
        books.unidentified = try reader.number()
        books.partlyLate = try reader.number()
        books.duplicateObserved = try reader.number()
        let reasons = try reader.count()
        guard reasons <= books.rejectedByReason.count else { throw .damaged }
        for reason in 0..<reasons { books.rejectedByReason[reason] = try reader.number() }
        for _ in 0..<(try reader.count()) {
            let output = try reader.narrow()
            let entries = try reader.number()
            // Of an aggregate that is gone nobody asks.
            if let index = outputIDs.firstIndex(of: output) { books.lateRefusals[index] = entries }
        }
        return books
    }
}
