public import Model

/// What is known of a unit's changelog partition, and of what is here of it, before its restore.
public struct RestoreFacts: Equatable, Sendable {
    /// The record at the place of the last applied one, as it was read again.
    public enum Reread: Equatable, Sendable {
        case record(RecordFingerprint)
        /// No record is there: compacted away, or nobody looked.
        case nothing
    }

    public var changelog: PartitionID
    /// nil: nothing of the unit is here.
    public var stored: ChangelogPosition?
    /// The first offset of the partition, and the one behind its last (its high watermark: a read_uncommitted reader's end).
    public var low: Int64
    public var high: Int64
    /// The topic's own id; nil where the client can't tell it.
    public var topicID: String?
    public var reread: Reread
    /// `delete.retention.ms` of the topic; nil where it could not be asked: then what is here is taken as too old.
    public var deleteRetention: TimeSpan?
    public var now: WallTime
    /// Partitions of the changelog topic, and how many units the group has.
    public var partitions: Int
    public var units: Int
    public init(
        changelog: PartitionID, stored: ChangelogPosition?, low: Int64, high: Int64, topicID: String? = nil, reread: Reread,
        deleteRetention: TimeSpan?, now: WallTime, partitions: Int, units: Int
    ) {
        self.changelog = changelog
        self.stored = stored
        self.low = low
        self.high = high
        self.topicID = topicID
        self.reread = reread
        self.deleteRetention = deleteRetention
        self.now = now
        self.partitions = partitions
        self.units = units
    }
}

/// How a unit's restore begins. A pure decision, so that each way in which a copy and its changelog can part is a row of a test.
public enum RestoreVerdict: Equatable, Sendable {
    public enum Reason: String, CaseIterable, Sendable {
        /// The copy is past the end: the topic was made anew, or cut by an unclean election.
        case pastTheEnd = "the changelog ends before it"
        case recreated = "the changelog topic was made anew"
        case differs = "the changelog holds another record at its place"
        case unknown = "its last record is no longer in the changelog, so that nothing shows it to be the same one"
        case tooOld = "it is older than the changelog keeps its deletions"
    }

    /// What is here is a prefix of the changelog: read on. Also where nothing is here: then from the start.
    case goOn(from: Int64)
    /// What is here can't be trusted: `wipe`, then read from the start.
    case wipeAndRestore(from: Int64, Reason)
    case refuse(Fault)

    public static func judge(_ facts: RestoreFacts) -> RestoreVerdict {
        guard facts.partitions == facts.units else {
            return .refuse(
                Fault(
                    "partitions_changed",
                    "The changelog has \(facts.partitions) partitions, but the group \(facts.units) units.",
                    place: facts.changelog.topic,
                    next:
                        "Take added partitions of the input back, or start anew under another source.group: a key's partition changes with their number.",
                    exit: .state))
        }
        if facts.low > 0 { return .refuse(cut(facts)) }
        guard let stored = facts.stored, stored.next > 0 else { return .goOn(from: facts.low) }
        // An empty changelog under a copy that is not: the copy may be the last there is, so it is not deleted.
        if facts.high == 0 { return .refuse(lost(facts.changelog)) }
        if let known = stored.topicID, let now = facts.topicID, known != now { return wipe(facts, .recreated) }
        if stored.next > facts.high {
            return Mutant.statePastEndKept.isOn ? .goOn(from: facts.high) : wipe(facts, .pastTheEnd)
        }
        if isTooOld(stored, facts) { return wipe(facts, .tooOld) }
        if let last = stored.last, case .record(let found) = facts.reread {
            // The timestamp may be the broker's or the writer's.
            return found.offset == last.offset && found.hash == last.hash ? .goOn(from: stored.next) : wipe(facts, .differs)
        }
        return stored.topicID != nil && facts.topicID != nil ? .goOn(from: stored.next) : wipe(facts, .unknown)
    }

    private static func wipe(_ facts: RestoreFacts, _ reason: Reason) -> RestoreVerdict {
        .wipeAndRestore(from: facts.low, reason)
    }

    /// Tombstones behind the copy's position may have left the changelog before anybody saw them here: the keys would live
    /// for ever. With one offset or none behind it, a commit's marker, there was nothing to miss.
    private static func isTooOld(_ stored: ChangelogPosition, _ facts: RestoreFacts) -> Bool {
        if facts.high - stored.next <= 1 { return false }
        guard let kept = facts.deleteRetention else { return true }
        let (age, overflow) = facts.now.milliseconds.subtractingReportingOverflow(stored.appliedAt.milliseconds)
        return overflow || age < 0 || age >= kept.milliseconds - kept.milliseconds / StateLimits.retentionMargin
    }

    /// After the restore: the position that the group committed for the unit's input must be the one that its state was left at.
    /// nil: go on, at `head.nextOffset`, or at the topology's start where there is no head.
    public static func check(committed: Int64?, head: UnitHead?, input: PartitionID, changelog: PartitionID) -> Fault? {
        guard let head else { return committed == nil ? nil : lost(changelog) }
        // Brokers forget an idle group's positions after a week; the head has not.
        guard let committed, committed != head.nextOffset else { return nil }
        return Fault(
            "group_moved",
            "The group's position was moved to \(committed); the state was left at \(head.nextOffset).",
            place: "\(input)@\(head.nextOffset)",
            next:
                "Stop every instance and set the group's offset back with kafka-consumer-groups; to read again, start anew under another source.group.",
            exit: .choiceNeeded)
    }

    /// Compaction moves no beginning. What was deleted from it is missing wherever the unit is restored from then on.
    private static func cut(_ facts: RestoreFacts) -> Fault {
        Fault(
            "changelog_cut",
            "The changelog begins at \(facts.low): records before it were deleted, and with them a part of the state.",
            place: "\(facts.changelog)",
            next:
                "Keep its cleanup.policy at compact and delete no records; start anew under another source.group with an empty state directory.",
            exit: .state)
    }

    private static func lost(_ changelog: PartitionID) -> Fault {
        Fault(
            "changelog_lost",
            "The changelog is empty, but the group has worked before: the topic was deleted, or its records were.",
            place: "\(changelog)",
            next: "Bring the topic back, or start anew under another source.group with an empty state directory.", exit: .state)
    }
}
