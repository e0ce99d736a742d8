internal import Model

/// Bounds of test files and their coverage.
enum RehearsalCaseLimits {
    /// Input partitions of a case.
    static let partitions = 1_024
    /// Milliseconds of an instant: more than RFC 3339's years 0000 to 9999, and never so many that clocks overflow.
    static let instants: ClosedRange<Int64> = -(1 << 53)...1 << 53
    /// Of a fed record; below what an offset can count up to.
    static let offset: Int64 = 1 << 62
    /// What a case's clock may be moved by in all.
    static let advances = TimeSpan.days(36_500)
    /// Fields that a condition can lack; each doubles the choices that coverage looks at.
    static let missingFields = 10
}
