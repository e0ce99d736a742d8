import CDecode

/// What became of one field of one record.
enum FieldState: UInt8 {
    case missing = 0
    case ok = 1
    case wrongType = 2
    case null = 3
    case badTime = 4
    /// Only of computed columns: the value can't be told truly.
    case error = 5
}

/// Where a string stands in the arena, in bytes.
struct Slice: Equatable {
    var offset: UInt32
    var length: UInt32
}

/// The 128 bits of a UUID.
struct UUIDBits: Equatable {
    var high: UInt64
    var low: UInt64
}

/// A decoded batch: a column per field, computed ones behind the record's. Plain pointers into the memory of a decoder and a `ComputeStage`, valid until its next call; copying
/// and reading it retains nothing. A column's values mean something only in rows whose state is `ok`.
struct Columns {
    /// Rows.
    let count: Int
    /// Per row: 0, or 1 for undecodable; then all states of the row are `missing`.
    let errors: UnsafePointer<UInt8>
    /// Base of all slices. Every slice is readable 16 bytes past its end.
    let arena: UnsafePointer<UInt8>
    private let states: UnsafePointer<UnsafeMutablePointer<UInt8>?>
    private let values: UnsafePointer<UnsafeMutableRawPointer?>

    /// `FieldState` raw values per row.
    @inline(__always) func state(_ column: Int) -> UnsafePointer<UInt8> {
        UnsafePointer(states[column].unsafelyUnwrapped)
    }

    /// Of an int column, a bool column (0, 1) or a timestamp column (milliseconds since 1970).
    @inline(__always) func int64(_ column: Int) -> UnsafePointer<Int64> { typed(column) }

    /// Never NaN or infinite.
    @inline(__always) func double(_ column: Int) -> UnsafePointer<Double> { typed(column) }

    /// Of a string column (its text, unescaped) or a json column (its raw text).
    @inline(__always) func slices(_ column: Int) -> UnsafePointer<Slice> { typed(column) }

    @inline(__always) func uuid(_ column: Int) -> UnsafePointer<UUIDBits> { typed(column) }

    @inline(__always) private func typed<T>(_ column: Int) -> UnsafePointer<T> {
        UnsafePointer(values[column].unsafelyUnwrapped.assumingMemoryBound(to: T.self))
    }
}

extension Columns {
    /// The first `count` rows of `native` with more columns: `states` and `values` hold all of them, `arena` the bytes of all
    /// slices.
    init(
        _ native: Columns, count: Int, arena: UnsafePointer<UInt8>, states: UnsafePointer<UnsafeMutablePointer<UInt8>?>,
        values: UnsafePointer<UnsafeMutableRawPointer?>
    ) {
        self.count = count
        errors = native.errors
        self.arena = arena
        self.states = states
        self.values = values
    }

    /// For a table of more columns; not to be written.
    func shared(_ column: Int) -> (state: UnsafeMutablePointer<UInt8>?, values: UnsafeMutableRawPointer?) {
        (states[column], values[column])
    }

    /// The columns of `decoder`'s last call.
    init(_ decoder: OpaquePointer, rows: Int) {
        count = rows
        errors = weir_errors(decoder) ?? Columns.none
        arena = weir_arena(decoder) ?? Columns.none
        states = weir_states(decoder) ?? UnsafePointer(OpaquePointer(Columns.none))
        values = weir_values(decoder) ?? UnsafePointer(OpaquePointer(Columns.none))
    }

    /// Stands in for arrays that have no elements yet.
    private static var none: UnsafePointer<UInt8> { UnsafePointer(bitPattern: 16).unsafelyUnwrapped }
}
