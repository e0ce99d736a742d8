import Model

/// Every bound of the runtime, with its unit.
enum RuntimeLimits {
    /// Records a lane takes at once.
    static let batch = 2_000
    /// Records of the re-keyed topic, each with many of the input's, that a re-keyed lane takes at once.
    static let rekeyedBatch = 8
    /// How long a commit waits for lanes to seal; who is late comes with the next one.
    static let sealWait = TimeSpan.milliseconds(50)
    /// How long a last commit waits for them.
    static let lastSealWait = TimeSpan.seconds(4)
    /// How often the topics are asked for new partitions.
    static let discoverEvery = TimeSpan.seconds(5)
    /// How often the broker is asked whether a silent partition is fully read.
    static let confirmEvery = TimeSpan.seconds(1)
    /// How often a commit that failed for a cause that can go is tried again.
    static let retryEvery = TimeSpan.milliseconds(500)
    /// Broker questions at start are asked again after this.
    static let startRetry = TimeSpan.seconds(1)
    /// How often a start that waits for a broker looks whether it should stop.
    static let stopLook = TimeSpan.milliseconds(50)
    /// Between two looks for the end of a group's bounded input, once everybody has read it.
    static let endLook = TimeSpan.milliseconds(10)
    static let questionLimit = TimeSpan.seconds(4)
    /// The first questions, before a broker has answered: short, so that a signal is heard meanwhile.
    static let firstQuestionLimit = TimeSpan.seconds(3)
    /// Rows handed to the broker at once.
    static let publishBatch = 2_000
    /// How long one commit waits for the broker to confirm rows; the rest is told at the next.
    static let publishWait = TimeSpan.milliseconds(20)
    /// Rows that the broker has not confirmed for so long are told.
    static let rowsStuckAfter = TimeSpan.seconds(5)
    /// How long the end of a run waits for rows to be confirmed.
    static let lastPublishWait = TimeSpan.seconds(3)
    /// A record that has ended the process so often is rejected instead of computed.
    static let deathsOfARecord: Int64 = 3
    /// Partitions that can have their marks in one state directory.
    static let slotsInHand = 1_024
    /// A commit that takes longer than this many times its interval is told.
    static let slowCommit: Int64 = 8
    /// While an instance of a group catches up, its commits take one part in so many of the time, if they needn't be further apart
    /// than this for it.
    static let catchUpShare: Int64 = 8
    static let longestCatchUp = TimeSpan.seconds(1)
    /// A paused lane or one whose input failed for the moment looks again after this.
    static let nudgeEvery = TimeSpan.seconds(1)
    /// How often the group's offsets are committed for lag tools.
    static let groupCommitEvery = TimeSpan.seconds(1)
    /// So many late or rejected records between two looks, and at least one in so many of those read, are told as a burst.
    static let burstRecords: Int64 = 100
    static let burstShare: Int64 = 10
    /// Of the longest log that may be, the share from which on it is told who holds it.
    static let logToldShare: Int64 = 8
    /// A lane's delta may take one part in so many of what the lane may: while it is built up, the one before is on its way to the disk.
    static let deltaShare = 8
    /// Of the C library's allocator: places that threads share, and bytes from which on a block is mapped by itself, and of what is free
    /// at a place's end. Measured with keys and groups larger than memory: half the peak, and no more CPU; a quarter of these bytes gains
    /// nothing more, and fewer places make the client's threads wait for each other.
    static let arenas: Int32 = 4
    static let mappedBlock: Int32 = 1 << 20
    static let keptFree: Int32 = 32 << 20
    /// A lane that waits for memory while nothing leaves it, for so many commits, will wait for ever.
    static let looksWhenFull = 16
    /// How often sizes are measured.
    static let measureEvery = TimeSpan.seconds(1)
    /// How long closing a client may take before it is left behind.
    static let closeLimit = TimeSpan.seconds(1)
    /// How long an instance restores at least between two commits of its other units, and at most for the sake of slow ones.
    static let restoreSlice = TimeSpan.milliseconds(100)
    static let longestRestoreSlice = TimeSpan.seconds(1)
    /// A look at the changelogs of units that are restored is not further from the next, should a wake-up be lost.
    static let restoreWait = TimeSpan.milliseconds(20)
    /// How often the log tells the progress of restores that take longer.
    static let tellRestoreEvery = TimeSpan.seconds(5)
    /// Units whose changelogs are read at the same time.
    static let restoresAtOnce = 8
    /// Client queues of the logs that are read back: changelogs, the log of time, results.
    static let logMemory = ByteCount.mebibytes(24)
    /// For so long after a start an internal topic may be unknown to some brokers.
    static let newTopicPatience = TimeSpan.seconds(30)
    /// A restore that gets nothing for so long begins anew.
    static let restorePatience = TimeSpan.seconds(120)
    /// How long the broker has to confirm rows that are sent after their commit.
    static let owedLimit = TimeSpan.seconds(30)
    /// Bytes of records that one command reads again; what is left is another command's.
    static let lateBytes = 64 << 20
    /// Bytes of a command's line, and of its answer's.
    static let commandBytes = 64 << 10
    static let answerBytes = 4 << 20
    /// How long one side takes to write a line, and how long the answer to a command may take.
    static let commandLineWait = TimeSpan.seconds(2)
    static let commandWait = TimeSpan.seconds(120)
    /// Commands that wait for a commit, and connections that wait to be taken.
    static let commandsWaiting = 16
    /// Records of a control topic that are looked at for the order that stands; compaction leaves fewer.
    static let ordersLookedAt = 1_000
    /// Orders to apply late events again that a group remembers at most: an older one that a lane has not acted on is lost.
    static let lateOrdersKept = 64
    /// Between two looks whether the answer to one has come.
    static let answerLook = TimeSpan.milliseconds(100)
    static let controlBacklog: Int32 = 16
    /// How long a producer may take to fence the one before.
    static let prepareLimit = TimeSpan.seconds(60)
}
