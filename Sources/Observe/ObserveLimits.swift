public import Model

/// Every bound of this target, with its unit.
public enum ObserveLimits {
    /// HTTP connections at once; more wait in the kernel's queue.
    public static let connections: UInt32 = 64
    /// Seconds without progress after which a connection is closed.
    public static let connectionTimeout: UInt32 = 10
    /// Bytes of memory a connection may take: request line, headers and its write buffer.
    public static let connectionMemory = 32 << 10
    /// Connections that wait in the kernel's queue to be accepted.
    public static let backlog: Int32 = 64
    /// Bytes of an answer that `HTTPGet` reads at most.
    public static let answer = 16 << 20
    /// Log lines of one event code within `logPeriod`; what comes beyond is counted and told later.
    public static let logBurst = 5
    /// The same for events that name a partition, of which many can have something to say at once.
    public static let logPartitionBurst = 100
    public static let logPeriod = TimeSpan.seconds(10)
    /// How long `HTTPGet` waits in all unless told otherwise.
    public static let getTimeout = TimeSpan.seconds(5)
}
