/// What is known of a row while it walks through the stages.
enum RowVerdict {
    static let open: UInt8 = 0
    static let redelivered: UInt8 = 1
    static let rejected: UInt8 = 2
    static let filtered: UInt8 = 3
    static let duplicate: UInt8 = 4
    static let late: UInt8 = 5
    static let aggregated: UInt8 = 6
    static let rekeyed: UInt8 = 7
}

/// What one output says to a row, before any of its windows is touched.
enum Admission {
    /// `where` refuses it, or it falls in none of the windows that exist.
    static let none: UInt8 = 0
    static let taken: UInt8 = 1
    /// Taken, though some of its windows are closed already.
    static let partly: UInt8 = 2
    /// All of its windows are closed.
    static let refused: UInt8 = 3
}
