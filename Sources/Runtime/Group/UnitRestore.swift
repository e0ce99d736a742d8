import Kafka
import Model
import Pipeline
import State

/// Brings one unit's state here: judges what SQLite has of it, and reads the rest of its changelog, a piece at a time so that the
/// other units' commits go on meanwhile (S20). Used on the run's thread, which it never makes wait.
final class UnitRestore {
    let lane: LaneNumber
    let facts: UnitFacts
    let began: MonotonicTime
    /// Where the reading began.
    private(set) var from: Int64
    /// What was found wrong with the local copy; nil: it was good, there was none, or it is not known yet.
    private(set) var wiped: RestoreVerdict.Reason?
    /// Something of the unit was here when the restore began.
    private let foundCopy: Bool
    private let foundRecord: Bool
    /// What was here was deleted.
    private var isAnew = false
    private let context: Context
    private let id: PartitionID
    private let wake: @Sendable () -> Void
    /// nil: nothing is to be read.
    private var reader: LogReader?
    /// The copy's last record is being read again, by which it is known whether both are of one log.
    private var compared: RestoreFacts?
    /// Since when nothing came, though the end is not reached.
    private var silentSince: MonotonicTime?
    private var isGivenUp = false

    /// What all restores of an instance share.
    struct Context {
        var layout: GroupLayout
        var store: GroupStore
        var log: KafkaLog
        var queries: KafkaQueries
        var clock: any Clock
        /// Partitions of the changelog topic.
        var partitions: Int
        var deleteRetention: TimeSpan?
    }

    /// `wake` is called on another thread when there is something to take.
    init(
        _ lane: LaneNumber, _ facts: UnitFacts, _ context: Context, wake: @escaping @Sendable () -> Void
    ) throws(Fault) {
        self.lane = lane
        self.facts = facts
        self.context = context
        self.wake = wake
        id = context.layout.changelog(of: lane)
        began = context.clock.monotonic()
        from = facts.changelog.lowerBound
        let stored = context.store.positions()[lane]
        foundCopy = stored != nil
        foundRecord = stored?.last != nil
        let known = RestoreFacts(
            changelog: id, stored: stored, low: facts.changelog.lowerBound, high: facts.changelog.upperBound, reread: .nothing,
            deleteRetention: context.deleteRetention, now: context.clock.wall(), partitions: context.partitions,
            units: context.layout.units)
        let verdict = RestoreVerdict.judge(known)
        if case .refuse(let fault) = verdict { throw fault }
        if let last = stored?.last, facts.changelog.contains(last.offset) {
            compared = known
            from = stored?.next ?? last.offset
            reader = try context.log.reader(of: id, from: last.offset, wake: wake)
        } else {
            try begin(verdict)
        }
    }

    /// What is here rests on a copy that was here before, not on the changelog alone.
    var hadCopy: Bool { foundCopy && !isAnew }

    var target: Int64 { facts.changelog.upperBound }

    /// Everything is here.
    var isDone: Bool {
        if Mutant.staleCopyTrusted.isOn || isGivenUp { return true }
        guard compared == nil else { return false }
        guard let reader else { return true }
        if Mutant.resumeBeforeRestore.isOn, reader.position > from { return true }
        return reader.position >= target
    }

    /// Takes what has come. False: nothing had.
    func step() throws(Fault) -> Bool {
        guard let reader, !isDone else { return false }
        let position = reader.position
        var verdict: RestoreVerdict?
        let limit = Mutant.restoreToStableOffset.isOn ? RuntimeLimits.restoreWait : .zero
        let came = try reader.next(within: limit) { batch throws(Fault) in
            var records = try batch.records(of: id)[...]
            if compared != nil {
                let judged = judge(records.first)
                verdict = judged
                guard case .goOn(let next) = judged else { return }
                // The first one is in the copy already.
                records = records.drop { $0.offset < next }
            }
            try context.store.applyChangelog(lane, Array(records), next: batch.next)
            FaultPoint.hit(.duringRestore)
        }
        // Nothing is at its place, nor behind it before this one.
        if let last = compared?.stored?.last, reader.position > last.offset { verdict = judge(nil) }
        if let verdict, verdict != .goOn(from: from) { try begin(verdict) }
        if Mutant.restoreToStableOffset.isOn, !came, self.reader?.position == position { isGivenUp = true }
        try noteSilence(reader.position > position || came)
        return came
    }

    private func judge(_ first: ChangelogRecord?) -> RestoreVerdict {
        guard var facts = compared else { return .goOn(from: from) }
        compared = nil
        if let first, first.offset == facts.stored?.last?.offset { facts.reread = .record(first.fingerprint) }
        return RestoreVerdict.judge(facts)
    }

    private func begin(_ verdict: RestoreVerdict) throws(Fault) {
        close()
        switch verdict {
        case .goOn(let offset): from = offset
        case .wipeAndRestore(let offset, let reason):
            if Mutant.statePastEndKept.isOn, reason == .pastTheEnd {
                from = target
                break
            }
            try context.store.wipe(lane)
            from = offset
            isAnew = true
            // Of aborted records there is a position, and nothing that could be lost.
            if foundRecord { wiped = reason }
        case .refuse(let fault): throw fault
        }
        if from < target { reader = try context.log.reader(of: id, from: from, wake: wake) }
    }

    private func noteSilence(_ hasMoved: Bool) throws(Fault) {
        if isDone || hasMoved {
            silentSince = nil
            return
        }
        let now = context.clock.monotonic()
        guard let since = silentSince else {
            silentSince = now
            return
        }
        if now - since > RuntimeLimits.restorePatience { throw stalled(now - since) }
    }

    /// How far the reading is: records' places, of all that are to be read.
    var progress: (done: Int64, total: Int64) {
        (max(min(reader?.position ?? target, target) - from, 0), max(target - from, 0))
    }

    /// The last word: what the local copy holds may be used.
    func finish() throws(Fault) {
        let position = reader?.position ?? from
        close()
        // Past the marks behind the last record, which no record shows.
        try context.store.finishRestore(of: lane, next: max(position, from))
    }

    func close() {
        reader?.close()
        reader = nil
    }

    private func stalled(_ silence: TimeSpan) -> Fault {
        Fault(
            "restore_stalled",
            "The changelog gives nothing at \(reader?.position ?? from) of \(target) for \(silence.milliseconds / 1_000) s: a transaction on it is open, or its leader is away.",
            place: "\(id)", next: "Look at the brokers, and for hanging transactions with kafka-transactions.",
            exit: .broker,
            isTransient: true)
    }
}
