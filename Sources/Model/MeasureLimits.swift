/// Every bound of a cell's measures, with its unit: together they bound the cell (S18).
public enum MeasureLimits {
    /// Bytes of a text that `min`, `max`, `first` and `last` take; a longer one is an error value.
    public static let textBytes = 16 << 10
    /// Bytes of a text that `top`, `largest` and `largest_distinct` take; a longer one is an error value.
    public static let listedTextBytes = 512
    /// Different values that `exact_distinct` can be asked to tell.
    public static let distinctValues = 1...16_384
    /// Values that `top`, `largest` and `largest_distinct` can be asked to list.
    public static let listedValues = 1...1_000
    /// Bytes of all measures of one cell at their largest; `check` refuses more. A cell is one record of a group's changelog.
    public static let cellBytes = 512 << 10
}
