#if FAULT_POINTS
    import Glibc
#endif

/// Deliberate mistakes that a debug build makes when the environment's `WEIR_MUTANT` names one: each is what somebody got wrong once,
/// and the chaos run requires that it catches every one of them. A release build makes none.
public enum Mutant: String, CaseIterable, Sendable {
    /// SQLite's transaction comes before the end of Kafka's.
    case stateBeforeKafka = "state_before_kafka"
    /// The group's metadata is made at the commit, without generation and member, instead of kept from the assignment.
    case metadataAtCommit = "metadata_at_commit"
    /// A restore reads up to the last stable offset instead of the end of the log.
    case restoreToStableOffset = "restore_to_stable_offset"
    /// State whose position lies past the end of the changelog is kept.
    case statePastEndKept = "state_past_end_kept"
    /// The transaction holds no input offsets, so that brokers do not ask who commits.
    case offsetsOutsideTransaction = "offsets_outside_transaction"
    /// A revoke is answered first; what was under way is committed after the next assignment.
    case commitAfterRevoke = "commit_after_revoke"
    /// A commit writes the new identities to the changelog, and not the cells that the same records went into.
    case partialLost = "partial_lost"
    /// Rows are sent outside the transaction.
    case rowsOutsideTransaction = "rows_outside_transaction"
    /// After a commit that failed memory is kept, and the records are read again from the committed offsets.
    case memoryKeptAfterDoubt = "memory_kept_after_doubt"
    /// Records are taken before the unit's state is restored.
    case resumeBeforeRestore = "resume_before_restore"
    /// A local copy is used as it is, without what others wrote to the changelog since.
    case staleCopyTrusted = "stale_copy_trusted"
    /// Deletions are not written to the changelog.
    case tombstonesLeftOut = "tombstones_left_out"
    /// Revisions already given are not written to the changelog.
    case revisionForgotten = "revision_forgotten"
    /// A partial that comes again is added instead of replacing the earlier one.
    case partialsAdded = "partials_added"
    /// A newcomer acts on the log of time before every lane was reported to it.
    case hastyReplica = "hasty_replica"
    /// A merge closes windows without having read the partials that the log of time tells of.
    case endsIgnored = "ends_ignored"
    /// At least once: what is owed is not written to the changelog.
    case owedForgotten = "owed_forgotten"
    /// A restored unit goes on at the group's offset plus one batch: the end of what was under way when its owner died.
    case offsetBeforeWork = "offset_before_work"

    #if FAULT_POINTS
        private static let chosen: Mutant? = {
            guard let name = getenv("WEIR_MUTANT").map({ String(cString: $0) }) else { return nil }
            guard let mutant = Mutant(rawValue: name) else {
                let words = Array("not a mutant that this build knows: \(name)\n".utf8)
                _ = words.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
                abort()
            }
            return mutant
        }()

        /// Whether this process makes the mistake. Called from any queue; one comparison.
        public var isOn: Bool { Mutant.chosen == self }
    #else
        /// Never, and the compiler may know it.
        @inlinable public var isOn: Bool { false }
    #endif
}
