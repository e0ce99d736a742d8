import Model

/// What 64 bits keep of an event, to tell its copies apart (S9): 16 bits of its time, and two sums over its compared fields' hashes
/// `g(i)`, modulo a prime below 2^24: of `g(i)` and of `(i + 1) g(i)`. Where one field differs, the quotient of the sums' differences
/// names it; where several do, it almost never names any. Copies are told wrong by chance: a retimed one is called exact once in
/// 65,536, a conflicting one not conflicting once in 16 million.
final class ContentPrint {
    /// The compared columns, in declared order.
    let columns: [Int]
    private let kinds: UnsafeMutablePointer<ColumnKind>
    private let places: UnsafeMutablePointer<Int>
    /// Of the batch's rows.
    let prints: UnsafeMutablePointer<UInt64>
    private static let prime: UInt64 = 16_777_213
    private static let mask: UInt64 = 0xFF_FFFF
    /// Nothing is known of the event.
    static let none: UInt64 = 0

    enum Verdict: Equatable {
        case exact, retimed
        /// `field`: an index into `columns`; nil: several differ.
        case conflicting(field: Int?)
    }

    init(_ columns: [Int], fields: [FieldPlan]) {
        self.columns = columns
        kinds = .allocate(capacity: max(columns.count, 1))
        places = .allocate(capacity: max(columns.count, 1))
        for (at, column) in columns.enumerated() {
            (kinds + at).initialize(to: ColumnKind(fields[column].type))
            (places + at).initialize(to: column)
        }
        prints = .allocate(capacity: BatchScratch.rows)
    }

    deinit {
        kinds.deallocate()
        places.deallocate()
        prints.deallocate()
    }

    /// Names and types of what is compared: prints of others say nothing about these.
    static func schema(_ columns: [Int], fields: [FieldPlan]) -> UInt64 {
        var bytes: [UInt8] = []
        for column in columns {
            bytes += Array(fields[column].name.utf8) + [0, ColumnKind(fields[column].type).rawValue]
        }
        return bytes.withUnsafeBytes { Hash64.of($0) }
    }

    /// Fills `prints` for the rows listed. Cost: a hash of each compared value.
    func compute(_ source: borrowing Columns, rows: UnsafePointer<Int32>, count: Int, times: UnsafePointer<Int64>) {
        let fields = columns.count
        for at in 0..<count {
            let row = Int(rows[at])
            var plain: UInt64 = 0
            var weighted: UInt64 = 0
            for field in 0..<fields {
                let hash = Self.hash(source, places[field], kinds[field], row) & Self.mask
                plain &+= hash
                weighted &+= hash &* UInt64(truncatingIfNeeded: field &+ 1)
            }
            let time = Self.mixed(UInt64(bitPattern: times[row])) &>> 48
            let print = time &<< 48 | (plain % Self.prime) &<< 24 | weighted % Self.prime
            prints[row] = print == Self.none ? 1 : print
        }
    }

    private static func mixed(_ word: UInt64) -> UInt64 {
        let product = (word ^ (word &>> 32)) &* 0xD6E8_FEB8_6659_FD93
        return (product ^ (product &>> 32)) &* 0xD6E8_FEB8_6659_FD93
    }

    /// Null is a value like others.
    @inline(__always)
    private static func hash(_ source: borrowing Columns, _ column: Int, _ kind: ColumnKind, _ row: Int) -> UInt64 {
        guard source.state(column)[row] == ColumnState.ok else { return 0x5A }
        switch kind {
        case .string, .json:
            let slice = source.slices(column)[row]
            let bytes = UnsafeRawBufferPointer(start: source.arena + Int(slice.offset), count: Int(slice.length))
            return Hash64.of(bytes) &>> 8
        case .uuid:
            let bits = source.uuid(column)[row]
            return mixed(bits.high ^ mixed(bits.low)) &>> 8
        case .double:
            let value = source.double(column)[row]
            return mixed((value == 0 ? 0 : value).bitPattern) &>> 8
        case .int, .bool, .time: return mixed(UInt64(bitPattern: source.int64(column)[row])) &>> 8
        }
    }

    func verdict(kept: UInt64, copy: UInt64) -> Verdict {
        let content: UInt64 = 0xFFFF_FFFF_FFFF
        if kept & content == copy & content { return kept == copy ? .exact : .retimed }
        let plain = Self.difference(copy &>> 24 & Self.mask, kept &>> 24 & Self.mask)
        let weighted = Self.difference(copy & Self.mask, kept & Self.mask)
        for field in columns.indices where plain != 0 && UInt64(field + 1) * plain % Self.prime == weighted {
            return .conflicting(field: field)
        }
        return .conflicting(field: nil)
    }

    private static func difference(_ a: UInt64, _ b: UInt64) -> UInt64 { (a + prime - b) % prime }
}
