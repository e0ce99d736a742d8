import Model

/// Rows of tables on their way through the outbox of state.db. They are packed: an entry of the outbox holds as many rows of one table as fit a
/// page of the file, since one by one they would cost more than what they hold. For each row its key and its values, each behind its
/// length; without values the row is to be forgotten.
///
/// A value of one commit. An entry with a key of its own is a single row, as formats before the fourth had it.
struct TablePages {
    /// By output, where its targets begin among the pages.
    private let places: [Int]
    private var pages: [[UInt8]]

    init(_ plan: Plan) {
        var next = 0
        places = plan.aggregates.map { aggregate in
            defer { next += aggregate.targets.count }
            return next
        }
        pages = Array(repeating: [], count: next)
    }

    /// Adds a row of the output's target; returns the page that is full with it.
    mutating func add(_ row: Row, target: Int) -> [UInt8]? {
        let place = places[row.output] + target
        if pages[place].isEmpty { pages[place].reserveCapacity(StateLimits.outboxPage + StateLimits.outboxPage / 4) }
        Self.append(row, to: &pages[place])
        return pages[place].count < StateLimits.outboxPage ? nil : take(place)
    }

    /// The page that the output's target has begun; nil: none.
    mutating func rest(output: Int, target: Int) -> [UInt8]? {
        let place = places[output] + target
        return pages[place].isEmpty ? nil : take(place)
    }

    private mutating func take(_ place: Int) -> [UInt8] {
        defer { pages[place] = [] }
        return pages[place]
    }

    private static func append(_ row: Row, to page: inout [UInt8]) {
        behindLength(&page) { page in
            CanonicalKey.append(windowStart: row.windowStart, windowEnd: row.windowEnd, group: row.group, to: &page)
        }
        behindLength(&page) { page in
            if !row.retracted { RowBytes.append(row, to: &page) }
        }
    }

    private static func behindLength(_ page: inout [UInt8], _ write: (inout [UInt8]) -> Void) {
        let at = page.count
        for _ in 0..<4 { page.append(0) }
        write(&page)
        let length = UInt32(page.count - at - 4)
        page.withUnsafeMutableBytes { $0.storeBytes(of: length.littleEndian, toByteOffset: at, as: UInt32.self) }
    }

    /// The rows of a page, in their order; the pointers are valid as long as the page's.
    struct Reader {
        private var rest: UnsafeRawBufferPointer
        /// The bytes are no page from here on.
        private(set) var isDamaged = false

        init(_ page: UnsafeRawBufferPointer) { rest = page }

        mutating func next() -> (key: UnsafeRawBufferPointer, row: UnsafeRawBufferPointer)? {
            if rest.isEmpty { return nil }
            guard let key = take(), !key.isEmpty, let row = take() else {
                isDamaged = true
                return nil
            }
            return (key, row)
        }

        private mutating func take() -> UnsafeRawBufferPointer? {
            guard rest.count >= 4 else { return nil }
            let end = 4 + Int(UInt32(littleEndian: rest.loadUnaligned(as: UInt32.self)))
            guard end <= rest.count else { return nil }
            defer { rest = UnsafeRawBufferPointer(rebasing: rest[end...]) }
            return UnsafeRawBufferPointer(rebasing: rest[4..<end])
        }
    }
}
