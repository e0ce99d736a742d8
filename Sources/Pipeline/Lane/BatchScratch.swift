import Model

/// The columns that the stages hand to one another, for one batch at a time. Allocated once.
struct BatchScratch: ~Copyable {
    static let rows = PipelineLimits.batchRows
    /// `RowVerdict` of each row.
    let verdicts: UnsafeMutablePointer<UInt8>
    /// Raw `RejectReason` of rejected rows, and the field to blame (−1: none).
    let reasons: UnsafeMutablePointer<UInt8>
    let blamed: UnsafeMutablePointer<Int16>
    /// Rows that the decoder leaves alone.
    let skip: UnsafeMutablePointer<UInt8>
    let times: UnsafeMutablePointer<Int64>
    /// The watermark before each row.
    let before: UnsafeMutablePointer<Int64>
    /// The rows that are still on their way.
    let live: UnsafeMutablePointer<Int32>
    /// The same, where a batch is taken in pieces.
    let waiting: UnsafeMutablePointer<Int32>
    let identities: UnsafeMutablePointer<Identity>
    let identified: UnsafeMutablePointer<Bool>
    /// `Admission` of the record as a whole.
    let admissions: UnsafeMutablePointer<UInt8>
    /// The rows that one output takes, and their cells.
    let taken: UnsafeMutablePointer<Int32>
    let cells: UnsafeMutablePointer<CellPointer>

    init() {
        verdicts = .allocate(capacity: Self.rows)
        reasons = .allocate(capacity: Self.rows)
        blamed = .allocate(capacity: Self.rows)
        skip = .allocate(capacity: Self.rows)
        times = .allocate(capacity: Self.rows)
        before = .allocate(capacity: Self.rows)
        live = .allocate(capacity: Self.rows)
        waiting = .allocate(capacity: Self.rows)
        identities = .allocate(capacity: Self.rows)
        identified = .allocate(capacity: Self.rows)
        admissions = .allocate(capacity: Self.rows)
        taken = .allocate(capacity: Self.rows)
        cells = .allocate(capacity: Self.rows)
    }

    deinit {
        verdicts.deallocate()
        reasons.deallocate()
        blamed.deallocate()
        skip.deallocate()
        times.deallocate()
        before.deallocate()
        live.deallocate()
        waiting.deallocate()
        identities.deallocate()
        identified.deallocate()
        admissions.deallocate()
        taken.deallocate()
        cells.deallocate()
    }
}
