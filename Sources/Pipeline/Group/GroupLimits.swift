/// Every bound of the group's own records, with its unit.
public enum GroupLimits {
    /// Bytes of one record of partials; a single partial may be larger.
    public static let partialsBytes = 256 << 10
    /// Bytes of one record of the re-keyed topic; a single re-keyed record may be larger.
    public static let handedOnBytes = 256 << 10
    /// After so many records of the log of time one carries a snapshot.
    public static let snapshotEvery = 256
}
