public import Model

/// Every bound of the Kafka clients, with its unit.
public enum KafkaLimits {
    /// Records in one `take`: enough to spread a batch's fixed costs, few enough that a lane's turn stays short.
    public static let batch = 4_096

    /// What librdkafka spends on a queued record beside its bytes: its own bookkeeping and the allocator's.
    static let queuedRecordOverhead: Int64 = 400
    /// Counted queue bytes of one partition, in kilobytes: below, each fetch would be a few batches; above, memory is wasted.
    static let queueKilobytes: ClosedRange<Int64> = 256...65_536
    /// Queued records of one partition.
    static let queueRecords: ClosedRange<Int64> = 1_000...10_000_000
    /// Bytes asked of one partition in one fetch.
    static let fetchBytes: ClosedRange<Int64> = 65_536...1_048_576
    /// Partitions' worth of fetch bytes in one response: what a queue can overshoot its limit by.
    static let fetchPartitions: Int64 = 4
    /// How long a broker may hold an empty fetch back. It also bounds how long a partition that became fetchable waits for one.
    static let fetchWaitMilliseconds = 20
    /// How soon a full queue is looked at again, where the library can be told (librdkafka 2.2 and later).
    public static let queueBackoff = TimeSpan.milliseconds(5)
    /// Larger than any record or response we expect: a record of this size must pass, whatever the queue limits say.
    static let receiveBytes = 256 << 20

    /// Errors at one offset after which a partition is declared unreadable.
    static let poisonAttempts = 3
    /// Metadata answers in a row, one a probe, that must say a topic is gone before its partitions fail.
    static let missingTopicProbes = 4
    /// One in so many probes asks for every topic, in doubt or not: every 10 s.
    static let probesPerTopicCheck = 5
    /// Between two probes of something doubtful.
    static let probeEvery = TimeSpan.seconds(2)
    static let probeTimeout = TimeSpan.seconds(2)
    /// How long the control thread waits for events at most; also how soon it sees that it should end.
    static let controlPoll = TimeSpan.milliseconds(100)

    /// Failed records that one flush reports one by one; more are only counted.
    static let reportedFailures = 1_000
    /// Records and kilobytes a producer holds before `send` waits.
    static let producerRecords = 500_000
    static let producerKilobytes = 65_536
    /// Our own bound above any broker's, so that it is the broker who judges the size.
    static let producedBytes = 64 << 20
    static let lingerMilliseconds = 5
    public static let headers = 16
    /// Records that are read past to the next one wanted, before its place is asked for anew.
    static let skippedRecords: Int64 = 5_000

    /// The broker aborts a transaction that is open for longer; also the longest that readers of what it wrote can be held up.
    public static let transactionTimeout = TimeSpan.seconds(30)
    /// Between two tries of what the coordinator was not ready for.
    static let transactionRetryMilliseconds = 5
    /// A commit or abort that took longer may have left a request on its way that ends a later transaction: the handle is replaced.
    static let transactionDoubt = TimeSpan.seconds(2)
    /// How long a reader waits for others' open transactions: the brokers end them before that, even if they look only now and then.
    public static let patience = TimeSpan.seconds(90)
    /// A call that was given a limit and has not come back so long after it hangs.
    static let guardMargin = TimeSpan.seconds(5)
    /// How often a flush looks whether the transaction has failed meanwhile.
    static let flushSlice = TimeSpan.milliseconds(50)

    /// A member that is not heard of for so long is put out of its group.
    public static let session = TimeSpan.seconds(12)
    /// How soon a member hears that the group is being shared out anew.
    static let heartbeat = TimeSpan.seconds(1)
    /// A member that is told of another one of its name so soon after it lost a broker was put out itself. Once for each time it joins: two
    /// processes of one name do not go on against each other.
    static let troubleRemembered = TimeSpan.minutes(5)
    /// Polls that a leaving member waits for its request to be on its way.
    static let pollsToLeave = 50
    /// How long the group waits for a member to give its partitions up.
    public static let answerWithin = TimeSpan.seconds(60)

    /// The largest batch that topics of Weir's own take.
    static let internalRecordBytes = 16 << 20
    /// The size at which a new topic of Weir's own begins another file.
    static let internalSegmentBytes = 64 << 20
    /// Of a segment's index: an entry of twelve bytes for each 4 KiB of the log. Brokers map the whole file, and the first touch may read
    /// as much of it as the device reads ahead: with Kafka's default of 10 MiB that is more work than the records themselves.
    static let internalIndexBytes = internalSegmentBytes / 4_096 * 12

    /// How long a group's offsets are waited for before the rights are looked at.
    static let offsetsSlice = TimeSpan.seconds(3)
}
