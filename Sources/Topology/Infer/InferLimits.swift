/// Every bound of looking at a sample, with its unit.
public enum InferLimits {
    /// Records of one sample, those that are no JSON included; each partition has an equal share.
    public static let records = 200_000
    /// Bytes of one sample's payloads.
    public static let bytes = 256 << 20
    /// Records of each partition where a topic is looked at and no number is asked for.
    public static let partitionRecords: Int64 = 10_000
    /// Objects and lists inside one another in a record.
    static let depth = 64
    /// Different paths that are looked at; later ones are counted only.
    static let paths = 1_000
    /// Smallest hashes kept to estimate distinct values: an error of about 3 %.
    static let hashes = 1_024
    /// Values of a field that makes groups.
    static let groupValues = 200
    /// Measures that are proposed, beside the count.
    static let measures = 2
    /// Milliseconds of the longest lateness that is proposed.
    static let lateness: Int64 = 86_400_000
}
