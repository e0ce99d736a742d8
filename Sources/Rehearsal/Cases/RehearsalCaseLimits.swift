/// Bounds of test files.
enum RehearsalCaseLimits {
    /// Input partitions of a case.
    static let partitions = 1_024
}
